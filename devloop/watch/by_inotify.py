"""Notification on Linux: events are read in the event loop, the moment they happen."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Collection, Iterable

import anyio.lowlevel
from anyio.abc import TaskGroup

from devloop.watch import inotify as raw
from devloop.watch.inotify import Inotify
from devloop.watch.notify import (
    Event,
    Lost,
    NotifyUnavailable,
    Put,
    watchers_used_up,
    watches_used_up,
)

AT_ONCE = 200
"""Folders laid between two breaths of the event loop; each takes some 5 µs."""

_TELL = (
    raw.MODIFY
    | raw.ATTRIB
    | raw.CLOSE_WRITE
    | raw.MOVED_FROM
    | raw.MOVED_TO
    | raw.CREATE
    | raw.DELETE
    | raw.DELETE_SELF
    | raw.MOVE_SELF
    | raw.ONLYDIR
    | raw.EXCL_UNLINK
)
_SELF = raw.DELETE_SELF | raw.MOVE_SELF | raw.UNMOUNT
_RENEWED = raw.CREATE | raw.DELETE | raw.MOVED_FROM | raw.MOVED_TO | _SELF
_WHOLE = raw.CLOSE_WRITE | raw.MOVED_TO
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ESTALE)


class ByInotify:
    """Watches by inotify: one for each folder, added and removed one by one.

    A watch follows its folder, not the path. So what has been moved, or was looked up under a
    path above which something was moved, is *doubtful* until it has been laid again.

    Args:
        tasks: not needed: the event loop itself reads.
        put: takes events.
        lost: told that events were lost.
    """

    late = 0.0
    tells_of_loss = True

    def __init__(self, tasks: TaskGroup, put: Put, lost: Lost) -> None:
        self._put = put
        self._lost = lost
        self._queue: Inotify | None = None
        self._watches: dict[str, int] = {}
        self._places: dict[int, set[str]] = {}
        self._doubtful: set[str] = set()

    async def lay(self, folders: Collection[str], tops: Collection[str], *, anew: bool) -> None:
        """Watch these folders from now on, and no others; what both hold is watched throughout.

        A folder that has vanished meanwhile is passed over: the one that it was in tells of that.

        Args:
            folders: absolute; each is watched for what happens directly in it.
            tops: not needed: a watch covers one folder.
            anew: a folder may have been replaced by another one of its name.

        Raises:
            NotifyUnavailable: a limit is used up, or there is no inotify.
        """
        try:
            queue = self._queue = self._queue or self._open()
            doubtful, self._doubtful = self._doubtful, set()
            known = set() if anew else self._watches.keys() - doubtful
            wanted = set(folders)
            for number, folder in enumerate(sorted(wanted - known), 1):
                self._add(queue, folder)
                if number % AT_ONCE == 0:
                    await anyio.lowlevel.checkpoint()
                    if self._queue is not queue:
                        return  # closed meanwhile
            for folder in self._watches.keys() - wanted:
                self._drop(queue, folder)
        except NotifyUnavailable:
            self.close()
            raise

    def stall(self) -> float:
        """None matters: the kernel says what it has lost."""
        return 0.0

    def close(self) -> None:
        """Stop watching."""
        queue, self._queue = self._queue, None
        if queue is not None:
            asyncio.get_running_loop().remove_reader(queue.fd)
            queue.close()
        self._watches.clear()
        self._places.clear()
        self._doubtful.clear()

    def _open(self) -> Inotify:
        try:
            queue = Inotify()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise watchers_used_up() from error
            raise _unavailable(error) from error
        asyncio.get_running_loop().add_reader(queue.fd, self._read, queue)
        return queue

    def _add(self, queue: Inotify, folder: str) -> None:
        try:
            watch = queue.add(folder, _TELL)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise watches_used_up() from error
            if error.errno not in _GONE:
                raise _unavailable(error) from error
            self._drop(queue, folder)
            return
        if self._watches.get(folder) == watch:
            return
        self._drop(queue, folder)
        others = self._places.setdefault(watch, set())
        before = list(others)
        others.add(folder)
        self._watches[folder] = watch
        for other in before:  # a second path to the same folder, or the one it was moved from
            self._add(queue, other)

    def _drop(self, queue: Inotify, folder: str) -> None:
        """Watch a path no longer, and its folder neither where it has no other path."""
        watch = self._watches.pop(folder, None)
        places = self._places.get(watch, set()) if watch is not None else set()
        places.discard(folder)
        if watch is not None and not places and self._places.pop(watch, None) is not None:
            try:
                queue.remove(watch)
            except OSError:
                return  # it has ended with its folder

    def _read(self, queue: Inotify) -> None:
        events: list[Event] = []
        overflow = False
        for watch, mask, name in queue.read():
            if mask & raw.Q_OVERFLOW:
                overflow = True
            elif mask & raw.IGNORED:
                for folder in self._places.pop(watch, ()):
                    self._watches.pop(folder, None)
            elif mask & raw.ATTRIB and not mask & raw.ISDIR:
                continue  # of a file only the content counts
            else:
                events += self._events(watch, mask, name)
        if events:
            self._put(events)
        if overflow:
            self._lost(None)

    def _events(self, watch: int, mask: int, name: str) -> Iterable[Event]:
        whole = None
        if not mask & raw.ISDIR and mask & (_WHOLE | raw.MODIFY):
            whole = bool(mask & _WHOLE)
        renewed = bool(mask & _RENEWED)
        for folder in self._places.get(watch, ()):
            place = f"{folder.rstrip('/')}/{name}" if name else folder
            if renewed and place in self._watches:
                self._doubtful.add(place)
            if mask & raw.MOVE_SELF or (mask & raw.MOVED_FROM and mask & raw.ISDIR):
                inside = f"{place}/"
                self._doubtful.update(path for path in self._watches if path.startswith(inside))
            yield Event(place, renewed, whole)


def _unavailable(error: OSError) -> NotifyUnavailable:
    return NotifyUnavailable(f"the system does not notify of changes ({error})")
