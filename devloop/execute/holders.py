"""What holds imports is asked for a process: it may be silent, or be replaced meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from devloop.execute.orders import Declined

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a process has to be given: it takes milliseconds, and a cold start less."""

NOT_YET = "what it imports is still being loaded"
DIED = "the process that held its imports died"
SILENT = f"the process that holds its imports did not answer within {PATIENCE:.0f} s"


async def given(holder: Callable[[], object], ask: Callable[[], Awaitable[T]]) -> T:
    """Ask for a process, and once more where another holder has taken the place of that one.

    Args:
        holder: gives the one that is asked now; None where there is none any more.
        ask: asks that one; raises Declined.

    Returns:
        What it was given.

    Raises:
        Declined: it cannot be given; with `SILENT`, nobody has answered.
    """
    with anyio.move_on_after(PATIENCE):
        while True:
            before = holder()
            try:
                return await ask()
            except Declined:
                if holder() in (before, None):
                    raise
    raise Declined(SILENT)
