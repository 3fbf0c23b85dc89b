"""The course of a cycle: what begins it, what it makes run, what it waits for, what ends it."""

from __future__ import annotations

import time
from collections.abc import Collection

import anyio.to_thread
import msgspec

from devloop.events import Change, CycleFinished, CycleOutcome, CycleStarted, Diagnostic, Trigger
from devloop.execute.parsing import Parsers
from devloop.loop import collector
from devloop.loop.actions import Answer, Ask, described
from devloop.loop.apps import Apps
from devloop.loop.background import Background
from devloop.loop.cycle import Arrived, Cycle
from devloop.loop.emitter import Emitter
from devloop.loop.messages import AppSettled, Idle, RunDone, ShadowDone, StepsDone
from devloop.loop.project import Applied, Project
from devloop.loop.requests import Mode, Work
from devloop.loop.scope import Scope
from devloop.loop.shadow import Shadow
from devloop.loop.steps import Steps
from devloop.loop.tally import Tally
from devloop.loop.tests import Tests
from devloop.plan.busy import Busy, Command, Impact, arrived, asked, ended
from devloop.plan.changes import merged
from devloop.plan.plan import Plan, as_event, make
from devloop.select.apps import broken
from devloop.select.category import Category
from devloop.select.selection import SelectedFile, SelectedTarget
from devloop.select.tests import Due
from devloop.watch.watcher import Watcher

SWEEP_EVERY = 25
"""Cycles after which what Python and SQLite keep at hand is given back; each leaves a kilobyte."""


