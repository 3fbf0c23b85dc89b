"""A real terminal that is written to: a slow one, a stopped one, one that is gone."""

from __future__ import annotations

import os
import pty
import termios
import threading
from collections.abc import Iterator
from io import TextIOWrapper

import pytest

from devloop.report import terminal_sink
from devloop.report.paint import Paint
from devloop.report.screen import Screen
from devloop.report.sink import ReaderGone
from devloop.report.terminal_sink import BACKLOG, TerminalSink, is_terminal

LINE = "x" * 99 + "\n"


class Terminal:
    """A terminal, and what has come out of it."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self.stream = TextIOWrapper(os.fdopen(slave, "wb"), encoding="utf-8")
        self.sink = TerminalSink(self.stream)

    def read(self, size: int) -> str:
        """So many bytes of what has come out of it."""
        found = b""
        while len(found) < size:
            found += os.read(self.master, min(size - len(found), 4096))
        return found.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal that nobody reads yet."""
    made = Terminal()
    yield made
    os.close(made.master)
    # Its thread has met the end by then, so that nothing is written to a number used anew.
    made.sink.drain()
    made.stream.close()


def test_all_is_written_in_order(terminal: Terminal) -> None:
    """What was given comes out, also with a character that takes several bytes."""
    assert is_terminal(terminal.stream)
    for number in range(1000):
        assert terminal.sink.write(f"é{number:04}\n")
    expected = "".join(f"é{number:04}\n" for number in range(1000))
    assert terminal.read(len(expected.encode())) == expected
    terminal.sink.drain()


def test_a_slow_terminal_loses_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes more than it takes waits for it."""
    monkeypatch.setattr(terminal_sink, "PATIENCE", 60.0)
    count = 2 * BACKLOG // len(LINE)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(terminal.read(count * len(LINE))))
    reader.start()
    assert all(terminal.sink.write(LINE) for _ in range(count))
    reader.join(60)
    assert found == [LINE * count]


def test_a_stopped_terminal_stops_nobody(terminal: Terminal) -> None:
    """As much as may wait comes when it goes on; that some is left out is said."""
    termios.tcflow(terminal.stream.fileno(), termios.TCOOFF)
    screen = Screen(terminal.sink, Paint(), lambda: 100)
    for _ in range(2 * BACKLOG // len(LINE)):
        screen.print(LINE)
    termios.tcflow(terminal.stream.fileno(), termios.TCOON)
    kept = -(-BACKLOG // len(LINE))
    assert terminal.read(kept * len(LINE)) == LINE * kept
    terminal.sink.drain()
    screen.print("more\n")
    left = 2 * BACKLOG // len(LINE) - kept
    expected = f"… {left:,} earlier writes are left out\nmore\n"
    assert terminal.read(len(expected.encode())) == expected


def test_a_lost_terminal_is_told_once(terminal: Terminal) -> None:
    """Its writer learns of it at a later write; those after that do nothing."""
    os.close(terminal.master)
    terminal.sink.write("nobody reads this\n")
    terminal.sink.drain()
    with pytest.raises(ReaderGone):
        terminal.sink.write("nor this\n")
    assert terminal.sink.write("nor this\n")
    terminal.master = os.open(os.devnull, os.O_RDONLY)
