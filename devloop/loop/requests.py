"""What is asked of a running loop, made due: tests, apps and steps (`actions.py` has the forms)."""

from __future__ import annotations

import enum

import anyio.to_thread
import msgspec

from devloop.errors import NoTestsHere, UsageError
from devloop.events import CycleStarted, Event, Explained, ModeChanged, PlanMade, Reason
from devloop.execute.parsing import Parsers
from devloop.loop import difference
from devloop.loop.actions import (
    Action,
    ClearFilters,
    FailedOnly,
    FilterNames,
    FilterPaths,
    Pause,
    Rerun,
    Restart,
    RunAll,
    RunFailed,
    RunSince,
    RunStep,
    RunTests,
    focused,
    require_known,
)
from devloop.loop.apps import Apps
from devloop.loop.choice import within
from devloop.loop.nodeids import holds
from devloop.loop.project import Project
from devloop.loop.steps import Steps
from devloop.loop.tests import Tests
from devloop.select import tests as select_tests
from devloop.select.focus import Focus, narrowed
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due


class Work(enum.Enum):
    """What an action makes due."""

    NOTHING = "nothing"
    BESIDE = "beside"
    """Apps or steps: a test run goes on."""
    MORE = "more"
    """Tests: a run that goes on may first end the test that it is at."""
    TESTS = "tests"


class Mode(msgspec.Struct, frozen=True):
    """How a loop works until it is told otherwise.

    Args:
        paused: changes begin nothing.
        focus: the part of the tests that runs.
    """

    paused: bool = False
    focus: Focus = Focus()

    def as_event(self, waiting: int = 0) -> ModeChanged:
        """The same as an event.

        Args:
            waiting: how many files have changed since it was paused.
        """
        focus = self.focus
        return ModeChanged(
            paused=self.paused,
            failed_only=focus.failed_only,
            paths=focus.paths,
            names=focus.names,
            waiting=waiting,
        )


class Requests:
    """Takes actions.

    Args:
        project: whose.
        parsers: read what git holds.
        tests: of the loop; None where it is to run none.
        apps: of the loop.
        steps: of the loop.
        mode: as it is at the start.
    """

    def __init__(
        self,
        project: Project,
        parsers: Parsers,
        tests: Tests | None,
        apps: Apps,
        steps: Steps,
        mode: Mode,
    ) -> None:
        self._project = project
        self._parsers = parsers
        self._tests = tests
        self._apps = apps
        self._steps = steps
        self.mode = mode

    async def take(self, action: Action) -> Work:
        """Make due what an action asks for.

        Args:
            action: any but those that end or explain something, and definite.

        Returns:
            What is due now that was not.

        Raises:
            DevloopError: it cannot be carried out.
        """
        require_known(action, self._project.config)
        match action:
            case Pause(on):
                self.mode = msgspec.structs.replace(self.mode, paused=bool(on))
                return Work.NOTHING
            case Restart(app):
                self._apps.ask(None if app is None else [app])
                return Work.BESIDE
            case RunStep(name):
                self._steps.run_again(name)
                return Work.BESIDE
        if self._tests is None:
            raise NoTestsHere("no tests are run here", hint="devloop was started without them.")
        match action:
            case RunAll():
                wanted = self._everything("all were asked for")
            case RunFailed():
                wanted = self._within(Focus(failed_only=True), "no test failed when it last ran")
            case Rerun() if self.mode.focus:
                wanted = self._within(self.mode.focus, "the filters let no test through")
            case Rerun():
                wanted = self._again(self._tests)
            case RunSince(revision):
                wanted = await self._since(revision)
                if not wanted.files:
                    raise UsageError(f"what has changed since {revision} reaches no test")
            case RunTests():
                return await self._run(self._tests, action)
            case FailedOnly() | FilterPaths() | FilterNames() | ClearFilters():
                return self._refocus(self._tests, focused(self.mode.focus, action))
            case _:
                raise TypeError(action)
        self._tests.ask(wanted)
        return Work.TESTS

    def _refocus(self, tests: Tests, focus: Focus) -> Work:
        """Work on another part of the tests, and run it at once."""
        before = self.mode.focus
        if focus == before:
            return Work.NOTHING
        wider = _wider(focus, before)
        if not wider:
            # Filters that let nothing through would hide every later failure.
            tests.ask(self._within(focus, "no known test is meant by that"))
        self.mode = msgspec.structs.replace(self.mode, focus=focus)
        tests.focus = focus
        # What was held back is due: it runs beside what runs, if there is any.
        return Work.BESIDE if wider else Work.TESTS

    def _everything(self, reason: str) -> Due:
        return select_tests.everything(self._project.test_files, self._project.records, reason)

    def _within(self, focus: Focus, otherwise: str) -> Due:
        found = narrowed(self._everything("asked for"), focus, self._project.records).due
        if not found.files:
            raise UsageError(otherwise)
        return found

    def _again(self, tests: Tests) -> Due:
        if not tests.last:
            return self._everything("asked for, and nothing has run yet in this session")
        return Due(
            tuple(
                SelectedFile(file.path, Reason("asked", (file.path,)), file.nodeids)
                for file in tests.last
                if file.path in self._project.test_files
            )
        )

    async def _since(self, revision: str) -> Due:
        project = self._project
        if not project.complete:
            raise UsageError("the project is still being read", hint="Try again in a moment.")
        differences = await anyio.to_thread.run_sync(difference.since, project, revision)
        objects = difference.objects(differences)
        keep = project.store.save_outlines
        known = await difference.fingerprints(project.root, objects, self._parsers, keep)
        changed = difference.changed(differences, known, project.contents)
        return project.verdicts.reached(changed)

    async def _run(self, tests: Tests, action: RunTests) -> Work:
        """Run what `devloop test` would, but for what a run in progress is about to show."""
        due = self._project.due()
        if action.all:
            due = self._everything("all were asked for")
        elif action.since is not None:
            due = await self._since(action.since)
        wanted = within(due, action.paths, self._project.records)
        if not action.all and action.since is None:
            wanted = tests.beside_run(wanted)
            if not action.paths or (tests.running and not wanted.files):
                # They are due without being asked for, or run already.
                return Work.BESIDE
        tests.ask(wanted, alone=True)
        return Work.MORE


class Explaining:
    """Remembers the last cycle's plan, to say why it ran what it ran. It takes every event."""

    def __init__(self) -> None:
        self._started: CycleStarted | None = None
        self._plan: PlanMade | None = None

    def apply(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, CycleStarted):
            self._started = event
        elif isinstance(event, PlanMade):
            self._plan = event

    def explain(self, target: str | None) -> Explained:
        """Say why.

        Args:
            target: a nodeid, a test file, a step or an app; None is all of it.
        """
        plan = self._plan or PlanMade()
        tests, steps, apps = plan.tests, plan.steps, plan.apps
        if target is not None:
            path = target.partition("::")[0]
            tests = tuple(one for one in tests if one.nodeid == path or holds(target, one.nodeid))
            steps = tuple(one for one in steps if one.name == target)
            apps = tuple(one for one in apps if one.name == target)
        return Explained(
            target=target,
            changes=self._started.changes if self._started is not None else (),
            tests=tests,
            steps=steps,
            apps=apps,
            all_reason=plan.all_reason,
        )


def _wider(focus: Focus, before: Focus) -> bool:
    """Whether a focus only leaves something out of what another one asks for."""
    return all(
        one in ("", False) or one == other
        for one, other in zip(
            msgspec.structs.astuple(focus), msgspec.structs.astuple(before), strict=True
        )
    )