class Cycles:
    """Begins, carries on and ends cycles, one after the other.

    Args:
        project: what is worked on.
        scope: what of the loop is wanted.
        emitter: hears of everything.
        parsers: read what steps have made.
        steps: of the loop.
        apps: of the loop.
        tests: of the loop.
        shadow: of the loop.
        background: runs them.
        number: how many cycles there have been before, in this session.
        mode: how the loop works until it is told otherwise.
    """

    def __init__(
        self,
        project: Project,
        scope: Scope,
        emitter: Emitter,
        parsers: Parsers,
        steps: Steps,
        apps: Apps,
        tests: Tests,
        shadow: Shadow,
        background: Background,
        *,
        number: int,
        mode: Mode,
    ) -> None:
        self.number = number
        """How many there have been, in this session."""
        self.mode = mode
        """How the loop works, as far as that was told."""
        self.watcher: Watcher | None = None
        """Is told of each, as soon as it watches."""

        self._project = project
        self._scope = scope
        self._emitter = emitter
        self._parsers = parsers
        self._steps = steps
        self._apps = apps
        self._tests = tests
        self._shadow = shadow
        self._background = background
        self._first = number + 1
        self._arrived: Arrived | None = None
        self._busy = Busy(project.config.watch.on_busy)
        self._broken: frozenset[str] = frozenset()
        self._made: set[str] = set()
        self._asking: Ask | None = None
        self._held: list[Impact] = []

    @property
    def current(self) -> Cycle | None:
        """The one that goes on."""
        return self._emitter.cycle

    def heed(self, changes: Collection[Change], seen: float, applied: Applied) -> None:
        """Make due what new content affects, and see what it means for the work in progress.

        Args:
            changes: what has changed.
            seen: when the first of them was seen, by the monotonic clock.
            applied: what that means for the project.
        """
        self._broken = frozenset(broken(self._project.graph, self._broken | applied.touched))
        self._steps.note(applied.touched)
        apps = self._apps.note(applied)
        if applied.installed:
            apps |= self._apps.note_installed()
        if not (applied.changed or apps or self._steps.due) and self.are_byproducts(changes):
            return
        if self._arrived is None:
            self._arrived = Arrived()
        self._arrived.changes.extend(changes)
        self._arrived.relevant |= bool(applied.changed)
        impact = self._tests.impact(applied.changed)
        if impact is Impact.NOTHING and (apps or self._steps.due or not self._busy.working):
            impact = Impact.BESIDE
        if impact is not Impact.NOTHING and self._arrived.seen is None:
            self._arrived.seen = seen
        if self.mode.paused:
            self._held.append(impact)
            self._emitter.emit(self.mode.as_event(len(merged(self._arrived.changes))))
        else:
            self._act(*arrived(self._busy, impact))

    def are_byproducts(self, changes: Collection[Change]) -> bool:
        """Whether nobody but programs that run cares: a log is no reason for a cycle.

        Args:
            changes: any.
        """
        return all(
            self._project.categorise(change.path) is Category.BYPRODUCT for change in changes
        )

    async def steps_done(self, message: StepsDone) -> None:
        """Take in what the steps have made, and go on with tests and apps."""
        built = self._steps.done(message.finished)
        steps = self._project.config.steps
        self._made.update(output for name in built for output in steps[name].outputs)
        if self._background.read.is_set():
            await self.take_in_outputs()
        self._apps.note_built(built)
        if self.current is None:
            return
        self.current.waiting.discard("steps")
        if self._busy.waiting and not self._tests.running:
            self._act(*ended(self._busy))
        elif self._steps.due:
            self._start_steps()
        else:
            self._work()

    async def take_in_outputs(self) -> None:
        """What the steps have made reaches graph and apps now that they are done."""
        made, self._made = self._made, set()
        if made:
            changes, known = await anyio.to_thread.run_sync(self._project.indexer.look, made)
            self._apps.note(await self._project.indexer.apply(changes, known, self._parsers))

    def graph_read(self, cycle: Cycle | None) -> None:
        """Select, if that is what the cycle waits for.

        Args:
            cycle: the one that went on when the whole project had been read.
        """
        if cycle is not None and cycle is self.current and "graph" in cycle.waiting:
            cycle.waiting.discard("graph")
            self._work()

    def run_done(self, message: RunDone) -> None:
        """Take in what the test run has shown, and begin what has waited for its end."""
        self._tests.done(message.result, message.moved)
        if self.current is not None:
            self.current.waiting.discard("tests")
        if not self._steps.running:
            self._act(*ended(self._busy))
        self._settle()

    def shadow_done(self, message: ShadowDone) -> None:
        """Take in what the shadow run has shown; a test that was wrongly left out runs."""
        failed = self._shadow.done(message)
        if self.current is None and failed:
            self.begin("shadow")
        elif self._scope.watch:
            self.idle(Idle(self.number))

    def idle(self, message: Idle) -> None:
        """Begin a shadow run, if there is still nothing else to do."""
        if message.cycle == self.number and not self.mode.paused and self._arrived is None:
            self._is_shadowing()

    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.current is None and not self._is_shadowing()

    def _is_shadowing(self) -> bool:
        """Go on with what was left out, if nothing else is to be done; whether that goes on."""
        shadow = self._scope.shadow or (self._scope.watch and self._project.config.tests.shadow)
        if not shadow or self.current is not None or not self._background.read.is_set():
            return False
        if not self._shadow.running and self._shadow.begin(self._tests.assumed(())):
            self._background.run_shadow()
        return self._shadow.running

    def app_settled(self, message: AppSettled) -> None:
        """Wait no longer for an app that is up, or has failed."""
        if not self._apps.settled(message.name, message.outcome, message.number):
            return
        if self.current is not None:
            self.current.waiting.discard(f"app {message.name}")
        self._settle()

    def carry_out(self, ask: Ask, work: Work, mode: Mode) -> Answer:
        """Begin what an action has made due, now or when what runs has ended.

        Args:
            ask: the action, and who asks.
            work: what it has made due.
            mode: how the loop works from now on.
        """
        if self.mode != mode:
            self.mode = mode
            self._emitter.emit(mode.as_event())
        held, self._held = self._held, []
        if held and self._arrived is not None:
            # That they had to wait was wanted.
            self._arrived.seen = time.monotonic()
        if work is not Work.NOTHING:
            self._asking = ask
            impact = {Work.TESTS: Impact.TOUCHES, Work.MORE: Impact.ADDS}.get(work, Impact.BESIDE)
            before = self.number
            self._act(*asked(self._busy, impact))
            return Answer(cycle=max(self.number, before + 1))
        if self.mode.paused:
            self._held = held
        elif held:
            self._act(*arrived(self._busy, max(held, key=list(Impact).index)))
        return Answer(cycle=self.number if self.current is not None else None)

    def _act(self, busy: Busy, command: Command) -> None:
        self._busy = busy
        match command:
            case Command.BEGIN:
                self.begin("change")
            case Command.FINISH_CURRENT:
                self._tests.finish_current()
            case Command.INTERRUPT:
                self._tests.interrupt()
            case Command.NOTHING:
                pass

    def begin(self, trigger: Trigger) -> None:
        """Begin a cycle; the one that goes on is cancelled.

        Args:
            trigger: what sets it off, where nobody has asked for it.
        """
        going_on = None
        if self.current is not None:
            going_on = self.current.tally.run if self._tests.running else None
            self.finish("cancelled")
        self._shadow.give_way()
        self.number += 1
        taken, self._arrived = self._arrived, None
        ask = None
        if not (self._tests.running and self._busy.waiting):
            # Else it waits for the end of that run, and this cycle is beside it.
            ask, self._asking = self._asking, None
        self._busy = msgspec.structs.replace(self._busy, working=True)
        cycle = self._emitter.cycle = Cycle(
            self.number,
            (taken and taken.seen) or time.monotonic(),
            taken is None or taken.relevant or ask is not None,
            set(),
            [],
            Tally(going_on),
        )
        if self.watcher is not None:
            self.watcher.cycle_started()
        changes = merged(taken.changes) if taken else ()
        asked_for = None if ask is None else described(ask.action)
        trigger = trigger if ask is None else ask.by
        self._emitter.emit(CycleStarted(trigger=trigger, changes=changes, asked=asked_for))
        self._background.tick(cycle)
        if self.number == self._first:
            self._steps.ask(self._scope.steps)
            self._apps.ask_all()
            # Nothing keeps these waiting, not even a project that has yet to be read.
            self._start_apps(self._apps.waits_for_nothing())
        cycle.waiting.update(f"app {name}" for name in self._apps.unsettled)
        if self._steps.running:
            # They go over to this cycle. Those that are due again are run again once they ended.
            cycle.waiting.add("steps")
            if self._steps.touched:
                self._steps.cancel()
        elif self._steps.due:
            self._start_steps()
        else:
            self._work()

    def _start_steps(self) -> None:
        assert self.current is not None
        self.current.waiting.add("steps")
        self._steps.begin()
        self._background.run_steps()

    def _work(self) -> None:
        """The steps are done: select, plan, and let tests and apps run side by side."""
        assert self.current is not None
        project = self._project
        prepared = self._scope.prepare is None or self._background.read.is_set()
        complete = project.complete or not project.records.collected
        if self._scope.tests and not (prepared and complete):
            # Which tests are due is told by the graph; the apps do not wait for it.
            self._start_apps(self._plan(Due(())).apps)
            self.current.waiting.add("graph")
            # Nothing runs that new content could touch: what arrives begins the next cycle.
            self._busy = msgspec.structs.replace(self._busy, working=False)
            return
        plan = self._plan(self._due())
        begun = msgspec.structs.replace(plan, apps=(*self.current.begun, *plan.apps))
        self._emitter.emit(
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
            self.current.waiting.add("tests")
            if plan.tests:
                self._act(*arrived(self._busy, Impact.ADDS))
        elif plan.tests:
            self._start_tests(plan.tests)
        else:
            self._act(*ended(self._busy))
        self._settle()

    def _plan(self, due: Due) -> Plan:
        return make(
            self._project.config,
            due,
            tuple(self._apps.due.values()),
            failed_steps=self._steps.failed,
            broken=self._apps.broken(),
            running=self._apps.up,
        )

    def _due(self) -> Due:
        assert self.current is not None
        return (
            self._tests.due(first=self.number == self._first) if self.current.relevant else Due(())
        )

    def _start_tests(self, files: tuple[SelectedFile, ...]) -> None:
        assert self.current is not None
        self.current.waiting.add("tests")
        self._busy = msgspec.structs.replace(self._busy, working=True)
        self._tests.begin(files)
        self._background.run_tests()

    def _start_apps(self, targets: Collection[SelectedTarget]) -> None:
        assert self.current is not None
        self.current.begun.extend(targets)
        self.current.waiting.update(f"app {target.name}" for target in targets)
        self._apps.restart(targets, self.current.seen)

    def _tell_of_broken_sources(self) -> None:
        for path in sorted(self._broken):
            problem = self._project.graph.files[path].problem
            if problem is not None:
                self._emitter.emit(
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
        if self.current is not None and not self.current.waiting:
            # Who asks for a part, once, is told of that part; a session, of all that stands.
            bad = self._stands if self._scope.watch else bool(self.verdict)
            self.finish("failed" if bad else "passed")

    def finish(self, outcome: CycleOutcome) -> None:
        """End the cycle that goes on.

        Args:
            outcome: what has come of it.
        """
        assert self.current is not None
        took, tally = time.monotonic() - self.current.seen, self.current.tally
        restored = self._tests.restored(tally.outcomes)
        assumed = {*self._tests.assumed(tally.outcomes), *restored}
        self._emitter.emit(
            CycleFinished(
                outcome=outcome,
                seconds=took,
                failing=len(self._tests.failing),
                hindered=len(self._tests.hindered),
                due=tally.due(assumed, cancelled=outcome == "cancelled"),
                gone=self._tests.take_gone(),
                unrun=self._tests.unrun,
                verified=tally.verified,
                assumed=len(assumed),
                restored=restored,
                flaky=tuple(sorted(tally.outcomes.keys() & self._project.verdicts.proofs.flaky)),
            )
        )
        self._emitter.cycle = None
        if self._scope.watch and self._project.config.tests.shadow and outcome != "cancelled":
            self._background.tell_when_idle(self.number)
        self._tests.foresee()
        if outcome != "cancelled":  # else the next cycle waits, and will come to its end
            self._project.store.catch_up()
        if self.watcher is not None:
            self.watcher.cycle_finished()
        if self.number % SWEEP_EVERY == 0:
            collector.sweep()
            self._project.store.shrink()

    @property
    def verdict(self) -> int:
        """The exit code that what stands now would give."""
        return self._tests.code or int(bool(self._steps.failed or self._apps.failed))

    @property
    def _stands(self) -> bool:
        """Whether anything is known to be wrong with what there is now."""
        tests = self._tests
        broken = tests.broke_off or tests.failing or tests.hindered or self._broken
        return bool(broken or self._steps.failed or self._apps.failed)
