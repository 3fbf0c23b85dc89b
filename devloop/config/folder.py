"""The project's `.devloop/` folder: records, crash reports, the schema for editors."""

from __future__ import annotations

from pathlib import Path

NAME = ".devloop"
MARK = "*\n"
"""The text of its own .gitignore, by which it is known as ours."""


def make(root: Path) -> Path:
    """Make the folder, with its own .gitignore, unless it is there.

    Args:
        root: the project's root.

    Returns:
        The folder.

    Raises:
        OSError: it cannot be made.
    """
    folder = root / NAME
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.is_file() or not ignore.stat().st_size:
        ignore.write_text(MARK)
    return folder


def is_ours(folder: Path) -> bool:
    """Whether devloop made a folder: it is empty, or bears our mark.

    Args:
        folder: an existing folder.

    Returns:
        False where anything else may have made it.

    Raises:
        OSError: it cannot be read.
    """
    ignore = folder / ".gitignore"
    if ignore.is_file() and not ignore.is_symlink():
        return ignore.read_bytes().strip() == MARK.strip().encode()
    return not any(folder.iterdir())
