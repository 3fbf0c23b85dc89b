"""What happens goes to those who hear of it: the reporter, the measures, whoever is called."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from devloop.events import Announcement, Event
from devloop.loop.announcer import Announcer
from devloop.loop.cycle import Cycle
from devloop.loop.project import Project
from devloop.loop.requests import Explaining
from devloop.loop.unplaced import Unplaced
from devloop.plan.measures import Meter
from devloop.report.reporter import ReaderGone, Reporter


class Emitter:
    """Takes every event of a loop.

    Args:
        project: whose.
        reporter: hears of everything.
        gone: called when nobody reads what the reporter writes.
        call: calls a person on the desktop; None calls nobody at all.
    """

    def __init__(
        self,
        project: Project,
        reporter: Reporter,
        gone: Callable[[], None],
        call: Callable[[Announcement], None] | None,
    ) -> None:
        self.cycle: Cycle | None = None
        """The one that events belong to."""
        self.explaining = Explaining()
        """What was planned, and why."""
        self.ticks = reporter.ticks
        """Whether `tick` shows anything."""

        self._reporter = reporter
        self._store = project.store
        self._gone = gone
        self._call = call
        self._unplaced = Unplaced(project)
        self._meter = Meter()
        self._announcer = Announcer(project.config.notify, project.root.name)

    def emit(self, event: Event) -> None:
        """Let everybody hear of something.

        Args:
            event: its time and cycle are filled in here.
        """
        number = None
        if self.cycle is not None:
            number = self.cycle.number
            self.cycle.tally.apply(event)
        self.explaining.apply(event)
        problem = self._unplaced.diagnostic(event)
        event = msgspec.structs.replace(event, t=time.time(), cycle=number)
        try:
            self._reporter.handle(event)
            if problem is not None:
                self._reporter.handle(msgspec.structs.replace(problem, t=event.t, cycle=number))
        except ReaderGone:
            # Whoever has emitted this goes on: an app that is being stopped must be stopped.
            self._gone()
        measure = self._meter.apply(event)
        if measure is not None:
            self._store.save_measure(measure)
        if self._call is not None and (call := self._announcer.heard(event)) is not None:
            self.emit(call)
            if "desktop" in call.ways:
                self._call(call)

    def tick(self) -> None:
        """Let time pass on the screen."""
        try:
            self._reporter.tick(time.time())
        except ReaderGone:
            self._gone()
