"""What one cycle took and what it spared, told from its events.

A measure is small, and of each cycle there is one; the store keeps the latest ones.
"""

from __future__ import annotations

import msgspec

from devloop.events import (
    AppReady,
    CycleFinished,
    CycleOutcome,
    CycleStarted,
    Event,
    PlanMade,
    RunFinished,
    Start,
    StepFinished,
    TestFinished,
    Trigger,
)


class Served(msgspec.Struct, frozen=True, array_like=True):
    """An app that became ready.

    Args:
        app: its name.
        seconds: since the change was seen, or since the start.
        start: where its process came from.
    """

    app: str
    seconds: float
    start: Start


class Measure(msgspec.Struct, frozen=True, array_like=True):
    """One cycle in figures.

    Args:
        t: when it ended, in seconds since the epoch.
        trigger: what set it off.
        outcome: how it ended.
        seconds: from the first change seen to its end.
        changes: how many paths had changed.
        ran: how many tests have run.
        total: how many tests were known.
        running: seconds of its test runs.
        built: how many steps have run.
        served: the apps that became ready.
    """

    t: float
    trigger: Trigger
    outcome: CycleOutcome
    seconds: float
    changes: int = 0
    ran: int = 0
    total: int = 0
    running: float = 0.0
    built: int = 0
    served: tuple[Served, ...] = ()


class Meter:
    """Takes every event, and measures each cycle. It reads no clock and keeps nothing."""

    def __init__(self) -> None:
        self._served: list[Served] = []
        self._running = 0.0
        self._begin(CycleStarted(trigger="start"))

    def apply(self, event: Event) -> Measure | None:
        """Take one event.

        Args:
            event: any, with its time.

        Returns:
            The measure of the cycle that it ends; None where it ends none.
        """
        # Those that come by the thousand are first.
        if isinstance(event, TestFinished):
            self._ran += 1
        elif isinstance(event, CycleStarted):
            self._begin(event)
        elif isinstance(event, PlanMade):
            self._total = event.total
        elif isinstance(event, RunFinished):
            self._running += event.seconds
        elif isinstance(event, AppReady):
            self._served.append(Served(event.name, event.seconds, event.start))
        elif isinstance(event, StepFinished):
            self._built += event.outcome in ("built", "failed")
        elif isinstance(event, CycleFinished):
            return self._measure(event)
        return None

    def _begin(self, event: CycleStarted) -> None:
        self._trigger = event.trigger
        self._changes = len(event.changes)
        self._ran = self._total = self._built = 0
        self._running = 0.0
        self._served = []

    def _measure(self, event: CycleFinished) -> Measure:
        return Measure(
            event.t,
            self._trigger,
            event.outcome,
            event.seconds,
            self._changes,
            self._ran,
            max(self._total, self._ran),
            self._running,
            self._built,
            tuple(self._served),
        )
