"""What a cycle took is told from its events."""

from __future__ import annotations

from devloop import events as ev
from devloop.plan.measures import Measure, Meter, Served


def measure(*events: ev.Event) -> list[Measure]:
    """The measures of some events."""
    meter = Meter()
    return [found for event in events if (found := meter.apply(event)) is not None]


def finished(outcome: ev.CycleOutcome = "passed", seconds: float = 0.5) -> ev.CycleFinished:
    """The end of a cycle."""
    return ev.CycleFinished(t=100.0, outcome=outcome, seconds=seconds)


def test_a_cycle_is_one_measure() -> None:
    """Its runs, its steps that ran, its apps, and the tests that it did not have to run."""
    change = ev.Change("a.py")
    passed = [ev.TestFinished(nodeid=f"t.py::{n}", outcome="passed", seconds=1) for n in "ab"]
    (found,) = measure(
        ev.CycleStarted(trigger="change", changes=(change, change)),
        ev.StepFinished(name="css", outcome="built"),
        ev.StepFinished(name="js", outcome="up-to-date"),
        ev.PlanMade(selected=2, total=10),
        *passed,
        ev.AppReady(name="web", pid=1, seconds=0.04, start="warm"),
        ev.RunFinished(outcome="passed", passed=2, seconds=0.3),
        finished(),
    )
    assert found == Measure(
        100.0, "change", "passed", 0.5, 2, 2, 10, 0.3, 1, (Served("web", 0.04, "warm"),)
    )


def test_nothing_of_one_cycle_is_counted_in_the_next() -> None:
    """Each begins at nothing."""
    ran = ev.TestFinished(nodeid="t.py::a", outcome="failed", seconds=1)
    first, second = measure(
        ev.CycleStarted(trigger="start"),
        ran,
        ev.AppReady(name="web", pid=1, seconds=1),
        finished("failed"),
        ev.CycleStarted(trigger="key"),
        finished("cancelled", 0.1),
    )
    assert (first.ran, len(first.served), first.outcome) == (1, 1, "failed")
    assert second == Measure(100.0, "key", "cancelled", 0.1)


def test_tests_that_were_not_known_are_counted_as_known() -> None:
    """A first run knows files, and then runs more tests than there were files."""
    ran = [ev.TestFinished(nodeid=f"t.py::{n}", outcome="passed", seconds=0) for n in range(5)]
    (found,) = measure(
        ev.CycleStarted(trigger="start"), ev.PlanMade(selected=1, total=1), *ran, finished()
    )
    assert (found.ran, found.total) == (5, 5)
