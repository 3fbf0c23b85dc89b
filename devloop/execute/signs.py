"""What tells a file from what it was before, without its being read: some two microseconds each."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import TypeAlias

Sign: TypeAlias = "tuple[int, int, int] | None"
"""Modification time in nanoseconds, size, inode; None for a file that is not there."""

Seen: TypeAlias = "tuple[int, str] | None"
"""Kind of a thing with its permissions, and where a link leads; None where nothing is there."""


def sign_of(path: str) -> Sign:
    """Look at a file.

    Args:
        path: of a file that may not be there.

    Returns:
        Its sign of now.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a thousand of them, at each start
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def signs(paths: Iterable[str]) -> dict[str, Sign]:
    """Look at several.

    Args:
        paths: of files that may not be there.

    Returns:
        The sign of each.
    """
    return {path: sign_of(path) for path in paths}


def seen_at(path: str, *, follow: bool) -> Seen:
    """See what kind of thing is there.

    Args:
        path: of what may not be there.
        follow: a link is what it leads to.

    Returns:
        What there is now.
    """
    try:
        mode = os.stat(path, follow_symlinks=follow).st_mode  # noqa: PTH116
        return mode, os.readlink(path) if stat.S_ISLNK(mode) else ""  # noqa: PTH115
    except (OSError, ValueError):
        return None
