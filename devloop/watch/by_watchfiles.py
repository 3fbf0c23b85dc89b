"""Notification on macOS and Windows, through watchfiles; events are asked for in steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from devloop.watch.notify import (
    Event,
    Lost,
    NotifyUnavailable,
    Put,
    watchers_used_up,
    watches_used_up,
)

STEP = 0.010
"""Seconds between two looks at what watchfiles has gathered; an event is handed on after one to
two of them. Measured on two cores, latency (median) and idle CPU of one such loop: 2 ms: 4 ms,
1.4 %; 5 ms: 8 ms, 0.6 %; 10 ms: 16 ms, 0.4 %; 20 ms: 30 ms, 0.3 %. A second loop costs as much
again, so there is but one wherever the system needs a watch for each folder anyway."""

GATHER = 0.1
"""Seconds after which watchfiles hands on what it has though more keeps coming."""

STALL = 0.1
"""Seconds without a step that mean: the process was stopped, or starved. In hardly more than this
16,384 events can be written, inotify's default queue; and what overflows it is not reported."""

RECURSIVE = sys.platform in ("darwin", "win32")
"""There one watch covers a whole tree at no cost; elsewhere each folder takes one in any case."""


class Pulse:
    """A stop event that watchfiles asks at every step: so it knows that the loop lives."""

    def __init__(self) -> None:
        self.beats = False
        self.failure: Exception | None = None
        self._stopped = False
        self._last = 0.0
        self._gap = 0.0

    def is_set(self) -> bool:
        """Whether to stop; called from watchfiles' thread."""
        now = time.monotonic()
        if self.beats and now - self._last > STALL:
            self._gap = max(self._gap, now - self._last)
        self._last = now
        self.beats = True
        return self._stopped

    def set(self) -> None:
        """Stop at the next step."""
        self._stopped = True

    def stall(self) -> float:
        """The longest stall since this was asked last, in seconds; 0 where there was none."""
        found, self._gap = self._gap, 0.0
        return found


class ByWatchfiles:
    """Watches by watchfiles, laid all anew where they change.

    Args:
        tasks: where the watching runs.
        put: takes events.
        lost: told that events were lost, and why, where watching has ended by that.
    """

    late = 1.5 * STEP
    tells_of_loss = False

    def __init__(self, tasks: TaskGroup, put: Put, lost: Lost) -> None:
        self._tasks = tasks
        self._put = put
        self._lost = lost
        self._pulses: list[Pulse] = []
        self._laid: set[str] = set()

    async def lay(self, folders: Collection[str], tops: Collection[str], *, anew: bool) -> None:
        """Watch these folders from now on, and no others; what both hold is watched throughout.

        Args:
            folders: absolute; each is watched for what happens directly in it.
            tops: absolute; used in place of the folders below them where that costs nothing.
            anew: a folder may have been replaced by another one of its name.

        Raises:
            NotifyUnavailable: the system does not notify, or no more.
            OSError: one of the folders has vanished, and nothing is watched.
        """
        if not anew and self._pulses and self._laid == set(folders):
            return
        if RECURSIVE:
            whole = {top for top in tops if top in folders}
            single = {f for f in folders if not any(_is_in(f, top) for top in whole)}
            kinds = [(whole, True), (single, False)]
        else:
            kinds = [(set(folders), False)]
        before = self._pulses
        pulses = self._pulses = []
        try:
            for paths, recursive in kinds:
                if paths:
                    pulse = Pulse()
                    pulses.append(pulse)
                    self._tasks.start_soon(self._attend, sorted(paths), recursive, pulse)
            for pulse in pulses:
                while not pulse.beats:
                    if pulse.failure is not None:
                        raise pulse.failure
                    await anyio.sleep(STEP / 4)
            self._laid = set(folders)
        except BaseException:
            self.close()
            raise
        finally:
            for pulse in before:  # only now: so nothing goes unseen between old and new
                pulse.set()

    def stall(self) -> float:
        """The longest stall since this was asked last, in seconds; 0 where there was none."""
        return max([0.0, *(pulse.stall() for pulse in self._pulses)])

    def close(self) -> None:
        """Stop watching; the tasks end within a step."""
        for pulse in self._pulses:
            pulse.set()
        self._pulses = []

    async def _attend(self, paths: list[str], recursive: bool, pulse: Pulse) -> None:
        from watchfiles import Change, watch

        # Not awatch: it wraps errors in groups, and calls to end it are heard only at a stop event.
        batches = watch(
            *paths,
            watch_filter=None,
            debounce=round(GATHER * 1000),
            step=round(STEP * 1000),
            stop_event=pulse,
            rust_timeout=0,
            force_polling=False,
            recursive=recursive,
            # With True it would pass over every error, an exhausted limit too.
            ignore_permission_denied=False,
        )
        try:
            while (batch := await anyio.to_thread.run_sync(next, batches, None)) is not None:
                self._put(Event(path, change is not Change.modified) for change, path in batch)
        except (OSError, RuntimeError) as error:
            failure = _explain(error)
            if pulse.beats:
                pulse.set()
                self._lost(failure)
            else:
                pulse.failure = failure
        finally:
            batches.close()


def _explain(error: OSError | RuntimeError) -> Exception:
    """Tell what is passing (a folder vanished) from what will not mend by itself."""
    message = str(error)
    if isinstance(error, (FileNotFoundError, PermissionError)) or "decode path" in message:
        return error
    if "limit" in message or "os error 28" in message or "No space" in message:
        return watches_used_up()
    if "os error 24" in message or "Too many open files" in message:
        return watchers_used_up()
    return NotifyUnavailable(f"the system does not notify of changes ({message})")


def _is_in(folder: str, top: str) -> bool:
    return folder == top or folder.startswith(f"{top}/")
