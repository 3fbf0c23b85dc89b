"""One app: started, watched, restarted, told of (what one process does is `life.py`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import anyio

from devloop.config.types import App, argv
from devloop.errors import CommandError, GuardianLost
from devloop.events import AppFailed, AppReady, AppStarted, Event, Notice
from devloop.execute import cold
from devloop.execute.app_spawn import AppSpawn
from devloop.execute.app_state import Crashed, Done, Serving, Starting, State, Stopped, Stopping
from devloop.execute.asked import Asked, Rest, Settled, Start
from devloop.execute.error_page import ErrorPage
from devloop.execute.failure import Failure
from devloop.execute.guard import Guard
from devloop.execute.held import Held
from devloop.execute.layers import Layers, Severity
from devloop.execute.life import Life, Watchers
from devloop.execute.staleness import Watch, unwatched
from devloop.execute.starts import Starts
from devloop.execute.succession import Succession
from devloop.execute.terminal import Size, Terminal, waits_for_a_line
from devloop.execute.warm import Memory, Warm
from devloop.execute.wiring import Wiring
from devloop.execute.zygote import FORKS
from devloop.graph.graph import Graph
from devloop.plan.backoff import Backoff, only_an_edit_mends
from devloop.plan.servers import is_server

OUTPUT_KEPT = 16_000
"""Characters of its last output that an `app-failed` carries at most."""

OWN_RELOADER = (
    "app {} has {}'s reloader turned on in its code: it is left out, devloop restarts the app"
)

LULL = 0.3
"""Seconds after a warm start in which nothing is done for the next one: the requests that have
waited for this one come first."""

SETTLING = 2.0
"""Seconds after which an app that is ready listens wherever it will, and has imported most."""

LONGER = (4.0, 8.0, 16.0, 32.0)
"""Seconds after which an app is asked again that imports what it imports still."""

ANSWERING = 0.2
"""Seconds in which forked children have told what they import; those who are late tell later."""


class AppSupervisor:
    """Keeps one app in the state that was asked for last.

    What is asked for meanwhile takes the place of what was asked for before. How a new process
    follows the old one is its table's `handover`: *stop-first* ends the old one and all that came
    of it before it starts the new one; *drain* asks the old one to stop and starts the new one
    at once, and there is never more than one such predecessor; *overlap* leaves the old one
    alone until the new one is ready.

    Args:
        name: in the configuration.
        app: its table there.
        guard: starts its processes.
        emit: called with each event, at once.
        root: the project's.
        interpreter: the path of the project's interpreter, where there is one.
        environ: what its environment is made from.
        terminal: give it a pseudo-terminal, of that size; None is pipes.
        dialogue: called with bytes for the real terminal while the app reads keys, and with None
            when it no longer does (see `terminal.Dialogue`).
        before_start: called just before a new process is started; with *stop-first* the old one
            has ended by then.
        exclude: modules and packages that are not held for warm starts.
        installed: says what is installed for the project, as a digest.
        memory: what is known of the app's starts from earlier sessions.
        graph: says what imports what in the project; without it nothing of the project is held.
        layers: modules of the project may be held.
        forks: its processes may be forked from one that holds what it imports.
        watch: keeps an eye on what is held for warm starts.
    """

    def __init__(
        self,
        name: str,
        app: App,
        *,
        guard: Guard,
        emit: Callable[[Event], None],
        root: Path,
        interpreter: str | None,
        environ: Mapping[str, str],
        terminal: Size | None = None,
        dialogue: Callable[[bytes | None], None] | None = None,
        before_start: Callable[[], None] | None = None,
        exclude: Sequence[str] = (),
        installed: Callable[[], str] = str,
        memory: Memory | None = None,
        graph: Callable[[], Graph] | None = None,
        layers: bool = True,
        forks: bool = FORKS,
        watch: Watch = unwatched,
    ) -> None:
        self.name = name
        self.state: State = Stopped()
        self.last_output = 0.0
        """When it printed last, or was started, on the monotonic clock."""

        self._app = app
        self._emit = emit
        self._spawn = AppSpawn(
            name,
            app,
            emit=emit,
            root=root,
            interpreter=interpreter,
            environ=environ,
            terminal=terminal is not None,
        )
        self._held = Held(str(root))
        self._page = ErrorPage(self._held, str(root), environ)
        self.warm: Warm | None = None
        """What its next start comes from; None where all are cold."""

        if app.start == "warm":
            layered = layers and app.preload
            self.warm = Warm(
                guard,
                root=str(root),
                exclude=exclude,
                terminal=terminal,
                installed=installed,
                memory=memory,
                layers=Layers(
                    str(root), graph, modules=layered, keep=app.keep, tell=self._say_of_start
                )
                if graph is not None and (layered or app.keep)
                else None,
                forks=forks,
                watch=watch,
            )
        self._memory = memory
        self._starts = Starts(guard, self._held, warm=self.warm, terminal=terminal)
        self._size = terminal
        self._before_start = before_start
        self._tell = Watchers(
            emit,
            self._heard,
            self._is_ready,
            self._is_late,
            self._has_ended,
            self._told,
            dialogue,
        )
        self._asked = Asked()
        self._backoff = Backoff()
        self._serves = is_server(argv(app.command))
        """It listens some day: it has done so before, or its command is a server's."""

        self._line = Succession(
            app.handover,
            self._held,
            stopping=self._waits_for,
            say=lambda text: emit(Notice(f"app {name}: {text}")),
        )
        self._changes: tuple[str, ...] = ()

    # What the loop asks

    async def run(self) -> None:
        """Do what is asked for, until cancelled; then the app is stopped."""
        try:
            async with self._page, anyio.create_task_group() as self._tasks:
                self._line.tasks = self._tasks
                if self.warm is not None:
                    self._tasks.start_soon(self.warm.run)
                while True:
                    wanted = await self._asked.next()
                    if isinstance(wanted, Start):
                        await self._line.make_room()
                        if not self._asked.waiting:
                            await self._begin(wanted)
                    else:
                        await self._end_all()
        finally:
            self._held.close()
            self.state = Stopped()
            self._asked.close()

    def restart(self, seen: float | None = None, changes: Sequence[str] = ()) -> None:
        """Ask for a fresh process; returns at once. What was asked for before is forgotten.

        Args:
            seen: when the change behind it was seen, on the monotonic clock; None is now.
            changes: the files that it is about, to be named where it cannot start.
        """
        self._backoff = Backoff()
        self._changes = tuple(changes)
        self._asked.ask(Start(time.monotonic() if seen is None else seen))

    async def stop(self) -> None:
        """Have it stopped, and wait for that."""
        self._asked.ask(Rest())
        await self.settled()

    async def kill(self) -> None:
        """End what runs of it at once, be it stopping already."""
        await self._line.kill()

    async def settled(self) -> Settled:
        """Wait until what was asked for last has come to something.

        Returns:
            What it is: ``ended`` is an app that ended by itself without an error.
        """
        return await self._asked.settled()

    async def look(self, *, at_once: bool) -> None:
        """A change may call for a start: see to what can be told by now.

        Args:
            at_once: in some milliseconds.
        """
        if at_once:
            await self._line.look()
            if self._before_start is not None:
                self._before_start()
            self._spawn.look()
        if self.warm is not None:
            await self.warm.look()

    def changed(self, paths: Sequence[str], byproducts: Collection[str] = ()) -> None:
        """Files of the project have changed; the graph knows of it already.

        Args:
            paths: relative to the root.
            byproducts: those of them that something writes as it runs.
        """
        if self.warm is not None and self.warm.layers is not None:
            self.warm.layers.changed(paths, byproducts)

    def resize(self, size: Size) -> None:
        """The window that it is shown in has another size.

        Args:
            size: rows and columns.
        """
        if self._size is not None:
            self._size = size
        for life in self._line.lives:
            if life.terminal is not None:
                life.terminal.resize(size)

    @property
    def told_imports(self) -> bool:
        """Whether the process that runs has told what it has imported."""
        return self._line.current is not None and bool(self._line.current.told)

    @property
    def terminal(self) -> Terminal | None:
        """Its pseudo-terminal, while it runs in one."""
        life = self._line.current or next(reversed(self._line.lives), None)
        return None if life is None else life.terminal

    @property
    def pid(self) -> int | None:
        """Of the process that runs."""
        return None if self._line.current is None else self._line.current.process.pid

    # From one process to the next

    def _waits_for(self, life: Life) -> None:
        self.state = Stopping(life.process)

    async def _end_all(self) -> None:
        if self._line.current is not None:
            self.state = Stopping(self._line.current.process)
        self._page.hide()
        await self._line.end()
        self._held.close()
        self.state = Stopped()
        self._asked.settle("stopped")

    async def _begin(self, start: Start) -> None:
        """Start a process."""
        began = time.monotonic()
        self._page.hide()
        with ExitStack() as cleanup:
            wiring = cleanup.enter_context(Wiring(self._size))
            if self._before_start is not None:
                self._before_start()
            try:
                self._held.bind(self._app.listen)
                self._held.starting()
                begun = await self._starts.begin(*self._spawn.make(wiring))
            except (CommandError, GuardianLost) as error:
                hint = "" if error.hint is None else f" ({error.hint})"
                self._fail(f"{error.message}{hint}", None)
                return
            wiring.started()
            cleanup.pop_all()
        life = Life(
            self.name,
            self._app,
            begun,
            wiring,
            seen=began if start.seen is None else start.seen,
            serves=self._serves,
            held=frozenset(os.fstat(sock.fileno()).st_ino for sock in self._held.sockets),
            given=self._held.addresses if begun.running is None else (),
            attended=self._held.attended,
            tell=self._tell,
        )
        self.last_output = life.began
        self.state = Starting(life.process)
        self._line.say_stopping()
        self._emit(AppStarted(self.name, life.process.pid, start=begun.start, reason=begun.reason))
        self._line.add(life)

    # What its processes come to

    def _heard(self, life: Life) -> None:
        if life is self._line.current:
            self.last_output = time.monotonic()

    def _is_ready(self, life: Life) -> None:
        self._serves |= life.address is not None
        if life is not self._line.current:
            return
        self.state = Serving(life.process)
        seconds = time.monotonic() - life.seen
        self._emit(
            AppReady(self.name, life.process.pid, seconds, life.address, start=life.begun.start)
        )
        self._line.take_over()
        self._tasks.start_soon(self._let_settle, life)
        self._asked.settle("ready")

    async def _let_settle(self, life: Life) -> None:
        """It is ready: what it has not taken over by and by was its predecessor's alone."""
        if life.begun.start != "cold":
            await anyio.sleep(LULL)
            if life is not self._line.current:
                return
            if self.warm is not None:
                await self.warm.see(life.process.pid)
        self._rest()
        await self._ask_for_imports(life)
        await anyio.sleep(SETTLING)
        if life is self._line.current and life.begun.running is not None:
            self._held.settle()
            others = self._held.others_of(life.process.pid, life.loose)
            if self.warm is not None:
                self.warm.listens(others)
            elif self._memory is not None:
                await cold.listens(self._memory, argv(self._app.command), others)
            await self._ask_for_imports(life)
        for pause in LONGER:
            if life is not self._line.current or life.is_known or not life.told:
                return
            await anyio.sleep(pause)
            await self._ask_for_imports(life)

    async def _ask_for_imports(self, life: Life) -> None:
        if self.warm is not None and life.begun.running is not None:
            with suppress(GuardianLost):
                # Only what has workers that serve is asked for theirs: a signal wakes them.
                await life.begun.running.order({"m": "report"}, group=bool(self._held))
            await anyio.sleep(ANSWERING)
            life.hear_its_children()

    def _told(self, life: Life, message: Mapping[str, Any], fds: list[int]) -> None:
        kind = message["m"]
        if kind in ("loaded", "news") and self.warm is not None:
            self._learn(life, message)
        elif kind == "called" and self.warm is not None:
            self.warm.called(message)
        elif kind == "reloader":
            self._spawn.note(OWN_RELOADER.format(self.name, message["name"]))
        elif (life is self._line.current or kind == "unlinked") and self._held.take(message, fds):
            return
        for fd in fds:
            os.close(fd)

    def _learn(self, life: Life, message: Mapping[str, Any]) -> None:
        """Take in what a process has imported; one that was misled is started once more."""
        assert self.warm is not None
        start: dict[str, bool] = {
            "warm": life.begun.start != "cold",
            "layered": life.begun.layered,
        }
        if message["m"] == "news":
            misled = self.warm.hear(message, **start)
        else:
            whole = not message["importing"] or self._runs_within_an_import(life, message)
            first, life.is_known = whole and not life.is_known, whole or life.is_known
            life.told.append(len(message["modules"]))
            misled = self.warm.report(message, first=first, whole=whole, **start)
        if misled and life is self._line.current and not life.asked:
            self.restart(changes=self._changes)

    def _runs_within_an_import(self, life: Life, message: Mapping[str, Any]) -> bool:
        """Whether an import that does not end is what the app does."""
        # What does not listen by then may compute for long at an import.
        enough = 1 if life.address is not None else 2
        return len(life.told) >= enough and life.told[-1] == len(message["modules"])

    def _is_late(self, life: Life) -> None:
        limit = self._app.ready_timeout
        message = f"it is not ready after {limit}; it is left running"
        self._emit(AppFailed(self.name, message, life.tail.text[-OUTPUT_KEPT:]))
        self._rest()
        self._asked.settle("failed")

    def _has_ended(self, life: Life) -> None:
        if life.gone.is_set():
            self._line.drop(life)
        elif life is self._line.serving:
            self._line.serving = None
        elif life is self._line.current:
            self._line.current = None
            self._mourn(life)

    def _mourn(self, life: Life) -> None:
        """Say what the end of the current process means, and act upon it."""
        how = life.how
        if how is None:
            self._fail("the guardian, which owns every process, died", life)
        elif life.asked:
            # We are cancelled.
            self.state = Stopped()
        elif how.code == 0 and (life.is_ready or not self._should_serve):
            self.state = Done()
            # Nobody will answer.
            self._held.close()
            self._rest()
            self._asked.settle("ended")
        else:
            lived = time.monotonic() - life.began
            self._backoff = self._backoff.crashed(lived)
            hopeless = only_an_edit_mends(life.tail.text)
            # One that has workers listens, which counts as ready, before these begin.
            early = not life.is_ready or lived < SETTLING
            if early and not hopeless and self._line.was_hindered(life):
                self._waits_for(life)
                if not self._asked.waiting:
                    self._asked.ask(Start(life.seen))
                return
            verb = "ended with" if how.signal is None else "was ended by"
            when = "" if life.is_ready else " before it was ready"
            retry_in = None if hopeless else self._backoff.delay
            self._fail(f"it {verb} {how}{when}", life, retry_in)

    @property
    def _should_serve(self) -> bool:
        """Whether an end in peace, before it is ready, is none: those before it have listened."""
        return self._app.ready is not None or bool(self._held)

    def _say_of_start(self, text: str, severity: Severity) -> None:
        self._emit(Notice(f"app {self.name}: {text}", severity=severity))

    def _rest(self) -> None:
        """Nothing is being started: there is time for other work."""
        if self.warm is not None:
            self.warm.settled()

    def _fail(self, message: str, life: Life | None, retry_in: float | None = None) -> None:
        self.state = Crashed(retry_in)
        self._rest()
        if (before := self._line.fall_back()) is not None:
            self.state = Serving(before.process)
            message = f"{message}; the process from before the change keeps serving"
        else:
            self._page.show(self._failure(message, life))
        if retry_in is not None:
            self._asked.retry_in(retry_in)
        output = "" if life is None else life.tail.text[-OUTPUT_KEPT:]
        self._emit(AppFailed(self.name, message, output, retry_in))
        self._asked.settle("failed")

    def _failure(self, message: str, life: Life | None) -> Failure:
        if life is not None and life.failure is not None:
            return Failure.told(self.name, life.failure, self._changes)
        output = "" if life is None else life.tail.text[-OUTPUT_KEPT:]
        return Failure(self.name, message, output, changes=self._changes)


def typed_to(apps: Iterable[AppSupervisor]) -> Terminal | None:
    """Whose is what a person types.

    Args:
        apps: all there are.

    Returns:
        The terminal of the app that reads keys, or else of the one that printed last.
    """
    running = [(app.terminal, app.last_output) for app in apps if app.terminal is not None]
    return max(running, key=lambda one: (one[0].raw, one[1]), default=(None, 0.0))[0]


def reading(apps: Iterable[AppSupervisor]) -> Terminal | None:
    """Who wants what a person types.

    Args:
        apps: all there are.

    Returns:
        The terminal of the app that reads keys, or waits for a line; None where there is none.
    """
    for app in apps:
        terminal = app.terminal
        if terminal is not None and (terminal.raw or (app.pid and waits_for_a_line(app.pid))):
            return terminal
    return None
