"""What stands, as one value: the form of `devloop status --format json`."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from devloop import events as ev
from devloop.report.standing import Standing, ended

AppState: TypeAlias = Literal["starting", "ready", "stopping", "failed", "exited"]
StepState: TypeAlias = Literal["running", "built", "up-to-date", "restored", "failed", "cancelled"]


class AppStatus(msgspec.Struct, frozen=True):
    """An app.

    Args:
        name: in the configuration.
        state: what it does.
        since: seconds since the epoch.
        pid: of its process, where it has one.
        address: where it listens, where that is known.
        start: where its process came from.
        seconds: from the change to its being ready.
        message: why it does not run.
    """

    name: str
    state: AppState
    since: float
    pid: int | None = None
    address: str | None = None
    start: ev.Start | None = None
    seconds: float | None = None
    message: str | None = None


class StepStatus(msgspec.Struct, frozen=True):
    """A step.

    Args:
        name: in the configuration.
        state: what it does, or how it ended when it was last looked at.
        since: seconds since the epoch.
        seconds: that it took.
        message: why it failed.
    """

    name: str
    state: StepState
    since: float
    seconds: float = 0.0
    message: str | None = None


class FailingTest(msgspec.Struct, frozen=True):
    """A test, or a file that cannot be collected, that is known to fail.

    Args:
        nodeid: pytest's.
        since: when it was first seen to fail, in seconds since the epoch; None where that was in
            an earlier session and it has not run in this one.
        message: what is wrong, in one line.
        path: where; relative to the root, or absolute outside it.
        line: counted from 1.
    """

    nodeid: str
    since: float | None = None
    message: str | None = None
    path: str | None = None
    line: int | None = None


class CycleStatus(msgspec.Struct, frozen=True):
    """The last cycle.

    Args:
        number: counted from 1.
        outcome: None while it goes on.
        trigger: what has set it off.
        since: when it began, in seconds since the epoch.
        seconds: that it took.
        changes: how many paths it took up.
        selected: tests that are due in it.
        total: tests that are known.
        passed, failed, skipped, errors: of those that ran in it.
        due: tests that did not run and are still due.
    """

    number: int
    trigger: str
    since: float
    outcome: ev.CycleOutcome | None = None
    seconds: float | None = None
    changes: int = 0
    selected: int = 0
    total: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0
    due: int = 0


class Status(msgspec.Struct, frozen=True):
    """What stands in a session.

    Args:
        root: the project's.
        pid: devloop's.
        version: devloop's.
        since: when it began, in seconds since the epoch.
        ok: nothing is known to fail.
        cycle: the last one; None before the first.
        paused: changes begin nothing.
        failed_only: only tests that failed when they last ran are run.
        paths: words by which test files are filtered.
        names: words by which tests are filtered.
    """

    root: str
    pid: int
    version: str
    since: float
    ok: bool
    cycle: CycleStatus | None
    apps: tuple[AppStatus, ...]
    steps: tuple[StepStatus, ...]
    failing: tuple[FailingTest, ...]
    paused: bool = False
    failed_only: bool = False
    paths: str = ""
    names: str = ""


class Board:
    """Takes every event, and says what stands.

    Args:
        standing: what fails; events are applied to it before they come here.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._session = ev.SessionStarted(root="", command="", version="", pid=0)
        self._apps: dict[str, AppStatus] = {}
        self._steps: dict[str, StepStatus] = {}
        self._mode = ev.ModeChanged()
        self._started: ev.CycleStarted | None = None
        self._finished: ev.CycleFinished | None = None
        self._unrun: tuple[str, ...] = ()
        self._since: dict[str, float] = {}

    def apply(self, event: ev.Event) -> None:
        """Take one event."""
        # Those that come by the thousand are first.
        if isinstance(event, (ev.TestFinished, ev.Diagnostic)):
            if event.nodeid in self._standing.failing:
                self._since.setdefault(event.nodeid, event.t)
            else:
                self._since.pop(event.nodeid or "", None)
        elif isinstance(event, ev.Output):
            pass
        elif isinstance(event, (ev.StepStarted, ev.StepFinished)):
            self._steps[event.name] = _step(event)
        elif isinstance(
            event, (ev.AppStarted, ev.AppReady, ev.AppStopping, ev.AppFailed, ev.AppExited)
        ):
            self._app(event)
        elif isinstance(event, ev.CycleStarted):
            self._started, self._finished = event, None
        elif isinstance(event, ev.PlanMade):
            self._plan(event)
        elif isinstance(event, ev.CycleFinished):
            self._finished = event
            if event.outcome != "cancelled":
                self._unrun = event.unrun
        elif isinstance(event, ev.ModeChanged):
            self._mode = event
        elif isinstance(event, ev.SessionStarted):
            self._session = event

    def status(self) -> Status:
        """What stands now."""
        standing = self._standing
        failing = tuple(self._failing())
        broken = standing.failed_apps or standing.failed_steps or standing.run_failure
        session, mode = self._session, self._mode
        return Status(
            root=session.root,
            pid=session.pid,
            version=session.version,
            since=session.t,
            ok=not (failing or broken or any(p.severity == "error" for p in standing.problems())),
            cycle=self._cycle(),
            apps=tuple(self._apps.values()),
            steps=tuple(self._steps.values()),
            failing=failing,
            paused=mode.paused,
            failed_only=mode.failed_only,
            paths=mode.paths,
            names=mode.names,
        )

    def _cycle(self) -> CycleStatus | None:
        started, finished, plan = self._started, self._finished, self._standing.plan
        if started is None:
            return None
        counts = self._standing.counts
        return CycleStatus(
            number=started.cycle or 0,
            trigger=started.trigger,
            since=started.t,
            outcome=finished.outcome if finished is not None else None,
            seconds=finished.seconds if finished is not None else None,
            changes=len(started.changes),
            selected=plan.selected,
            total=max(plan.total, counts.ran),
            passed=counts.passed,
            failed=counts.failed,
            skipped=counts.skipped,
            errors=counts.errors,
            due=finished.due if finished is not None else 0,
        )

    def _failing(self) -> list[FailingTest]:
        failing = self._standing.failing
        places = {
            problem.nodeid: problem
            for problem in reversed(self._standing.problems())
            if problem.nodeid is not None and problem.severity == "error"
        }
        found = []
        for nodeid, message in failing.items():
            place = places.get(nodeid)
            path, line = (place.path, place.line) if place is not None else (None, None)
            found.append(FailingTest(nodeid, self._since.get(nodeid), message, path, line))
        return [*found, *(FailingTest(nodeid) for nodeid in self._unrun if nodeid not in failing)]

    def _plan(self, event: ev.PlanMade) -> None:
        """Forget what is not configured any more: at the start all that is is planned."""
        if self._started is not None and self._started.trigger == "start":
            steps, apps = ({t.name for t in targets} for targets in (event.steps, event.apps))
            self._steps = {name: one for name, one in self._steps.items() if name in steps}
            self._apps = {name: one for name, one in self._apps.items() if name in apps}

    def _app(
        self, event: ev.AppStarted | ev.AppReady | ev.AppStopping | ev.AppFailed | ev.AppExited
    ) -> None:
        before = self._apps.get(event.name)
        if isinstance(event, ev.AppStarted):
            now = AppStatus(event.name, "starting", event.t, event.pid, start=event.start)
        elif isinstance(event, ev.AppReady):
            now = AppStatus(
                event.name,
                "ready",
                event.t,
                event.pid,
                event.address,
                event.start,
                event.seconds,
            )
        elif isinstance(event, ev.AppFailed):
            now = AppStatus(event.name, "failed", event.t, message=event.message)
        elif before is not None and before.pid != event.pid:
            return  # the process from before
        elif isinstance(event, ev.AppStopping):
            now = AppStatus(event.name, "stopping", event.t, event.pid)
        else:
            now = AppStatus(event.name, "exited", event.t, message=ended(event))
        self._apps[event.name] = now


def _step(event: ev.StepStarted | ev.StepFinished) -> StepStatus:
    if isinstance(event, ev.StepStarted):
        return StepStatus(event.name, "running", event.t)
    return StepStatus(event.name, event.outcome, event.t, event.seconds, event.message)
