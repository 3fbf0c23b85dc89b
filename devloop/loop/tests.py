"""The tests of a loop: which are due, and the run in progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from devloop.events import Event, Notice
from devloop.execute import warm_tests
from devloop.execute.guard import Guard
from devloop.execute.run_state import RunResult
from devloop.execute.runs import Chosen, TestRun
from devloop.execute.warm_tests import WarmTests
from devloop.loop.project import Project
from devloop.loop.scope import Scope
from devloop.plan.busy import Impact
from devloop.select.delta import UNKNOWN
from devloop.select.focus import Focus, joined, left, narrowed
from devloop.select.proofs import assumed, still_due
from devloop.select.reach import Reach
from devloop.select.records import ABSENT, GOOD
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due, by_file, failing, hindered, reached_of, reaches, restored
from devloop.watch.signatures import Known
from devloop.watch.vigil import Vigil


class Running(msgspec.Struct):
    """A test run in progress.

    Args:
        run: the run.
        contents: what it was planned on.
        known: signatures and digests of the files then.
        files: the test files that it was given.
        changed: the content that paths have now which have become others since it was planned;
            `UNKNOWN` where there were several.
        asked: what of it somebody has asked for.
        began: when, in nanoseconds since the epoch.
        broken_off: it was told to end.
    """

    run: TestRun
    contents: Mapping[str, bytes]
    known: Mapping[str, Known]
    files: frozenset[str]
    changed: dict[str, bytes]
    asked: Due
    began: int
    broken_off: bool = False

    def note(self, paths: Iterable[str], contents: Mapping[str, bytes]) -> None:
        """Note what has become another one.

        Args:
            paths: those.
            contents: as they are now.
        """
        for path in paths:
            now = contents.get(path, ABSENT)
            planned_on = self.contents.get(path, ABSENT)
            # It may have met what came in between.
            self.changed[path] = (
                now if self.changed.get(path, now) == now != planned_on else UNKNOWN
            )


class Tests:
    """The tests of a loop.

    Args:
        project: whose tests.
        guard: owns their processes.
        environment: the project's.
        emit: takes events.
        scope: what of the loop is wanted.
        advised: the advice that was given in this session before; what is given is added.
        focus: the part of the tests that runs.

    Attributes:
        held: how many tests were due, when that was last asked, that the focus leaves out.
        last: what the last run was given.
    """

    def __init__(
        self,
        project: Project,
        guard: Guard,
        environment: Mapping[str, str],
        emit: Callable[[Event], None],
        scope: Scope,
        advised: set[str],
        focus: Focus,
    ) -> None:
        self._project = project
        self._guard = guard
        self._environment = environment
        self._emit = emit
        self._scope = scope
        self._warm: WarmTests | None = None
        if scope.tests and scope.watch and project.config.warm.tests and warm_tests.POSSIBLE:
            exclude = project.config.warm.exclude
            self._warm = WarmTests(guard, project.root, exclude, project.store, Vigil.over)
        self._running: Running | None = None
        self._code = 0
        self._gone: tuple[str, ...] = ()
        self._ran: set[str] = set()
        self._shifting: frozenset[str] = frozenset()
        self._due: Due | None = None
        self._advised = advised
        self._asked = Due(())
        self._alone = False
        self.focus = focus
        self.held = 0
        self.last: tuple[SelectedFile, ...] = ()

    @property
    def running(self) -> bool:
        """A run is in progress."""
        return self._running is not None

    @property
    def failing(self) -> tuple[str, ...]:
        """The tests that are known to fail, whether or not they ran lately."""
        if not self._scope.tests:
            return ()
        return failing(self._project.present())

    @property
    def hindered(self) -> tuple[str, ...]:
        """The test files that could not be collected because of something above them."""
        return hindered(self._project.present()) if self._scope.tests else ()

    def restored(self, ran: Collection[str]) -> tuple[str, ...]:
        """The tests that failed when they last ran, on what has been taken back since.

        Args:
            ran: those that ran in this cycle, which are none of them.
        """
        if not self._scope.tests:
            return ()
        return tuple(one for one in restored(self._project.present()) if one not in ran)

    @property
    def broke_off(self) -> bool:
        """The last run came to no end of its own, so that nobody knows what it would have shown."""
        return self._code not in (0, 1)

    @property
    def unrun(self) -> tuple[str, ...]:
        """Those among them that have failed before this loop, and have not run in it."""
        return tuple(nodeid for nodeid in self.failing if nodeid not in self._ran)

    @property
    def code(self) -> int:
        """The exit code that the last run gives; 0 where there was none."""
        return self._code

    def ask(self, wanted: Due, *, alone: bool = False) -> None:
        """Make tests due because somebody asks for them; what was asked for before is not.

        Args:
            wanted: these.
            alone: leave out what is due just because it failed when it last ran.
        """
        self._asked, self._alone = wanted, alone

    def due(self, *, first: bool) -> Due:
        """The tests that are due, or asked for, and that no run in progress has.

        Args:
            first: this is asked for the loop's first cycle.

        Returns:
            Their files.
        """
        if not self._scope.tests:
            return Due(())
        self._due = self._project.due()
        if first and self._scope.choose is not None:
            return self._scope.choose(self._project)
        found = narrowed(self._due, self.focus, self._project.records)
        due, self.held = found.due, found.held
        if self._running is None:
            alone, self._alone = self._alone, False
            if alone:
                due = Due(tuple(file for file in due.files if file.reason.kind != "failed"))
            return joined(due, self._asked)
        return self.beside_run(due)

    def beside_run(self, due: Due) -> Due:
        """Leave out what the run in progress will show.

        Args:
            due: tests.

        Returns:
            The rest: those that it was not given, or was given before their last change.
        """
        running, records = self._running, self._project.records
        if running is None:
            return due
        delta = self._project.verdicts.delta(running.contents, running.changed)
        return Due(
            tuple(
                file
                for file in due.files
                if file.path not in running.files or reached_of(file.path, delta, records)
            )
        )

    def assumed(self, ran: Collection[str]) -> tuple[str, ...]:
        """The tests that are taken to pass without having run.

        Args:
            ran: those that ran since what is due was last asked for.

        Returns:
            Nodeids, those whose verdict is oldest first; none before anything was due.
        """
        if self._due is None:
            return ()
        project = self._project
        return assumed(project.records, project.test_files, self._due, ran)

    def impact(self, changed: Collection[str]) -> Impact:
        """Say what new content means for the run in progress.

        Args:
            changed: paths whose content is another one.

        Returns:
            TOUCHES, ADDS, BESIDE (tests are selected, and no run would have to end for them) or
            NOTHING.
        """
        if not self._scope.tests or not changed:
            return Impact.NOTHING
        project = self._project
        reach = Reach(project.graph, changed, project.categorise)
        if self._running is not None:
            self._running.note(changed, project.contents)
            now, _ = self._running.run.remaining()
            delta = project.verdicts.delta(self._running.contents, self._running.changed)
            if any(reaches(nodeid, delta, project.records) for nodeid in now):
                return Impact.TOUCHES
        if any(reach.reason(path) for path in project.graph.tests):
            return Impact.BESIDE if self._running is None else Impact.ADDS
        return Impact.NOTHING

    def begin(self, files: tuple[SelectedFile, ...]) -> None:
        """Plan a run on the contents of now; from here on it is in progress.

        Args:
            files: those that are due.
        """
        paths = frozenset(file.path for file in files)
        contents = dict(self._project.contents)
        known = dict(self._project.codebase.known)
        run = self._run_of(files)
        self._running = Running(run, contents, known, paths, {}, self._asked, time.time_ns())
        self._asked, self.last = Due(()), files

    def _run_of(
        self, files: tuple[SelectedFile, ...], shadow: Callable[[Event], None] | None = None
    ) -> TestRun:
        project, tests = self._project, self._project.config.tests
        low = shadow is not None and self._scope.watch
        return TestRun(
            self._guard,
            project.interpreter,
            project.root,
            Chosen(
                selection=tuple(self._listed(file) for file in files),
                whole={f.path for f in files if not f.nodeids}.issuperset(project.test_files),
                paths=tests.paths,
                args=tests.args,
                once=self._scope.pytest_args,
                workers=0 if low else tests.workers,
                seconds=self._seconds(files),
                folders=tuple(str(project.root / root) for root in project.layout.roots),
                record=tests.record,
                memos=project.memos,
            ),
            project.settings,
            {**self._environment, **project.python_path(), **tests.env},
            self._tell if shadow is None else shadow,
            self._warm if shadow is None else None,
            low=low,
        )

    def _listed(self, file: SelectedFile) -> SelectedFile:
        """A file whose tests go by other names each time is not known to hold any."""
        if file.path not in self._shifting:
            return file
        return msgspec.structs.replace(file, listed=False)

    def shadow_run(self, files: tuple[SelectedFile, ...], emit: Callable[[Event], None]) -> TestRun:
        """A run of what was left out, told to nobody else; in a session of the lowest priority.

        Args:
            files: what it runs.
            emit: takes its events.
        """
        return self._run_of(files, shadow=emit)

    async def run(self) -> RunResult:
        """Run what was planned.

        Returns:
            What it has shown; to be given to `done`.
        """
        assert self._running is not None
        return await self._running.run.wait()

    async def keep_warm(self) -> None:
        """Have ready what the next run starts from, until cancelled."""
        if self._warm is not None:
            await self._warm.run()

    async def stirred(self) -> None:
        """Sources seem to have changed, which is not looked into yet."""
        if self._warm is not None and self._running is None:
            await self._warm.look()

    def foresee(self) -> None:
        """Nothing runs now: have what the next run starts from made ready."""
        if self._warm is not None and self._running is None and self._project.test_files:
            self._warm.foresee(self._run_of(()).plan)

    def planned_on_what_was_read(self) -> None:
        """The project has been read: that is what a run that did not wait for it was planned on."""
        if self._running is not None:
            self._running.contents = dict(self._project.contents)
            self._running.known = dict(self._project.codebase.known)
            self._running.changed.update(dict.fromkeys(self._project.indexer.read_late, UNKNOWN))

    def done(self, result: RunResult, moved: Collection[str]) -> None:
        """Keep what a run has shown.

        Args:
            result: of the run.
            moved: files that are not as they were when they were read.
        """
        assert self._running is not None
        running, self._running = self._running, None
        self._shifting |= running.run.shifted
        self._code = result.code
        if result.finished.outcome == "cancelled" and not self._asked.files:
            # What has come in between takes nothing away from what was asked for.
            self._asked = left(running.asked, result.ran)
        self._ran.update(result.ran.outcomes, result.ran.broken)
        running.changed.update(dict.fromkeys(moved, UNKNOWN))
        failing = {
            v.nodeid for v in self._project.records.verdicts.values() if v.outcome not in GOOD
        }
        doubtful = self._project.learn(
            result.ran, running.contents, running.known, running.changed, running.began
        )
        if running.broken_off and not self._project.due().files:
            # It was told to end when all had run: no other run will say how that went.
            self._code = int(bool(self.failing))
        if self._due is not None:
            self._due = still_due(self._due, result.ran, doubtful)
        self._gone += tuple(sorted(failing - self._project.records.verdicts.keys()))

    def forget(self) -> None:
        """Keep nothing of a run: on what it ran was never read."""
        self._running = None

    def take_gone(self) -> tuple[str, ...]:
        """Take out the failing tests that were shown not to exist any more."""
        gone, self._gone = self._gone, ()
        return gone

    def finish_current(self) -> None:
        """Let the test that runs end, and then the run."""
        if self._running is not None:
            self._running.broken_off = True
            self._running.run.finish_current()

    def interrupt(self, teardown: float | None = None) -> None:
        """Cancel the run; its teardown runs.

        Args:
            teardown: seconds that it has for that; None is a run's own.
        """
        if self._running is not None:
            self._running.broken_off = True
            if teardown is None:
                self._running.run.interrupt()
            else:
                self._running.run.interrupt(teardown)

    def _tell(self, event: Event) -> None:
        """Pass an event on; advice is given once."""
        if isinstance(event, Notice) and event.severity == "info":
            if event.message in self._advised:
                return
            self._advised.add(event.message)
        self._emit(event)

    def _seconds(self, files: Collection[SelectedFile]) -> Mapping[str, float]:
        """How long the due tests of each file have taken, where that is known."""
        known = by_file(self._project.records)
        return {
            file.path: sum(
                verdict.seconds
                for verdict in known[file.path]
                if not file.nodeids or verdict.nodeid in file.nodeids
            )
            for file in files
            if file.path in known
        }
