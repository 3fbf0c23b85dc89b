"""One process of an app, from its start until nothing of it is left."""

from __future__ import annotations

import math
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
import msgspec

from devloop.config.types import App, seconds
from devloop.errors import GuardianLost
from devloop.events import AppExited, AppStopping, Event, Notice, Output
from devloop.execute import letting_go
from devloop.execute.guard import Ended
from devloop.execute.held import Held
from devloop.execute.listening import address_of
from devloop.execute.readiness import pause, until_ready
from devloop.execute.starts import Begun
from devloop.execute.streams import Reader, Tail, plain
from devloop.execute.terminal import Dialogue, Terminal
from devloop.execute.wiring import Wiring
from devloop.inside import addresses

LETTING_GO = 1.0
"""Seconds in which a process that was told to retire has let go; it takes milliseconds."""

GRACE = 0.3
"""Seconds for answers before the stop signal goes to a retired process that acts upon it."""

HASTE = 0.5
"""Seconds after `Life.retire` in which a process may answer though another retires already: it
would be in the way of what comes after that, which waits for its end."""

LAST_WORDS = 0.5
"""Seconds in which what a process has told comes in after its end."""

TELLING = 0.5
"""Seconds in which a process tells of the sockets that it is seen to listen on."""

BESIDE = 0.05
"""Seconds between two looks at whether a process listens that would tell if it could."""


class Watchers(msgspec.Struct, frozen=True):
    """Who is told of a life.

    Args:
        emit: takes events.
        heard: called when it prints.
        ready: called when it is ready.
        late: called when it should have been ready by now.
        over: called when it has ended, or the guardian has, and again when nothing of it is left.
        told: called with what the part of devloop in it tells, and the descriptors that came with
            that, which are the callee's to close.
        dialogue: shows what it prints while it reads keys (see `terminal.Dialogue`).
    """

    emit: Callable[[Event], None]
    heard: Callable[[Life], None]
    ready: Callable[[Life], None]
    late: Callable[[Life], None]
    over: Callable[[Life], None]
    told: Callable[[Life, Mapping[str, Any], list[int]], None]
    dialogue: Callable[[bytes | None], None] | None = None


