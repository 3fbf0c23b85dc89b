"""Colours, links and widths: what a stream can show, and text made for it.

Only the sixteen colours that every theme defines are used, so that light and dark both read.
Precedence of the variables follows CPython's own (``NO_COLOR``, ``FORCE_COLOR``, ``TERM``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO, TypeAlias

import msgspec

from devloop.report.clean import bare, coloured

_SGR = {
    "bold": "1",
    "dim": "2",
    "reverse": "7",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

Piece: TypeAlias = tuple[str, str]
"""Text, and its style: names of `_SGR` with spaces between, or nothing."""

Pieces: TypeAlias = Sequence[Piece]


class Paint(msgspec.Struct, frozen=True):
    """What may be written to a stream beside text.

    Args:
        color: styles.
        animated: moving the cursor, for a live region.
        links: OSC 8 hyperlinks.
    """

    color: bool = False
    animated: bool = False
    links: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str]) -> Paint:
        """What a stream can show.

        Args:
            stream: where text goes.
            environ: the environment.
        """
        tty = stream.isatty()
        term = environ.get("TERM", "")
        capable = tty and term not in ("dumb", "unknown")
        if environ.get("NO_COLOR"):
            color = False
        elif environ.get("FORCE_COLOR"):
            color = environ["FORCE_COLOR"].lower() not in ("0", "false")
        else:
            color = capable
        # The console of a Linux without a desktop prints what it does not know of OSC.
        return cls(color=color, animated=capable, links=capable and color and term != "linux")

    def __call__(self, text: str, style: str = "") -> str:
        """Text in a style."""
        if not self.color or not style or not text:
            return text
        return f"\x1b[{';'.join(_SGR[word] for word in style.split())}m{text}\x1b[0m"

    def foreign(self, line: str) -> str:
        """A line that others have printed, with its own colours where there are any."""
        return coloured(line) if self.color else bare(line)

    def render(self, pieces: Pieces) -> str:
        """Pieces as one text."""
        return "".join(self(text, style) for text, style in pieces)

    def link(self, text: str, path: str, line: int) -> str:
        """Text that leads to a line of a file.

        Args:
            text: already in its style.
            path: absolute.
            line: counted from 1.
        """
        if not self.links:
            return text
        from urllib.parse import quote

        address = quote(path.encode(errors="surrogateescape"))
        return f"\x1b]8;;file://{address}#{line}\x1b\\{text}\x1b]8;;\x1b\\"


def width(pieces: Pieces) -> int:
    """Columns that pieces take."""
    return sum(cells(text) for text, _ in pieces)


def cells(text: str) -> int:
    """Columns that a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def crop(pieces: Pieces, columns: int) -> list[Piece]:
    """Cut pieces to a width.

    Args:
        pieces: one line.
        columns: the width; an ellipsis takes the last one where something is cut.
    """
    if width(pieces) <= columns:
        return list(pieces)
    from rich.cells import set_cell_size

    kept: list[Piece] = []
    left = columns - 1
    for text, style in pieces:
        if cells(text) > left:
            kept.append((set_cell_size(text, max(left, 0)), style))
            break
        kept.append((text, style))
        left -= cells(text)
    return [*kept, ("…", "dim")] if columns > 0 else []


def crop_start(text: str, columns: int) -> str:
    """The end of a text, where all of it is too long.

    Args:
        text: one line.
        columns: that it may take.
    """
    text = text[-max(columns, 0) :] if columns > 0 else ""
    while cells(text) > columns:
        text = text[1:]
    return text
