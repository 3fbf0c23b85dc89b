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

from devloop.config.load import Loaded
from devloop.errors import DevloopError, NoTestsHere, UsageError
from devloop.events import (
    Announcement,
    Change,
    Notice,
    Progress,
)
from devloop.execute import desktop
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
)
from devloop.loop.apps import Apps
from devloop.loop.background import Background
from devloop.loop.configuration import Configuration
from devloop.loop.cycles import Cycles
from devloop.loop.debugger import Debugger
from devloop.loop.emitter import Emitter
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
from devloop.loop.project import Project
from devloop.loop.requests import Mode, Requests
from devloop.loop.scope import Scope
from devloop.loop.shadow import Shadow
from devloop.loop.steps import Steps
from devloop.loop.tests import Tests
from devloop.loop.watching import watcher_of
from devloop.report.reporter import Reporter
from devloop.select.records import GOOD
from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher

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
        self.advised = set() if advised is None else advised
        self.reload = False
        """The configuration is another one: the next loop of the session takes it up."""

        self._before = cycles
        self._environment = for_project(os.environ, project.interpreter.path)
        self._stopping: Stop | None = None
        self._watcher: Watcher | None = None
        self._after_look: list[tuple[int, Ask]] = []
        self._owns = False
        self._began_with = Mode() if mode is None else mode
        self._emitter = Emitter(
            project, reporter, self._reader_gone, self._call if scope.watch else None
        )
        self.emit = self._emitter.emit
        """Lets everybody hear of an event."""
        self._configuration = Configuration(project, self.emit)
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
                before_start=project.indexer.edited.drop,
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
                self._began_with.focus,
            )
            self._shadow = Shadow(project, self._tests.shadow_run, self.emit, sliced=scope.watch)
            self._background = Background(
                project,
                self._tasks,
                self._send.send,
                self._emitter,
                self._steps,
                self._tests,
                self._shadow,
            )
            self._cycles = Cycles(
                project,
                scope,
                self._emitter,
                self._parsers,
                self._steps,
                self._apps,
                self._tests,
                self._shadow,
                self._background,
                number=self._before,
                mode=self._began_with,
            )
            self._requests = Requests(
                project,
                self._parsers,
                self._tests if scope.tests else None,
                self._apps,
                self._steps,
                self._began_with,
            )
            self._tasks.start_soon(self._tests.keep_warm)
            self._tasks.start_soon(ending.heed_guardian, self._guard)
            if scope.watch and not self.reporter.ticks:
                self._tasks.start_soon(ending.heed_reader, self._send.send)
            if not scope.postpone:
                self._cycles.begin("start")
            self._tasks.start_soon(self._read_and_watch)
            while self._stopping is None:
                if not scope.watch and self._cycles.over():
                    self._stopping = Stop(self._cycles.verdict)
                else:
                    await self._dispatch(await self._receive.receive())
            await self._wind_up()
            self._tasks.cancel_scope.cancel()
        return self._stopping.code

    @property
    def cycles(self) -> int:
        """How many cycles there have been in this session."""
        return self._cycles.number

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

    def next_configuration(self) -> Loaded:
        """What the next loop of the session has in force."""
        return self._configuration.latest()

    def unheard(self) -> list[Ask]:
        """What was asked for and not come to, once it has ended."""
        found = [ask for _, ask in self._after_look]
        with suppress(anyio.WouldBlock):
            while True:
                message = self._receive.receive_nowait()
                if isinstance(message, Ask):
                    found.append(message)
        return found

    # What happens

    async def _dispatch(self, message: Message) -> None:
        match message:
            case Changed():
                await self._on_changed(message)
            case Read():
                await self._on_read()
            case StepsDone():
                await self._cycles.steps_done(message)
            case RunDone():
                self._cycles.run_done(message)
                self._take_observed()
            case ShadowDone():
                self._cycles.shadow_done(message)
                self._take_observed()
            case Idle():
                self._cycles.idle(message)
            case AppSettled():
                self._cycles.app_settled(message)
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
        self.project.indexer.edited.add(change.path for change in changes)
        if not self._cycles.are_byproducts(changes):
            self._shadow.give_way()
        self.project.codebase.muted = self._watcher.muted
        applied = await self.project.indexer.apply(changes, self._watcher.known, self._parsers)
        if applied.problem is not None:
            self._configuration.tell(applied.problem, "what was read before stays in force")
        self._watch_what_matters()
        self._cycles.heed(changes, message.change_set.seen, applied)
        await anyio.lowlevel.checkpoint()  # an app starts first, and sees to that itself
        self.project.indexer.edited.drop()

    def _take_observed(self) -> None:
        """What a run has looked at is watched from now on; what was written meanwhile counts."""
        fresh, unseen = self.project.take_observed()
        if fresh:
            self._watch_what_matters()
        if unseen and self.scope.watch:
            applied = self.project.indexer.as_applied(unseen)
            self._cycles.heed(unseen, time.monotonic(), applied)

    def _watch_what_matters(self) -> None:
        """A change or a run may have shown that something matters which is ignored."""
        if self._watcher is not None:
            extra, known = self.project.watched_although_ignored(), self.project.codebase.known
            self._watcher.update(extra=extra, known=known)

    def _stirred(self, whole: Collection[str]) -> None:
        """Sources seem to have changed: in some milliseconds tests and apps may be due."""
        if whole:
            self.project.indexer.edited.add(whole)
            self._tasks.start_soon(self.project.indexer.foresee, whole, self._parsers)
        # After that, whose work is another process's.
        self._tasks.start_soon(self._apps.stirred, whole)
        self._tasks.start_soon(self._tests.stirred)

    async def _on_read(self) -> None:
        self.project.tidy()
        await self._cycles.take_in_outputs()
        self._tests.planned_on_what_was_read()
        self._background.read.set()
        late = self.project.indexer.saved_before_reading() if self.scope.watch else ()
        if late and self._begins_anew(late):
            return
        cycle = self._cycles.current
        if late:
            # Apps and first tests did not wait, so they may have begun on what was there before.
            applied = self.project.indexer.as_applied(late)
            self.project.indexer.edited.add(applied.touched)
            self.project.indexer.edited.drop()
            self._cycles.heed(late, time.monotonic(), applied)
        self._cycles.graph_read(cycle)

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
        paused, failed_only = self._cycles.mode.paused, self._cycles.mode.focus.failed_only
        action = definite(ask.action, paused=paused, failed_only=failed_only)
        ask = msgspec.structs.replace(ask, action=action)
        try:
            match action:
                case Quit():
                    self._stopping = Stop(0)
                case Why(target):
                    self.emit(self._emitter.explaining.explain(target))
                case Debug(nodeid):
                    self._debug(nodeid)
                case _:
                    work = await self._requests.take(action)
                    answer = self._cycles.carry_out(ask, work, self.mode)
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
            cycle = self._cycles.current
            ran = {} if cycle is None else cycle.tally.outcomes
            now = [one for one, outcome in ran.items() if outcome not in GOOD]
            nodeid = next(iter((*now, *self._tests.failing)), None)
        if nodeid is None:
            raise UsageError("no test fails that could be debugged")
        prepared = self._debugger.prepare(nodeid)
        if prepared is not None:
            self._tasks.start_soon(self._debugger.run, prepared)

    # What goes on beside

    def _settled(self, name: str, outcome: Settled, number: int) -> None:
        self._send.send_nowait(AppSettled(name, outcome, number))

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
                self._watcher = self._cycles.watcher = watcher
                if self._after_look:
                    watcher.look_again()
                if installs := self.project.toolchain.installed_unwatched():
                    await self._send.send(Changed(ChangeSet(installs, time.monotonic())))
                async for change_set in watcher:
                    await self._send.send(Changed(change_set))

    def _call(self, call: Announcement) -> None:
        self._tasks.start_soon(self._notify, call)

    async def _notify(self, call: Announcement) -> None:
        problem = await desktop.notify(self._guard, call.title, call.message)
        if problem is not None and problem not in self.advised:
            self.advised.add(problem)
            self.emit(Notice(message=f"no notification: {problem}", severity="warning"))

    def _reader_gone(self) -> None:
        self._send.send_nowait(Stop(0))

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
        was_read = self._background.read.is_set()
        # A run that would wait for the project to be read waits no longer; nobody takes it up.
        self._background.read.set()
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
        if self._cycles.current is not None:
            self._cycles.finish("cancelled")
