"""The four reporters say the same about the same events."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from devloop import events as ev
from devloop.report.locations import Locations
from devloop.report.plain import PROBLEM
from devloop.report.reporter import Kind, default_kind, make

KEYS = {"failed": "failed", "errors": "error", "passed": "passed", "skipped": "skipped"}
SAID = (*KEYS.values(), "assumed", "still due")


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
    pattern = rf"(\d+) ({'|'.join(SAID)})s?\b(?! and)"
    return Counter({word: int(number) for number, word in re.findall(pattern, line)})


def test_all_reporters_agree_on_every_count(recorded: list[ev.Event]) -> None:
    """Cycle by cycle what was counted is the same wherever it is said."""
    objects = [json.loads(line) for line in report("jsonl", recorded).splitlines()]
    expected: list[Counter[str]] = []
    for found in objects:
        if found["event"] == "cycle-started":
            expected.append(Counter())
        elif found["event"] == "run-finished":
            expected[-1] += Counter({word: found[key] for key, word in KEYS.items()})
        elif found["event"] == "cycle-finished":
            expected[-1] += Counter({"assumed": found["assumed"], "still due": found["due"]})
    plain = report("plain", recorded).split("devloop: cycle started\n")[1:]
    terminal = re.split(r"^● .*\n", report("terminal", recorded), flags=re.MULTILINE)[1:]
    assert len(expected) == len(plain) == len(terminal) == 9
    said_plain = [re.findall(r"^devloop: (.+ in \S+s|cancelled.+)$", t, re.M)[-1] for t in plain]
    said_terminal = [re.findall(r"^(?:PASS|FAIL|CANCELLED) (.+)$", t, re.M)[-1] for t in terminal]
    assert [numbers(line) for line in said_plain] == expected
    assert [numbers(line) for line in said_terminal] == expected


def test_the_locations_are_the_problems_of_the_plain_reporter(
    recorded: list[ev.Event], tmp_path: Path
) -> None:
    """At the end of each cycle the file holds what was printed, each problem once."""
    plain = report("plain", recorded).split("devloop: cycle started\n")[1:]
    locations = Locations(tmp_path)
    kept: list[Counter[str]] = []
    for event in recorded:
        locations.handle(event)
        if isinstance(event, ev.CycleFinished):
            lines = (tmp_path / ".devloop" / "locations").read_text().splitlines()
            kept.append(
                Counter(
                    re.sub(r"^(test|error|warning) (\S+:\d+:\d+) ", r"\2: ", one) for one in lines
                )
            )
    said = [
        Counter(
            re.sub(r": (error|warning): ", ": ", line, count=1)
            for line in text.partition("devloop: cycle finished")[0].splitlines()
            if PROBLEM.match(line)
        )
        for text in plain
    ]
    assert kept == said


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
