"""What an editor is set up for, what it wants there, and why that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Whom editors are set up for.

    Args:
        root: the project's root, which the editor is expected to open.
        program: devloop's program, relative to the root where it lies inside (in its `.venv`);
            ``devloop`` where it is found by its name.
        ides: the folders in which JetBrains' programs keep a user's settings, one for each.
    """

    root: Path
    program: str
    ides: tuple[Path, ...] = ()

    def command(self, variable: str) -> str:
        """The program as an editor's own settings name it.

        Args:
            variable: what the editor puts the root for, with the separator behind it.
        """
        inside = "/" in self.program and not self.program.startswith("/")
        return f"{variable}{self.program}" if inside else self.program


class File(msgspec.Struct, frozen=True):
    """A file that an editor reads.

    Args:
        path: absolute.
        merge: makes the text with our part in it of the text that is there; raises `Fault`.
        link: where it leads, where it is to be a symbolic link instead.
    """

    path: Path
    merge: Callable[[str], str] = str
    link: str | None = None


class Fault(Exception):
    """A text that nothing can be put into.

    Args:
        message: what was found or expected.
        line: counted from 1.
        column: counted from 1.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    @classmethod
    def at(cls, message: str, text: str, index: int) -> Fault:
        """The fault at a character of a text."""
        before = text[:index]
        return cls(message, before.count("\n") + 1, index - before.rfind("\n"))
