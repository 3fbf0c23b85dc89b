"""A session and what follows it from outside: each knows of the other just what is here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from devloop.events import Event, Notice, TestOutcome
from devloop.loop.actions import Answer, Ask
from devloop.loop.loop import Loop


class Outside(Protocol):
    """Follows a session; `devloop.serve` has one."""

    def handle(self, event: Event) -> None:
        """Take an event."""

    def open(self, inside: Inside) -> AbstractAsyncContextManager[None]:
        """Ask the session for what others want of it, until it ends."""


class Known(msgspec.Struct, frozen=True):
    """What is known of a test.

    Args:
        nodeid: pytest's own.
        outcome: of its last run.
        seconds: that it took.
        due: that outcome does not hold for what is there now.
    """

    nodeid: str
    outcome: TestOutcome
    seconds: float
    due: bool


class Inside:
    """What a session is for those outside: the loop that it runs now, or the next one.

    Args:
        emit: takes events.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._loop: Loop | None = None
        self._waiting: list[Ask] = []

    def begin(self, loop: Loop) -> None:
        """From now on this is the loop; it is asked for what nobody could take up meanwhile.

        Args:
            loop: begins to run.
        """
        self._loop = loop
        waiting, self._waiting = self._waiting, []
        for ask in waiting:
            loop.ask(ask.action, ask.by, ask.answer)

    def end(self) -> None:
        """The loop has ended; what it did not come to waits for the next one."""
        if self._loop is not None:
            self._waiting += self._loop.unheard()
            self._loop = None

    def close(self) -> None:
        """There is no next one."""
        self.end()
        for ask in self._waiting:
            if ask.answer is not None:
                ask.answer(Answer(problem="devloop has ended"))
        self._waiting.clear()

    def ask(self, ask: Ask) -> None:
        """Ask for something.

        Args:
            ask: the action, and who is to hear what becomes of it.
        """
        if self._loop is None:
            self._waiting.append(ask)
        else:
            self._loop.ask(ask.action, ask.by, ask.answer)

    def tests(self, path: str) -> tuple[Known, ...]:
        """What is known of the tests of a file.

        Args:
            path: relative to the root.

        Returns:
            Nothing of a file without tests, or while no loop runs.
        """
        if self._loop is None:
            return ()
        project = self._loop.project
        due = next((file for file in project.due().files if file.path == path), None)
        return tuple(
            Known(
                one.nodeid,
                one.outcome,
                one.seconds,
                due is not None and (not due.nodeids or one.nodeid in due.nodeids),
            )
            for one in project.verdicts.of(path)
        )

    def tell(self, notice: Notice) -> None:
        """Say something that a person should know.

        Args:
            notice: its time is filled in here.
        """
        self._emit(msgspec.structs.replace(notice, t=time.time()))
