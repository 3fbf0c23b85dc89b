"""The one loop: a task group and a single dispatch (DESIGN §1).

Everything that happens outside comes in as a message: a change set, the end of the steps or of
a test run, an app that has settled, a wish to stop. `_dispatch` takes one at a time; so no two
parts ever change the state at once.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack, suppress

import anyio
import anyio.to_thread
import msgspec

from devloop.errors import DevloopError, NoTestsHere, UsageError
from devloop.events import (
    Announcement,
    Change,
    CycleFinished,
    CycleOutcome,
    CycleStarted,
    Diagnostic,
    Event,
    Notice,
    Progress,
    Trigger,
)
from devloop.execute import bytecode, desktop
from devloop.execute.asked import Settled
from devloop.execute.environment import for_project
from devloop.execute.guard import Guard
from devloop.execute.parsing import Parsers
from devloop.execute.terminal import size_of
from devloop.loop import ending, keyboard
from devloop.loop.actions import (
    Action,
    Answer,
    Ask,
    By,
    Debug,
    Pause,
    Quit,
    Why,
    definite,
    described,
)
from devloop.loop.announcer import Announcer
from devloop.loop.apps import Apps
from devloop.loop.configuration import Configuration
from devloop.loop.cycle import Arrived, Cycle
from devloop.loop.debugger import Debugger
from devloop.loop.messages import (
    AppSettled,
    Changed,
    Idle,
    Message,
    Read,
    RunDone,
    ShadowDone,
    StepsDone,
    Stop,
)
from devloop.loop.project import Applied, Project
from devloop.loop.requests import Explaining, Mode, Requests, Work
from devloop.loop.scope import Scope
from devloop.loop.shadow import IDLE, Shadow
from devloop.loop.steps import Steps
from devloop.loop.tally import Tally
from devloop.loop.tests import Tests
from devloop.loop.unplaced import Unplaced
from devloop.loop.watching import watcher_of
from devloop.plan.busy import Busy, Command, Impact, arrived, asked, ended
from devloop.plan.changes import merged
from devloop.plan.measures import Meter
from devloop.plan.plan import Plan, as_event, make
from devloop.report.reporter import ReaderGone, Reporter
from devloop.select.apps import broken
from devloop.select.category import Category
from devloop.select.records import GOOD
from devloop.select.selection import SelectedFile, SelectedTarget
from devloop.select.tests import Due
from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher

TICK = 0.2
"""How often a reporter may redraw while a cycle is busy, in seconds; never while idle."""
STOP_RUN = 5.0
"""How long a test run's teardown may take when devloop stops, in seconds."""
WORTH_A_BAR = 500
"""How many sources must have to be read before a progress bar is worth its line."""


