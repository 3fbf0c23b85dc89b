"""A terminal whose last lines are live: ordinary lines scroll above a small footer.

Each write erases the footer, prints, and draws the footer again, in one piece and as one
synchronized update (mode 2026, ignored where it is not known), so nothing flickers. The
scrollback is never erased, the cursor never hidden, no mode is changed: whatever ends devloop,
the terminal is as it was.
"""

from __future__ import annotations

from collections.abc import Callable

from devloop.report.paint import Paint, Pieces, crop, width
from devloop.report.sink import Sink

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
        self._lent = False

    def print(self, text: str) -> None:
        """Write lines above the footer.

        Args:
            text: whole lines, with the end of the last one.
        """
        if self._footer:
            self._sink.write(f"{_BEGIN}{self._erase()}{text}{self._footer}{_END}")
        else:
            self._sink.write(text)

    def footer(self, lines: list[Pieces]) -> None:
        """Draw another footer.

        Args:
            lines: a few; each is cut to the terminal's width. None at all removes the footer.
        """
        if not self._paint.animated or self._lent:
            return
        # The last column stays free: a full line makes some terminals wrap, and others not.
        cut = [crop(line, self._columns() - 1) for line in lines]
        footer = "\n".join(self._paint.render(line) for line in cut)
        if footer == self._footer:
            return
        erase = self._erase()
        self._footer, self._widths = footer, [width(line) for line in cut]
        self._sink.write(f"{_BEGIN}{erase}{footer}{_END}")

    def lend(self, data: bytes | None) -> None:
        """Write as is what somebody else has to show; no footer is drawn meanwhile.

        Args:
            data: any bytes; None takes the screen back.
        """
        if data is None:
            self._lent = False
        else:
            if not self._lent:
                self.footer([])
                self._lent = True
            self._sink.write(data.decode(errors="replace"))

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
