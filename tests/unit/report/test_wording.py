"""Sentences that reporters share."""

from __future__ import annotations

import pytest

from devloop import events as ev
from devloop.report import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0ms"),
        (0.0004, "0ms"),
        (0.012, "12ms"),
        (0.0996, "0.10s"),
        (9.99, "9.99s"),
        (9.996, "10.0s"),
        (59.96, "1m 00s"),
        (124, "2m 04s"),
        (3725, "62m 05s"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """Two or three digits that matter, and no jump between the units."""
    assert wording.duration(seconds) == text


def plan(
    *nodeids: str, selected: int | None = None, total: int = 0, everything: bool = False
) -> ev.PlanMade:
    """A plan of these tests."""
    return ev.PlanMade(
        tests=tuple(ev.PlannedTest(nodeid, ev.Reason("edited")) for nodeid in nodeids),
        selected=len(nodeids) if selected is None else selected,
        total=total,
        all=everything,
    )


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (plan(), None),
        (plan(everything=True), "all tests"),
        (plan("a.py::t", "a.py::u", total=9), "2 of 9 tests"),
        (plan("a.py::t", "a.py::u", total=2), "all 2 tests"),
        (plan("a.py::t", total=1), "1 test"),
        (plan("a.py", "b.py", total=2), "2 test files"),
        (plan("a.py", "b.py", selected=0), "2 test files"),
        (plan("a.py::t", "b.py", total=9), "1 test and 1 test file"),
        (plan("a.py", selected=40, total=90), "40 of 90 tests"),
    ],
)
def test_files_whose_tests_are_not_known_are_not_counted_as_tests(
    made: ev.PlanMade, text: str | None
) -> None:
    """Until a file has been collected nobody knows how many tests are in it."""
    assert wording.selected_tests(made) == text


@pytest.mark.parametrize(
    ("reason", "subject", "text"),
    [
        (ev.Reason("imports", ("t.py", "a.py")), "t.py::test", "t.py ← a.py"),
        (ev.Reason("edited", ("t.py",)), "t.py", "t.py was edited"),
        (ev.Reason("failed", ("t.py",), "failed before"), "t.py::x", "t.py: failed before"),
        (ev.Reason("input", ("css", "a.css")), "css", "css ← a.css"),
        (ev.Reason("all"), "t.py", "t.py is run with all others"),
        (ev.Reason("imports", tuple("abcde")), "a", "a ← … 3 more … ← e"),
    ],
)
def test_a_reason_is_a_chain_or_a_sentence(reason: ev.Reason, subject: str, text: str) -> None:
    """From what was selected to what was changed."""
    assert wording.reason(reason, subject) == text


def test_tests_that_were_asked_for_are_not_said_to_be_one_file() -> None:
    """The reason is not the first one's alone, as that of an edit is."""
    asked = [
        ev.PlannedTest(name, ev.Reason("asked", (name[:4],))) for name in ("a.py::t", "b.py::t")
    ]
    assert wording.why_tests(ev.PlanMade(tests=tuple(asked), selected=2)) == "asked for"
    assert wording.why_tests(plan("a.py::t")) == "a.py::t was edited"


def test_a_trigger_names_the_first_paths_and_counts_the_others() -> None:
    """What was created or deleted is said to be."""
    started = ev.CycleStarted(
        trigger="change",
        changes=(ev.Change("a.py", "deleted"), ev.Change("b.py"), ev.Change("c.py")),
    )
    assert wording.trigger(started) == "a.py (deleted) +2"
    assert wording.trigger(started, most=5) == "a.py (deleted), b.py, c.py"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            ev.AppReady("web", 7, 0.024, ":8000", start="warm"),
            "ready at :8000 in 24ms (pid 7, warm)",
        ),
        (ev.AppReady("web", 7, 0.5), "ready in 0.50s (pid 7, cold)"),
        (ev.AppStarted("web", 7, start="warm"), "started (pid 7, warm)"),
        (ev.AppStarted("web", 7, reason="$FOO changed"), "started (pid 7, cold): $FOO changed"),
        (ev.AppStarted("web", 7), "started (pid 7, cold)"),
    ],
)
def test_where_a_start_comes_from_is_said(event: wording.AppEvent, text: str) -> None:
    """Warm or cold, and why it was not warm."""
    assert wording.app_state(event) == text


def test_a_reason_for_a_cold_start_is_said_until_it_is_known() -> None:
    """It holds for every restart; another one, that of another app, or one that is back is news."""
    declined = wording.Declined()

    def said(name: str, reason: str | None) -> str:
        return wording.app_state(declined.once(ev.AppStarted(name, 7, reason=reason)))

    assert said("web", "it is not a Python program").endswith(": it is not a Python program")
    assert said("web", "it is not a Python program") == "started (pid 7, cold)"
    assert said("web", "$FOO changed").endswith(": $FOO changed")
    assert said("web", None) == "started (pid 7, cold)"
    assert said("web", "$FOO changed").endswith(": $FOO changed")
    assert said("worker", "it is not a Python program").endswith(": it is not a Python program")
    ready = ev.AppReady("web", 7, 0.5)
    assert declined.once(ready) is ready
