"""How the processes of one app follow each other: after, beside or before the end of the last."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

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


class Follows(Enum):
    """When the next process of an app may begin, as far as its processes have shown."""

    BESIDE = "while the one before it lives"
    TRIED_APART = "once when nothing is left of others, because one has failed beside them"
    APART = "when the one before it has finished what it has accepted"
    STOPS_FIRST = "when the one before it was stopped"


WHY = {
    Follows.APART: "it cannot start while the process before it lives",
    Follows.STOPS_FIRST: "it does not let go of its sockets when it is told to",
}
"""Why no process begins beside another from then on."""


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
        self._looked: _Looked | None = None
        self._wanted = wanted
        self._held = held
        self._stopping = stopping
        self._say = say
        self._follows = Follows.BESIDE
        self._beside: frozenset[int] = frozenset()
        """Those that were to end and lived when the current process began, by their ids."""

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
            self._looked = _Looked(old, await self._handover(old), now)

    async def make_room(self) -> None:
        """Do with the current process what must be done before the next one may start."""
        old, self.current = self.current, None
        for life in list(self.lives):
            apart = self._follows is Follows.TRIED_APART and life is not old
            if life.has_ended or apart:
                await life.gone.wait()
        if old is None or old.gone.is_set():
            return
        looked, self._looked = self._looked, None
        if looked and looked.life is old and anyio.current_time() - looked.at < FRESH:
            handover = looked.handover
        else:
            handover = await self._handover(old)
        if old.gone.is_set():
            return
        if handover == "overlap" and old.is_ready:
            self.serving = old
        elif handover == "drain":
            await self._drain(old)
            if self._follows is not Follows.BESIDE:
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
        if self._follows is Follows.TRIED_APART:
            self._learn(Follows.APART)

    def was_hindered(self, life: Life) -> bool:
        """Whether a process may have failed because of the one that it has followed.

        Args:
            life: it was the current one, and has ended with an error.

        Returns:
            True once; the next process then waits for the end of all others.
        """
        if self._beside and self.serving is None and seems_taken(life.tail.text, self._beside):
            self._follows = Follows.TRIED_APART
            return True
        return False

    def fall_back(self) -> Life | None:
        """The current process has failed.

        Returns:
            With overlap, the one before it, which is the current one again.
        """
        self.current, self.serving = self.serving, None
        if self._follows is Follows.TRIED_APART:
            self._follows = Follows.BESIDE
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
        # Two processes cannot listen where devloop does not hold the socket.
        if self._follows is Follows.STOPS_FIRST or (not holds and old.address is not None):
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
            self._learn(Follows.STOPS_FIRST)
        await old.end()

    def _learn(self, follows: Follows) -> None:
        self._follows = follows
        self._say(f"{WHY[follows]}: from now on the next process waits for its end")


class _Looked(NamedTuple):
    """How a process would be followed, and when that was found out, on the loop's clock."""

    life: Life
    handover: Handover
    at: float
