"""Work that steps back while others want the processor, in processes that must not stay so.

A nice value cannot be lowered again without rights (setpriority(2)). That of a session's group of
processes can (sched(7), the autogroup feature), and each of ours leads a session of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

_LOWEST = 19
_PAUSE = 0.11
"""Seconds between two tries: the kernel takes such a change ten times a second from everybody."""

_TRIES = 20


@asynccontextmanager
async def low(pid: int) -> AsyncIterator[None]:
    """Have a process step back for as long as this lasts; where that is not possible it does not.

    Args:
        pid: of a process that leads a session.

    Raises:
        TimeoutError: it could not be given back what it had.
    """
    lowered = _set(pid, _LOWEST) is None
    yield
    if lowered:
        for _ in range(_TRIES):
            if _set(pid, 0) != errno.EAGAIN:
                return
            await anyio.sleep(_PAUSE)
        raise TimeoutError


def lowest(pid: int) -> None:
    """Have a process, and what it will start, run only while nobody else wants the processor.

    It cannot be taken back. Where something of it is not possible, the rest is done.

    Args:
        pid: of a process that leads a session.
    """
    _set(pid, _LOWEST)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _LOWEST)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _set(pid: int, value: int) -> int | None:
    """Set the nice value of a process's session; what kept it from that."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(value), encoding="ascii")
    except OSError as error:
        return error.errno
    return None
