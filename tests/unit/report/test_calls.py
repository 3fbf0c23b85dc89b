"""Control codes that call a person."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest

from devloop.events import Announcement
from devloop.report.calls import of
from devloop.report.terminal import TerminalReporter

CALL = Announcement(
    title="shop; yours: failed",
    message="2 failing\x1b[2J\nmore",
    good=False,
    ways=("bell", "terminal", "desktop"),
)


@pytest.mark.parametrize(
    ("environ", "codes"),
    [
        ({"TERM": "xterm-kitty"}, "\x07\x1b]9;shop, yours: failed: 2 failing more\x1b\\"),
        ({"TERM": "foot"}, "\x07\x1b]777;notify;shop, yours: failed;2 failing more\x1b\\"),
        (
            {"VTE_VERSION": "7600"},
            "\x07\x1b]777;notify;shop, yours: failed;2 failing more\x1b\\",
        ),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"},
            "\x07\x1bPtmux;\x1b\x1b]9;shop, yours: failed: 2 failing more\x1b\x1b\\\x1b\\",
        ),
    ],
)
def test_each_terminal_gets_the_code_that_it_knows(environ: Mapping[str, str], codes: str) -> None:
    """One of the two, and nothing in it can end it or be taken for another code."""
    assert of(CALL, environ) == codes


def test_only_the_ways_that_were_asked_for() -> None:
    """The desktop's is no code."""
    bell = Announcement(title="t", message="m", good=True, ways=("bell",))
    desktop = Announcement(title="t", message="m", good=True, ways=("desktop",))
    assert of(bell, {}) == "\x07"
    assert of(desktop, {}) == ""


def test_where_there_is_no_terminal_nothing_is_written(terminal: io.StringIO) -> None:
    """Nor while somebody else has it."""
    log = io.StringIO()
    TerminalReporter(log, environ={"FORCE_COLOR": "1"}).handle(CALL)
    assert log.getvalue() == ""
    reporter = TerminalReporter(terminal, environ={"TERM": "xterm"})
    reporter.show(b"(Pdb) ")
    reporter.handle(CALL)
    assert "\x07" not in terminal.getvalue()
    reporter.show(None)
    reporter.handle(CALL)
    assert "\x07" in terminal.getvalue()