class Loop:
    """One loop, from its start to its end.

    Args:
        project: what it works on.
        scope: what of the loop is wanted.
        reporter: hears of everything.
        cycles: how many cycles there have been before, in this session.
        advised: the advice that was given in it.
        mode: how it works until it is told otherwise.
    """

    def __init__(
        self,
        project: Project,
        scope: Scope,
        reporter: Reporter,
        *,
        cycles: int = 0,
        advised: set[str] | None = None,
        mode: Mode | None = None,
    ) -> None:
        self.project = project
        self.scope = scope
        self.reporter = reporter
        self.cycles = cycles
        self.advised = set() if advised is None else advised
        self.reload = False
        """The configuration is another one: the next loop of the session takes it up."""

        self._first = cycles + 1
        self._cycle: Cycle | None = None
        self._arrived: Arrived | None = None
        self._busy = Busy(project.config.watch.on_busy)
        self._environment = for_project(os.environ, project.interpreter.path)
        self._broken: frozenset[str] = frozenset()
        self._stopping: Stop | None = None
        self._watcher: Watcher | None = None
        self._after_look: list[tuple[int, Ask]] = []
        self._read = anyio.Event()
        self._owns = False
        self._made: set[str] = set()
        self._unplaced = Unplaced(project)
        self._meter = Meter()
        self._configuration = Configuration(project, self.emit)
        self._mode = Mode() if mode is None else mode
        self._asking: Ask | None = None
        self._held: list[Impact] = []
        self._explaining = Explaining()
        self._announcer = Announcer(project.config.notify, project.root.name)
        self._send, self._receive = anyio.create_memory_object_stream[Message](1000)

    async def run(self) -> int:
        """Run until it is done, or stopped.

        Returns:
            The exit code.

        Raises:
            DevloopError: something without which there is no loop has failed.
        """
        project, scope = self.project, self.scope
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                ending.signals_obeyed(scope.watch, self._send.send, self._force_end)
            )
            self._parsers = await stack.enter_async_context(
                Parsers(project.interpreter.path, project.root)
            )
            self._guard = await stack.enter_async_context(Guard())
            self._owns = True
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._steps = Steps(
                project, self._guard, self._environment, self.emit, force=scope.force
            )
            self._apps = Apps(
                project,
                self._guard,
                self._tasks,
                self.emit,
                self._settled,
                wanted=scope.apps,
                terminal=size_of(1) if self.reporter.ticks else None,
                dialogue=self.reporter.show,
                before_start=self._drop_bytecode,
            )
            self._debugger = Debugger(
                project, self._guard, self._environment, self.emit, scope.debugger
            )
            if keyboard.is_at(self.reporter):
                keys = functools.partial(self.ask, by="key") if scope.keys else None
                await stack.enter_async_context(
                    keyboard.attended(
                        self._guard, self._apps, project, self.reporter, self._debugger, keys
                    )
                )
            self._tests = Tests(
                project,
                self._guard,
                self._environment,
                self.emit,
                scope,
                self.advised,
                self._mode.focus,
            )
            self._shadow = Shadow(project, self._tests.shadow_run, self.emit, sliced=scope.watch)
            self._requests = Requests(
                project,
                self._parsers,
                self._tests if scope.tests else None,
                self._apps,
                self._steps,
                self._mode,
            )
            self._tasks.start_soon(self._tests.keep_warm)
            self._tasks.start_soon(ending.heed_guardian, self._guard)
            if scope.watch and not self.reporter.ticks:
                self._tasks.start_soon(ending.heed_reader, self._send.send)
            if not scope.postpone:
                self._begin("start")
            self._tasks.start_soon(self._read_and_watch)
            while self._stopping is None:
                if not scope.watch and self._cycle is None and not self._is_shadowing():
                    self._stopping = Stop(self._verdict)
                else:
                    await self._dispatch(await self._receive.receive())
            await self._wind_up()
            self._tasks.cancel_scope.cancel()
        return self._stopping.code

    @property
    def mode(self) -> Mode:
        """How it works until it is told otherwise."""
        return self._requests.mode

    def ask(self, action: Action, by: By, answer: Callable[[Answer], None] | None = None) -> None:
        """Ask for something.

        Args:
            action: what.
            by: who asks.
            answer: called once, when it is known what becomes of it.
        """
        self._send.send_nowait(Ask(action, by, answer))

    def unheard(self) -> list[Ask]:
        """What was asked for and not come to, once it has ended."""
        found = [ask for _, ask in self._after_look]
        with suppress(anyio.WouldBlock):
            while True:
                message = self._receive.receive_nowait()
                if isinstance(message, Ask):
                    found.append(message)
        return found

    def emit(self, event: Event) -> None:
        """Let the reporter hear of something.

        Args:
            event: its time and cycle are filled in here.
        """
        number = None
        if self._cycle is not None:
            number = self._cycle.number
            self._cycle.tally.apply(event)
        self._explaining.apply(event)
        problem = self._unplaced.diagnostic(event)
        event = msgspec.structs.replace(event, t=time.time(), cycle=number)
        try:
            self.reporter.handle(event)
            if problem is not None:
                self.reporter.handle(msgspec.structs.replace(problem, t=event.t, cycle=number))
        except ReaderGone:
            # Whoever has emitted this goes on: an app that is being stopped must be stopped.
            self._send.send_nowait(Stop(0))
        measure = self._meter.apply(event)
        if measure is not None:
            self.project.store.save_measure(measure)
        if self.scope.watch and (call := self._announcer.heard(event)) is not None:
            self._announce(call)

    # What happens

    async def _dispatch(self, message: Message) -> None:
        match message:
            case Changed():
                await self._on_changed(message)
            case Read():
                await self._on_read()
            case StepsDone():
                await self._on_steps_done(message)
            case RunDone():
                self._on_run_done(message)
            case ShadowDone():
                self._on_shadow_done(message)
            case Idle():
                self._on_idle(message)
            case AppSettled():
                self._on_app_settled(message)
            case Ask():
                await self._on_ask(message)
            case Stop():
                self._stopping = message

    async def _on_changed(self, message: Changed) -> None:
        assert self._watcher is not None
        changes = message.change_set.changes
        if message.change_set.look is not None:
            await self._obey_looked(message.change_set.look)
            return
        if self._begins_anew(changes):
            return
        self.project.indexer.edited.update(change.path for change in changes)
        if not self._are_byproducts(changes):
            self._shadow.give_way()
        self.project.codebase.muted = self._watcher.muted
        applied = await self.project.indexer.apply(changes, self._watcher.known, self._parsers)
        if applied.problem is not None:
            self._configuration.tell(applied.problem, "what was read before stays in force")
        self._watcher.update(extra=self.project.watched_although_ignored())
        self._heed(changes, message.change_set.seen, applied)
        self._drop_bytecode()

    def _heed(self, changes: Collection[Change], seen: float, applied: Applied) -> None:
        """Make due what new content affects, and see what it means for the work in progress."""
        self._broken = frozenset(broken(self.project.graph, self._broken | applied.touched))
        self._steps.note(applied.touched)
        apps = self._apps.note(applied)
        if applied.installed:
            apps |= self._apps.note_installed()
        if not (applied.changed or apps or self._steps.due) and self._are_byproducts(changes):
            return
        if self._arrived is None:
            self._arrived = Arrived([], seen, relevant=False)
        self._arrived.changes.extend(changes)
        self._arrived.relevant |= bool(applied.changed)
        impact = self._tests.impact(applied.changed)
        if impact is Impact.NOTHING and (apps or self._steps.due or not self._busy.working):
            impact = Impact.BESIDE
        if self._mode.paused:
            self._held.append(impact)
            self.emit(self._mode.as_event(len(merged(self._arrived.changes))))
        else:
            self._act(*arrived(self._busy, impact))

    def _are_byproducts(self, changes: Collection[Change]) -> bool:
        """Whether nobody but programs that run cares: a log is no reason for a cycle."""
        return all(self.project.categorise(change.path) is Category.BYPRODUCT for change in changes)

    def _stirred(self, whole: Collection[str]) -> None:
        """Sources seem to have changed: in some milliseconds tests and apps may be due."""
        if whole:
            self._tasks.start_soon(self.project.indexer.foresee, whole, self._parsers)
        # After that, whose work is another process's.
        self._tasks.start_soon(self._apps.stirred)
        self._tasks.start_soon(self._tests.stirred)

    def _drop_bytecode(self) -> None:
        """See to it that whoever imports an edited file does not meet its old code.

        Done at once, and again before each start: a process that is on its way out may have
        cached what it had read before the edit.
        """
        prefix = self._environment.get("PYTHONPYCACHEPREFIX", "")
        bytecode.drop(self.project.indexer.edited, self.project.root, [prefix])

    async def _on_read(self) -> None:
        self.project.tidy()
        await self._take_in_outputs()
        self._tests.planned_on_what_was_read()
        self._read.set()
        late = self.project.indexer.saved_before_reading() if self.scope.watch else ()
        if late and self._begins_anew(late):
            return
        cycle = self._cycle
        if late:
            # Apps and first tests did not wait, so they may have begun on what was there before.
            applied = self.project.indexer.as_applied(late)
            self.project.indexer.edited.update(applied.touched)
            self._drop_bytecode()
            self._heed(late, time.monotonic(), applied)
        if cycle is not None and cycle is self._cycle and "graph" in cycle.waiting:
            cycle.waiting.discard("graph")
            self._work()

    async def _on_steps_done(self, message: StepsDone) -> None:
        built = self._steps.done(message.finished)
        steps = self.project.config.steps
        self._made.update(output for name in built for output in steps[name].outputs)
        if self._read.is_set():
            await self._take_in_outputs()
        self._apps.note_built(built)
        if self._cycle is None:
            return
        self._cycle.waiting.discard("steps")
        if self._busy.waiting and not self._tests.running:
            self._act(*ended(self._busy))
        elif self._steps.due:
            self._start_steps()
        else:
            self._work()

    async def _take_in_outputs(self) -> None:
        """What the steps have made reaches graph and apps now that they are done."""
        made, self._made = self._made, set()
        if made:
            changes, known = await anyio.to_thread.run_sync(self.project.indexer.look, made)
            self._apps.note(await self.project.indexer.apply(changes, known, self._parsers))

    def _on_run_done(self, message: RunDone) -> None:
        self._tests.done(message.result, message.moved)
        if self._cycle is not None:
            self._cycle.waiting.discard("tests")
        if not self._steps.running:
            self._act(*ended(self._busy))
        self._settle()

    def _on_shadow_done(self, message: ShadowDone) -> None:
        failed = self._shadow.done(message)
        if self._cycle is None and failed:
            self._begin("shadow")
        elif self.scope.watch:
            self._on_idle(Idle(self.cycles))

    def _on_idle(self, message: Idle) -> None:
        if message.cycle == self.cycles and not self._mode.paused and self._arrived is None:
            self._is_shadowing()

    def _is_shadowing(self) -> bool:
        """Go on with what was left out, if nothing else is to be done; whether that goes on."""
        shadow = self.scope.shadow or (self.scope.watch and self.project.config.tests.shadow)
        if not shadow or self._cycle is not None or not self._read.is_set():
            return False
        if not self._shadow.running and self._shadow.begin(self._tests.assumed(())):
            self._tasks.start_soon(self._run_shadow)
        return self._shadow.running

    def _on_app_settled(self, message: AppSettled) -> None:
        if not self._apps.settled(message.name, message.outcome, message.number):
            return
        if self._cycle is not None:
            self._cycle.waiting.discard(f"app {message.name}")
        self._settle()

    async def _on_ask(self, ask: Ask) -> None:
        if ask.by == "control" and not isinstance(ask.action, Pause | Why | Quit):
            # A program may ask at once for what it has just written, before that was noticed.
            look = 0 if self._watcher is None else self._watcher.look_again()
            self._after_look.append((look, ask))
        else:
            await self._obey(ask)

    async def _obey_looked(self, look: int) -> None:
        """Do what was asked for before all files were looked at."""
        ready = [ask for number, ask in self._after_look if number <= look]
        self._after_look = [(n, ask) for n, ask in self._after_look if n > look]
        for ask in ready:
            await self._obey(ask)

    async def _obey(self, ask: Ask) -> None:
        answer = Answer()
        paused, failed_only = self._mode.paused, self._mode.focus.failed_only
        action = definite(ask.action, paused=paused, failed_only=failed_only)
        ask = msgspec.structs.replace(ask, action=action)
        try:
            match action:
                case Quit():
                    self._stopping = Stop(0)
                case Why(target):
                    self.emit(self._explaining.explain(target))
                case Debug(nodeid):
                    self._debug(nodeid)
                case _:
                    answer = self._carry_out(ask, await self._requests.take(action))
        except DevloopError as error:
            elsewhere = isinstance(error, NoTestsHere)
            answer = Answer(problem=error.message, hint=error.hint, elsewhere=elsewhere)
            if ask.by == "key":
                self.emit(Notice(message=error.message, severity="warning", hint=error.hint))
        if ask.answer is not None:
            ask.answer(answer)

    def _debug(self, nodeid: str | None) -> None:
        if nodeid is None:
            # While a run goes on, what it has shown counts already.
            ran = {} if self._cycle is None else self._cycle.tally.outcomes
            now = [one for one, outcome in ran.items() if outcome not in GOOD]
            nodeid = next(iter((*now, *self._tests.failing)), None)
        if nodeid is None:
            raise UsageError("no test fails that could be debugged")
        prepared = self._debugger.prepare(nodeid)
        if prepared is not None:
            self._tasks.start_soon(self._debugger.run, prepared)

    def _carry_out(self, ask: Ask, work: Work) -> Answer:
        """Begin what an action has made due, now or when what runs has ended."""
        if self.mode != self._mode:
            self._mode = self.mode
            self.emit(self._mode.as_event())
        held, self._held = self._held, []
        if work is not Work.NOTHING:
            self._asking = ask
            impact = {Work.TESTS: Impact.TOUCHES, Work.MORE: Impact.ADDS}.get(work, Impact.BESIDE)
            before = self.cycles
            self._act(*asked(self._busy, impact))
            return Answer(cycle=max(self.cycles, before + 1))
        if self._mode.paused:
            self._held = held
        elif held:
            self._act(*arrived(self._busy, max(held, key=list(Impact).index)))
        return Answer(cycle=self.cycles if self._cycle is not None else None)

    def _act(self, busy: Busy, command: Command) -> None:
        self._busy = busy
        match command:
            case Command.BEGIN:
                self._begin("change")
            case Command.FINISH_CURRENT:
                self._tests.finish_current()
            case Command.INTERRUPT:
                self._tests.interrupt()
            case Command.NOTHING:
                pass

    # A cycle

    def _begin(self, trigger: Trigger) -> None:
        if self._cycle is not None:
            self._finish("cancelled")
        self._shadow.give_way()
        self.cycles += 1
        taken, self._arrived = self._arrived, None
        ask = None
        if not (self._tests.running and self._busy.waiting):
            # Else it waits for the end of that run, and this cycle is beside it.
            ask, self._asking = self._asking, None
        self._busy = msgspec.structs.replace(self._busy, working=True)
        self._cycle = Cycle(
            self.cycles,
            taken.seen if taken else time.monotonic(),
            taken is None or taken.relevant or ask is not None,
            set(),
            [],
            Tally(),
        )
        if self._watcher is not None:
            self._watcher.cycle_started()
        changes = merged(taken.changes) if taken else ()
        asked_for = None if ask is None else described(ask.action)
        trigger = trigger if ask is None else ask.by
        self.emit(CycleStarted(trigger=trigger, changes=changes, asked=asked_for))
        if self.reporter.ticks:
            self._tasks.start_soon(self._tick, self._cycle)
        if self.cycles == self._first:
            self._steps.ask(self.scope.steps)
            self._apps.ask_all()
            # Nothing keeps these waiting, not even a project that has yet to be read.
            self._start_apps(self._apps.waits_for_nothing())
        self._cycle.waiting.update(f"app {name}" for name in self._apps.unsettled)
        if self._steps.running:
            # They go over to this cycle. Those that are due again are run again once they ended.
            self._cycle.waiting.add("steps")
            if self._steps.touched:
                self._steps.cancel()
        elif self._steps.due:
            self._start_steps()
        else:
            self._work()

    def _start_steps(self) -> None:
        assert self._cycle is not None
        self._cycle.waiting.add("steps")
        self._steps.begin()
        self._tasks.start_soon(self._run_steps)

    def _work(self) -> None:
        """The steps are done: select, plan, and let tests and apps run side by side."""
        assert self._cycle is not None
        project = self.project
        prepared = self.scope.prepare is None or self._read.is_set()
        complete = project.complete or not project.records.collected
        if self.scope.tests and not (prepared and complete):
            # Which tests are due is told by the graph; the apps do not wait for it.
            self._start_apps(self._plan(Due(())).apps)
            self._cycle.waiting.add("graph")
            # Nothing runs that new content could touch: what arrives begins the next cycle.
            self._busy = msgspec.structs.replace(self._busy, working=False)
            return
        plan = self._plan(self._due())
        begun = msgspec.structs.replace(plan, apps=(*self._cycle.begun, *plan.apps))
        self.emit(
            as_event(
                begun,
                self._steps.looked(),
                project.records,
                project.test_files,
                held=self._tests.held,
            )
        )
        self._tell_of_broken_sources()
        self._start_apps(plan.apps)
        if self._tests.running:
            # It goes over to this cycle; what is due beside it waits until it has ended.
            self._cycle.waiting.add("tests")
            if plan.tests:
                self._act(*arrived(self._busy, Impact.ADDS))
        elif plan.tests:
            self._start_tests(plan.tests)
        else:
            self._act(*ended(self._busy))
        self._settle()

    def _plan(self, due: Due) -> Plan:
        return make(
            self.project.config,
            due,
            tuple(self._apps.due.values()),
            failed_steps=self._steps.failed,
            broken=self._apps.broken(),
            running=self._apps.up,
        )

    def _due(self) -> Due:
        assert self._cycle is not None
        return (
            self._tests.due(first=self.cycles == self._first) if self._cycle.relevant else Due(())
        )

    def _start_tests(self, files: tuple[SelectedFile, ...]) -> None:
        assert self._cycle is not None
        self._cycle.waiting.add("tests")
        self._busy = msgspec.structs.replace(self._busy, working=True)
        self._tests.begin(files)
        self._tasks.start_soon(self._run_tests)

    def _start_apps(self, targets: Collection[SelectedTarget]) -> None:
        assert self._cycle is not None
        self._cycle.begun.extend(targets)
        self._cycle.waiting.update(f"app {target.name}" for target in targets)
        self._apps.restart(targets, self._cycle.seen)

    def _tell_of_broken_sources(self) -> None:
        for path in sorted(self._broken):
            problem = self.project.graph.files[path].problem
            if problem is not None:
                self.emit(
                    Diagnostic(
                        path=path,
                        line=problem.line,
                        column=problem.column,
                        message=problem.message,
                        source="python",
                    )
                )

    def _settle(self) -> None:
        """End the cycle if nothing is left that it waits for."""
        if self._cycle is not None and not self._cycle.waiting:
            # Who asks for a part, once, is told of that part; a session, of all that stands.
            bad = self._stands if self.scope.watch else bool(self._verdict)
            self._finish("failed" if bad else "passed")

    def _finish(self, outcome: CycleOutcome) -> None:
        assert self._cycle is not None
        took, tally = time.monotonic() - self._cycle.seen, self._cycle.tally
        restored = self._tests.restored(tally.outcomes)
        self.emit(
            CycleFinished(
                outcome=outcome,
                seconds=took,
                failing=len(self._tests.failing),
                due=tally.due(cancelled=outcome == "cancelled"),
                gone=self._tests.take_gone(),
                unrun=self._tests.unrun,
                verified=tally.verified,
                assumed=len({*self._tests.assumed(tally.outcomes), *restored}),
                restored=restored,
                flaky=tuple(sorted(tally.outcomes.keys() & self.project.verdicts.proofs.flaky)),
            )
        )
        self._cycle = None
        if self.scope.watch and self.project.config.tests.shadow and outcome != "cancelled":
            self._tasks.start_soon(self._wait_until_idle, self.cycles)
        self._tests.foresee()
        if self._watcher is not None:
            self._watcher.cycle_finished()

    @property
    def _verdict(self) -> int:
        """The exit code that what stands now would give."""
        return self._tests.code or int(bool(self._steps.failed or self._apps.failed))

    @property
    def _stands(self) -> bool:
        """Whether anything is known to be wrong with what there is now."""
        tests = self._tests
        broken = tests.broke_off or tests.failing or self._broken
        return bool(broken or self._steps.failed or self._apps.failed)

    # What goes on beside

    def _settled(self, name: str, outcome: Settled, number: int) -> None:
        self._send.send_nowait(AppSettled(name, outcome, number))

    async def _run_steps(self) -> None:
        self._drop_bytecode()
        await self._send.send(StepsDone(await self._steps.run()))

    async def _wait_until_idle(self, cycle: int) -> None:
        await anyio.sleep(IDLE)
        await self._send.send(Idle(cycle))

    async def _run_shadow(self) -> None:
        self._drop_bytecode()
        await self._send.send(await self._shadow.run())

    async def _run_tests(self) -> None:
        # What both use, a port or a database, is not shared by two runs.
        await self._shadow.ended()
        self._drop_bytecode()
        result = await self._tests.run()
        # The first tests did not wait for the project to be read; their verdicts do.
        await self._read.wait()
        moved = await anyio.to_thread.run_sync(self.project.indexer.moved)
        await self._send.send(RunDone(result, moved))

    async def _read_and_watch(self) -> None:
        def progress(done: int, total: int) -> None:
            if total >= WORTH_A_BAR:
                self.emit(Progress(task="reading the project", done=done, total=total))

        if not self.project.complete:
            await self.project.indexer.read(self._parsers, progress)
        if self.scope.prepare is not None:
            await self.scope.prepare(self.project, self._parsers)
        await self._send.send(Read())
        if self.scope.watch:
            async with watcher_of(
                self.project, self.scope.poll, self.emit, self._stirred
            ) as watcher:
                self._watcher = watcher
                if self._after_look:
                    watcher.look_again()
                if installs := self.project.toolchain.installed_unwatched():
                    await self._send.send(Changed(ChangeSet(installs, time.monotonic())))
                async for change_set in watcher:
                    await self._send.send(Changed(change_set))

    def _announce(self, call: Announcement) -> None:
        self.emit(call)
        if "desktop" in call.ways:
            self._tasks.start_soon(self._notify, call)

    async def _notify(self, call: Announcement) -> None:
        problem = await desktop.notify(self._guard, call.title, call.message)
        if problem is not None and problem not in self.advised:
            self.advised.add(problem)
            self.emit(Notice(message=f"no notification: {problem}", severity="warning"))

    async def _tick(self, cycle: Cycle) -> None:
        while self._cycle is cycle:
            try:
                self.reporter.tick(time.time())
            except ReaderGone:
                self._send.send_nowait(Stop(0))
            await anyio.sleep(TICK)

    # The configuration, and the end

    def _begins_anew(self, changes: Collection[Change]) -> bool:
        """Whether the configuration is another one now, so that the next loop takes over."""
        if self._configuration.is_another(changes):
            self.reload = True
            self._stopping = Stop(0)
        return self.reload

    async def _force_end(self) -> None:
        if self._owns:
            await self._guard.end(0.0)

    async def _wind_up(self) -> None:
        was_read = self._read.is_set()
        # A run that would wait for the project to be read waits no longer; nobody takes it up.
        self._read.set()
        with anyio.CancelScope(shield=True):
            self._debugger.stop()
            self._steps.cancel()
            self._tests.interrupt(STOP_RUN)
            self._shadow.give_way()
            await self._apps.stop()
            await self._shadow.ended()
            while self._tests.running or self._steps.running:
                match await self._receive.receive():
                    case RunDone() as message if was_read:
                        self._tests.done(message.result, message.moved)
                    case RunDone():
                        self._tests.forget()
                    case StepsDone() as message:
                        self._steps.done(message.finished)
        if self._cycle is not None:
            self._finish("cancelled")
