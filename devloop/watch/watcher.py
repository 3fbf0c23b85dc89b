"""Watches a project's files: the part's public face."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType

import anyio

from devloop.config.types import Watch, seconds
from devloop.events import Change, Notice
from devloop.watch import mounts
from devloop.watch.notify import BackEnd, system
from devloop.watch.patterns import Named
from devloop.watch.pump import SWEEP_SHARE, Pump, offset
from devloop.watch.scan import ChangeSet, Scan
from devloop.watch.signatures import Known
from devloop.watch.tree import Tree

TICK = 1.0
"""Seconds between two looks at the clocks."""

SLEPT = 2.0
"""Seconds by which the clocks must have parted to mean that the machine was asleep."""

SWEEP_EVERY = 300.0
"""Seconds between two looks at all files without any cause; each takes 3 µs for a file."""

POLL = 0.5
"""Seconds between two looks at all files where nothing notifies."""

SILENT_POLL = 1.0
"""The same where a file system notifies of this machine's own changes only."""

FILL_SIZE = 64 << 10
"""Bytes up to which a file is read at the start, to know later whether it has changed."""

FILL_AT_ONCE = 64
"""How many of them between two breaths."""


class Watcher:
    """Watches a project's files; an async iterator of change sets.

    ::

        async with Watcher(root, config=config.watch) as watcher:
            async for change_set in watcher:
                ...

    Args:
        root: the project's.
        config: the `watch` table.
        known: what was read of the files before; what differs from it is reported first of all.
            Nothing, to begin with what is there.
        extra: paths watched although ignored: files, and folders of which just the entries are.
        quiet: declared outputs, as paths or patterns: never reported, but see `look`.
        wanted: paths or patterns that the user has named in `watch` or `inputs`: never muted.
        poll: seconds between two looks at all files; None to be notified by the system.
        notice: told what a person should know.
        stirred: called when sources seem to have changed, some milliseconds before a change set
            says so, or none does; it must take less time than that. It is given the paths of few
            sources that are whole, as a person saves them; else nothing.
        back_end: what notifies.
        sweep_every: seconds between two looks at all files without any cause.
        ahead: how far the clock that goes on while the machine sleeps is ahead, in seconds.
    """

    def __init__(
        self,
        root: Path,
        *,
        config: Watch,
        known: Mapping[str, Known] | None = None,
        extra: Collection[str] = (),
        quiet: Collection[str] = (),
        wanted: Collection[str] = (),
        poll: float | None = None,
        notice: Callable[[Notice], None] | None = None,
        stirred: Callable[[Collection[str]], None] = lambda _: None,
        back_end: BackEnd = system,
        sweep_every: float = SWEEP_EVERY,
        ahead: Callable[[], float] = offset,
    ) -> None:
        self._root = os.path.abspath(root)
        self._config = config
        self._known: Mapping[str, Known] = known or {}
        self._extra, self._quiet, self._wanted = extra, quiet, wanted
        self._poll = poll
        self._notice = notice or (lambda _: None)
        self._stirred = stirred
        self._back_end = back_end
        self._sweep_every = sweep_every
        self._ahead = ahead
        self._messages: list[str] = []

    async def __aenter__(self) -> Watcher:
        self._send, self._receive = anyio.create_memory_object_stream[ChangeSet](math.inf)
        self._tasks = anyio.create_task_group()
        self._tree = await anyio.to_thread.run_sync(self._start)
        await self._tasks.__aenter__()
        self._pump = Pump(
            self._tree,
            self._tasks,
            debounce=seconds(self._config.debounce),
            wanted=Named(self._wanted),
            emit=self._send.send_nowait,
            stirred=self._stirred,
            notice=self._notice,
            back_end=self._back_end,
        )
        try:
            pace = self._pace()
            await self._pump.laying.lay()
            self._pump.look_at_all(lost=False)  # what changed before the watches were laid
            self._tasks.start_soon(self._pump.run)
            self._tasks.start_soon(self._tick, pace)
            self._tasks.start_soon(self._fill)
            self._tell()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pump.close()
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            self._send.close()
            self._receive.close()
            self._tree.close()

    def __aiter__(self) -> Watcher:
        return self

    async def __anext__(self) -> ChangeSet:
        try:
            return await self._receive.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise StopAsyncIteration from None

    @property
    def known(self) -> Mapping[str, Known]:
        """What is known of every watched file; it follows the changes."""
        return self._tree.baseline

    @property
    def muted(self) -> frozenset[str]:
        """Files that changed in every cycle and are passed over now."""
        return frozenset(self._tree.muted)

    @property
    def polling(self) -> str | None:
        """Why files are polled, as the end of a sentence; None where the system notifies."""
        return self._pump.laying.polling

    def scan(self) -> Scan:
        """All watched files as they were last seen, and what git tracks now."""
        return Scan(self._tree.files(), self._tree.tracked())

    def tracked(self) -> frozenset[str] | None:
        """The files that git tracks now; None outside a checkout."""
        return self._tree.tracked()

    def learn(self, path: str, known: Known) -> None:
        """Take over what a parser has read, so that it need not be read again.

        A change that has not been reported yet is not swallowed: where the file is no longer
        what it was, nothing is learned.

        Args:
            path: relative to the root, absolute outside it.
            known: what was read.
        """
        self._pump.contents.learn(path, known)

    def update(
        self,
        *,
        extra: Collection[str] | None = None,
        known: Mapping[str, Known] | None = None,
        quiet: Collection[str] | None = None,
        wanted: Collection[str] | None = None,
    ) -> None:
        """Watch other paths from now on; None leaves as it is.

        Args:
            extra: as for the class.
            known: what was read of the files in it: what is not as it was then has changed.
            quiet: as for the class.
            wanted: as for the class; what it names is muted no longer.
        """
        if quiet is not None:
            self._tree.quiet = Named(quiet)
        if wanted is not None:
            self._pump.wanted = Named(wanted)
            self._tree.muted = {p for p in self._tree.muted if p not in self._pump.wanted}
        if extra is not None:
            # Though they may be the same: all is looked at then, and nothing stays unnoticed long.
            self._tree.renamed = extra, known or {}
            self._pump.lay_anew()

    async def look(self, paths: Collection[str]) -> tuple[Change, ...]:
        """Look at some files now, quiet ones too; what has changed is not reported otherwise.

        Args:
            paths: files, or folders with all that is in them.
        """
        changes = await self._pump.thread(self._pump.contents.look, paths)
        self._pump.drop([change.path for change in changes])
        return tuple(changes)

    def look_again(self) -> int:
        """Have all files looked at, whatever the system has told of them.

        Returns:
            What the `look` of a change set will be, or be above, that comes when everything has
            been reported that had changed by now.
        """
        return self._pump.ask()

    def cycle_started(self) -> None:
        """A cycle begins: what changes from now on may be its own doing."""
        self._pump.mutes.cycle_started(time.monotonic())

    def cycle_finished(self) -> None:
        """The cycle has ended."""
        self._pump.mutes.cycle_finished(time.monotonic())

    def _start(self) -> Tree:
        tree = Tree(self._root, self._config, self._messages.append)
        tree.quiet = Named(self._quiet)
        tree.start(self._known, self._extra)
        self._known = {}
        return tree

    def _tell(self) -> None:
        messages, self._messages[:] = list(self._messages), []
        for message in messages:
            self._notice(Notice(message=message, severity="warning"))

    def _pace(self) -> float | None:
        """Seconds between two looks at all files, where that is needed."""
        if self._poll is not None:
            self._pump.laying.polling = "that was asked for"
            return self._poll
        for top in self._tree.places.tops:
            place = self._tree.places.place(top)
            if kind := mounts.silent(place):
                self._notice(
                    Notice(
                        message=f"{place} is on a file system ({kind}) that does not tell of "
                        "changes made elsewhere: files are polled as well.",
                        hint="--poll=500ms sets how often.",
                    )
                )
                return SILENT_POLL
        return None

    async def _tick(self, pace: float | None) -> None:
        """Watch the clocks."""
        before = self._ahead()
        while True:
            if pace is None and self._pump.laying.polling is not None:
                pace = POLL
            every = self._sweep_every
            if pace is not None:
                every = max(pace, self._pump.sweep_seconds / SWEEP_SHARE)
            await anyio.sleep(min(TICK, every))
            ahead = self._ahead()
            self._pump.mind_stalls()
            if abs(ahead - before) > SLEPT:
                self._pump.look_at_all(lost=True)
            elif time.monotonic() - self._pump.swept_at >= every:
                self._pump.look_at_all(lost=False)
            before = ahead
            self._tell()

    async def _fill(self) -> None:
        """Read what has not been read, a little at a time."""
        paths = await self._pump.thread(self._pump.contents.unread, FILL_SIZE)
        for at in range(0, len(paths), FILL_AT_ONCE):
            await self._pump.thread(self._pump.contents.fill, paths[at : at + FILL_AT_ONCE])
            await anyio.sleep(0.002)
