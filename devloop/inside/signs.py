"""What tells a file from what it was before, without its being read: some two microseconds each.

Loaded by both sides: what one has noted the other compares.
"""

from __future__ import annotations

import os

# Those of `os` may be wrapped later, to hear of what is looked for.
_stat, _lstat, _readlink = os.stat, os.lstat, os.readlink
_KIND, _FOLDER, _LINK = 0o170000, 0o040000, 0o120000


def sign_of(path: str) -> tuple[int, int, int] | None:
    """Look at a file.

    Args:
        path: of a file that may not be there.

    Returns:
        Modification time in nanoseconds, size, inode; None for a file that is not there.
    """
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def seen_at(path: str, *, follow: bool) -> tuple[int, str] | None:
    """See what kind of thing is there.

    Args:
        path: of what may not be there.
        follow: a link is what it leads to.

    Returns:
        Its kind with its permissions, and where a link leads; None where nothing is there.
    """
    try:
        mode = (_stat if follow else _lstat)(path).st_mode
        return mode, _readlink(path) if mode & _KIND == _LINK else ""
    except (OSError, ValueError):
        return None


def is_folder(seen: tuple[int, str]) -> bool:
    """Whether what was seen is a folder.

    Args:
        seen: by `seen_at`.
    """
    return seen[0] & _KIND == _FOLDER
