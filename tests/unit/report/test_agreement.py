"""The four reporters say the same about the same events."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import pytest

from devloop import events as ev
from devloop.report.reporter import default_kind
from tests.unit.report.agreement import disagreements


def test_the_reporters_agree(recorded: list[ev.Event], tmp_path: Path) -> None:
    """Cycle by cycle what was counted, what stands and what fails is the same in all four."""
    assert sum(isinstance(event, ev.CycleFinished) for event in recorded) == 9
    assert disagreements(recorded, tmp_path) == []


class Stream(io.StringIO):
    """A terminal, or none."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        """As told."""
        return self.tty


@pytest.mark.parametrize(
    ("tty", "environ", "kind"),
    [
        (True, {"TERM": "xterm"}, "terminal"),
        (True, {"TERM": "dumb"}, "plain"),
        (False, {"TERM": "xterm"}, "plain"),
        (False, {"FORCE_COLOR": "1"}, "terminal"),
        (True, {"TERM": "xterm", "CI": "true"}, "plain"),
        (True, {"TERM": "xterm", "CI": "false"}, "terminal"),
    ],
)
def test_a_person_gets_the_terminal_reporter_and_a_log_the_plain_one(
    tty: bool, environ: dict[str, str], kind: Literal["terminal", "plain"]
) -> None:
    """Where none is asked for, the stream and the environment decide."""
    assert default_kind(Stream(tty), environ) == kind
