"""The plain reporter: what editors' problem matchers and logs read."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from devloop import events as ev
from devloop.report.plain import BEGIN, END, PROBLEM, PlainReporter


def plain(events: list[ev.Event]) -> str:
    """What the plain reporter writes."""
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    for event in events:
        reporter.handle(event)
    reporter.close()
    return stream.getvalue()


def cycle(*events: ev.Event, outcome: ev.CycleOutcome = "failed") -> list[ev.Event]:
    """One cycle around some events."""
    return [
        ev.CycleStarted(trigger="change"),
        *events,
        ev.CycleFinished(outcome=outcome, seconds=0.1),
    ]


def failed(nodeid: str, traceback: str | None = None) -> ev.TestFinished:
    """A failed test."""
    return ev.TestFinished(nodeid=nodeid, outcome="failed", seconds=0, traceback=traceback)


def problems(text: str) -> list[str]:
    """The problem lines of the last cycle."""
    last = text[text.rindex(BEGIN) : text.rindex(END)]
    return [line for line in last.splitlines() if PROBLEM.match(line)]


def test_a_whole_session_reads_as_recorded(
    recorded: list[ev.Event], golden: Callable[[str, str], None]
) -> None:
    """The golden text is what a person reads in a log of a session."""
    golden("plain.txt", plain(recorded))


def test_every_cycle_has_one_begin_and_one_end_line(recorded: list[ev.Event]) -> None:
    """A cycle is one block, a cancelled one too, and no problem line is outside of a block."""
    inside = False
    blocks = 0
    for line in plain(recorded).splitlines():
        if line == BEGIN:
            assert not inside
            inside, blocks = True, blocks + 1
        elif line == END:
            assert inside
            inside = False
        elif PROBLEM.match(line):
            assert inside
    assert not inside
    assert blocks == sum(isinstance(event, ev.CycleStarted) for event in recorded)


def test_a_problem_of_a_test_that_did_not_run_again_is_printed_again() -> None:
    """Matchers forget at the begin line, so what stands is said anew in each cycle."""
    place = ev.Diagnostic(
        path="a.py", line=3, message="assert 1 == 2", source="pytest", nodeid="a.py::t"
    )
    run = ev.RunStarted(selected=1)
    text = plain([*cycle(run, failed("a.py::t"), place), *cycle()])
    assert problems(text) == ["a.py:3:1: error: assert 1 == 2 [a.py::t]"]


def test_a_problem_goes_when_its_test_passes() -> None:
    """A test that passes takes its problem with it, and is said to be fixed."""
    broken = [
        ev.RunStarted(selected=1),
        failed("a.py::t"),
        ev.RunFinished(outcome="failed", failed=1),
    ]
    mended = [
        ev.RunStarted(selected=2),
        ev.TestFinished(nodeid="a.py::t", outcome="passed", seconds=0),
        ev.RunFinished(outcome="passed", passed=1),
    ]
    assert len(problems(plain(cycle(*broken)))) == 1
    text = plain([*cycle(*broken), *cycle(*mended)])
    assert problems(text) == []
    assert "devloop: fixed a.py::t\ndevloop: 1 passed" in text


@pytest.mark.parametrize("broken", ["t/a.py", "t", "t/conftest.py", "conftest.py"])
@pytest.mark.parametrize(
    ("planned", "collected", "outcome", "stands"),
    [
        ("t/a.py", True, "passed", False),
        ("t/a.py", True, "cancelled", False),
        ("t/a.py", False, "cancelled", True),
        ("t/a.py", True, "runner-failed", True),
        ("other.py", True, "passed", True),
    ],
)
def test_a_collection_error_stands_until_its_file_is_collected(
    broken: str, planned: str, collected: bool, outcome: ev.RunOutcome, stands: bool
) -> None:
    """Only a run that was given the file, and has collected to the end, shows it to be mended."""
    if broken == "conftest.py" and planned == "other.py":
        stands = False  # it is above that file too
    error = ev.Diagnostic(
        path="t/a.py", line=3, message="ImportError: no", source="pytest", nodeid=broken
    )
    first = cycle(ev.RunStarted(selected=1), error, ev.RunFinished(outcome="failed", errors=1))
    reason = ev.Reason("edited")
    second = cycle(
        ev.PlanMade(tests=(ev.PlannedTest(planned, reason),), selected=1, total=2),
        ev.RunStarted(selected=1),
        *([ev.RunCollected(total=0)] if collected else []),
        ev.RunFinished(outcome=outcome),
    )
    said = f"t/a.py:3:1: error: ImportError: no [{broken}]"
    assert problems(plain(first)) == [said]
    assert (said in plain([*first, *second]).split(BEGIN)[-1]) == stands


@pytest.mark.parametrize(
    "gone",
    [
        [
            ev.CycleStarted(trigger="change", changes=(ev.Change("a.py", "deleted"),)),
            ev.CycleFinished(outcome="passed", seconds=0),
        ],
        [
            ev.CycleStarted(trigger="change"),
            ev.CycleFinished(outcome="passed", seconds=0, gone=("a.py::t",)),
        ],
    ],
    ids=["file deleted", "test gone"],
)
def test_a_problem_goes_with_its_test(gone: list[ev.Event]) -> None:
    """A test that exists no more has no problem; it was not fixed either."""
    text = plain([*cycle(ev.RunStarted(selected=1), failed("a.py::t")), *gone])
    assert problems(text) == []
    assert "fixed" not in text


def test_a_problem_that_moved_is_printed_once_at_its_new_place() -> None:
    """A rerun replaces what an earlier run said about the same test."""

    def at(line: int) -> list[ev.Event]:
        return cycle(
            ev.RunStarted(selected=1),
            failed("a.py::t"),
            ev.Diagnostic(path="a.py", line=line, message="no", source="pytest", nodeid="a.py::t"),
        )

    assert problems(plain([*at(3), *at(5)])) == ["a.py:5:1: error: no [a.py::t]"]


def test_a_cancelled_run_leaves_what_it_did_not_reach() -> None:
    """A test that was not reached is not clean."""
    text = plain(
        [
            *cycle(ev.RunStarted(selected=1), failed("a.py::t"), failed("a.py::u")),
            *cycle(
                ev.RunStarted(selected=1),
                ev.TestFinished(nodeid="a.py::t", outcome="passed", seconds=0),
                ev.RunFinished(outcome="cancelled", passed=1),
                outcome="cancelled",
            ),
        ]
    )
    assert problems(text) == ["a.py:1:1: error: failed [a.py::u]"]


def test_step_problems_stand_until_the_step_runs_again() -> None:
    """A step's errors and warnings stay while it is not run, and go when it runs."""
    error = ev.Diagnostic(path="a.css", line=1, message="no", source="css")
    warning = ev.Diagnostic(
        path="a.css", line=2, column=4, message="hm", source="css", severity="warning"
    )
    start = ev.StepStarted(name="css")
    broken = cycle(start, error, warning, ev.StepFinished(name="css", outcome="failed"))
    assert problems(plain([*broken, *cycle()])) == [
        "a.css:1:1: error: no",
        "a.css:2:4: warning: hm",
    ]
    fresh = cycle(ev.StepFinished(name="css", outcome="up-to-date"))
    assert problems(plain([*broken, *fresh])) == ["a.css:2:4: warning: hm"]
    built = cycle(start, ev.StepFinished(name="css", outcome="built"))
    assert problems(plain([*broken, *built])) == []


