"""How far the tests of a cycle have come, told from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devloop.events import (
    Diagnostic,
    Event,
    PlanMade,
    RunFinished,
    RunStarted,
    TestFinished,
    TestOutcome,
)
from devloop.select.records import GOOD


class Tally:
    """Counts the tests of one cycle. It takes every event of it.

    Args:
        run: what a run has shown that goes over from the cycle before.

    Attributes:
        outcomes: how each test that ran has ended.
        run: the same, of the run that began last.
    """

    def __init__(self, run: Mapping[str, TestOutcome] | None = None) -> None:
        self.outcomes: dict[str, TestOutcome] = {**(run or {})}
        self.run: dict[str, TestOutcome] = {**(run or {})}
        self._before = set(self.run)
        self._plan = PlanMade()
        self._broke_off = False

    def apply(self, event: Event) -> None:
        """Take one event."""
        # Those that come by the thousand are first.
        if isinstance(event, TestFinished):
            self.outcomes[event.nodeid] = self.run[event.nodeid] = event.outcome
            self._before.discard(event.nodeid)
        elif isinstance(event, RunStarted):
            self.run = {}
        elif isinstance(event, PlanMade):
            self._plan = event
        elif isinstance(event, RunFinished):
            self._broke_off |= event.outcome in ("cancelled", "runner-failed")
        elif isinstance(event, Diagnostic) and event.nodeid is not None:
            # A file or a folder that cannot be collected.
            self._broke_off |= "::" not in event.nodeid

    def due(self, assumed: Iterable[str] = (), *, cancelled: bool) -> int:
        """How many of the cycle's tests did not run and are still due.

        Args:
            assumed: the tests that are taken to pass: what of them was to run was asked for.
            cancelled: it ends before its work has.

        Returns:
            Of a cycle whose runs came to their end just those that filters hold back: what was
            selected and did not run then exists no more, or is left out by pytest's own options.
        """
        plan = self._plan
        if not (cancelled or self._broke_off):
            return plan.held
        spared = {test.nodeid for test in plan.tests}.intersection(assumed)
        ran = len(self.outcomes) - len(self._before)
        return max(plan.selected - ran - len(spared), 0) + plan.held

    @property
    def verified(self) -> int:
        """How many tests ran and did not fail."""
        return sum(outcome in GOOD for outcome in self.outcomes.values())
