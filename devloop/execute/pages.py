"""The pages of memory that a forked process has copied, which the next one will copy as well.

A page that both share is copied when one of them writes to it, which costs a processor that is
virtual two to three microseconds (a start of a web app writes to a few thousand). What waits for
its order can have it done meanwhile (`inside/pages.py`): all processes of one zygote have the same
memory at the same addresses.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Iterator
from contextlib import suppress

import anyio.to_thread

MOST = 16 << 20
"""Bytes that are copied in advance at most: so much more memory a waiting process takes."""

_PRESENT = 1 << 63
_OF_A_FILE = 1 << 61
_ALONE = 1 << 56
"""Of an entry of a page map (Documentation/admin-guide/mm/pagemap.rst in Linux)."""


class Pages:
    """The pages that the processes of one zygote copy, learned from the first of them.

    Attributes:
        ranges: address and length of each range, in bytes; empty until that is known.
    """

    def __init__(self) -> None:
        self.ranges: tuple[tuple[int, int], ...] = ()

    async def learn(self, pid: int) -> None:
        """See what a process has copied by now; once is enough.

        Args:
            pid: its process id; it may have ended.
        """
        if not self.ranges:
            self.ranges = tuple(await anyio.to_thread.run_sync(copied, pid))


def copied(pid: int) -> list[tuple[int, int]]:
    """Which pages a process has written to since it was forked.

    Args:
        pid: its process id.

    Returns:
        Address and length of each range, in bytes; none where that cannot be known.
    """
    found: list[tuple[int, int]] = []
    left = MOST
    with suppress(OSError, ValueError):
        for start, length in _private(pid):
            length = min(length, left)
            left -= length
            if length:
                found.append((start, length))
    return found


def _private(pid: int) -> Iterator[tuple[int, int]]:
    size = mmap.PAGESIZE
    # Not by pathlib, which interns the number of every process.
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        maps = file.read()
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:  # noqa: PTH123
        for line in maps.splitlines():
            place, rights = line.split(maxsplit=2)[:2]
            if rights != "rw-p":
                continue
            first, end = (int(one, 16) // size for one in place.split("-"))
            entries = array("Q", os.pread(pagemap.fileno(), 8 * (end - first), 8 * first))
            begin = None
            for number, entry in enumerate((*entries, 0)):
                own = entry & (_PRESENT | _OF_A_FILE | _ALONE) == _PRESENT | _ALONE
                if own and begin is None:
                    begin = number
                elif not own and begin is not None:
                    yield (first + begin) * size, (number - begin) * size
                    begin = None
