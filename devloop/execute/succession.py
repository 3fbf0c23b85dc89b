"""How the processes of one app follow each other: after, beside or before the end of the last."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.abc

from devloop.config.types import Handover
from devloop.execute.held import Held
from devloop.execute.life import Life
from devloop.execute.staleness import FRESH
from devloop.plan.backoff import seems_taken

HEAD_START = 0.02
"""Seconds in which the next process may begin, before the end of the last one takes its time. That
answers no new request any more; what it has accepted it goes on with."""

UNWILLING = (
    "it does not let go of its sockets when it is told to: "
    "from now on the next process waits for its end"
)

HINDERED = (
    "it cannot start while the process before it lives: "
    "from now on the next process waits for its end"
)


class Succession:
    """The processes of one app of which something is left.

    Args:
        wanted: how one shall follow the other; None is drain where devloop holds a socket for
            the app, else stop-first.
        held: the app's sockets.
        stopping: called with a process whose end is waited for.
        say: called with a sentence about the app that a person should know.
    """

    def __init__(
        self,
        wanted: Handover | None,
        held: Held,
        *,
        stopping: Callable[[Life], None],
        say: Callable[[str], None],
    ) -> None:
        self.lives: list[Life] = []
        """The oldest first."""

        self.current: Life | None = None
        self.serving: Life | None = None
        """With overlap, the one that serves until the current one is ready."""

        self.tasks: anyio.abc.TaskGroup
        self._draining: Life | None = None
        self._looked: tuple[Life, Handover, float] | None = None
        self._wanted = wanted
        self._held = held
        self._stopping = stopping
        self._say = say
        self._retires = True
        self._beside: frozenset[int] = frozenset()
        """Those that were to end and lived when the current process began, by their ids."""

        self._alone = False
        """The next process begins, or the current one has begun, when nothing was left of others,
        because one has failed beside them."""

        self._apart = False
        """No process may begin beside another: the old one finishes what it has accepted first."""

    def add(self, life: Life) -> None:
        """Another process has begun, and is the current one from now on.

        Args:
            life: it.
        """
        self._beside = frozenset(
            one.process.pid
            for one in self.lives
            if one is not self.serving and not one.gone.is_set()
        )
        self.lives.append(life)
        self.current = life
        self.tasks.start_soon(life.run)

    def drop(self, life: Life) -> None:
        """Nothing is left of a process.

        Args:
            life: it.
        """
        self.lives.remove(life)
        if life is self._draining:
            self._draining = None

    async def look(self) -> None:
        """A change may call for the next process in some milliseconds: see how it would follow."""
        old, now = self.current, anyio.current_time()
        if old is not None and old.is_ready:
            self._looked = (old, await self._handover(old), now)

    async def make_room(self) -> None:
        """Do with the current process what must be done before the next one may start."""
        old, self.current = self.current, None
        for life in list(self.lives):
            if life.has_ended or (self._alone and life is not old):
                await life.gone.wait()
        if old is None or old.gone.is_set():
            return
        looked, self._looked = self._looked, None
        if looked is not None and looked[0] is old and anyio.current_time() - looked[2] < FRESH:
            handover = looked[1]
        else:
            handover = await self._handover(old)
        if old.gone.is_set():
            return
        if handover == "overlap" and old.is_ready:
            self.serving = old
        elif handover == "drain":
            await self._drain(old)
            if self._alone or self._apart:
                self._stopping(old)
                await old.gone.wait()
        else:
            self._stopping(old)
            self._held.attend(False)
            if handover == "stop-first" and self._draining is not None:
                await self._draining.hasten(self._held)
            await old.end()

    def say_stopping(self) -> None:
        """Say that the previous process stops, before the start of the next one is told."""
        if self._draining is not None:
            self._draining.say_stopping()

    def take_over(self) -> None:
        """The current process is ready: with overlap, the one before it is not needed any more."""
        if self.serving is not None:
            old, self.serving = self.serving, None
            self.tasks.start_soon(self._drain, old)
        if self._alone:
            self._alone, self._apart = False, True
            self._say(HINDERED)

    def was_hindered(self, life: Life) -> bool:
        """Whether a process may have failed because of the one that it has followed.

        Args:
            life: it was the current one, and has ended with an error.

        Returns:
            True once; the next process then waits for the end of all others.
        """
        may = bool(self._beside) and self.serving is None
        self._alone = may and seems_taken(life.tail.text, self._beside)
        return self._alone

    def fall_back(self) -> Life | None:
        """The current process has failed.

        Returns:
            With overlap, the one before it, which is the current one again.
        """
        self.current, self.serving = self.serving, None
        self._alone = False
        return self.current

    async def end(self) -> None:
        """End all of them, each within its own time."""
        self.current = self.serving = None
        async with anyio.create_task_group() as tasks:
            for life in self.lives:
                tasks.start_soon(life.end)

    async def kill(self) -> None:
        """End what is left of all of them at once."""
        async with anyio.create_task_group() as tasks:
            for life in self.lives:
                tasks.start_soon(life.kill)

    async def _handover(self, old: Life) -> Handover:
        """How the next process follows this one."""
        holds = bool(self._held) and old.begun.running is not None
        if holds and self._held.others_of(old.process.pid, old.loose):
            return "stop-first"  # the next one could not listen there beside it
        if holds and not await self._held.can_retire(old.process.pid):
            return "stop-first"
        if not self._retires or (not holds and old.address is not None):
            # Two processes cannot listen where devloop does not hold the socket.
            return "stop-first"
        return self._wanted or ("drain" if holds else "stop-first")

    async def _drain(self, old: Life) -> None:
        """Let it finish what it has begun, beside what comes after it."""
        previous, self._draining = self._draining, old
        self._held.attend(False)
        await old.retire()
        self.tasks.start_soon(self._see_off, old)
        if previous is not None:
            # The next one waits for that: beside it, one may drain.
            await previous.hasten(self._held)

    async def _see_off(self, old: Life) -> None:
        await anyio.sleep(HEAD_START)
        if not await old.finish(self._held):
            self._retires = False
            self._say(UNWILLING)
        await old.end()
