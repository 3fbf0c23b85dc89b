"""A file that a command, and all that is forked from it, has in common with devloop.

Forked children have no socket to devloop: two readers of one stream would each get half of it.
The first byte of this file says what is asked of them all, and each appends what it tells, with
one write, so that no two mix (open(2), O_APPEND).
"""

from __future__ import annotations

import os

NOTHING, REPORT, RETIRE = range(3)
"""What the first byte may be."""

MOST = 1 << 20
"""Bytes from which on nothing is appended: a program may fork hundreds, which tell the same."""


class Ledger:
    """The forked child's side of it.

    Args:
        fd: opened for reading and appending.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._identity = _of(fd)

    def fileno(self) -> int | None:
        """Its descriptor; None where a program that closes whatever it finds open has closed it."""
        return self._fd if self._identity is not None and _of(self._fd) == self._identity else None

    def close(self) -> None:
        """Close it, for this process."""
        if _of(self._fd) == self._identity:
            os.close(self._fd)
        self._fd = -1

    def asked(self) -> int:
        """What devloop asks for.

        Returns:
            `RETIRE` also where a program that closes whatever it finds open has closed the file:
            of all that may be asked, this must not be missed.
        """
        if self.fileno() is None:
            return RETIRE
        return (os.pread(self._fd, 1, 0) or b"\0")[0]

    def append(self, frame: bytes) -> None:
        """Tell devloop something; where there is no room nothing happens.

        Args:
            frame: as `messages.py` has it.
        """
        try:
            if _of(self._fd) == self._identity and os.fstat(self._fd).st_size < MOST:
                os.write(self._fd, frame)
        except OSError:
            return  # no memory, or a limit of the program's; it is no loss to that


def _of(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
