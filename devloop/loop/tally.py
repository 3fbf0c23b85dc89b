"""How far the tests of a cycle have come, told from its events."""

from __future__ import annotations

from collections.abc import Iterable

from devloop.events import Diagnostic, Event, PlanMade, RunFinished, TestFinished, TestOutcome
from devloop.select.records import GOOD


class Tally:
    """Counts the tests of one cycle. It takes every event of it.

    Attributes:
        outcomes: how each test that ran has ended.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, TestOutcome] = {}
        self._plan = PlanMade()
        self._broke_off = False

    def apply(self, event: Event) -> None:
        """Take one event."""
        # Those that come by the thousand are first.
        if isinstance(event, TestFinished):
            self.outcomes[event.nodeid] = event.outcome
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
        return max(plan.selected - len(self.outcomes) - len(spared), 0) + plan.held

    @property
    def verified(self) -> int:
        """How many tests ran and did not fail."""
        return sum(outcome in GOOD for outcome in self.outcomes.values())
