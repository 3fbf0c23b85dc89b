"""A terminal whose last lines are live: ordinary lines scroll above a small footer.

Each write erases the footer, prints, and draws the footer again, in one piece and as one
synchronized update (mode 2026, ignored where it is not known), so nothing flickers. The
scrollback is never erased, the cursor never hidden, no mode is changed: whatever ends devloop,
the terminal is as it was.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from devloop.report.paint import Paint, Pieces, crop, width
from devloop.report.sink import Sink

WAITING = 2_000
"""Writes that wait at most while somebody stands at a prompt."""

_SWITCH = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
"""A private mode set or reset (DECSET, DECRST)."""

_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
_USUALLY_ON = frozenset({"7", "25"})
"""Wrapping at the margin, and the cursor."""

_BEGIN = "\x1b[?2026h"
_END = "\x1b[?2026l"


class Screen:
    """Prints lines above a footer; without animation it just prints.

    Args:
        sink: where to write.
        paint: what can be written.
        columns: the terminal's width at the moment.
    """

    def __init__(self, sink: Sink, paint: Paint, columns: Callable[[], int]) -> None:
        self._sink = sink
        self._paint = paint
        self._columns = columns
        self._footer = ""
        self._widths: list[int] = []
        self._lent: Lent | None = None
        self._left_out = 0

    def print(self, text: str) -> None:
        """Write lines above the footer.

        Args:
            text: whole lines, with the end of the last one.
        """
        if self._lent is not None and self._lent.hold(text):
            return
        whole = left_out(self._left_out) + text
        if self._footer:
            whole = f"{_BEGIN}{self._erase()}{whole}{self._footer}{_END}"
        # A terminal that is stopped (Ctrl-S) takes no more than so much.
        self._left_out = 0 if self._sink.write(whole) else self._left_out + 1

    def footer(self, lines: list[Pieces]) -> None:
        """Draw another footer.

        Args:
            lines: a few; each is cut to the terminal's width. None at all removes the footer.
        """
        if not self._paint.animated or self._lent is not None:
            return
        # The last column stays free: a full line makes some terminals wrap, and others not.
        cut = [crop(line, self._columns() - 1) for line in lines]
        footer = "\n".join(self._paint.render(line) for line in cut)
        if footer == self._footer:
            return
        if self._sink.write(f"{_BEGIN}{self._erase()}{footer}{_END}"):
            self._footer, self._widths = footer, [width(line) for line in cut]

    def lend(self, data: bytes | None) -> None:
        """Write as is what somebody else has to show; no footer is drawn meanwhile.

        While that stands at a prompt, what is printed waits for the end of its line.

        Args:
            data: any bytes; None takes the screen back.
        """
        if data is not None:
            if self._lent is None:
                self.footer([])
                self._lent = Lent()
            self._sink.write(self._lent.shown(data))
        elif self._lent is not None:
            lent, self._lent = self._lent, None
            self._sink.write(lent.over())

    def call(self, codes: str) -> None:
        """Call the person at the terminal; nothing is shown on it.

        Args:
            codes: control codes that print nothing.
        """
        if self._paint.animated and self._lent is None:
            self._sink.write(codes)

    def close(self) -> None:
        """Remove the footer, and wait until all is written."""
        try:
            self.footer([])
        finally:
            self._sink.drain()

    def clear(self) -> None:
        """Empty the screen, not the scrollback."""
        if self._paint.animated:
            self._sink.write(f"{_BEGIN}\x1b[H\x1b[2J{self._footer}{_END}")

    def _erase(self) -> str:
        """Go back to the footer's first row; a window made narrower has wrapped its lines."""
        if not self._footer:
            return ""
        columns = max(self._columns(), 1)
        rows = sum(max(-(-size // columns), 1) for size in self._widths)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        return f"\r{up}\x1b[J"


class Lent:
    """A screen that somebody else writes on: what waits meanwhile, and what is to be undone."""

    def __init__(self) -> None:
        self._at_prompt = False
        self._waiting: deque[str] = deque(maxlen=WAITING)
        self._left_out = 0
        self._switched: dict[str, str] = {}
        self._rest = b""

    def hold(self, text: str) -> bool:
        """Whether a text waits; then it comes with what `shown` or `over` gives.

        Args:
            text: whole lines.
        """
        if self._at_prompt:
            self._left_out += len(self._waiting) == WAITING
            self._waiting.append(text)
        return self._at_prompt

    def shown(self, data: bytes) -> str:
        """Take what is to be shown on it.

        Args:
            data: any bytes.

        Returns:
            The same as text; what has waited comes after the last line that has ended in it.
        """
        whole, end, begun = data.rpartition(b"\n")
        text = self._take(whole + end) if end else ""
        return text + (self._take(begun) if begun else "")

    def _take(self, data: bytes) -> str:
        seen = self._rest + data
        for numbers, switch in _SWITCH.findall(seen):
            self._switched.update(dict.fromkeys(numbers.decode().split(";"), switch.decode()))
        # A sequence may come in two pieces.
        self._rest = seen[-16:] if b"\x1b" in seen[-16:] else b""
        bare = _SEQUENCE.sub(b"", data).rstrip(b"\r")
        if bare:
            self._at_prompt = not bare.endswith(b"\n")
        text = data.decode(errors="replace")
        return text if self._at_prompt else text + self._take_waiting()

    def over(self) -> str:
        """What is to be written when it is given back: modes as they were, a line of our own."""
        undone = [
            f"\x1b[?{number}{'h' if number in _USUALLY_ON else 'l'}"
            for number, switch in self._switched.items()
            if (switch == "h") is not (number in _USUALLY_ON)
        ]
        line = "\r\n" if self._at_prompt else ""
        return f"{''.join(undone)}{line}{self._take_waiting()}"

    def _take_waiting(self) -> str:
        text = left_out(self._left_out) + "".join(self._waiting)
        self._waiting.clear()
        self._left_out = 0
        return text


def left_out(number: int) -> str:
    """The line that tells of what is not shown; empty where there is none.

    Args:
        number: how many writes.
    """
    return f"… {number:,} earlier writes are left out\n" if number else ""
