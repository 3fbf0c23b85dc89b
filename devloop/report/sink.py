"""Where a reporter writes: text that every stream can carry, and the reader's leaving."""

from __future__ import annotations

import codecs
import os
from typing import TextIO

# What to write where a stream cannot carry it (a C locale, an old Windows code page).
_ASCII = str.maketrans(
    {
        "·": "-",
        "…": "...",
        "←": "<-",
        "→": "->",
        "✓": "ok",
        "✗": "x",
        "●": "*",
        "○": "o",
        "▲": "!",
        "❯": ">",  # noqa: RUF001
        "│": "|",
        "▏": "|",
        "×": "x",  # noqa: RUF001
        "├": "|",
        "└": "`",
        "─": "-",
        "━": "=",
    }
    | dict(zip("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\|/-\\|/", strict=True))
)


class ReaderGone(Exception):
    """Nobody reads what a reporter writes: the pipe or the terminal was closed at its other end."""


class Sink:
    """A stream that is flushed at each write and that never fails on a character.

    Args:
        stream: text; its encoding is respected, its errors are not.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._encoding = None if codecs.lookup(encoding).name.startswith("utf") else encoding
        self._gone = False

    def write(self, text: str) -> bool:
        """Write and flush.

        Args:
            text: without lone surrogates.

        Returns:
            Whether it was taken, which it always is here.

        Raises:
            ReaderGone: at the first write that nobody can read; later ones do nothing.
        """
        if self._gone or not text:
            return True
        try:
            self.stream.write(self.carried(text))
            self.stream.flush()
        except OSError as error:
            raise self._leave() from error
        return True

    def carried(self, text: str) -> str:
        """A text in characters that the stream can carry.

        Args:
            text: any.
        """
        if self._encoding is None:
            return text
        text = text.translate(_ASCII)
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def drain(self) -> None:
        """Wait until what was taken has been written."""

    def write_bytes(self, data: bytes) -> None:
        """Write and flush UTF-8, whatever the stream's encoding is.

        Args:
            data: whole lines.

        Raises:
            ReaderGone: as for `write`.
        """
        if self._gone:
            return
        binary = getattr(self.stream, "buffer", None)
        try:
            if binary is None:
                self.stream.write(data.decode())
            else:
                binary.write(data)
            self.stream.flush()
        except OSError as error:
            raise self._leave() from error

    def _leave(self) -> ReaderGone:
        """Send what the stream still buffers nowhere, so that the interpreter's exit is quiet."""
        self._gone = True
        try:
            number = self.stream.fileno()
        except (OSError, ValueError, AttributeError):
            return ReaderGone()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        return ReaderGone()
