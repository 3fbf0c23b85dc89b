"""What a layer has read while it was made, and whether that is still so."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping

from devloop.execute.orders import Layered
from devloop.execute.signs import Seen, seen_at, sign_of
from devloop.execute.staleness import Origin

_MODULES = (".py", ".so", ".pyd")


class Reads:
    """What a layer has read.

    Make it before the layer: what is written meanwhile then counts as changed.

    Args:
        program: the path of the interpreter.
        env: the environment that the layer is made with.
        expected: the files of the modules that it will probably hold.
    """

    def __init__(self, program: str, env: Mapping[str, str], expected: Iterable[str]) -> None:
        self._origin = Origin(program, (), env)
        self._began = time.time_ns()
        self._before = {path: sign_of(path) for path in expected}
        self._there: dict[tuple[str, bool], Seen] = {}
        self._folders: dict[str, tuple[int, frozenset[str], bool]] = {}

    def add(self, layered: Layered) -> str | None:
        """Take in what has come of the layer.

        Args:
            layered: that.

        Returns:
            The path of a file that has changed meanwhile; None where none has.
        """
        files: dict[str, tuple[int, int]] = {}
        for path in filter(None, layered.loaded.values()):
            now = sign_of(path)
            early = self._before.get(path)
            if now is None or (now != early and (early is not None or now[0] >= self._began)):
                return path
            files[path] = now[:2]
        for path, sign in layered.files.items():
            if sign_of(path) != sign:
                return path
            if sign is not None:
                files[path] = sign[:2]
        for path, (mtime, only_modules) in layered.folders.items():
            names = _names(path, only_modules)
            if _mtime(path) != mtime:
                return path
            self._folders[path] = (mtime, names, only_modules)
        self._there.update(layered.there)
        if (other := self._other()) is not None:
            return other
        missing = [path for path, sign in layered.files.items() if sign is None]
        self._origin.add(missing, files, layered.env)
        return None

    def read_any(self, names: Iterable[str]) -> str | None:
        """One of some environment variables, if it was read.

        Args:
            names: of the variables.
        """
        return self._origin.read_any(names)

    def stale(self, env: Mapping[str, str]) -> str | None:
        """Whether a start from the layer could differ from a cold one.

        Args:
            env: the environment of the start.

        Returns:
            What has changed, as a sentence; None where nothing has.
        """
        if (reason := self._origin.stale(env)) is not None:
            return reason
        if (other := self._other()) is not None:
            return f"{other} changed"
        for path, (mtime, names, only_modules) in self._folders.items():
            found = _mtime(path)
            if found == mtime:
                continue
            if found is None or _names(path, only_modules) != names:
                return f"{path} changed"
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
