"""Find the project that a folder belongs to."""

from __future__ import annotations

import re
from pathlib import Path

from devloop.config.load import OWN_FILE, SHARED_FILE
from devloop.errors import NotAProject

MARKERS = (OWN_FILE, ".git", SHARED_FILE, "setup.cfg", "setup.py", "pytest.ini", "tox.ini")
_PYTHON = ("*.py", "src/**/*.py", "tests/**/*.py", "test/**/*.py")
_SHARED_TABLE = re.compile(rb"^\s*\[+\s*tool\s*\.\s*devloop\s*[.\]]", re.MULTILINE)


def find_root(start: Path) -> Path:
    """The root of the project that holds a folder.

    It is the nearest folder upwards that holds devloop's configuration; else the nearest one
    that holds a project's own files or is a repository's top; else the folder itself, if there is
    any Python file in it or in its folder of sources or tests. A home folder that happens to be
    a repository is nobody's project unless one starts there.

    Args:
        start: where to begin.

    Returns:
        An absolute path, symbolic links resolved.

    Raises:
        NotAProject: there is nothing of the kind.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if _is_configured(folder):
            return folder
    nearest = nearest_root(start)
    if nearest is not None:
        return nearest
    if any(next(start.glob(pattern), None) is not None for pattern in _PYTHON):
        return start
    raise NotAProject(
        f"no project in {start} or above it",
        hint="Go to the project's folder or name it with -C DIR, or run `devloop init` here.",
    )


def nearest_root(start: Path) -> Path | None:
    """The nearest folder upwards that holds anything which marks a project.

    Args:
        start: where to begin.

    Returns:
        An absolute path; None where there is no such folder.
    """
    start = start.resolve()
    shared = {Path("~").expanduser().resolve(), Path(start.anchor)}
    for folder in (start, *start.parents):
        if (folder == start or folder not in shared) and _is_marked(folder):
            return folder
    return None


def _is_configured(folder: Path) -> bool:
    if _exists(folder / OWN_FILE):
        return True
    try:
        return bool(_SHARED_TABLE.search((folder / SHARED_FILE).read_bytes()))
    except OSError:
        return False


def _is_marked(folder: Path) -> bool:
    return any(_exists(folder / marker) for marker in MARKERS)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
