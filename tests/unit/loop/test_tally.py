"""How far the tests of a cycle have come."""

from __future__ import annotations

import pytest

from devloop import events as ev
from devloop.loop.tally import Tally

PASSED = ev.TestFinished(nodeid="a.py::t", outcome="passed", seconds=0)
FAILED = ev.TestFinished(nodeid="a.py::u", outcome="failed", seconds=0)
PLAN = ev.PlanMade(selected=5, total=9)


def due(*events: ev.Event, cancelled: bool = False) -> int:
    """The tests still due after these."""
    tally = Tally()
    for event in events:
        tally.apply(event)
    return tally.due(cancelled=cancelled)


def test_after_a_whole_run_nothing_is_due() -> None:
    """Fewer tests than were selected: the others exist no more, or were left out."""
    assert due() == 0
    assert due(PLAN, PASSED, FAILED, ev.RunFinished(outcome="failed", passed=1, failed=1)) == 0


@pytest.mark.parametrize("outcome", ["cancelled", "runner-failed"])
def test_what_a_broken_run_did_not_reach_is_due(outcome: ev.RunOutcome) -> None:
    """Tests that failed are none of them: they ran."""
    assert due(PLAN, PASSED, FAILED, ev.RunFinished(outcome=outcome)) == 3


def test_what_cannot_be_collected_is_due() -> None:
    """With the other tests that it kept from running; a test's own problem is not that."""
    done = ev.RunFinished(outcome="failed", errors=1)
    broken = ev.Diagnostic(
        path="conftest.py", line=1, message="no", source="pytest", nodeid="conftest.py"
    )
    assert due(PLAN, broken, done) == 5
    failed = ev.Diagnostic(path="a.py", line=1, message="no", source="pytest", nodeid="a.py::u")
    assert due(PLAN, FAILED, failed, done) == 0


def test_a_cancelled_cycle_leaves_what_it_did_not_reach() -> None:
    """Whether its run was cancelled, goes on beside the next one, or never began."""
    assert due(PLAN, cancelled=True) == 5
    six = [ev.TestFinished(nodeid=f"a.py::{n}", outcome="passed", seconds=0) for n in range(6)]
    assert due(PLAN, *six, cancelled=True) == 0


def test_what_was_asked_for_and_holds_is_not_due() -> None:
    """A cycle that is cancelled leaves of it what has not passed on what there is now."""
    reason = ev.Reason("manual", (), "asked for")
    nodeids = ("a.py::t", "a.py::u", "a.py::v", "b.py::w")
    tests = tuple(ev.PlannedTest(nodeid, reason) for nodeid in nodeids)
    tally = Tally()
    tally.apply(ev.PlanMade(tests=tests, selected=4, total=9))
    tally.apply(PASSED)
    assert tally.due({"a.py::v", "b.py::w", "c.py::x"}, cancelled=True) == 1
    assert tally.due((), cancelled=True) == 3


def test_what_ran_and_did_not_fail_is_verified() -> None:
    """A test that ran twice in a cycle counts once, by its last outcome."""
    tally = Tally()
    again = ev.TestFinished(nodeid="a.py::u", outcome="skipped", seconds=0)
    for event in (PLAN, PASSED, FAILED):
        tally.apply(event)
    assert tally.verified == 1
    tally.apply(again)
    assert tally.verified == 2


def test_what_a_run_has_shown_counts_for_the_cycle_that_it_goes_over_to() -> None:
    """What is saved meanwhile concerns none of it; of what is to run beside it nothing has run."""
    before = Tally()
    other = ev.TestFinished(nodeid="b.py::t", outcome="passed", seconds=0)
    for event in (ev.RunStarted(selected=1), other, ev.RunStarted(selected=3), PASSED):
        before.apply(event)
    tally = Tally(before.run)
    assert tally.outcomes == {"a.py::t": "passed"}
    tally.apply(PLAN)
    assert tally.due(cancelled=True) == 5
    tally.apply(FAILED)
    assert tally.verified == 1
    assert tally.due(cancelled=True) == 4
