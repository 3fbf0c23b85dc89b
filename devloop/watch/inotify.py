"""Linux' inotify, as the C library has it (inotify(7)), and nothing on top.

The libraries that wrap it look the C library up by a subprocess at each start and make objects
of every event; what would be left to them is the forty lines here.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
Q_OVERFLOW = 0x4000
IGNORED = 0x8000
ONLYDIR = 0x1000000
DONT_FOLLOW = 0x2000000
EXCL_UNLINK = 0x4000000
ISDIR = 0x40000000

BUFFER = 1 << 16
"""Bytes read at once: some 2,000 events, which take about 3 ms."""

_HEAD = struct.Struct("iIII")


class Raw(NamedTuple):
    """An event as the kernel tells it.

    Args:
        watch: the number of the watch; -1 where the queue has overflowed.
        mask: what has happened.
        name: of the entry of the watched folder; empty for the folder itself.
    """

    watch: int
    mask: int
    name: str


class Inotify:
    """A queue of events.

    Raises:
        OSError: there is none to be had (EMFILE, ENOSYS).
    """

    def __init__(self) -> None:
        # The flags are those of open(2), by definition.
        self.fd = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, folder: str, mask: int) -> int:
        """Watch a folder; where it is watched already, under whatever name, from now on so.

        Args:
            folder: a path.
            mask: what is to be told.

        Returns:
            The number of the watch: one and the same for a folder that has several paths.

        Raises:
            OSError: there is no such folder, it may not be read, or the limit is used up (ENOSPC).
        """
        return _call("inotify_add_watch", self.fd, os.fsencode(folder), mask)

    def remove(self, watch: int) -> None:
        """Watch no longer.

        Args:
            watch: its number.

        Raises:
            OSError: it has ended by itself.
        """
        _call("inotify_rm_watch", self.fd, watch)

    def read(self) -> Iterator[Raw]:
        """Some of what has happened; nothing where nothing has. Does not block."""
        try:
            data = os.read(self.fd, BUFFER)
        except BlockingIOError:
            return
        at, end = 0, len(data)
        while at < end:
            watch, mask, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            yield Raw(watch, mask, os.fsdecode(data[at - length : at].rstrip(b"\0")))

    def close(self) -> None:
        """End all watches."""
        os.close(self.fd)


def _call(name: str, *arguments: int | bytes) -> int:
    found: int = getattr(_library(), name)(*arguments)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.inotify_init1.argtypes = [ctypes.c_int]
    library.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
    library.inotify_rm_watch.argtypes = [ctypes.c_int, ctypes.c_int]
    return library
