"""What stands, as events: what one who comes late must have heard of.

The last cycle is kept as it was, but for what it printed and for the tests that passed in a run
which has ended. Of the cycles before only that is kept which still stands, as one cycle.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from devloop import events as ev
from devloop.report.standing import Standing

_APP = (ev.AppStarted, ev.AppReady, ev.AppStopping, ev.AppFailed, ev.AppExited)
_STEP = (ev.StepStarted, ev.StepFinished)
_RUN = (ev.RunStarted, ev.RunCollected)
_MOMENTARY = (ev.Output, ev.TestStarted, ev.Progress, ev.Explained)


class Snapshot:
    """Takes every event, and gives back those that matter now.

    Args:
        standing: what stands; events are applied to it before they come here.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._session: ev.SessionStarted | None = None
        self._earlier: list[ev.Event] = []
        self._failed_earlier: set[str] = set()
        self._cycle: list[ev.Event] = []
        self._running = False
        """A test run goes on; it may outlive its cycle."""

    def apply(self, event: ev.Event) -> None:
        """Take one event."""
        if isinstance(event, _MOMENTARY):
            return
        if isinstance(event, ev.SessionStarted):
            self._session = event
            return
        if isinstance(event, ev.CycleStarted):
            self._earlier = self._as_one_cycle([*self._earlier, *self._cycle])
            self._failed_earlier = {
                one.nodeid
                for one in self._earlier
                if isinstance(one, (ev.TestFinished, ev.Diagnostic)) and one.nodeid is not None
            }
            self._cycle = []
        self._cycle.append(event)
        if isinstance(event, ev.RunStarted):
            self._running = True
        elif isinstance(event, ev.RunFinished):
            self._running = False
            self._cycle = [one for one in self._cycle if self._is_news(one)]

    def events(self) -> list[ev.Event]:
        """What one who comes now must hear of, in its order."""
        session = [] if self._session is None else [self._session]
        return [*session, *self._earlier, *self._cycle]

    def _is_news(self, event: ev.Event) -> bool:
        """Whether a finished run's event says more than the run's counts do."""
        if not isinstance(event, (ev.TestFinished, ev.Diagnostic)) or event.nodeid is None:
            return True
        return event.nodeid in self._failed_earlier or self._standing.holds(event)

    def _as_one_cycle(self, events: list[ev.Event]) -> list[ev.Event]:
        """Those that still stand, as one cycle that has ended."""
        head = [one for one in events if isinstance(one, ev.CycleStarted)][-1:]
        ends = [one for one in events if isinstance(one, ev.CycleFinished)][-1:]
        number = head[0].cycle if head else None
        last = {_place(event): at for at, event in enumerate(events)}
        run = last[ev.RunStarted, ""] if self._running else len(events)
        plan = max((at for at in range(run) if isinstance(events[at], ev.PlanMade)), default=-1)
        kept = [
            msgspec.structs.replace(event, cycle=number)
            for at, event in enumerate(events)
            if (at >= run and isinstance(event, (*_RUN, ev.TestFinished)))
            or (at == plan and self._running)
            or (last[_place(event)] == at and self._stands(event, at, last))
        ]
        # Of a run that goes on every test is counted, also one that exists no more.
        gone = tuple(
            one.nodeid
            for one in kept
            if isinstance(one, ev.TestFinished)
            and one.outcome in ("failed", "error")
            and not self._standing.holds(one)
        )
        tail = [msgspec.structs.replace(end, gone=(*end.gone, *gone)) for end in ends]
        return [*head, *kept, *tail] if kept else []

    def _stands(self, event: ev.Event, at: int, last: dict[Hashable, int]) -> bool:
        if isinstance(event, (ev.TestFinished, ev.Diagnostic)):
            return self._standing.holds(event)
        if isinstance(event, _APP):
            # What it failed of may be older than the process that has yet to show itself.
            failed = event.name in self._standing.failed_apps
            return failed or at >= last.get((ev.AppStarted, event.name), 0)
        if isinstance(event, ev.RunFinished):
            return self._standing.run_failure is not None
        return isinstance(event, (*_STEP, ev.ModeChanged))


def _place(event: ev.Event) -> Hashable:
    """What a later event with the same takes the place of."""
    if isinstance(event, ev.AppExited):
        return type(event), event.name, event.expected, event.code == 0
    if isinstance(event, (*_APP, *_STEP)):
        return type(event), event.name
    if isinstance(event, ev.TestFinished):
        return type(event), event.nodeid
    if isinstance(event, ev.Diagnostic):
        return msgspec.structs.replace(event, t=0.0, cycle=None, traceback=None)
    return type(event), ""
