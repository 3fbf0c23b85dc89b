"""Patterns of paths: gitignore's for what is ignored, anchored ones for what is named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

WILD = frozenset("*?[")


class Named:
    """Paths that the configuration names: files, folders with all that is in them, or patterns.

    Args:
        patterns: relative to the project's root, ``**`` for any number of folders; a pattern
            without a wildcard is a file or a folder. Absolute ones name places outside.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        plain: set[str] = set()
        wild: list[str] = []
        for pattern in patterns:
            if WILD.isdisjoint(pattern):
                path = os.path.normpath(pattern).replace(os.sep, "/")
                plain.add("" if path == "." else path)
            else:
                wild.append("/" + pattern.removeprefix("./").lstrip("/"))
        self._plain = frozenset(plain)
        self._wild = spec(wild) if wild else None

    def __bool__(self) -> bool:
        return bool(self._plain) or self._wild is not None

    def __contains__(self, path: str) -> bool:
        if self._plain and ("" in self._plain or path in self._plain):
            return True
        if self._plain:
            folder = path
            while (cut := folder.rfind("/")) > 0:
                folder = folder[:cut]
                if folder in self._plain:
                    return True
        return self._wild is not None and self._wild.match_file(path.lstrip("/"))


def spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """Compile lines of gitignore's language; as git does, leave out what is no pattern.

    Args:
        lines: as they stand in such a file.
    """
    # Late: it costs more than all the rest of a short command where there are no patterns.
    from pathspec import GitIgnoreSpec

    lines = list(lines)
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):
        return GitIgnoreSpec.from_lines(line for line in lines if _compiles(line))


def _compiles(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