class Life:
    """One process of an app: read from, seen ready, asked to stop, seen to its end.

    Args:
        name: the app's.
        app: its table in the configuration.
        begun: it runs by now.
        wiring: its standard streams; they are closed when it is over.
        seen: when the change behind its start was seen, or it was begun, on the monotonic clock.
        serves: the app is known to listen some day.
        held: the inodes of sockets that it was given; that it has them proves nothing.
        given: the addresses of sockets that it was given as ``LISTEN_FDS`` says.
        attended: says of a held socket's address whether somebody has listened on it; None where
            that cannot be known.
        tell: who is told.
    """

    def __init__(
        self,
        name: str,
        app: App,
        begun: Begun,
        wiring: Wiring,
        *,
        seen: float,
        serves: bool,
        held: frozenset[int],
        given: Sequence[str],
        attended: Callable[[str], bool | None],
        tell: Watchers,
    ) -> None:
        self.begun = begun
        self.process = begun.process
        self.began = time.monotonic()
        self.seen = seen
        self.tail = Tail()
        """What it has printed last."""

        self.is_ready = False
        self.address: str | None = None
        """Where it listens, where that is known."""

        self.asked = False
        """It was asked to stop."""

        self.failure: Mapping[str, Any] | None = None
        """The exception that ends it, as the part of devloop in it has told."""

        self.told: list[int] = []
        """How many modules it had imported each time that it told of them, be it in the midst of an
        import."""

        self.is_known = False
        """It has told of them when it had imported all that it imports at its start."""

        self.loose: set[int] = set()
        """The inodes of sockets that it listens on and that its successor may have beside it: of
        any free port, or of several that share one."""

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
        self._spent = 0.0
        """Seconds of its stop timeout that it has had before it was signalled."""

        self._retired = 0.0
        """When it was told to accept nothing more."""

        self._said = anyio.Event()
        self._said_stopping = False
        self._held = held
        self._attended = attended
        self._listens: list[str] = []
        self._passed_on: list[str] = []
        self._given = given
        self._heard_of_listening = anyio.Event()
        self._has_told = anyio.Event()
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
                tasks.start_soon(self._listen_to_it)
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

    async def retire(self) -> None:
        """Have it accept nothing more, at once; what it has accepted it may finish.

        That it stops is said once it accepts nothing: what is asked for after that meets new code.
        """
        self.step_back()
        self.asked = True
        self._retired = anyio.current_time()
        if self.begun.running is not None:
            with suppress(GuardianLost):
                await self.begun.running.order({"m": "retire"}, {"m": "news"}, group=True)

    async def finish(self, held: Held) -> bool:
        """After `retire`: give it the time to finish what it has accepted, as far as it needs that.

        Args:
            held: the sockets that it gives up.

        Returns:
            Whether it has given them up.
        """
        if self.begun.running is None or not held or self.has_ended:
            return True
        pid, limit, answers = self.process.pid, seconds(self._app.stop_timeout), math.inf
        if not await held.let_go_by(pid, LETTING_GO):
            return False
        self.say_stopping()
        if letting_go.catches(pid, signal.Signals[self._app.stop_signal]):
            # It finishes what it has begun. But some close what they have accepted and not read.
            answers, limit = GRACE, min(limit, GRACE + letting_go.NEW)
        # Where it has no handler, the signal would end it in the middle of an answer.
        begin = anyio.current_time()
        await held.drained(pid, limit, answers=answers)
        self._spent = anyio.current_time() - begin
        return True

    async def hasten(self, held: Held) -> None:
        """After `retire`: end it once it has answered, and soon in any case.

        A connection that it has accepted is lost with it: no other process can answer that.

        Args:
            held: the sockets that it gives up.
        """
        if self.begun.running is not None and held and not self.has_ended:
            pid, until = self.process.pid, self._retired + HASTE
            if await held.let_go_by(pid, until - anyio.current_time()):
                await held.drained(pid, until - anyio.current_time())
        await self.kill()

    def say_stopping(self) -> None:
        """Say that it was asked to stop, if that has not been said."""
        if not self._said_stopping:
            self._said_stopping = True
            self._tell.emit(AppStopping(self._name, self.process.pid))

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
        # It calls this: in a circle, some kilobytes would wait for the collector.
        del self._reader
        if self._said.is_set() and not self.is_ready and not self.asked:
            # Its last words were that it is ready.
            self._be_ready(None)
        if self._dialogue is not None:
            self._dialogue.end()
        if self.begun.running is not None:
            # Its last words, up to where it has closed its end.
            with anyio.move_on_after(LAST_WORDS):
                await self._listen_to_it()
            self.hear_its_children()
            self.begun.running.close()
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
        self.say_stopping()

    async def _stop(self) -> Ended:
        number, limit = signal.Signals[self._app.stop_signal], seconds(self._app.stop_timeout)
        return await self.process.stop(number, max(0.0, limit - self._spent))

    def _tell_of_leftovers(self, how: Ended) -> None:
        if how.left:
            pids = ", ".join(map(str, how.left))
            message = f"app {self._name}: not even SIGKILL has ended {pids}"
            self._tell.emit(Notice(message, severity="warning"))

    # What the part of devloop in it tells

    async def _listen_to_it(self) -> None:
        if self.begun.running is not None:
            async for message, fds in self.begun.running.control.receive():
                self._take(message, fds)

    def hear_its_children(self) -> None:
        """Take in what forked children have told by now; nobody says when they do."""
        if self.begun.running is not None:
            for message in self.begun.running.ledger.take():
                self._tell.told(self, message, [])

    def _take(self, message: Mapping[str, Any], fds: list[int]) -> None:
        if message["m"] == "failed":
            self.failure = message
        elif message["m"] == "taken":
            # What it has started will listen, which cannot tell us.
            self._passed_on.append(message["address"])
        elif message["m"] == "listening" or (message["m"] == "bound" and message["listens"]):
            self._listens.append(message["address"])
            self._heard_of_listening.set()
            self._heard_of_listening = anyio.Event()
        elif message["m"] == "loose":
            self.loose.add(message["inode"])
        elif message["m"] == "told":
            self._has_told.set()
        self._tell.told(self, message, fds)

    # Whether it is ready

    async def _see_it_ready(self) -> None:
        with self._readiness:
            with anyio.move_on_after(seconds(self._app.ready_timeout)) as scope:
                self._be_ready(await self._until_ready())
            if scope.cancelled_caught:
                self._tell.late(self)
                self._be_ready(await self._until_ready())

    async def _until_ready(self) -> str | None:
        address = await until_ready(
            self._app.ready,
            self._until_it_listens,
            self._said,
            serves=self._serves,
            held=bool(self._held),
        )
        if address is not None:
            await self._until_told()
        return address

    async def _until_it_listens(self, port: int | None) -> str:
        """Wait until it listens, which most processes tell; others are looked at."""
        least = BESIDE if self.begun.running is not None else 0.0
        begin = anyio.current_time()
        while True:
            said = map(_shown, [*self._listens, *self._attended_to()])
            at = next((one for one in said if port is None or one == f":{port}"), None)
            if at is not None:
                return at
            news = self._heard_of_listening
            with anyio.move_on_after(max(least, pause(anyio.current_time() - begin))) as waited:
                await news.wait()
            if waited.cancelled_caught and (
                at := address_of(self.process.pid, besides=self._held, port=port)
            ):
                return at

    async def _until_told(self) -> None:
        """It answers: wait until its sockets are held, so that its successor answers there, too.

        The system, which shows that it listens, may keep it from telling that for a while.
        """
        if self.begun.running is not None and not self._listens:
            with anyio.move_on_after(TELLING):
                await self.begun.running.order({"m": "tell"})
                await self._has_told.wait()

    def _attended_to(self) -> list[str]:
        """Where somebody listens who cannot tell."""
        passed_on = [name for name in self._passed_on if self._attended(name) is not False]
        # It may accept without that, too; then it has lived for a while at least.
        return passed_on + [name for name in self._given if self._attended(name)]

    def _be_ready(self, address: str | None) -> None:
        self.is_ready, self.address = True, address
        self._tell.ready(self)

    # What it says

    def _heard(self, lines: list[str]) -> None:
        self.tail.add(lines)
        self._look_for_sign(lines)
        self._tell.heard(self)
        self._tell.emit(Output("app", self._name, "\n".join(lines)))

    def _prompt(self, text: str) -> None:
        self._tell.heard(self)
        self._tell.emit(Output("app", self._name, text, partial=True))

    def _divert(self, data: bytes, before: Callable[[], bytes]) -> bytes:
        if self._dialogue is None:
            return data
        # A line that came at once with a prompt is shown with that.
        self._look_for_sign(data.decode("utf-8", "replace").splitlines())
        return self._dialogue.take(data, before)

    def _look_for_sign(self, lines: list[str]) -> None:
        """Whether it says that it is ready."""
        if self._log is not None and not self._said.is_set():
            pattern = self._log
            if any(pattern.search(plain(line)) for line in lines):
                self._said.set()


def _shown(address: str) -> str:
    """An address as events have it: ``:PORT``, or the path of a Unix socket."""
    port = addresses.port(address)
    return f":{port}" if port is not None else addresses.path(address) or address
