"""One app: started, watched, restarted, told of."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from devloop.config.types import App, argv, seconds
from devloop.errors import CommandError, GuardianLost
from devloop.events import (
    AppExited,
    AppFailed,
    AppReady,
    AppStarted,
    AppStopping,
    Event,
    Notice,
    Output,
)
from devloop.execute.environment import for_project, read_file
from devloop.execute.guard import Ended, Guard, Process, Spawn
from devloop.execute.readiness import until_ready
from devloop.execute.streams import Reader, Tail, plain
from devloop.execute.terminal import Dialogue, Size, Terminal
from devloop.execute.wiring import Wiring
from devloop.plan.backoff import Backoff, only_an_edit_mends
from devloop.plan.reloader import Tamed, tame
from devloop.plan.servers import is_server

OUTPUT_KEPT = 16_000
"""Characters of its last output that an `app-failed` carries at most."""

Settled: TypeAlias = Literal["ready", "failed", "ended", "stopped"]


@dataclass(frozen=True)
class Stopped:
    """Nothing runs, and nothing will until somebody asks for it."""


@dataclass(frozen=True)
class Starting:
    """Its process runs and has not shown that it is ready."""

    process: Process


@dataclass(frozen=True)
class Serving:
    """Its process is ready."""

    process: Process


@dataclass(frozen=True)
class Stopping:
    """Its process was asked to stop."""

    process: Process


@dataclass(frozen=True)
class Crashed:
    """It ended with an error, or could not be started.

    Args:
        retry_in: seconds from its end to the next try; None where only a change brings one.
    """

    retry_in: float | None


@dataclass(frozen=True)
class Done:
    """It ended by itself, without an error; a change starts it again."""


State: TypeAlias = "Stopped | Starting | Serving | Stopping | Crashed | Done"


@dataclass(frozen=True)
class _Start:
    """A start that is wanted.

    Args:
        seen: when the change that wants it was seen, on the monotonic clock.
    """

    seen: float | None


@dataclass(frozen=True)
class _Rest:
    """No start is wanted."""


class AppSupervisor:
    """Keeps one app in the state that was asked for last.

    At any time at most one process of the app exists: a restart ends the old one and all that
    came of it before it starts the new one, and what is asked for meanwhile takes the place of
    what was asked for before.

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
        before_start: called when the old process has ended, just before the new one is started.
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
    ) -> None:
        self.name = name
        self.state: State = Stopped()
        self.last_output = 0.0
        """When it printed last, or was started, on the monotonic clock."""

        self._app = app
        self._guard = guard
        self._emit = emit
        self._root = root
        self._interpreter = interpreter
        self._environ = environ
        self._size = terminal
        self._dialogue = dialogue
        self._before_start = before_start
        self._stop_signal = signal.Signals[app.stop_signal]
        self._stop_timeout = seconds(app.stop_timeout)
        self._log = re.compile(app.ready.log) if app.ready and app.ready.log else None
        self._wanted: _Start | _Rest | None = None
        self._asked = anyio.Event()
        self._settled = anyio.Event()
        self._outcome: Settled = "stopped"
        self._backoff = Backoff()
        self._tail = Tail()
        self._terminal: Terminal | None = None
        self._said: str | None = None
        self._serves = is_server(argv(app.command))
        """It listens some day: it has done so before, or its command is a server's."""

    # What the loop asks

    async def run(self) -> None:
        """Do what is asked for, until cancelled; then the app is stopped."""
        try:
            while True:
                wanted = await self._next()
                if isinstance(wanted, _Start):
                    await self._live(wanted)
                else:
                    self.state = Stopped()
                    self._settle("stopped")
        finally:
            # Nothing more will come of what is asked for: nobody shall wait for it.
            self._outcome = "stopped"
            self._settled.set()

    def restart(self, seen: float | None = None) -> None:
        """Ask for a fresh process; returns at once. What was asked for before is forgotten.

        Args:
            seen: when the change behind it was seen, on the monotonic clock; None is now.
        """
        self._backoff = Backoff()
        self._ask(_Start(time.monotonic() if seen is None else seen))

    async def stop(self) -> None:
        """Have it stopped, and wait for that."""
        self._ask(_Rest())
        await self.settled()

    async def kill(self) -> None:
        """End what runs of it at once, be it stopping already."""
        if isinstance(self.state, Starting | Serving | Stopping):
            with suppress(GuardianLost):
                await self.state.process.stop(signal.SIGKILL, 0.0)

    async def settled(self) -> Settled:
        """Wait until what was asked for last has come to something.

        Returns:
            What it is: ``ended`` is an app that ended by itself without an error.
        """
        while not self._settled.is_set():
            await self._settled.wait()
        return self._outcome

    def resize(self, size: Size) -> None:
        """The window that it is shown in has another size.

        Args:
            size: rows and columns.
        """
        if self._size is not None:
            self._size = size
        if self._terminal is not None:
            self._terminal.resize(size)

    @property
    def terminal(self) -> Terminal | None:
        """Its pseudo-terminal, while it runs in one."""
        return self._terminal

    def _ask(self, wanted: _Start | _Rest) -> None:
        self._wanted = wanted
        if self._settled.is_set():
            self._settled = anyio.Event()
        self._asked.set()

    def _settle(self, outcome: Settled) -> None:
        # What was asked for in the meantime has yet to come to something.
        if self._wanted is None:
            self._outcome = outcome
            self._settled.set()

    async def _next(self) -> _Start | _Rest:
        """The next thing to do: what was asked for, or else another try after a crash."""
        delay = self.state.retry_in if isinstance(self.state, Crashed) else None
        with anyio.move_on_after(delay):
            await self._asked.wait()
        self._asked = anyio.Event()
        wanted, self._wanted = self._wanted, None
        return wanted or _Start(None)

    # One life

    async def _live(self, start: _Start) -> None:
        """Start a process, and be with it until it has ended or something else is asked for."""
        began = time.monotonic()
        self._tail.clear()
        with ExitStack() as cleanup:
            wiring = cleanup.enter_context(Wiring(self._size))
            self._terminal = wiring.terminal
            cleanup.callback(self._forget_terminal)
            if self._before_start is not None:
                self._before_start()
            try:
                process = await self._guard.spawn(self._spawn(wiring))
            except (CommandError, GuardianLost) as error:
                self._fail(error.message, None, hint=error.hint)
                return
            finally:
                wiring.started()
            self.last_output = began
            self.state = Starting(process)
            self._emit(AppStarted(self.name, process.pid))
            said = anyio.Event()
            dialogue = None
            if wiring.terminal is not None and self._dialogue is not None:
                dialogue = Dialogue(wiring.terminal, self._dialogue)
                cleanup.callback(dialogue.end)
            reader = Reader(
                wiring.output,
                lambda lines: self._heard(lines, said),
                self._prompt if wiring.terminal is not None else None,
                dialogue.take if dialogue is not None else None,
            )
            how: Ended | None = None
            try:
                how = await self._attend(process, reader, start, said, began)
            finally:
                with anyio.CancelScope(shield=True):
                    if how is None:
                        await self._end(process, reader)
                    else:
                        reader.finish()
                        if said.is_set() and isinstance(self.state, Starting):
                            # Its last words were that it is ready.
                            self._is_ready(process, start, began, None)
                        await self._mourn(process, how, time.monotonic() - began)

    async def _attend(
        self, process: Process, reader: Reader, start: _Start, said: anyio.Event, began: float
    ) -> Ended | None:
        """Wait until a process has ended, or something else is asked for.

        Returns:
            How it ended; None where it lives.
        """
        how: Ended | None = None
        async with anyio.create_task_group() as tasks:

            async def until_ended() -> None:
                nonlocal how
                try:
                    ended = await process.wait()
                    if ended.code == 0:
                        # A launcher: the app is what it has left running.
                        await process.wait_tree()
                except GuardianLost:
                    # `_end` says so.
                    pass
                else:
                    how = ended
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_ended)
            tasks.start_soon(reader.run)
            tasks.start_soon(self._see_it_ready, process, start, said, began)
            await self._asked.wait()
            tasks.cancel_scope.cancel()
        return how

    async def _see_it_ready(
        self, process: Process, start: _Start, said: anyio.Event, began: float
    ) -> None:
        limit = self._app.ready_timeout
        address: str | None = None
        with anyio.move_on_after(seconds(limit)) as scope:
            address = await until_ready(self._app.ready, process.pid, said, serves=self._serves)
        if scope.cancelled_caught:
            message = f"it is not ready after {limit}; it is left running"
            self._emit(AppFailed(self.name, message, self._tail.text[-OUTPUT_KEPT:]))
            self._settle("failed")
            address = await until_ready(self._app.ready, process.pid, said, serves=self._serves)
        self._is_ready(process, start, began, address)

    def _is_ready(self, process: Process, start: _Start, began: float, address: str | None) -> None:
        self._serves |= address is not None
        self.state = Serving(process)
        since = began if start.seen is None else start.seen
        self._emit(AppReady(self.name, process.pid, time.monotonic() - since, address))
        self._settle("ready")

    async def _end(self, process: Process, reader: Reader) -> None:
        """Stop a process that was not asked to before."""
        self.state = Stopping(process)
        self._emit(AppStopping(self.name, process.pid))
        try:
            async with anyio.create_task_group() as tasks:
                # It may have much to say on its way, and would wait for somebody to read it.
                tasks.start_soon(reader.run)
                how = await self._stopped(process)
                tasks.cancel_scope.cancel()
        finally:
            self.state = Stopped()
        reader.finish()
        if how is None:
            self._fail("the guardian, which owns every process, died", None)
            return
        self._emit(_exited(self.name, process, how, expected=True))

    async def _mourn(self, process: Process, how: Ended, lived: float) -> None:
        """A process has ended by itself: say so at once, and end what it has left behind."""
        was_ready = isinstance(self.state, Serving)
        self._emit(_exited(self.name, process, how, expected=False))
        if how.code == 0 and (was_ready or self._app.ready is None):
            self.state = Done()
            self._settle("ended")
        else:
            self._backoff = self._backoff.crashed(lived)
            hopeless = only_an_edit_mends(self._tail.text)
            verb = "ended with" if how.signal is None else "was ended by"
            when = "" if was_ready else " before it was ready"
            self._fail(f"it {verb} {how}{when}", None if hopeless else self._backoff.delay)
        await self._stopped(process)

    async def _stopped(self, process: Process) -> Ended | None:
        """End a process and all that came of it; None where the guardian is dead."""
        try:
            how = await process.stop(self._stop_signal, self._stop_timeout)
        except GuardianLost:
            return None
        if how.left:
            pids = ", ".join(map(str, how.left))
            self._emit(
                Notice(f"app {self.name}: not even SIGKILL has ended {pids}", severity="warning")
            )
        return how

    def _fail(self, message: str, retry_in: float | None, *, hint: str | None = None) -> None:
        self.state = Crashed(retry_in)
        if hint is not None:
            message = f"{message} ({hint})"
        self._emit(AppFailed(self.name, message, self._tail.text[-OUTPUT_KEPT:], retry_in))
        self._settle("failed")

    # What it is given, and what it says

    def _spawn(self, wiring: Wiring) -> Spawn:
        env = for_project(self._environ, self._interpreter, buffered=wiring.terminal is not None)
        if wiring.terminal is not None:
            # They would hide the window's real size, and what the terminal is.
            env.pop("LINES", None)
            env.pop("COLUMNS", None)
            env.setdefault("TERM", "xterm-256color")
        if self._app.env_file is not None:
            file = read_file(self._root / self._app.env_file)
            if file.problem is not None:
                self._emit(Notice(f"app {self.name}: {file.problem}", severity="warning"))
            env.update(file.values)
        env.update(self._app.env)
        command = argv(self._app.command)
        tamed = tame(command, env) or Tamed(command)
        env.update(tamed.env)
        if tamed.message is not None and tamed.message != self._said:
            self._said = tamed.message
            self._emit(Notice(tamed.message))
        return Spawn(
            argv=tamed.argv,
            env=env,
            cwd=str(self._root / (self._app.cwd or "")),
            stdin=wiring.stdin,
            stdout=wiring.stdout,
            stderr=wiring.stdout,
            terminal=wiring.terminal is not None,
            stop_signal=self._stop_signal,
            stop_timeout=self._stop_timeout,
        )

    def _heard(self, lines: list[str], said: anyio.Event) -> None:
        self.last_output = time.monotonic()
        self._tail.add(lines)
        if self._log is not None and not said.is_set():
            pattern = self._log
            if any(pattern.search(plain(line)) for line in lines):
                said.set()
        self._emit(Output("app", self.name, "\n".join(lines)))

    def _prompt(self, text: str) -> None:
        self.last_output = time.monotonic()
        self._emit(Output("app", self.name, text, partial=True))

    def _forget_terminal(self) -> None:
        self._terminal = None


def typed_to(apps: Iterable[AppSupervisor]) -> Terminal | None:
    """Whose is what a person types.

    Args:
        apps: all there are.

    Returns:
        The terminal of the app that reads keys, or else of the one that printed last.
    """
    running = [(app.terminal, app.last_output) for app in apps if app.terminal is not None]
    return max(running, key=lambda one: (one[0].raw, one[1]), default=(None, 0.0))[0]


def _exited(name: str, process: Process, how: Ended, *, expected: bool) -> AppExited:
    return AppExited(name, process.pid, how.code, how.signal, expected=expected)
