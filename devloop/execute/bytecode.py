"""Drop cached bytecode of changed files.

Python takes cached bytecode for current when whole seconds of the source's mtime and its size
agree (PEP 552 keeps both in the file), pytest before 9 does so for its rewritten modules, and
bytecode that is marked *unchecked* is never compared. Two saves of one length within a second
therefore run the first one's code. So it goes, for every changed file, before anything starts.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path

MARGIN = 2_000_000_000
"""Nanoseconds that may lie between the reading of a source and the writing of what was compiled
from it. What was written later than this after an edit was compiled from what was edited."""

SETTLED = 10.0
"""Seconds after an edit was seen from when on nothing is cached any more that counts as of before
it; the file system's clock may be another one, so these are more than `MARGIN`."""

_MAGIC_END = b"\r\n"
"""What the last two of the four bytes are with which every bytecode file begins."""


class Edited:
    """Sources that were edited lately: what is cached of them may look current and be old.

    A process that is on its way out may cache what it had read before an edit; so it is dropped
    again and again, but not for the rest of the day.

    Args:
        root: the project's root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, float] = {}

    @property
    def paths(self) -> frozenset[str]:
        """Those of which anything may still be cached that is old."""
        return frozenset(self._seen)

    def add(self, paths: Iterable[str]) -> None:
        """Some were edited, or are found to have been, just now.

        Args:
            paths: relative to the root.
        """
        self._seen.update(dict.fromkeys(paths, time.monotonic()))

    def drop(self) -> None:
        """See to it that whoever imports one of them does not meet its old code."""
        now = time.monotonic()
        drop(self._seen, self._root, [os.environ.get("PYTHONPYCACHEPREFIX", "")])
        self._seen = {path: seen for path, seen in self._seen.items() if now - seen < SETTLED}


def drop(
    paths: Iterable[str], root: Path, prefixes: Iterable[str] = (), *, margin: int = MARGIN
) -> list[str]:
    """Remove what may be cached of some sources as they were, for all interpreters.

    Code that was cached well after the last edit stays: a source that is edited once shall not be
    compiled at each start for the rest of the day.

    Args:
        paths: changed files, relative to `root` or absolute; others than Python's are passed over.
        root: the project's root.
        prefixes: the values of PYTHONPYCACHEPREFIX under which something is run.
        margin: nanoseconds after an edit within which what is cached may be of before it.

    Returns:
        The files that were removed.
    """
    dropped: list[str] = []
    listings: dict[str, list[str]] = {}
    prefixes = tuple(filter(None, prefixes))
    for path in paths:
        if not path.endswith((".py", ".pyw")):
            continue
        source = os.path.join(root, path)
        beside, name = os.path.split(source)
        stem = os.path.splitext(name)[0]
        fresh = _edited(source) + margin
        folders = [os.path.join(beside, "__pycache__")]
        # The cache then mirrors the whole path below the prefix, without its anchor.
        mirrored = os.path.splitdrive(os.path.abspath(beside))[1].lstrip(os.sep)
        folders += [os.path.join(root, prefix, mirrored) for prefix in prefixes]
        for folder in folders:
            if folder not in listings:
                listings[folder] = _names(folder)
            # NAME.TAG.pyc, NAME.TAG.opt-1.pyc, NAME.TAG-pytest-8.3.4.pyc
            for cached in listings[folder]:
                if cached.startswith(stem + ".") and cached.endswith(".pyc"):
                    _remove(os.path.join(folder, cached), fresh, dropped)
        legacy = os.path.join(beside, stem + ".pyc")
        if _is_bytecode(legacy):
            _remove(legacy, fresh, dropped)
    return dropped


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_bytecode(path: str) -> bool:
    """Whether a file beside a source was compiled from it (``compileall -b``).

    It is read only once the source is gone, and then as if nothing had happened.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return len(head) == 16 and head[2:4] == _MAGIC_END


def _edited(source: str) -> float:
    """When a source was written last, in nanoseconds; infinite where it is gone.

    A link was when it was made, too.
    """
    try:
        # Its mtime may have been set to anything.
        return max(os.stat(source).st_ctime_ns, os.lstat(source).st_ctime_ns)
    except OSError:
        return math.inf


def _remove(path: str, fresh: float, dropped: list[str]) -> None:
    # Another process may have been quicker; one that may not be removed cannot have been
    # written by this user's interpreters either.
    with contextlib.suppress(OSError):
        status = os.stat(path)
        # An old file that was moved here has a late ctime, a copied one a late mtime.
        if min(status.st_mtime_ns, status.st_ctime_ns) <= fresh:
            os.unlink(path)
            dropped.append(path)
