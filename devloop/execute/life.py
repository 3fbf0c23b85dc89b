"""One process of an app, from its start until nothing of it is left."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio

from devloop.config.types import App, seconds
from devloop.errors import GuardianLost
from devloop.events import AppExited, AppStopping, Event, Notice, Output
from devloop.execute.guard import Ended, Process
from devloop.execute.readiness import until_ready
from devloop.execute.streams import Reader, Tail, plain
from devloop.execute.terminal import Dialogue, Terminal
from devloop.execute.wiring import Wiring


@dataclass(frozen=True)
class Watchers:
    """Who is told of a life.

    Args:
        emit: takes events.
        heard: called when it prints.
        ready: called when it is ready.
        late: called when it should have been ready by now.
        over: called when it has ended, or the guardian has, and again when nothing of it is left.
        dialogue: shows what it prints while it reads keys (see `terminal.Dialogue`).
    """

    emit: Callable[[Event], None]
    heard: Callable[[Life], None]
    ready: Callable[[Life], None]
    late: Callable[[Life], None]
    over: Callable[[Life], None]
    dialogue: Callable[[bytes | None], None] | None = None


class Life:
    """One process of an app: read from, seen ready, asked to stop, seen to its end.

    Args:
        name: the app's.
        app: its table in the configuration.
        process: it runs by now.
        wiring: its standard streams; they are closed when it is over.
        seen: when the change behind its start was seen, on the monotonic clock; None where
            devloop itself has started it again.
        serves: the app is known to listen some day.
        tell: who is told.
    """

    def __init__(
        self,
        name: str,
        app: App,
        process: Process,
        wiring: Wiring,
        *,
        seen: float | None,
        serves: bool,
        tell: Watchers,
    ) -> None:
        self.process = process
        self.began = time.monotonic()
        self.seen = self.began if seen is None else seen
        self.tail = Tail()
        """What it has printed last."""

        self.is_ready = False
        self.address: str | None = None
        """Where it listens, where that is known."""

        self.asked = False
        """It was asked to stop."""

        self.how: Ended | None = None
        """How it has ended; None while it lives, and where the guardian died before."""

        self.has_ended = False
        self.gone = anyio.Event()
        """Set when nothing of it is left."""

        self._name = name
        self._app = app
        self._wiring = wiring
        self._serves = serves
        self._tell = tell
        self._log = re.compile(app.ready.log) if app.ready and app.ready.log else None
        self._said = anyio.Event()
        self._dialogue: Dialogue | None = None
        if wiring.terminal is not None and tell.dialogue is not None:
            self._dialogue = Dialogue(wiring.terminal, tell.dialogue)
        self._readiness = anyio.CancelScope()
        self._reader = Reader(
            wiring.output,
            self._heard,
            self._prompt if wiring.terminal is not None else None,
            self._divert if self._dialogue is not None else None,
        )

    @property
    def terminal(self) -> Terminal | None:
        """Its pseudo-terminal, while it runs in one."""
        return None if self.gone.is_set() else self._wiring.terminal

    async def run(self) -> None:
        """Be with it until nothing of it is left. Cancelled, this ends it."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._reader.run)
                tasks.start_soon(self._see_it_ready)
                await self._until_ended()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                if not self.has_ended:
                    await self._end_at_once()
                await self._bury()

    async def end(self) -> None:
        """Ask it to stop, if nobody has, and wait until nothing of it is left."""
        if not self.has_ended:
            self._ask()
            with suppress(GuardianLost):
                await self._stop()
        await self.gone.wait()

    async def kill(self) -> None:
        """End what is left of it at once, and wait for that."""
        with suppress(GuardianLost):
            await self.process.stop(signal.SIGKILL, 0.0)
        await self.gone.wait()

    def step_back(self) -> None:
        """Another process takes its place: nobody waits for it, and it does not read keys."""
        self._readiness.cancel()
        if self._dialogue is not None:
            self._dialogue.end()
            self._dialogue = None

    # From its start to its end

    async def _until_ended(self) -> None:
        try:
            ended = await self.process.wait()
            if ended.code == 0 or self.asked:
                # A launcher: the app is what it has left running.
                ended = await self.process.wait_tree()
            self.how = ended
        except GuardianLost:
            pass
        self.has_ended = True

    async def _end_at_once(self) -> None:
        """It lives, and whoever was with it is cancelled."""
        self._ask()
        async with anyio.create_task_group() as tasks:
            # It may have much to say on its way, and would wait for somebody to read it.
            tasks.start_soon(self._reader.run)
            with suppress(GuardianLost):
                self.how = await self._stop()
            tasks.cancel_scope.cancel()
        self.has_ended = True

    async def _bury(self) -> None:
        """It has ended: say so at once, and end what it has left behind."""
        self._reader.finish()
        if self._said.is_set() and not self.is_ready and not self.asked:
            # Its last words were that it is ready.
            self._be_ready(None)
        if self._dialogue is not None:
            self._dialogue.end()
        if self.how is not None:
            how = self.how
            self._tell.emit(
                AppExited(self._name, self.process.pid, how.code, how.signal, expected=self.asked)
            )
        self._tell.over(self)
        if self.how is not None:
            with suppress(GuardianLost):
                self._tell_of_leftovers(await self._stop())
        self._wiring.close()
        self.gone.set()
        self._tell.over(self)

    def _ask(self) -> None:
        if not self.asked:
            self.asked = True
            self._readiness.cancel()
            self._tell.emit(AppStopping(self._name, self.process.pid))

    async def _stop(self) -> Ended:
        number, limit = signal.Signals[self._app.stop_signal], seconds(self._app.stop_timeout)
        return await self.process.stop(number, limit)

    def _tell_of_leftovers(self, how: Ended) -> None:
        if how.left:
            pids = ", ".join(map(str, how.left))
            message = f"app {self._name}: not even SIGKILL has ended {pids}"
            self._tell.emit(Notice(message, severity="warning"))

    # Whether it is ready

    async def _see_it_ready(self) -> None:
        with self._readiness:
            with anyio.move_on_after(seconds(self._app.ready_timeout)) as scope:
                self._be_ready(await self._until_ready())
            if scope.cancelled_caught:
                self._tell.late(self)
                self._be_ready(await self._until_ready())

    async def _until_ready(self) -> str | None:
        return await until_ready(self._app.ready, self.process.pid, self._said, serves=self._serves)

    def _be_ready(self, address: str | None) -> None:
        self.is_ready, self.address = True, address
        self._tell.ready(self)

    # What it says

    def _heard(self, lines: list[str]) -> None:
        self.tail.add(lines)
        if self._log is not None and not self._said.is_set():
            pattern = self._log
            if any(pattern.search(plain(line)) for line in lines):
                self._said.set()
        self._tell.heard(self)
        self._tell.emit(Output("app", self._name, "\n".join(lines)))

    def _prompt(self, text: str) -> None:
        self._tell.heard(self)
        self._tell.emit(Output("app", self._name, text, partial=True))

    def _divert(self, data: bytes, before: Callable[[], bytes]) -> bytes:
        return data if self._dialogue is None else self._dialogue.take(data, before)
