"""Raw events are gathered until they are quiet, examined, and handed on as change sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from devloop.events import Change, Notice
from devloop.watch.calm import Calm
from devloop.watch.contents import Contents
from devloop.watch.laying import Laying
from devloop.watch.mute import PYTHON, Mutes
from devloop.watch.notify import BackEnd, Event, NotifyUnavailable
from devloop.watch.patterns import Named
from devloop.watch.scan import ChangeSet
from devloop.watch.sift import Sifter
from devloop.watch.tree import Tree

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 10
"""How many times the debounce a change waits at most while more keep coming."""

GRACE = 0.1
"""Seconds for which a missing file may yet come back: an atomic save renames the old file away
before the new one has its name."""

EMPTIED = 2.0
"""Seconds for which a file that was emptied, and is still open, may yet be written to: on a busy
machine whoever saves may not come to it for a while."""

GIT_HOLD = 30.0
"""Seconds for which git is waited for while it moves files about, in many commands perhaps."""

AFTER_GIT = 2.0
"""Seconds in which the last events of git's work may still come in; a busy machine needs some."""

LOOK = 0.010
"""Seconds between two looks at what no event tells: whether git is done, a missing file back."""

LARGE_BATCH = 500
"""Files in one set up to which it does not wait for a look at all files that is due. More come
from a program, at a pace at which events are lost; where nothing tells of that, all are looked
at."""

SWEEP_SHARE = 0.05
"""The share of a core that looks at all files may take: other than after a long stall, a look that
takes 25 ms (10,000 files) comes at most twice a second."""

LONG_STALL = 1.0
"""Seconds of a stall that cannot be mere load."""

SAVED = 3
"""Known files up to which they are looked at where the events come in: whoever has just saved them
waits, and they are in memory; two turns by way of a thread take longer than to read them."""

SMALL = 1 << 20
"""Bytes of such a file at most."""

TRIES = 25
"""How often a file that is being written is left alone, before its signature must do."""

RELAY_PAUSE = 0.25
"""Seconds between two repairs of watches that broke (at each event of an undecodable name)."""


