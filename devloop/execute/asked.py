"""What is asked of an app, and what came of it: the last wish counts, and is waited for."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import anyio
import msgspec

Settled: TypeAlias = Literal["ready", "failed", "ended", "stopped"]


class Start(msgspec.Struct, frozen=True):
    """A start that is wanted.

    Args:
        seen: when the change that wants it was seen, on the monotonic clock.
    """

    seen: float | None


class Rest(msgspec.Struct, frozen=True):
    """No start is wanted."""


class Asked:
    """What is asked, and whether it has come to something."""

    def __init__(self) -> None:
        self._wanted: Start | Rest | None = None
        self._news = anyio.Event()
        self._settled = anyio.Event()
        self._outcome: Settled = "stopped"
        self._retry_at: float | None = None

    @property
    def waiting(self) -> bool:
        """Something is asked for that nobody has begun to do."""
        return self._wanted is not None

    def ask(self, wanted: Start | Rest) -> None:
        """Ask for something; what was asked for before is forgotten.

        Args:
            wanted: what.
        """
        self._wanted = wanted
        if self._settled.is_set():
            self._settled = anyio.Event()
        self._news.set()

    def settle(self, outcome: Settled) -> None:
        """Say what has come of it.

        Args:
            outcome: of what was begun last. What was asked for in the meantime has yet to come
                to something.
        """
        if self._wanted is None:
            self._outcome = outcome
            self._settled.set()

    async def settled(self) -> Settled:
        """Wait until what was asked for last has come to something.

        Returns:
            What it is.
        """
        while not self._settled.is_set():
            await self._settled.wait()
        return self._outcome

    def retry_in(self, seconds: float) -> None:
        """Ask for another start, if nothing else is asked for until then.

        Args:
            seconds: from now on.
        """
        self._retry_at = anyio.current_time() + seconds
        self._news.set()

    async def next(self) -> Start | Rest:
        """Wait for the next thing to do."""
        while self._wanted is None:
            self._news = anyio.Event()
            until = math.inf if self._retry_at is None else self._retry_at
            with anyio.CancelScope(deadline=until) as scope:
                await self._news.wait()
            if scope.cancelled_caught:
                self._wanted = Start(None)
        wanted, self._wanted = self._wanted, None
        self._retry_at = None
        return wanted

    def close(self) -> None:
        """Nothing more will come of what is asked for: nobody shall wait for it."""
        self._outcome = "stopped"
        self._settled.set()
