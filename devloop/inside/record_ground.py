"""PYTEST_DONT_REWRITE: which paths matter to a record, and what they are called there."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# `os.path` is what is called some ten thousand times here.
# ruff: noqa: PTH109

SYSTEM = (
    "/proc/", "/dev/", "/sys/", "/usr/", "/etc/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/run/",
    "/var/", "/opt/", "/tmp/", "/System/", "/Library/", "/private/", "/nix/",
)  # fmt: skip
"""What is the machine's, and no project's."""

SHARED = ("/usr/share/", "/usr/local/share/", "/etc/", "/var/lib/", "/opt/", "/srv/")
"""Where of it files lie that a program may be given to read."""

CACHES = (
    ".devloop", ".git", ".hg", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox",
    ".nox", ".coverage",
)  # fmt: skip
"""What tools keep in a project's root; what stands in them does not decide on a test."""

MOST = 10_000
"""Paths of which it is remembered what they are called."""


class Ground:
    """Tells the paths of the project from all others.

    Args:
        root: the project's, absolute, links followed.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        roots = {root + os.sep}
        given = os.environ.get("PWD", "")
        if given and os.path.realpath(given) == root:
            roots.add(given.rstrip(os.sep) + os.sep)
        self._roots = tuple(roots)
        libraries = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}  # noqa: PTH120
        self._libraries = tuple(folder.rstrip(os.sep) + os.sep for folder in libraries)
        named = [os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")]
        temporary = {folder.rstrip(os.sep) + os.sep for folder in named if folder}
        temporary |= {os.path.realpath(folder) + os.sep for folder in temporary}
        self._passed_over = (*SYSTEM, *temporary, *self._libraries)
        self._sources: dict[str, str | None] = {}
        self._paths: dict[str, str | None] = {}

    def source(self, filename: str) -> str | None:
        """The project's file that some code is from.

        Args:
            filename: the code's (``co_filename``).

        Returns:
            Its path; None for the code of others.
        """
        try:
            return self._sources[filename]
        except KeyError:
            path = None
            if filename[:1] != "<":
                path = self.path(filename)
                if path is not None and path[:1] == "/":
                    path = None
            self._sources[filename] = path
            return path

    def shared(self, name: Any) -> str | None:
        """The path of a file of the machine that may matter where the project itself reads it.

        Args:
            name: as of `path`, which knows of none.
        """
        if name.__class__ is not str or not name.startswith(SHARED) or ".." in name:
            return None
        return None if "/lib/python" in name or "-packages/" in name else str(name)

    def path(self, name: Any) -> str | None:
        """What a path is called in a record.

        Args:
            name: as it was given to a function that takes paths.

        Returns:
            Relative to the root with forward slashes, absolute outside of it; None for what does
            not matter, and for descriptors.
        """
        if name.__class__ is not str:
            try:
                name = os.fsdecode(name)
            except TypeError:
                return None
        if name[:1] != "/":
            return self._path(os.getcwd() + "/" + name)
        try:
            return self._paths[name]  # most are asked for again and again
        except KeyError:
            if len(self._paths) >= MOST:
                self._paths.clear()
            path = self._paths[name] = self._path(name)
            return path

    def _path(self, name: str) -> str | None:
        """As `path`, of an absolute one."""
        if name[-2:] in ("/.", "..") or "/../" in name or "/./" in name or "//" in name:
            name = os.path.normpath(name)
        if name.startswith(self._passed_over) and not name.startswith(self._roots):
            return None
        if name.startswith(self._roots):
            if name.startswith(self._libraries) and not self.root.startswith(self._libraries):
                return None  # an environment in the project
            if "/__pycache__" in name or "/site-packages/" in name or "/node_modules/" in name:
                return None
            prefix = next(prefix for prefix in self._roots if name.startswith(prefix))
            path = name[len(prefix) :].rstrip("/") or "."
            top = path.partition("/")[0]
            return None if top in CACHES or top.startswith(".coverage.") else path
        if name + "/" in self._roots:
            return "."
        if f"{name}/".startswith(self._passed_over) or "/site-packages/" in name or name == "/":
            return None
        return name
