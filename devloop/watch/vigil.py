"""Whether anything has happened to some files, told at the cost of one system call.

To look at the thousand files that a big library consists of takes two milliseconds, and that just
when a save waits for a start. The kernel can be asked to remember instead.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

from devloop.watch import inotify as raw
from devloop.watch import mounts
from devloop.watch.inotify import Inotify

LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
"""How many watches all programs of a user have together (inotify(7))."""

SHARE = 10
"""One in so many of them is taken at most: the project's folders need some, now and later."""

_PLACE = raw.DELETE_SELF | raw.MOVE_SELF | raw.DONT_FOLLOW
_LINK = _PLACE | raw.ATTRIB
_FILE = _LINK | raw.MODIFY | raw.CLOSE_WRITE
_BLIND = raw.UNMOUNT | raw.IGNORED | raw.Q_OVERFLOW


class Vigil:
    """Keeps an eye on files, on the links that lead to them and on the folders above them.

    It is the files themselves that are watched, not their folders' entries: what is written to
    one through another name (a hard link in the cache of an installer) counts as well.

    Args:
        paths: of the files, absolute.

    Raises:
        OSError: one of them is not there, a limit is used up, or there is no inotify.
    """

    def __init__(self, paths: Collection[str]) -> None:
        self._queue: Inotify | None = (queue := Inotify())
        places: set[str] = set()
        try:
            for path in paths:
                _lead(path, places)
            if len(places) * SHARE > int(LIMIT.read_text()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for place in places:
                kind = os.lstat(place).st_mode
                mask = _LINK if stat.S_ISLNK(kind) else _FILE
                queue.add(place, _PLACE if stat.S_ISDIR(kind) else mask)
        except BaseException:
            self.close()
            raise

    @classmethod
    def over(cls, paths: Collection[str]) -> Vigil | None:
        """Watch some files, where that is possible and tells of every change.

        Args:
            paths: of the files, absolute.
        """
        try:
            places = {os.stat(path).st_dev: path for path in paths}
            if any(mounts.silent(place) for place in places.values()):
                return None
            return cls(paths)
        except (OSError, AttributeError):  # where there is no inotify the C library lacks it
            return None

    def quiet(self) -> bool:
        """Whether nothing has happened since the last call."""
        quiet = self._queue is not None
        while self._queue is not None and (events := list(self._queue.read())):
            quiet = False
            if any(event.mask & _BLIND for event in events):
                self.close()  # what takes the place of something is not watched
        return quiet

    def close(self) -> None:
        """Watch no longer."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None


def _lead(path: str, places: set[str]) -> None:
    """Add all that leads to a path, and the path: folders, and links with what they lead to."""
    for place in (path, *map(str, Path(path).parents)):
        if place in places:
            return
        places.add(place)
        if os.path.islink(place):
            _lead(os.path.join(os.path.dirname(place), os.readlink(place)), places)
