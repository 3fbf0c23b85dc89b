"""The file in which forked children of a command tell devloop something (`inside/ledger.py`)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from devloop.inside import messages
from devloop.inside.ledger import NOTHING, REPORT, RETIRE

_ASKED = {"report": REPORT, "retire": RETIRE}


class Ledger:
    """Devloop's side of it.

    Attributes:
        theirs: the descriptor for the command; ours to close with `given`.
    """

    def __init__(self) -> None:
        self._fd, self.theirs = _open()
        os.pwrite(self._fd, bytes([NOTHING]), 0)
        self._asked = NOTHING
        self._read = 1

    def given(self) -> None:
        """The command has its descriptor, or never will."""
        theirs, self.theirs = self.theirs, -1
        if theirs >= 0:
            os.close(theirs)

    def ask(self, kind: str) -> None:
        """Say what forked children shall do once they are signalled.

        Args:
            kind: the order's ``"m"``. One that has to retire never hears of anything else.
        """
        if self._asked != RETIRE and self._fd >= 0:
            self._asked = _ASKED[kind]
            os.pwrite(self._fd, bytes([self._asked]), 0)

    def take(self) -> list[dict[str, Any]]:
        """What they have told since the last time."""
        found: list[dict[str, Any]] = []
        if self._fd < 0:
            return found
        # Room for as much as there could be would be asked for at each look, and the holes that
        # it left would grow the process.
        data = os.pread(self._fd, max(0, os.fstat(self._fd).st_size - self._read), self._read)
        head = messages.HEADER.size
        while len(data) >= head:
            end = head + messages.HEADER.unpack_from(data)[0]
            if len(data) < end:
                break  # there was no room for all of it
            found.append(messages.unpack(data[head:end]))
            self._read += end
            data = data[end:]
        return found

    def close(self) -> None:
        """Forget it."""
        self.given()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _open() -> tuple[int, int]:
    """A file without a name: for writing anywhere, and for appending."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("devloop")
        try:
            return fd, os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_APPEND)
        except OSError:
            os.close(fd)
            raise
    fd, path = tempfile.mkstemp(prefix="devloop-")
    try:
        return fd, os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError:
        os.close(fd)
        raise
    finally:
        Path(path).unlink()