def at_table(line: int, message: str, source: str) -> ev.Diagnostic:
    """What the loop says of a failure that no source is known for."""
    return ev.Diagnostic(path="devloop.toml", line=line, message=message, source=source)


def test_a_step_that_failed_stands_until_it_succeeds() -> None:
    """Its problem may be told after its end; that of an earlier run goes."""
    start = ev.StepStarted(name="css")
    failed = ev.StepFinished(name="css", outcome="failed", message="exited with code 2")
    told = at_table(4, "step css: exited with code 2", "css")
    text = plain([*cycle(start, failed, told), *cycle()])
    assert problems(text) == ["devloop.toml:4:1: error: step css: exited with code 2"]
    again = at_table(4, "step css: exited with code 3", "css")
    text = plain([*cycle(start, failed, told), *cycle(start, failed, again)])
    assert problems(text) == ["devloop.toml:4:1: error: step css: exited with code 3"]
    built = ev.StepFinished(name="css", outcome="built")
    assert problems(plain([*cycle(start, failed, told), *cycle(start, built)])) == []


def test_a_failed_app_is_one_problem_until_it_is_ready() -> None:
    """The last failure counts: between cycles too, and where the app was not started again."""
    crash = [
        ev.AppExited(name="web", pid=2, signal="SIGKILL"),
        ev.AppFailed(name="web", message="it was ended by SIGKILL"),
        at_table(2, "app web: it was ended by SIGKILL", "web"),
    ]
    stands = ["devloop.toml:2:1: error: app web: it was ended by SIGKILL"]
    assert problems(plain([*crash, *cycle()])) == stands
    slow = cycle(ev.AppFailed(name="web", message="slow"), at_table(2, "app web: slow", "web"))
    assert problems(plain([*slow[:-1], *crash, slow[-1]])) == stands
    ready = cycle(ev.AppStarted(name="web", pid=2), ev.AppReady(name="web", pid=2, seconds=1))
    assert problems(plain([*crash, *ready])) == []


