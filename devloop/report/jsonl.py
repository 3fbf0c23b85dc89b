"""One JSON object a line on standard output, and nothing else there (DESIGN §4)."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

from devloop.events import Event, Output, to_json
from devloop.report.clean import bare
from devloop.report.panel import Panel
from devloop.report.sink import ReaderGone, Sink


class JsonlReporter:
    """Writes events as JSON, flushed at each one.

    Args:
        stream: standard output.
        errors: where the output of apps, steps and tests goes, each line with its name before it;
            None makes events of it.
    """

    ticks = False

    def __init__(self, stream: TextIO, *, errors: TextIO | None) -> None:
        self._sink = Sink(stream)
        self._errors = Sink(errors) if errors is not None else None

    def handle(self, event: Event) -> None:
        """Write an event.

        Raises:
            ReaderGone: nobody reads standard output.
        """
        if isinstance(event, Output) and self._errors is not None:
            if event.partial:
                return  # it comes again when it has ended
            lines = "".join(f"{event.name} | {bare(line)}\n" for line in event.text.split("\n"))
            # Standard output may still be read, and it is what this reporter is about.
            with suppress(ReaderGone):
                self._errors.write(lines)
            return
        self._sink.write_bytes(to_json(event) + b"\n")

    def recall(self, event: Event) -> None:
        """Nothing: each line stands for itself."""

    def tick(self, now: float) -> None:
        """Nothing: a program has its own clock."""

    def show(self, data: bytes | None) -> None:
        """Nobody types here: an app gets no terminal."""

    def panel(self, panel: Panel | None) -> None:
        """Nobody types here."""

    def close(self) -> None:
        """Nothing is buffered."""
