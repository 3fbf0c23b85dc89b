"""One reporter that a person sees, and others that hear the same events."""

from __future__ import annotations

from collections.abc import Callable

from devloop.events import Event
from devloop.report.panel import Panel
from devloop.report.reporter import Reporter


class Joined:
    """A reporter, and whoever else takes the events.

    Args:
        shown: has the stream.
        others: hear of each event first, so that a file that they keep is current when the
            stream says that a cycle has ended. They do not raise.
    """

    def __init__(self, shown: Reporter, *others: Callable[[Event], None]) -> None:
        self._shown = shown
        self._others = others
        self.ticks = shown.ticks

    def handle(self, event: Event) -> None:
        """Pass an event on.

        Raises:
            ReaderGone: nobody reads the stream.
        """
        for take in self._others:
            take(event)
        self._shown.handle(event)

    def recall(self, event: Event) -> None:
        """Nobody but who is shown events has any use for it."""
        self._shown.recall(event)

    def tick(self, now: float) -> None:
        """Let time pass on the screen."""
        self._shown.tick(now)

    def show(self, data: bytes | None) -> None:
        """Let an app have the screen."""
        self._shown.show(data)

    def panel(self, panel: Panel | None) -> None:
        """Show something in the place of the footer."""
        self._shown.panel(panel)

    def close(self) -> None:
        """Leave the stream as a reader expects it."""
        self._shown.close()