class Pump:
    """Turns events into change sets.

    Args:
        tree: what is known; used by one thread at a time.
        tasks: where watching runs.
        debounce: seconds without an event that make a change set whole.
        wanted: what is never muted.
        emit: takes change sets.
        stirred: called when sources seem to have changed, before that is looked into, with those
            that probably are what will be handed on.
        notice: takes what a person should know.
        back_end: what notifies.
    """

    def __init__(
        self,
        tree: Tree,
        tasks: TaskGroup,
        *,
        debounce: float,
        wanted: Named,
        emit: Callable[[ChangeSet], None],
        stirred: Callable[[Collection[str]], None],
        notice: Callable[[Notice], None],
        back_end: BackEnd,
    ) -> None:
        self.tree = tree
        self.contents = Contents(tree)
        self.mutes = Mutes()
        self.wanted = wanted
        self._sifter = Sifter(tree)
        self.swept_at = time.monotonic()
        self.sweep_seconds = 0.0
        self.laying = Laying(
            tree,
            tasks,
            back_end,
            put=self._put,
            lost=self._broken,
            thread=self.thread,
            reload=self._sifter.reload,
            notice=notice,
        )
        self._calm = Calm(debounce)
        self._patience = max(PATIENCE * debounce, 0.2)
        self._emit = emit
        self._stir = stirred
        self._notice = notice
        self._lock = anyio.Lock()
        self._wake = anyio.Event()
        self._events: dict[str, Event] = {}
        self._came_at = 0.0
        self._sweep = False
        self._lost = False
        self._owed = False
        self._laid_at = 0.0
        self._pending: set[str] = set()
        self._tries = 0
        self._seen: float | None = None
        self._asked = self._looked = self._answered = 0

    async def run(self) -> None:
        """Pump, for ever."""
        while True:
            await self._stirred()
            if await self._absorb():
                while self._pending:
                    await self._settle()
                    await self._deliver()
            self._answer()

    async def thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on the tree, in a thread and alone.

        Args:
            work: may block on the disk.
            *args: its arguments.
            **kwargs: its named arguments.
        """
        async with self._lock:
            return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs))

    async def _look(
        self, paths: Collection[str], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Work on some files, which are few and small where a person has saved them."""
        if len(paths) <= SAVED and not self._lock.locked() and self._are_small(paths):
            return work(*args, **kwargs)
        return await self.thread(work, *args, **kwargs)

    def _are_small(self, paths: Collection[str]) -> bool:
        baseline = self.tree.baseline
        known = [baseline.get(path) for path in paths]
        return all(one is not None and one.signature.size <= SMALL for one in known)

    def look_at_all(self, *, lost: bool) -> None:
        """Have all files looked at, soon.

        Args:
            lost: because events may have been lost.
        """
        self._sweep = True
        self._lost = self._lost or lost
        self._wake.set()

    def ask(self) -> int:
        """Have all files looked at, and a change set without changes follow what has changed.

        Returns:
            The number that this change set will have; a later look stands for earlier ones too.
        """
        self._asked += 1
        self.look_at_all(lost=False)
        return self._asked

    def lay_anew(self) -> None:
        """Have the watches laid anew, soon: other folders matter now."""
        self.tree.moved = True
        self._wake.set()

    def mind_stalls(self) -> None:
        """Have all files looked at where watching was interrupted, at a bounded cost.

        A machine under load starves us again and again, and hardly ever overflows a queue.
        """
        gap = self.laying.notifier.stall()
        self._owed = self._owed or gap > 0
        pause = self.sweep_seconds / SWEEP_SHARE
        if gap > LONG_STALL or (self._owed and time.monotonic() - self.swept_at > pause):
            self.look_at_all(lost=True)

    def drop(self, paths: Collection[str]) -> None:
        """Forget that files may have changed: somebody has looked.

        Args:
            paths: as they are reported.
        """
        self._pending.difference_update(paths)

    def close(self) -> None:
        """Watch no longer."""
        self.laying.notifier.close()

    def _put(self, events: Iterable[Event]) -> None:
        now = time.monotonic()
        if self._seen is None:
            self._seen = now
        self._came_at = now - self.laying.notifier.late
        for event in events:
            before = self._events.get(event.place)
            if before is not None and before.renewed:
                event = event._replace(renewed=True)
            self._events[event.place] = event
        self._wake.set()

    def _broken(self, failure: Exception | None) -> None:
        if isinstance(failure, NotifyUnavailable):
            self.laying.give_up(failure)
        self.tree.moved = self.tree.renewed = True
        self.look_at_all(lost=True)

    async def _stirred(self) -> None:
        await self._wake.wait()
        self._wake = anyio.Event()

    async def _absorb(self) -> bool:
        """Take in what has come; whether any of it matters."""
        events, self._events = list(self._events.values()), {}
        came_at = self._came_at
        paths = [self.tree.places.reported(event.place) for event in events]
        for path, event in zip(paths, events, strict=True):
            self._calm.hear(path, event.whole)
        found = await self._look(paths, self._sifter.sift, events) if events else set[str]()
        told = bool(found)
        self.mind_stalls()
        if self.tree.renewed and self._lost:
            await anyio.sleep(max(0.0, self._laid_at + RELAY_PAUSE - time.monotonic()))
        # A change that is known already does not wait for a look at all files.
        known = 0 < len(self._pending | found) <= LARGE_BATCH
        while self.tree.moved or (self._sweep and not known):
            # What a new folder got before it was watched went unseen: hence a look at all.
            if self.tree.moved:
                await self.laying.lay()
                self._laid_at = time.monotonic()
            self._sweep = self._owed = False
            asked = self._asked
            begun = time.monotonic()
            found |= await self.thread(self._sifter.sweep)
            self.swept_at = time.monotonic()
            self.sweep_seconds = self.swept_at - begun
            self._looked = asked
        forgotten, self.tree.forgotten = self.tree.forgotten, set()
        found -= forgotten
        self._pending -= forgotten
        if found and self._seen is None:
            self._seen = time.monotonic()
        if not found and not self._pending:
            self._seen = None
        self._pending |= found
        if told and found:
            self._calm.came(came_at, self._pending)
            if sources := [path for path in found if path.endswith(PYTHON)]:
                self._stir(sources if self._calm.early else ())
        elif found:  # by looking, which says nothing of when it was
            self._calm.extend(time.monotonic())
        elif not self._pending:
            self._calm.forget()
        return bool(found)

    def _answer(self) -> None:
        """Tell who has asked for a look that what it has shown has been reported."""
        if self._answered < self._looked and not self._pending:
            self._answered = self._looked
            self._emit(ChangeSet((), time.monotonic(), look=self._looked))

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until something comes, and take that in."""
        with anyio.move_on_after(max(0.0, seconds)) as scope:
            await self._stirred()
        if not scope.cancelled_caught:  # not within: what is taken in must not be lost halfway
            await self._absorb()

    async def _settle(self) -> None:
        """Wait until no more comes, git has done its work, and no file is missing for a moment."""
        await self._quiet(self._patience)
        since = time.monotonic()
        held = False
        while self.tree.locked() and time.monotonic() - since < GIT_HOLD:
            held = True
            await self._wait(LOOK)
        if held:
            self._calm.extend(time.monotonic())
            await self._quiet(max(self._patience, AFTER_GIT))
        if len(self._pending) > LARGE_BATCH and not self.laying.notifier.tells_of_loss:
            self._sweep = self._lost = True
            await self._absorb()

    async def _quiet(self, patience: float) -> None:
        end = time.monotonic() + patience
        while (now := time.monotonic()) < min(self._calm.until, end):
            await self._wait(min(self._calm.until, end) - now)

    async def _until_written(self) -> None:
        """Wait for those who have emptied a file in order to write it."""
        since = time.monotonic()
        while time.monotonic() - since < EMPTIED and (open_ := self._calm.open(self._pending)):
            if not await self.thread(self.contents.empty, open_):
                break
            await self._wait(LOOK)

    async def _deliver(self) -> None:
        await self._until_written()
        self._tries += 1
        changes, again = await self._examine(patient=self._tries < TRIES, wary=self._tries == 1)
        self._pending |= again
        self._calm.extend(time.monotonic())
        seen = self._seen if self._seen is not None else time.monotonic()
        if not again:
            self._tries, self._seen = 0, None
        changes = await self._unmuted(changes, seen)
        if changes:
            self._emit(ChangeSet(tuple(changes), seen, self._lost))
        if self._sweep:
            self._wake.set()
        elif not again:
            self._lost = False

    async def _examine(self, *, patient: bool, wary: bool) -> tuple[list[Change], set[str]]:
        """See what has become of what is pending; a missing file is waited for."""
        paths = frozenset(self._pending)
        examine = self.contents.examine_all
        found = await self._look(paths, examine, paths, patient=patient, wary=wary)
        if found is None:
            since = time.monotonic()
            missing = await self.thread(self.contents.missing, paths)
            while missing and time.monotonic() - since < GRACE:
                await self._wait(LOOK)
                paths = frozenset(self._pending)
                missing = await self.thread(self.contents.missing, paths)
            found = await self.thread(self.contents.examine, paths, missing, patient, wary)
        self._pending -= paths
        self._calm.handed_on()
        return found

    async def _unmuted(self, changes: list[Change], seen: float) -> list[Change]:
        """Leave out what our own children write again and again."""
        doubtful = [
            change.path
            for change in changes
            if not change.path.endswith(PYTHON)
            and change.path not in self.tree.extra
            and change.path not in self.wanted
        ]
        if not doubtful:
            return changes
        tracked = await self.thread(self.tree.tracked) or frozenset()
        muted = self.mutes.note([path for path in doubtful if path not in tracked], seen)
        for path in muted:
            self.tree.muted.add(path)
            self._notice(
                Notice(
                    message=f"{path} changes in every cycle: it is taken for something that the "
                    "project itself writes, and no longer starts cycles.",
                    hint="Name it in [watch] ignore to silence this, or in an app's watch or a "
                    "step's inputs if it should count.",
                )
            )
        return [change for change in changes if change.path not in muted]


def offset() -> float:
    """How far the clock that goes on while the machine sleeps is ahead of the one that does not."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return time.time() - time.monotonic()
