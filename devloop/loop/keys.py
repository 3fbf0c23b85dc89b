"""From what a person types to actions (DESIGN §5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from devloop.loop.actions import (
    Action,
    ClearFilters,
    FailedOnly,
    Pause,
    Quit,
    Rerun,
    Restart,
    RunAll,
    Why,
)

ACTIONS: Mapping[str, Action] = {
    "a": RunAll(),
    "f": FailedOnly(),
    "\r": Rerun(),
    "\n": Rerun(),
    "r": Rerun(),
    "c": ClearFilters(),
    "R": Restart(),
    "w": Why(),
    " ": Pause(),
    "q": Quit(),
}
"""What each key asks for by itself."""

PASTED = 4
"""So many characters at once nobody has typed: as keys they would do anything."""

_KEY = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # an arrow, say: CSI
    "|\x1bO."  # the same in application mode: SS3
    "|\x1b[^\x1b]?"  # Escape, or Alt and a key
    "|.",
    re.DOTALL,
)


def split(data: str) -> Iterator[str]:
    """The keys of what a terminal has handed over.

    Args:
        data: characters and control sequences.
    """
    return (found[0] for found in _KEY.finditer(data))


def actions(data: str) -> list[Action]:
    """What keys ask for.

    Args:
        data: what a terminal has handed over.

    Returns:
        Nothing for keys that mean nothing, and for text that was pasted.
    """
    keys = list(split(data))
    if len(keys) >= PASTED:
        return []
    return [ACTIONS[key] for key in keys if key in ACTIONS]
