"""Where a terminal is written: by a thread, so that one that takes nothing stops nobody.

Ctrl-S, a selection in a console window or a stalled connection make a write wait for as long as
they last. The loop does not: it waits a moment for a terminal that is merely slow, which slows
down those who print too much, and goes on without one that is stopped.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TextIO

from devloop.report.sink import Sink

BACKLOG = 1 << 20
"""How many bytes may wait for the terminal."""

PATIENCE = 0.25
"""Seconds that a full backlog is waited for, once, until the terminal takes something again.

On a busy machine a terminal may not have its turn for that long."""

DRAINED = 2.0
"""Seconds that the end waits for the terminal to take the rest."""


class TerminalSink(Sink):
    """A terminal; what it has been given is written in order, by and by.

    Args:
        stream: of the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._stopped = False
        self._lost = False
        self._state = threading.Condition()
        self._writer: threading.Thread | None = None

    def write(self, text: str) -> bool:
        """Have a text written.

        Args:
            text: without lone surrogates.

        Returns:
            Whether it will be: not where the terminal is stopped and as much waits as may.

        Raises:
            ReaderGone: at the first write after the terminal was lost; later ones do nothing.
        """
        if self._gone or not text:
            return True
        data = self.carried(text).encode(self.stream.encoding, "backslashreplace")
        with self._state:
            if not self._has_room() and not self._stopped:
                self._stopped = not self._state.wait_for(self._has_room, PATIENCE)
            if self._lost:
                raise self._leave()
            if not self._has_room():
                return False
            self._waiting.append(data)
            self._size += len(data)
            self._state.notify_all()
        if self._writer is None:
            self.stream.flush()
            # A daemon, or a terminal that is stopped would keep devloop from ending.
            self._writer = threading.Thread(target=self._work, name="terminal", daemon=True)
            self._writer.start()
        return True

    def drain(self) -> None:
        """Wait until all has been written, or the terminal does not take it."""
        with self._state:
            self._state.wait_for(lambda: not self._size or self._lost, DRAINED)

    def _has_room(self) -> bool:
        return self._lost or self._size < BACKLOG

    def _work(self) -> None:
        number = self.stream.fileno()
        while True:
            with self._state:
                self._state.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
            try:
                # Not through the stream, whose lock the interpreter's end would wait for.
                while data:
                    taken = os.write(number, data)
                    data = data[taken:]
                    self._taken(taken)
            except OSError:
                with self._state:
                    self._lost = True
                    self._state.notify_all()
                return

    def _taken(self, size: int) -> None:
        with self._state:
            self._size -= size
            self._stopped = False
            self._state.notify_all()


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can be written to by its number.

    Args:
        stream: any.
    """
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError):
        return False
