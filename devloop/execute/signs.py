"""The signs by which files are told from what they were before, as both sides make them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from devloop.inside.signs import seen_at, sign_of

__all__ = ["Seen", "Sign", "seen_at", "sign_of", "signs"]

Sign: TypeAlias = "tuple[int, int, int] | None"
"""Modification time in nanoseconds, size, inode; None for a file that is not there."""

Seen: TypeAlias = "tuple[int, str] | None"
"""Kind of a thing with its permissions, and where a link leads; None where nothing is there."""


def signs(paths: Iterable[str]) -> dict[str, Sign]:
    """Look at several.

    Args:
        paths: of files that may not be there.

    Returns:
        The sign of each.
    """
    return {path: sign_of(path) for path in paths}
