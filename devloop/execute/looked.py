"""What was looked for and listed, and whether there is still the same."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devloop.execute.signs import Seen, seen_at, sign_of

_MODULES = (".py", ".so", ".pyd", ".dist-info", ".egg-info")


class Looked:
    """What was looked for and listed."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, bool], Seen] = {}
        self._folders: dict[str, tuple[int, frozenset[str], bool]] = {}

    def add(
        self, there: Mapping[tuple[str, bool], Seen], folders: Mapping[str, tuple[int, bool]]
    ) -> str | None:
        """Take in more of it.

        Args:
            there: what was seen where it was only asked what kind of thing is there, by path and
                whether links were followed.
            folders: time of the folders that were listed, and whether only to find modules.

        Returns:
            The path of what is not as it was any more; None where all is.
        """
        for path, (mtime, only_modules) in folders.items():
            names = _names(path, only_modules)
            if _mtime(path) != mtime:
                return path
            self._folders[path] = (mtime, names, only_modules)
        self._there.update(there)
        return self._other()

    def changed(self) -> str | None:
        """The first path where there is something else now."""
        if (other := self._other()) is not None:
            return other
        for path, (mtime, names, only_modules) in self._folders.items():
            found = _mtime(path)
            if found == mtime:
                continue
            if found is None or _names(path, only_modules) != names:
                return path
            self._folders[path] = (found, names, only_modules)
        return None

    def _other(self) -> str | None:
        """One of the paths where there is something of another kind now."""
        for (path, follow), seen in self._there.items():
            if seen_at(path, follow=follow) != seen:
                return path
        return None


def _names(folder: str, only_modules: bool) -> frozenset[str]:
    """What lies in a folder, and of what kind, without what Python and editors leave there."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, _mark(entry)) for entry in entries]
    except OSError:
        return frozenset()
    return frozenset(
        name + mark
        for name, mark in found
        if name != "__pycache__"
        and not name.startswith(".")
        and not name.endswith(("~", ".tmp", ".pyc"))
        and (not only_modules or name.endswith(_MODULES) or _is_package(folder, name))
    )


def _mark(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else ""


def _is_package(folder: str, name: str) -> bool:
    return name.isidentifier() and os.path.isdir(os.path.join(folder, name))  # noqa: PTH112, PTH118


def _mtime(path: str) -> int | None:
    found = sign_of(path)
    return None if found is None else found[0]
