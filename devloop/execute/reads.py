"""What a layer has read while it was made, and whether that is still so."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from devloop.execute.looked import Looked
from devloop.execute.orders import Layered
from devloop.execute.signs import Sign, sign_of
from devloop.execute.staleness import Origin


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
        self._looked = Looked()

    def add(self, layered: Layered) -> str | None:
        """Take in what has come of the layer.

        Args:
            layered: that.

        Returns:
            The path of a file that has changed meanwhile; None where none has.
        """
        files: dict[str, Sign] = {}
        for path in filter(None, layered.loaded.values()):
            now = sign_of(path)
            early = self._before.get(path)
            if now is None or (now != early and (early is not None or now[0] >= self._began)):
                return path
            files[path] = now
        for path, sign in layered.files.items():
            if sign_of(path) != sign:
                return path
            files[path] = sign
        if (other := self._looked.add(layered.there, layered.folders)) is not None:
            return other
        self._origin.add((), files, layered.env)
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
        other = self._looked.changed()
        return None if other is None else f"{other} changed"
