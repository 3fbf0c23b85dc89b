"""The one meaning of path patterns in devloop.toml: that of a `.gitignore` line."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@lru_cache(maxsize=256)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    # Late: most projects have no patterns, and it takes a tenth of a short command's time.
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(pattern.removeprefix("./") for pattern in patterns)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Tell whether any of the patterns names a path.

    Args:
        path: relative to the root.
        patterns: as in a `.gitignore`: ``*.css`` at any depth, ``static/`` with all below,
            ``styles/**/*.css``; a later ``!pattern`` takes out again.

    Returns:
        True if the path is named.
    """
    patterns = tuple(patterns)
    return bool(patterns) and _spec(patterns).match_file(path)
