"""What is known, from one session to the next, of an app whose starts are all cold."""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread

from devloop.execute.warm import Memory
from devloop.plan.warm import WarmRecord


def stamp_of(words: Sequence[str]) -> str:
    """Name a command, of which nothing else need be the same than of one that is started warm.

    Args:
        words: as they are configured.
    """
    return repr(("cold", *words))


async def listens(memory: Memory, words: Sequence[str], others: Sequence[str]) -> None:
    """Keep where an app listens that nobody can take over.

    Args:
        memory: of the app.
        words: see `stamp_of`.
        others: where, as ``:PORT`` or a path.
    """
    stamp = stamp_of(words)
    known = memory.load(stamp) or WarmRecord()
    if known.not_handed_over != tuple(others):
        record = WarmRecord(not_handed_over=tuple(others))
        await anyio.to_thread.run_sync(memory.save, stamp, record)
