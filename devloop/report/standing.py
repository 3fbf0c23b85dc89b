"""What stands: every problem that is not known to be gone, and the counts of the cycle.

A test that was not run again keeps its last outcome, so a problem outlives its cycle. It goes
when its test passes or is gone, its file is deleted, its step succeeds, its app is ready or
has ended well; that its app was started again, or asked to stop, mends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from devloop import events as ev
from devloop.report.clean import one_line
from devloop.report.places import in_project, last_message, last_place


class Problem(msgspec.Struct, frozen=True):
    """One problem that stands.

    Args:
        path: relative to the root, or absolute outside it.
        line: counted from 1.
        column: counted from 1.
        severity: ``error`` or ``warning``.
        message: one line.
        nodeid: the test that it belongs to.
        source: who found it.
    """

    path: str
    line: int
    column: int
    severity: ev.Severity
    message: str
    nodeid: str | None
    source: str


class Counts(msgspec.Struct):
    """How many tests of a cycle ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0

    @property
    def ran(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.skipped + self.errors

    def add(self, outcome: ev.TestOutcome) -> None:
        """Count one test."""
        if outcome in ("passed", "xpassed"):
            self.passed += 1
        elif outcome == "failed":
            self.failed += 1
        elif outcome == "error":
            self.errors += 1
        else:
            self.skipped += 1

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.errors + other.errors,
        )


class Found(msgspec.Struct):
    """What one source said in one cycle, or about one test in one run."""

    serial: int
    problems: list[Problem]


