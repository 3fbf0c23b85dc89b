"""One who comes late knows what one knows who was there from the beginning."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from devloop import events as ev
from devloop.report.standing import Standing
from devloop.serve.snapshot import Snapshot

NODEIDS = [
    "tests/test_a.py::one",
    "tests/test_a.py::two",
    "tests/test_b.py::one",
    "tests/test_b.py",
]
WHY = ev.Reason("edited")


def finished_test(nodeid: str, outcome: ev.TestOutcome) -> list[ev.Event]:
    """A test's end, with its problem where it has failed."""
    end = ev.TestFinished(nodeid=nodeid, outcome=outcome, seconds=0.1)
    if outcome != "failed":
        return [end]
    path = nodeid.partition("::")[0]
    problem = ev.Diagnostic(path=path, line=3, message="no", source="pytest", nodeid=nodeid)
    return [problem, end]


tests = st.builds(
    finished_test, st.sampled_from(NODEIDS[:3]), st.sampled_from(["passed", "failed", "skipped"])
)
uncollected = st.just(
    [ev.Diagnostic(path=NODEIDS[3], line=1, message="no", source="pytest", nodeid=NODEIDS[3])]
)
results = st.lists(tests | uncollected, max_size=4).map(
    lambda found: [event for events in found for event in events]
)
run_ends = st.builds(
    ev.RunFinished,
    outcome=st.sampled_from(["passed", "cancelled", "runner-failed"]),
    passed=st.just(1),
    message=st.just("why"),
)


@st.composite
def steps(draw: Any) -> list[ev.Event]:
    """A step runs."""
    events: list[ev.Event] = [ev.StepStarted(name="css")]
    outcome = draw(st.sampled_from(["built", "failed", "up-to-date", None]))
    if outcome == "failed":
        events.append(ev.Diagnostic(path="a.css", line=1, message="no", source="css"))
    return events if outcome is None else [*events, ev.StepFinished(name="css", outcome=outcome)]


@st.composite
def apps(draw: Any) -> list[ev.Event]:
    """An app starts again, fails, or ends by itself."""
    events: list[ev.Event] = []
    if draw(st.booleans()):
        events.append(ev.AppStarted(name="web", pid=draw(st.integers(1, 9))))
    match draw(st.sampled_from(["ready", "failed", "exited", "starting"])):
        case "ready":
            events.append(ev.AppReady(name="web", pid=1, seconds=0.1))
        case "failed":
            events.append(ev.AppFailed(name="web", message="no"))
            events.append(ev.Diagnostic(path="main.py", line=1, message="no", source="web"))
        case "exited":
            events.append(ev.AppExited(name="web", pid=1, signal="SIGKILL"))
    return events


@st.composite
def sessions(draw: Any) -> list[ev.Event]:
    """Cycles, in some of which a run goes on that an earlier one has begun."""
    events: list[ev.Event] = [ev.SessionStarted(root="/p", command="watch", version="1", pid=1)]
    running = False
    for number in range(1, draw(st.integers(1, 5)) + 1):
        deleted = draw(st.sampled_from([(), (), (ev.Change("tests/test_b.py", "deleted"),)]))
        first = number == 1
        events.append(ev.CycleStarted(trigger="start" if first else "change", changes=deleted))
        planned = tuple(ev.PlannedTest(nodeid, WHY) for nodeid in NODEIDS)
        names = tuple(ev.PlannedTarget(name, WHY) for name in ("css", "web"))
        events.append(ev.PlanMade(steps=names[:1], apps=names[1:], tests=planned, total=9))
        events += draw(st.one_of(st.just([]), steps()))
        events += draw(st.one_of(st.just([]), apps()))
        if not running and draw(st.booleans()):
            running = True
            events += [ev.RunStarted(selected=3), ev.RunCollected(total=3)]
        if running:
            events += draw(results)
            if draw(st.booleans()):
                running = False
                events.append(draw(run_ends))
        gone = draw(st.sampled_from([(), (), (NODEIDS[0],)]))
        events.append(ev.CycleFinished(outcome="passed", seconds=1.0, gone=gone))
        events += draw(st.one_of(st.just([]), apps()))
    return events


def known(standing: Standing) -> dict[str, object]:
    """All that a reporter can say of what stands."""
    return {
        "failing": standing.failing,
        "fixed": sorted(set(standing.fixed)),
        "broken": standing.broken,
        "still": sorted(standing.still),
        "apps": standing.failed_apps,
        "steps": standing.failed_steps,
        "counts": standing.counts,
        "problems": standing.problems(),
        "run": standing.run_failure and standing.run_failure.message,
        "plan": standing.plan,
    }


@settings(deadline=None, max_examples=150)
@given(sessions(), st.data())
def test_who_comes_late_knows_what_stands(session: list[ev.Event], data: Any) -> None:
    """At any moment, and whatever comes after, the snapshot has led to the same knowledge."""
    until = data.draw(st.integers(1, len(session)))
    there, late = Standing(), Standing()
    snapshot = Snapshot(there)
    for event in session[:until]:
        there.apply(event)
        snapshot.apply(event)
    for event in snapshot.events():
        late.apply(event)
    assert known(late) == known(there)
    for event in session[until:]:
        there.apply(event)
        late.apply(event)
        assert known(late) == known(there)


@given(st.integers(1, 30))
@settings(deadline=None)
def test_a_snapshot_does_not_grow_with_the_session(cycles: int) -> None:
    """What fails again and again is held once; so is every app and step."""
    standing = Standing()
    snapshot = Snapshot(standing)
    for number in range(cycles):
        for event in (
            ev.CycleStarted(trigger="change", t=number),
            ev.StepFinished(name="css", outcome="up-to-date", t=number),
            ev.AppFailed(name="web", message="no", t=number),
            ev.RunStarted(selected=3, t=number),
            *finished_test(NODEIDS[0], "failed"),
            *finished_test(NODEIDS[1], "passed"),
            ev.Output(source="app", name="web", text="much"),
            ev.RunFinished(outcome="failed", failed=1, t=number),
            ev.CycleFinished(outcome="failed", seconds=1.0, t=number),
        ):
            standing.apply(event)
            snapshot.apply(event)
    assert len(snapshot.events()) <= 16
