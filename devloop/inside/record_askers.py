"""PYTEST_DONT_REWRITE: on whose behalf something is read, looked for or imported.

pytest reads sources to rewrite their assertions and to show their lines; that is no test's doing.
The same call of the same library is, where a test or the project's code has asked for it. So the
frames tell: the innermost one that is neither the standard library's nor ours.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devloop.inside.record_ground import Ground

OWN, LIBRARY, IMPORTING, RUNNER, OTHER, PROJECT = range(6)

HERE = os.path.dirname(__file__) + os.sep  # noqa: PTH120

RUNNERS = frozenset(
    {
        "_pytest", "pytest", "pluggy", "xdist", "execnet", "coverage", "pytest_cov",
        "pytest_timeout", "pytest_asyncio", "pytest_randomly", "pytest_rerunfailures",
        "pytest_sugar", "_hypothesis_pytestplugin",
    }
)  # fmt: skip
"""The packages that run tests and watch over them."""

READERS_OF_SOURCES = frozenset({"hypothesis", "fastapi.routing._extract_endpoint_context"})
"""Packages, and functions of modules, that read sources for what decides on nothing: a digest, the
line of an endpoint that the text of a validation error shows."""


class Askers:
    """Tells who asks.

    Args:
        ground: tells the project's files.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kinds: dict[str, int] = {}
        self._modules: dict[str, tuple[Any, int]] = {}
        """By the names of modules: their ``__file__``, and whose their frames are."""

        self._library = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120

    def who(self) -> tuple[int, list[Any], Any]:
        """Who has called.

        Returns:
            `IMPORTING`, `RUNNER`, `OTHER` or `PROJECT`; the frames of the standard library by which
            that has called, innermost first; and its own frame, where there is one.
        """
        return self.whose(sys._getframe(2))

    def whose(self, frame: Any) -> tuple[int, list[Any], Any]:
        """On whose behalf a frame acts.

        Args:
            frame: any.

        Returns:
            As `who`.
        """
        through: list[Any] = []
        kind = OWN
        kind_of = self.kind
        while frame is not None:
            kind = kind_of(frame)
            if kind == IMPORTING and frame.f_code.co_name == "get_data":
                # A loader hands out any file (`pkgutil.get_data`), also to who imports nothing.
                caller = frame.f_back
                kind = LIBRARY if caller is not None and kind_of(caller) != IMPORTING else kind
            if kind > LIBRARY:
                return kind, through, frame
            if kind == LIBRARY:
                through.append(frame)
            frame = frame.f_back
        # Threads begin in the library; what begins with us is our own doing.
        return (RUNNER if kind == OWN else PROJECT), through, None

    def importer(self) -> int:
        """Who imports: as `who`, but beyond the import system and pytest's part in it.

        Returns:
            `RUNNER` where nobody else is found.
        """
        frame: Any = sys._getframe(2)
        while frame is not None:
            kind = self.kind(frame)
            if kind in (OTHER, PROJECT):
                return kind
            frame = frame.f_back
        return RUNNER

    def kind(self, frame: Any) -> int:
        """Whose a frame is."""
        # To read its code has an audit event, which we hear; its variables have none.
        names = frame.f_globals
        name = names.get("__name__")
        known = self._modules.get(name) if name.__class__ is str else None
        if known is not None and known[0] is names.get("__file__"):
            return known[1]
        filename = frame.f_code.co_filename
        kind = self._kinds.get(filename)
        if kind is None:
            kind = self._kinds[filename] = self._kind(filename, names)
        file = names.get("__file__")
        # Not of what was compiled for a module: it may be the first of it that is met.
        if (
            name.__class__ is str
            and name != "__main__"
            and (filename == file or filename.startswith("<frozen ") or kind == OWN)
        ):
            self._modules[name] = file, kind
        return kind

    def reads_to_no_effect(self, frame: Any) -> bool:
        """Whether a frame is of one that reads sources to no effect."""
        if frame is None:
            return False
        name = str(frame.f_globals.get("__name__", ""))
        names = (name.partition(".")[0], f"{name}.{frame.f_code.co_name}")
        return not READERS_OF_SOURCES.isdisjoint(names)

    def _kind(self, filename: str, names: Any) -> int:
        name = str(names.get("__name__", ""))
        if name.startswith("_devloop") or (name == "__main__" and filename.startswith(HERE)):
            return OWN  # the zygote's file bears a name of the import system's
        if "importlib" in filename and "_bootstrap" in filename:
            return IMPORTING
        if filename.startswith("<frozen "):
            return LIBRARY
        top = name.partition(".")[0]
        if top in RUNNERS:
            return RUNNER
        if self._ground.source(filename) is not None:
            return PROJECT
        if filename.startswith(self._library) and "/site-packages/" not in filename:
            return LIBRARY
        return OTHER if filename[:1] != "<" or top != "__main__" else PROJECT
