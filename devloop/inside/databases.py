"""PYTEST_DONT_REWRITE: the files that an SQLite database lies in, by the name it is opened by."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def files_of(name: Any) -> tuple[str, ...]:
    """Find where a database lies.

    Args:
        name: as `sqlite3.connect` is given it: a path or a URI (sqlite.org/uri.html).

    Returns:
        Its path, and that of the log which holds what was committed last, where it keeps one
        (sqlite.org/wal.html); none for a database in memory.
    """
    try:
        text = os.fsdecode(name)
    except TypeError:
        return ()
    if text.startswith("file:"):
        text, _, query = text[len("file:") :].partition("#")[0].partition("?")
        if "mode=memory" in query.split("&"):
            return ()
        if text.startswith("//"):
            text = "/" + text[2:].partition("/")[2]
        text = _decoded(text)
    if not text or text.startswith(":memory:"):
        return ()
    return text, f"{text}-wal"


def _decoded(text: str) -> str:
    """A URI's path without its escapes; `urllib` would be one more module in every program."""
    first, *others = os.fsencode(text).split(b"%")
    decoded = [first]
    for part in others:
        try:
            decoded.append(bytes([int(part[:2], 16)]) + part[2:])
        except ValueError:
            decoded.append(b"%" + part)
    return os.fsdecode(b"".join(decoded))
