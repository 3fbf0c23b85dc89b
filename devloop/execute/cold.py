"""What is known, from one session to the next, of an app whose starts are all cold."""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread

from devloop.execute.warm import Memory
from devloop.plan.warm import WarmRecord

STAMP = "cold"
"""In the place of what a warm start would have to be the same in."""


async def listens(memory: Memory, others: Sequence[str]) -> None:
    """Keep where an app listens that nobody can take over.

    Args:
        memory: of the app.
        others: where, as ``:PORT`` or a path.
    """
    known = memory.load(STAMP) or WarmRecord()
    if known.not_handed_over != tuple(others):
        record = WarmRecord(not_handed_over=tuple(others))
        await anyio.to_thread.run_sync(memory.save, STAMP, record)
