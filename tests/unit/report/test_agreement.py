"""The three reporters say the same about the same events."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from typing import Literal

import pytest

from devloop import events as ev
from devloop.report.reporter import Kind, default_kind, make

KEYS = {"failed": "failed", "errors": "error", "passed": "passed", "skipped": "skipped"}


def report(kind: Kind, events: list[ev.Event]) -> str:
    """What one of them writes."""
    stream = io.StringIO()
    reporter = make(kind, stream, environ={}, errors=io.StringIO())
    for event in events:
        reporter.handle(event)
    reporter.close()
    return stream.getvalue()


def numbers(line: str) -> Counter[str]:
    """The counts in a sentence."""
    pattern = rf"(\d+) ({'|'.join(KEYS.values())})s?\b(?! and)"
    return Counter({word: int(number) for number, word in re.findall(pattern, line)})


def test_all_reporters_agree_on_every_count(recorded: list[ev.Event]) -> None:
    """Cycle by cycle, failed, errors, passed and skipped are the same in all three."""
    objects = [json.loads(line) for line in report("jsonl", recorded).splitlines()]
    expected: list[Counter[str]] = []
    for found in objects:
        if found["event"] == "cycle-started":
            expected.append(Counter())
        elif found["event"] == "run-finished":
            expected[-1] += Counter({word: found[key] for key, word in KEYS.items()})
    plain = report("plain", recorded).split("devloop: cycle started\n")[1:]
    terminal = re.split(r"^● .*\n", report("terminal", recorded), flags=re.MULTILINE)[1:]
    assert len(expected) == len(plain) == len(terminal) == 9
    said_plain = [re.findall(r"^devloop: (.+ in \S+s|cancelled.+)$", t, re.M)[-1] for t in plain]
    said_terminal = [re.findall(r"^(?:PASS|FAIL|CANCELLED) (.+)$", t, re.M)[-1] for t in terminal]
    assert [numbers(line) for line in said_plain] == expected
    assert [numbers(line) for line in said_terminal] == expected


def test_all_reporters_agree_on_what_still_fails(recorded: list[ev.Event]) -> None:
    """The nodeids among plain's problems are those of failing tests, as the events count them."""
    plain = report("plain", recorded).split("devloop: cycle started\n")[1:]
    failing = [event.failing for event in recorded if isinstance(event, ev.CycleFinished)]
    nodeids = [set(re.findall(r": error: .*\[(tests/.+)\]$", text, re.M)) for text in plain]
    assert [len(found) for found in nodeids] == failing


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
