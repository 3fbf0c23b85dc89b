"""What came and what went, files and folders alike."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from devloop.select.records import ABSENT, Contents


class Existence:
    """What came and what went between some contents and those of now.

    Args:
        before: for each path whose content is another one the one of then.
        contents: as they are now.
    """

    def __init__(self, before: Mapping[str, bytes], contents: Contents) -> None:
        paths = [path for path in before if not path.startswith("<")]
        self._came = sorted(p for p in paths if before[p] == ABSENT and p in contents)
        self._went = sorted(p for p in paths if before[p] != ABSENT and p not in contents)
        self._contents = contents
        self._now: list[str] | None = None

    @property
    def moved(self) -> bool:
        """Whether anything came or went."""
        return bool(self._came or self._went)

    def changed(self, path: str) -> bool:
        """Whether a file or a folder is there now and was not, or the other way round.

        Args:
            path: relative to the root.
        """
        if not (_any_at(self._came, path) or _any_at(self._went, path)):
            return False
        if self._now is None:
            self._now = sorted(self._contents)
        then = _any_at(self._went, path) or _count_at(self._now, path) > _count_at(self._came, path)
        return then != _any_at(self._now, path)

    def entry_changed(self, folder: str) -> str | None:
        """An entry of a folder that came or went.

        Args:
            folder: relative to the root; empty or ``.`` is the root.

        Returns:
            Its path; None where there is none.
        """
        start = "" if folder in ("", ".") else f"{folder}/"
        for path in (*self._came, *self._went):
            if path.startswith(start):
                entry = start + path[len(start) :].partition("/")[0]
                if self.changed(entry):
                    return entry
        return None


def _any_at(paths: list[str], path: str) -> bool:
    return _count_at(paths, path) > 0


def _count_at(paths: list[str], path: str) -> int:
    """How many of some sorted paths are a path, or below it."""
    exact = bisect_left(paths, path)
    own = exact < len(paths) and paths[exact] == path
    return own + bisect_left(paths, f"{path}0") - bisect_left(paths, f"{path}/")
