"""The jsonl reporter: a stream for programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Literal

import pytest

from devloop import events as ev
from devloop.report.jsonl import JsonlReporter
from devloop.report.reporter import ReaderGone, make


def test_standard_output_carries_only_json(recorded: list[ev.Event]) -> None:
    """Each event but output is one object a line, in the form of the contract."""
    stream, errors = io.StringIO(), io.StringIO()
    reporter = JsonlReporter(stream, errors=errors)
    for event in recorded:
        reporter.handle(event)
    objects = [json.loads(line) for line in stream.getvalue().splitlines()]
    expected = [event for event in recorded if not isinstance(event, ev.Output)]
    assert [found["event"] for found in objects] == [event.event for event in expected]
    assert all(found["v"] == 1 for found in objects)
    assert "css | 42 rules\nweb | INFO:  Started\nweb | Listening\n" in errors.getvalue()


def test_output_becomes_events_where_asked() -> None:
    """With `--output events` standard error gets nothing, and colours are kept."""
    stream = io.StringIO()
    JsonlReporter(stream, errors=None).handle(
        ev.Output(source="app", name="web", text="\x1b[32mok\x1b[0m")
    )
    assert json.loads(stream.getvalue())["text"] == "\x1b[32mok\x1b[0m"


def test_standard_error_gets_a_line_once() -> None:
    """One that has not ended, as a prompt, comes when it has."""
    errors = io.StringIO()
    reporter = JsonlReporter(io.StringIO(), errors=errors)
    for text, partial in (("name? ", True), ("name? Ada", False)):
        reporter.handle(ev.Output(source="app", name="web", text=text, partial=partial))
    assert errors.getvalue() == "web | name? Ada\n"


def test_each_event_is_flushed_in_utf8_whatever_the_locale_is() -> None:
    """A reader sees an event at once, and JSON is UTF-8 where the stream's encoding is not."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    JsonlReporter(stream, errors=None).handle(ev.Notice(message="café \udce9"))
    assert json.loads(raw.getvalue())["message"] == "café \\xe9"


PROGRAM = """
import sys
from devloop import events as ev
from devloop.report.reporter import ReaderGone, make

reporter = make(sys.argv[1], sys.stdout, environ={}, errors=sys.stderr)
try:
    while True:
        reporter.handle(ev.CycleStarted(trigger="start"))
except ReaderGone:
    reporter.handle(ev.CycleFinished(outcome="cancelled", seconds=0))
    reporter.close()
    sys.exit(7)
"""


@pytest.mark.parametrize("kind", ["jsonl", "plain", "terminal"])
def test_a_reader_that_leaves_is_told_once_and_quietly(kind: str) -> None:
    """`devloop … | head -1`: one ReaderGone, then silence, also at the interpreter's exit."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 7
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_closed_standard_error_does_not_end_the_stream() -> None:
    """Standard output may still be read when nobody reads the logs."""
    read, write = os.pipe()
    os.close(read)
    stream = io.StringIO()
    with open(write, "w") as errors:  # noqa: PTH123 - a descriptor
        reporter = JsonlReporter(stream, errors=errors)
        for _ in range(2):
            reporter.handle(ev.Output(source="app", name="web", text="x"))
        reporter.handle(ev.CycleStarted(trigger="start"))
    assert json.loads(stream.getvalue())["event"] == "cycle-started"


def test_reader_gone_is_raised_in_process() -> None:
    """The loop learns of it from the very event that could not be written."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:  # noqa: PTH123 - a descriptor
        reporter = JsonlReporter(stream, errors=None)
        with pytest.raises(ReaderGone):
            reporter.handle(ev.CycleStarted(trigger="start"))
        reporter.handle(ev.CycleStarted(trigger="start"))


@pytest.mark.parametrize("kind", ["plain", "terminal"])
def test_closing_raises_nothing_when_the_reader_has_left(
    kind: Literal["plain", "terminal"],
) -> None:
    """What ends a session cannot be ended once more."""
    read, write = os.pipe()
    with open(write, "w") as stream:  # noqa: PTH123 - a descriptor
        stream.isatty = lambda: True  # type: ignore[method-assign]
        reporter = make(kind, stream, environ={"TERM": "xterm"})
        reporter.handle(ev.CycleStarted(trigger="start"))
        os.close(read)
        reporter.close()