class Standing:
    """Takes every event, and says what stands now. It reads no clock and writes nothing.

    Attributes:
        failing: tests (and files that cannot be collected) that fail, with one line each.
        fixed: tests that failed before this cycle and passed in it.
        restored: tests that failed before it, on what has been taken back.
        broken: tests that failed in this cycle.
        failed_apps: apps that do not run because they failed, with one line each.
        failed_steps: steps whose last run failed, with one line each.
        slow: the slowest tests of this cycle that took a second or more, slowest first.
        plan: this cycle's.
        run_failure: why the last test run gave no result.
    """

    def __init__(self) -> None:
        self.root = ""
        self.failing: dict[str, str] = {}
        self.fixed: list[str] = []
        self.restored: list[str] = []
        self.broken: dict[str, None] = {}
        self.failed_apps: dict[str, str] = {}
        self.failed_steps: dict[str, str] = {}
        self.slow: list[tuple[float, str]] = []
        self.plan = ev.PlanMade()
        self.run_failure: ev.RunFinished | None = None
        self._before: frozenset[str] = frozenset()
        self._serial = 0
        self._cycle = 0
        self._at_start = False
        self._found: dict[str, Found] = {}
        self._places: dict[str, Problem] = {}
        self._finished_runs = Counts()
        self._live: Counts | None = None
        self._planned: set[str] = set()
        self._collected = False
        self._owners: set[str] = {"pytest"}

    @property
    def counts(self) -> Counts:
        """The tests of this cycle: of its finished runs, and of the one that goes on."""
        return self._finished_runs + (self._live or Counts())

    @property
    def still(self) -> list[str]:
        """Tests that fail from before and were not run in this cycle."""
        return [nodeid for nodeid in self.failing if nodeid not in self.broken]

    def problems(self) -> list[Problem]:
        """All that stands, by path and line, errors before warnings of one line."""
        unique = dict.fromkeys(self._all())
        return sorted(
            unique, key=lambda p: (p.path, p.line, p.severity, p.column, p.nodeid or "", p.message)
        )

    def holds(self, event: ev.TestFinished | ev.Diagnostic) -> bool:
        """Whether what an event has said still stands.

        Args:
            event: one that was applied.
        """
        if isinstance(event, ev.TestFinished):
            return event.outcome in ("failed", "error") and event.nodeid in self.failing
        found = self._found.get(self._key(event))
        return found is not None and self._problem(event) in found.problems

    def apply(self, event: ev.Event) -> None:
        """Take one event."""
        # Those that come by the thousand are first.
        if isinstance(event, ev.TestFinished):
            self._test(event)
        elif isinstance(event, ev.Diagnostic):
            self._diagnostic(event)
        elif isinstance(event, (ev.RunStarted, ev.RunCollected, ev.RunFinished)):
            self._run(event)
        elif isinstance(event, (ev.StepStarted, ev.StepFinished)):
            self._step(event)
        elif isinstance(event, (ev.AppStarted, ev.AppReady, ev.AppFailed, ev.AppExited)):
            self._app(event)
        elif isinstance(event, ev.PlanMade):
            self._plan(event)
        elif isinstance(event, ev.CycleStarted):
            self._begin(event)
        elif isinstance(event, ev.CycleFinished):
            self._forget(event.gone)
            self.restored = [nodeid for nodeid in event.restored if nodeid in self.failing]
            self._forget(self.restored)
        elif isinstance(event, ev.SessionStarted):
            self.root = event.root

    def _plan(self, event: ev.PlanMade) -> None:
        self.plan = event
        planned = {target.name for target in (*event.steps, *event.apps)}
        if self._at_start:
            # All that is configured is in it. What is no more, after an edit of the
            # configuration, has no problems.
            for name in self._owners - planned - {"pytest"}:
                self._found.pop(f"source {name}", None)
                self.failed_apps.pop(name, None)
                self.failed_steps.pop(name, None)
        self._owners |= planned

    def _begin(self, event: ev.CycleStarted) -> None:
        self._cycle += 1
        self._at_start = event.trigger == "start"
        self.plan = ev.PlanMade()
        self.fixed, self.restored, self.broken, self.slow = [], [], {}, []
        self._before = frozenset(self.failing)
        self._finished_runs = Counts()
        for change in event.changes:
            self._found.pop(f"file {change.path}", None)
            if change.kind == "deleted":
                self._forget(n for n in list(self.failing) if n.partition("::")[0] == change.path)
                for found in self._found.values():
                    found.problems = [p for p in found.problems if p.path != change.path]

    def _forget(self, nodeids: Iterable[str]) -> None:
        for nodeid in nodeids:
            self.failing.pop(nodeid, None)
            self.broken.pop(nodeid, None)
            self._found.pop(f"test {nodeid}", None)

    # Tests

    def _run(self, event: ev.RunStarted | ev.RunCollected | ev.RunFinished) -> None:
        if isinstance(event, ev.RunStarted):
            self._serial += 1
            self._live = Counts()
            self._planned = {test.nodeid.partition("::")[0] for test in self.plan.tests}
            self._collected = False
            self.run_failure = None
            self._found.pop("source pytest", None)
        elif isinstance(event, ev.RunCollected):
            self._collected = True
        else:
            self._live = None
            counts = Counts(event.passed, event.failed, event.skipped, event.errors)
            self._finished_runs += counts
            self.run_failure = event if event.outcome == "runner-failed" else None
            if self._collected and self.run_failure is None:
                self._mend_collected()

    def _mend_collected(self) -> None:
        """Files and folders that were collected, and not told to be broken, are so no more."""
        for nodeid in [n for n in self.failing if "::" not in n]:
            if self._found_of(nodeid) == self._serial:
                continue
            folder = nodeid.removesuffix("conftest.py") if nodeid.endswith("conftest.py") else None
            inside = folder if folder is not None else f"{nodeid}/"
            if any(path == nodeid or path.startswith(inside) for path in self._planned):
                self._mend(nodeid)

    def _found_of(self, nodeid: str) -> int:
        """The run that last said something about a test."""
        found = self._found.get(f"test {nodeid}")
        return found.serial if found is not None else 0

    def _mend(self, nodeid: str) -> None:
        if nodeid in self._before:
            self.fixed.append(nodeid)
        self._forget([nodeid])

    def _test(self, event: ev.TestFinished) -> None:
        nodeid = event.nodeid
        if self._live is not None:
            self._live.add(event.outcome)
        if event.seconds >= 1:
            self.slow = sorted([*self.slow, (event.seconds, nodeid)], reverse=True)[:3]
        if event.outcome in ("failed", "error"):
            self.broken[nodeid] = None
            found = self._of_run(nodeid)
            if not found.problems:
                message = event.traceback and last_message(event.traceback)
                self.failing[nodeid] = one_line(message or event.outcome)
            place = event.traceback and last_place(event.traceback, self.root)
            path, line = place or (nodeid.partition("::")[0], 1)
            self._places[nodeid] = Problem(
                path, line, 1, "error", self.failing[nodeid], nodeid, "pytest"
            )
            return
        if self._found_of(nodeid) != self._serial:
            self._found.pop(f"test {nodeid}", None)
        if nodeid in self.failing:
            if event.outcome in ("passed", "xpassed"):
                self._mend(nodeid)
            else:
                self._forget([nodeid])

    def _of_run(self, nodeid: str) -> Found:
        """What this run says about a test; what an earlier one said is replaced."""
        key = f"test {nodeid}"
        found = self._found.get(key)
        if found is None or found.serial != self._serial:
            found = self._found[key] = Found(self._serial, [])
        return found

    # Problems at places

    def _diagnostic(self, event: ev.Diagnostic) -> None:
        problem = self._problem(event)
        if event.nodeid is not None:
            found = self._of_run(event.nodeid)
            if event.severity == "error":
                if not any(p.severity == "error" for p in found.problems):
                    self.failing[event.nodeid] = problem.message
                self.broken[event.nodeid] = None
        else:
            found = self._of_cycle(self._key(event))
        found.problems.append(problem)

    def _problem(self, event: ev.Diagnostic) -> Problem:
        return Problem(
            path=in_project(event.path, self.root) or event.path,
            line=event.line or 1,
            column=event.column or 1,
            severity=event.severity,
            message=one_line(event.message) or event.severity,
            nodeid=event.nodeid,
            source=event.source,
        )

    def _key(self, event: ev.Diagnostic) -> str:
        """Under what a problem is kept, and goes."""
        if event.nodeid is not None:
            return f"test {event.nodeid}"
        return f"source {event.source}" if event.source in self._owners else f"file {event.path}"

    def _of_cycle(self, key: str) -> Found:
        found = self._found.get(key)
        if found is None or found.serial < self._cycle:
            found = self._found[key] = Found(self._cycle, [])
        return found

    def _all(self) -> Iterator[Problem]:
        for found in self._found.values():
            yield from found.problems
        for nodeid in self.failing:
            found_here = self._found.get(f"test {nodeid}")
            if found_here is None or not has_error(found_here.problems):
                yield self._places[nodeid]

    # Steps and apps

    def _step(self, event: ev.StepStarted | ev.StepFinished) -> None:
        key = f"source {event.name}"
        self._owners.add(event.name)
        if isinstance(event, ev.StepStarted):
            self._found.pop(key, None)
        elif event.outcome == "failed":
            self.failed_steps[event.name] = one_line(event.message or "failed")
        elif event.outcome != "cancelled":
            self.failed_steps.pop(event.name, None)
            if key in self._found:
                problems = self._found[key].problems
                self._found[key].problems = [p for p in problems if p.severity == "warning"]

    def _app(self, event: ev.AppStarted | ev.AppReady | ev.AppFailed | ev.AppExited) -> None:
        name = event.name
        self._owners.add(name)
        if isinstance(event, ev.AppStarted):
            return  # what it failed of may come again
        if isinstance(event, ev.AppExited):
            if event.expected:
                return  # it may be the process from before
            if event.code != 0:
                self.failed_apps.setdefault(name, ended(event))
                return
        self._found.pop(f"source {name}", None)
        if isinstance(event, ev.AppFailed):
            self.failed_apps[name] = one_line(event.message)
        else:
            self.failed_apps.pop(name, None)


def has_error(problems: Iterable[Problem]) -> bool:
    """Tell whether one of them is an error."""
    return any(problem.severity == "error" for problem in problems)


def ended(event: ev.AppExited) -> str:
    """How an app's process ended, in words."""
    if event.signal is not None:
        return f"ended by {event.signal}"
    return f"exited with code {event.code}"
