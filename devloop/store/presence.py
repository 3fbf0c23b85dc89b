"""One `watch` in a project: a lock that its process holds, and that ends with it.

The kernel gives the lock up however the process ends, so none is ever stale (flock(2)). The
file is left behind: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devloop.config import folder
from devloop.errors import AlreadyWatching

NAME = "watch.pid"

ASKED = 0.2
"""Seconds for which another process may have the lock only to ask whether it can be had."""


@contextmanager
def hold(root: Path) -> Iterator[None]:
    """Be the one `watch` of a project.

    Where nothing can be locked (a folder that cannot be written, a file system or an operating
    system without such locks) there may be several.

    Args:
        root: the project's root.

    Raises:
        AlreadyWatching: another process is.
    """
    try:
        descriptor = os.open(folder.make(root) / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        if not _lock_soon(descriptor):
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise AlreadyWatching(
                f"another `devloop watch` (pid {pid or 'unknown'}) runs in {root}",
                hint="`devloop status --follow` shows what it does, `devloop trigger` asks it for "
                "something; `devloop test` and `devloop build` work beside it.",
            )
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(root: Path) -> int | None:
    """Whose `watch` runs in a project.

    Args:
        root: the project's root.

    Returns:
        Its process; None where there is none, or none that could be told.
    """
    try:
        descriptor = os.open(root / folder.NAME / NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _lock(descriptor, shared=True):
            return None
        return int(os.pread(descriptor, 32, 0))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _lock_soon(descriptor: int) -> bool:
    """Take the lock, also where somebody asks just now whose it is."""
    deadline = time.monotonic() + ASKED
    while not (locked := _lock(descriptor)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return locked


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock; False where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
