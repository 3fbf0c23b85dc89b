"""`.devloop/locations`: what bacon's editor plugins read."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from devloop import events as ev
from devloop.report.joined import Joined
from devloop.report.locations import Locations
from devloop.report.plain import PlainReporter

LINE = re.compile(r"(\S+) (\S+):(\d+):(\d+)\s*(.*)")
"""How nvim-bacon takes a line apart: the Lua pattern ``(%S+) (%S+):(%d+):(%d+)%s*(.*)``."""


def cycle(*events: ev.Event) -> list[ev.Event]:
    """One cycle around some events."""
    return [
        ev.CycleStarted(trigger="change", cycle=1),
        *events,
        ev.CycleFinished(outcome="failed", seconds=0.1, cycle=1),
    ]


def keep(root: Path, events: list[ev.Event]) -> str:
    """What the file holds after some events."""
    locations = Locations(root)
    for event in events:
        locations.handle(event)
    return (root / ".devloop/locations").read_text(encoding="utf-8")


def problem(path: str, line: int, **more: object) -> ev.Diagnostic:
    """A problem in a file, inside a cycle."""
    fields = {"message": "broken", "source": "css", "cycle": 1, **more}
    return ev.Diagnostic(path=path, line=line, **fields)  # type: ignore[arg-type]


def test_each_problem_is_one_line_of_bacons_form(tmp_path: Path) -> None:
    """Kind, place and message; a test's nodeid ends it, and errors come before warnings."""
    text = keep(
        tmp_path,
        cycle(
            problem("a.css", 1, severity="warning", message="unused"),
            problem("b.css", 2, column=7),
            problem("tests/test_a.py", 3, message="assert 1 == 2\nE more", nodeid="tests/x.py::t"),
        ),
    )
    assert text.splitlines() == [
        "error b.css:2:7 broken",
        "test tests/test_a.py:3:1 assert 1 == 2 E more [tests/x.py::t]",
        "warning a.css:1:1 unused",
    ]


def test_the_file_is_empty_when_all_is_well(tmp_path: Path) -> None:
    """What an earlier session left there goes, too."""
    (tmp_path / ".devloop").mkdir()
    (tmp_path / ".devloop/locations").write_text("error old.py:1:1 x\n")
    assert keep(tmp_path, cycle()) == ""
    failed = cycle(problem("a.css", 1))
    mended = cycle(ev.StepStarted(name="css"), ev.StepFinished(name="css", outcome="built"))
    assert keep(tmp_path, [ev.StepStarted(name="css"), *failed, *mended]) == ""


def test_a_cancelled_cycle_leaves_what_stands(tmp_path: Path) -> None:
    """A failing test that was not reached fails on."""
    nodeid = "tests/test_a.py::test"
    failed = problem("tests/test_a.py", 3, nodeid=nodeid)
    cancelled = [
        ev.CycleStarted(trigger="change"),
        ev.RunStarted(selected=1),
        ev.RunFinished(outcome="cancelled"),
        ev.CycleFinished(outcome="cancelled", seconds=0),
    ]
    assert nodeid in keep(tmp_path, [*cycle(failed), *cancelled])


def test_an_app_that_dies_between_cycles_is_there_at_once(tmp_path: Path) -> None:
    """No save is needed to see it, and none to see that it is back."""
    locations = Locations(tmp_path)
    file = tmp_path / ".devloop/locations"
    for event in cycle():
        locations.handle(event)
    locations.handle(ev.AppFailed(name="web", message="exited with code 1"))
    locations.handle(ev.Diagnostic(path="devloop.toml", line=4, message="gone", source="web"))
    assert file.read_text() == "error devloop.toml:4:1 gone\n"
    locations.handle(ev.AppReady(name="web", pid=1, seconds=0.1))
    assert file.read_text() == ""


def test_nothing_is_written_while_a_cycle_goes_on(tmp_path: Path) -> None:
    """Readers see the outcome of whole cycles."""
    locations = Locations(tmp_path)
    for event in cycle(problem("a.css", 1))[:-1]:
        locations.handle(event)
    assert not (tmp_path / ".devloop").exists()


def test_a_folder_that_cannot_be_written_ends_no_session(tmp_path: Path) -> None:
    """The store has said so; the locations are just not there."""
    (tmp_path / ".devloop").touch()
    locations = Locations(tmp_path)
    for event in cycle(problem("a.css", 1)):
        locations.handle(event)


@pytest.mark.parametrize(
    ("path", "message"),
    [("a.css", "with\nnewline"), ("a\udcff.css", "m"), ("a.css", "\x1b[31mred\x1b[0m \udcff")],
)
def test_a_line_is_a_line_whatever_it_holds(tmp_path: Path, path: str, message: str) -> None:
    """Messages are folded, and undecodable names written out."""
    (line,) = keep(tmp_path, cycle(problem(path, 1, message=message))).splitlines()
    assert LINE.fullmatch(line)
    assert line.isprintable()


def test_all_of_a_session_is_read_by_bacons_plugins(
    tmp_path: Path, recorded: list[ev.Event]
) -> None:
    """After each cycle the file names the places that the plain reporter prints."""
    locations, stream = Locations(tmp_path), io.StringIO()
    plain = PlainReporter(stream)
    cycles = 0
    for event in recorded:
        Joined(plain, locations.handle).handle(event)
        if isinstance(event, ev.CycleFinished):
            cycles += 1
            last = stream.getvalue().split("devloop: cycle started\n")[-1]
            printed = re.findall(r"^([^\s:]+:\d+:\d+): (?:error|warning): ", last, re.MULTILINE)
            lines = (tmp_path / ".devloop/locations").read_text(encoding="utf-8").splitlines()
            found = [LINE.fullmatch(line) for line in lines]
            assert all(found)
            places = [f"{match[2]}:{match[3]}:{match[4]}" for match in found if match]
            assert sorted(places) == sorted(printed)
            assert {match[1] for match in found if match} <= {"error", "warning", "test"}
    assert cycles == 9
