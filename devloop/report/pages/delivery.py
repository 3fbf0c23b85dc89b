"""Where a page goes: to whoever reads standard output, or into a file for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from devloop.config import folder
from devloop.errors import UsageError


def deliver(page: str, root: Path, name: str, stream: TextIO) -> None:
    """Write a page.

    Args:
        page: the document.
        root: the project's root; at a terminal the page goes into its `.devloop/`.
        name: of the file there.
        stream: standard output.

    Raises:
        UsageError: the file cannot be written.
    """
    if not stream.isatty():
        stream.write(page)
        return
    try:
        path = folder.make(root) / name
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be written: {error.strerror}",
            hint="Send the page elsewhere: > page.html",
        ) from None
    stream.write(f"{path.as_uri()}\n")
