"""From the bytes that a process prints to whole lines."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import deque
from collections.abc import Callable

import anyio

CHUNK = 1 << 16
"""Bytes that are read at once."""

BATCH = 1 << 18
"""Bytes after which what was read is passed on; a flood is taken in batches of this size."""

LONGEST_LINE = 1 << 16
"""Bytes after which a line that does not end is cut."""

FLOOD = 1 << 14
"""Bytes of one batch from which on the reader pauses, so that the rest of devloop can run."""

PAUSE = 0.01
"""Seconds of that pause. The process waits meanwhile, as it does for a slow terminal."""

QUIET = 0.05
"""Seconds of silence after which an unended line counts as a prompt."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()*+].|[@-Z\\-_=>78])"
)


def plain(text: str) -> str:
    """Text without the control sequences of terminals.

    Args:
        text: as a program printed it.

    Returns:
        What a person would read.
    """
    return _ESCAPE.sub("", text) if "\x1b" in text else text


class Lines:
    r"""Splits bytes into lines; never cuts a character in two.

    A line that was written over (``10%\r20%\r``, ``nane\b\bme``) is what stands there in the end.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take in what has come.

        Args:
            data: any piece of the stream.

        Returns:
            The lines that it has completed, without their ends.
        """
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [_text(line) for line in whole]
        if len(self._rest) > LONGEST_LINE:
            lines += self._cut()
        return lines

    @property
    def rest(self) -> str:
        """The line that has not ended yet."""
        return _text(self._rest)

    @property
    def prompting(self) -> bool:
        """The line that has not ended yet may be a prompt; one that is written over is not."""
        return bool(self._rest) and b"\r" not in self._rest

    def take_rest(self) -> bytes:
        """Take out the line that has not ended yet."""
        rest, self._rest = self._rest, b""
        return rest

    def end(self) -> list[str]:
        """The stream has ended, and its last line with it.

        Returns:
            That line, or nothing.
        """
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest.strip(b"\r") else []

    def _cut(self) -> list[str]:
        if b"\r" in self._rest:
            # Nobody can see what was written over.
            self._rest = self._rest[self._rest.rstrip(b"\r").rfind(b"\r") + 1 :]
        lines = []
        while len(self._rest) > LONGEST_LINE:
            end = LONGEST_LINE
            while end > LONGEST_LINE - 4 and self._rest[end] & 0xC0 == 0x80:
                end -= 1
            lines.append(_text(self._rest[:end]))
            self._rest = self._rest[end:]
        return lines


class Tail:
    """The last lines of a stream.

    Args:
        lines: how many are kept.
    """

    def __init__(self, lines: int = 200) -> None:
        self._lines: deque[str] = deque(maxlen=lines)

    def add(self, lines: list[str]) -> None:
        """Take in more.

        Args:
            lines: whole lines.
        """
        self._lines.extend(lines[-(self._lines.maxlen or 0) :])

    def clear(self) -> None:
        """Forget them."""
        self._lines.clear()

    @property
    def text(self) -> str:
        """The lines, joined."""
        return "\n".join(self._lines)


class Reader:
    """Reads one stream until it ends.

    Args:
        fd: of a pipe, or of a pseudo-terminal's master; made non-blocking. It stays the caller's.
        on_lines: called with whole lines, many at once where many have come.
        on_prompt: called with a line that has not ended and seems not to go on; the line itself
            comes to `on_lines` all the same when it ends. None where nobody can answer.
        divert: called with all bytes first, and with what passes on the lines so far and gives
            out the line that has not ended, to be called before anything is shown elsewhere;
            only what it returns is split into lines.
    """

    def __init__(
        self,
        fd: int,
        on_lines: Callable[[list[str]], None],
        on_prompt: Callable[[str], None] | None = None,
        divert: Callable[[bytes, Callable[[], bytes]], bytes] | None = None,
    ) -> None:
        self._fd = fd
        self._on_lines = on_lines
        self._on_prompt = on_prompt
        self._divert = divert
        self._lines = Lines()
        self._waiting: list[str] = []
        self._prompt = ""
        self._ended = False
        os.set_blocking(fd, False)

    async def run(self) -> None:
        """Read until the last writer has closed the stream."""
        while True:
            if self._on_prompt and self._lines.prompting and self._lines.rest != self._prompt:
                with anyio.move_on_after(QUIET) as scope:
                    await anyio.wait_readable(self._fd)
                if scope.cancelled_caught:
                    self._prompt = self._lines.rest
                    self._on_prompt(self._prompt)
                    await anyio.wait_readable(self._fd)
            else:
                await anyio.wait_readable(self._fd)
            size = self.drain()
            if self._ended:
                return
            if size >= FLOOD:
                await anyio.sleep(PAUSE)

    def drain(self) -> int:
        """Take what is there now, up to one batch.

        Returns:
            How many bytes that was.
        """
        size = 0
        while size < BATCH and not self._ended:
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                break
            except OSError:
                # EIO: nobody has the pseudo-terminal's other end open any more.
                data = b""
            if not data:
                self._ended = True
                break
            size += len(data)
            if self._divert is not None:
                data = self._divert(data, self._give_out)
            self._waiting += self._lines.feed(data)
        self._pass_on()
        return size

    def _pass_on(self) -> None:
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._prompt = ""
            self._on_lines(lines)

    def _give_out(self) -> bytes:
        self._pass_on()
        return self._lines.take_rest()

    def finish(self) -> None:
        """The process has ended: take what is left, an unended line too."""
        for _ in range(16):
            if not self.drain():
                break
        if lines := self._lines.end():
            self._on_lines(lines)


def _text(line: bytes) -> str:
    line = line.rstrip(b"\r")
    if b"\r" in line:
        line = line[line.rfind(b"\r") + 1 :]
    text = line.decode("utf-8", "replace")
    return _stepped_back(text) if "\b" in text else text


def _stepped_back(text: str) -> str:
    """What a person sees of a line in which something was erased, as typing does, or turned."""
    columns: list[str] = []
    at = 0
    for character in text:
        if character == "\b":
            at = max(at - 1, 0)
            continue
        # A wide one takes two columns, and is erased in two steps.
        wide = unicodedata.east_asian_width(character) in "WF"
        shown = [character, ""] if wide else [character]
        columns[at : at + len(shown)] = shown
        at += len(shown)
    return "".join(columns)