@pytest.mark.parametrize("name", ["web", "css"])
def test_what_is_configured_no_more_has_no_problems(name: str) -> None:
    """The first plan after an edit of the configuration names all steps and apps."""
    told = [at_table(2, "app web: no", "web"), at_table(9, "step css: no", "css")]
    failed = [
        ev.AppFailed(name="web", message="no"),
        ev.StepFinished(name="css", outcome="failed"),
        *told,
    ]
    planned = (ev.PlannedTarget(name, ev.Reason("start")),)
    plan = ev.PlanMade(apps=planned) if name == "web" else ev.PlanMade(steps=planned)
    anew = ev.CycleStarted(trigger="start")
    stands = problems(plain(cycle(*failed)))
    assert problems(plain([*cycle(*failed), *cycle(plan)])) == stands
    left = problems(plain([*cycle(*failed), anew, plan, *cycle()[1:]]))
    assert left == [line for line in stands if f" {name}: " in line]


@pytest.mark.parametrize(
    ("then", "stands"),
    [
        ([ev.AppStarted(name="web", pid=3)], True),
        ([ev.AppExited(name="web", pid=1, code=0, expected=True)], True),
        ([ev.AppStarted(name="web", pid=3), ev.AppExited(name="web", pid=3, code=1)], True),
        ([ev.AppStarted(name="web", pid=3), ev.AppReady(name="web", pid=3, seconds=1)], False),
        ([ev.AppStarted(name="web", pid=3), ev.AppExited(name="web", pid=3, code=0)], False),
    ],
    ids=["tried again", "the one from before stopped", "ended again", "ready", "ended well"],
)
def test_an_app_that_is_tried_again_has_still_failed(then: list[ev.Event], stands: bool) -> None:
    """A cycle that ends between its start and its being ready does not say that all is well."""
    crash = [
        ev.AppExited(name="web", pid=2, code=1),
        ev.AppFailed(name="web", message="it ended with code 1", retry_in=0.5),
        at_table(2, "app web: it ended with code 1", "web"),
    ]
    text = plain([*cycle(*crash), *cycle(*then)])
    assert (problems(text) != []) == stands
    assert ("app web failed in 0.10s" in text.split(BEGIN)[-1]) == stands


def test_a_runner_failure_stands_until_a_run_begins() -> None:
    """A runner that died is a problem of its own, which the next run takes away."""
    died = ev.RunFinished(outcome="runner-failed", message="no result")
    told = at_table(1, "no result", "pytest")
    broken = cycle(ev.RunStarted(selected=1), died, told)
    assert problems(plain([*broken, *cycle()])) == ["devloop.toml:1:1: error: no result"]
    fine = cycle(ev.RunStarted(selected=1), ev.RunFinished(outcome="passed", passed=1))
    assert problems(plain([*broken, *fine])) == []


