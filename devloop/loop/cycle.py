"""One pass through the loop, and what has arrived for the next."""

from __future__ import annotations

import msgspec

from devloop.events import Change
from devloop.loop.tally import Tally
from devloop.select.selection import SelectedTarget


class Cycle(msgspec.Struct):
    """One pass through the loop.

    Args:
        number: counted from 1.
        seen: when its first change was seen, by the monotonic clock.
        relevant: something changed that could change an outcome; comments and documents do not.
        waiting: what has to end before it has ended.
        begun: the apps that it has started.
        tally: of its tests.
    """

    number: int
    seen: float
    relevant: bool
    waiting: set[str]
    begun: list[SelectedTarget]
    tally: Tally


class Arrived(msgspec.Struct):
    """Content that no cycle has taken up yet.

    Args:
        changes: all of it.
        seen: when the first was seen that called for a cycle, by the monotonic clock; None where
            all of it waits for whatever begins one.
        relevant: as of `Cycle`.
    """

    changes: list[Change] = []
    seen: float | None = None
    relevant: bool = False