def test_a_problem_is_one_line_whatever_its_message_holds() -> None:
    """Line ends, tabs, control codes and undecodable names do not break a line or a terminal."""
    text = plain(
        cycle(
            ev.Diagnostic(
                path="caf\udce9.py",
                line=None,
                message="a\r\nb\tc\x1b[31md\x1b[0m\u2028e\x85f",
                source="mypy",
            )
        )
    )
    assert problems(text) == ["caf\\xe9.py:1:1: error: a b cd e f"]


@pytest.mark.parametrize("line", ["a.py:3:1: error: x", "devloop: cycle finished"])
def test_what_others_print_is_never_taken_for_a_line_of_ours(line: str) -> None:
    """Output, tracebacks, names and notices that look like problems match nothing."""
    events = cycle(
        ev.Output(source="app", name="web", text=line),
        ev.Notice(message=line, severity="warning", hint=line),
        ev.AppFailed(name="web", message=line),
        ev.RunStarted(selected=1),
        ev.TestFinished(
            nodeid=f"t.py::t[{line}]",
            outcome="failed",
            seconds=0,
            traceback=line,
            captured=(("Captured stdout call", line),),
        ),
        ev.RunFinished(outcome="runner-failed", message=line, output=line),
        ev.Progress(task=line, done=0, total=2),
    )
    lines = plain(events).splitlines()
    assert lines.count(END) == 1
    assert lines[-1] == END
    matched = [found for text in lines if (found := PROBLEM.match(text))]
    assert [found["path"] for found in matched] == ["t.py"]


@pytest.mark.parametrize(
    ("line", "message", "nodeid"),
    [
        ("a.py:1:2: error: assert [1, 2] == [3] [t/a.py::t[x y]]", "assert [1, 2] == [3]", None),
        ("a.py:1:2: error: no [t/a.py]", "no", "t/a.py"),
        ("a.py:1:2: warning: see [1]", "see [1]", ""),
    ],
)
def test_the_documented_pattern_reads_message_and_nodeid(
    line: str, message: str, nodeid: str | None
) -> None:
    """Brackets in a message are not taken for a nodeid."""
    found = PROBLEM.match(line)
    assert found is not None
    assert found["message"] == message
    assert (found["nodeid"] or "") == ("t/a.py::t[x y]" if nodeid is None else nodeid)


def test_a_line_is_written_when_it_has_ended() -> None:
    """A prompt that nobody can answer here is no line yet; then it would come twice."""
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    for text, partial in (("name? ", True), ("name? Ada", False)):
        reporter.handle(ev.Output(source="app", name="web", text=text, partial=partial))
    assert stream.getvalue() == "web | name? Ada\n"


def test_no_control_code_is_ever_written(recorded: list[ev.Event]) -> None:
    """Colours of apps are taken out: a log is text."""
    text = plain(recorded)
    assert "INFO" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_paths_are_absolute_where_that_is_asked_for() -> None:
    """Editors that know no folder to begin from find the files; paths elsewhere stay."""
    stream = io.StringIO()
    reporter = PlainReporter(stream, absolute=True)
    reporter.handle(ev.SessionStarted(root="/home/me/shop", command="watch", version="1", pid=1))
    for path in ("shop/a.py", "/elsewhere/b.py"):
        reporter.handle(ev.Diagnostic(path=path, line=1, message="broken", source="x"))
    for event in cycle():
        reporter.handle(event)
    assert problems(stream.getvalue()) == [
        "/elsewhere/b.py:1:1: error: broken",
        "/home/me/shop/shop/a.py:1:1: error: broken",
    ]


def test_an_open_cycle_is_ended_by_closing() -> None:
    """Whoever waits for the last line of a cycle gets it when devloop ends early."""
    text = plain([ev.CycleStarted(trigger="start"), ev.RunStarted(selected=1), failed("a.py::t")])
    assert text.endswith("a.py:1:1: error: failed [a.py::t]\ndevloop: cycle finished\n")


def test_a_cycle_without_tests_says_whether_it_had_anything_to_do() -> None:
    """A restarted app is something."""
    plan = ev.PlanMade(apps=(ev.PlannedTarget("web", ev.Reason("start")),))
    assert "devloop: done in 0.10s" in plain(cycle(plan))
    assert "devloop: nothing to run in 0.10s" in plain(cycle())
