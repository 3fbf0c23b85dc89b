"""Which of the outcomes that are known hold on the contents of now."""

from __future__ import annotations

from collections.abc import Iterator

from devloop.events import Reason
from devloop.select.delta import Delta, Present
from devloop.select.records import GOOD, Listing, Pass, Verdict


class Judge:
    """Tells which known outcomes hold on the contents of now, and why others do not.

    Args:
        present: what is known now.
    """

    def __init__(self, present: Present) -> None:
        self._present = present
        self._deltas: dict[int, Delta] = {}

    def since(self, revision: int) -> Delta:
        """What has changed since a revision."""
        found = self._deltas.get(revision)
        if found is None:
            before = self._present.records.differences(revision, self._present.contents)
            found = self._deltas[revision] = Delta(self._present, before)
        return found

    def listing(self, path: str) -> Listing | None:
        """The tests that a file holds now, if they are known.

        Args:
            path: of the file.

        Returns:
            None where its collection may come to others.
        """
        for one in self._present.records.listings.get(path, ()):
            if self.since(one.revision).of_file(path, one.base) is None:
                return one
        return None

    def tests(self, listing: Listing) -> list[str]:
        """The tests in a listing, sorted."""
        records = self._present.records
        return sorted(records.deps[number][2:] for number in records.members(listing.tests))

    def holding(self, verdict: Verdict) -> Pass | None:
        """On which contents a test has passed that are those of now, in all that it depends on."""
        for one in verdict.passes:
            if self.since(one.revision).of_test(verdict.path, one.own, one.base) is None:
                return one
        return None

    def holds(self, verdict: Verdict) -> bool:
        """Whether nothing that a test depends on has changed since its last outcome."""
        since = self.since(verdict.revision)
        return since.of_test(verdict.path, verdict.own, verdict.base) is None

    def why_due(self, verdict: Verdict) -> Reason | None:
        """Why a test is due.

        Args:
            verdict: its own.

        Returns:
            None where it has passed on what it depends on now, and has not failed on it since.
            What a flaky test has passed on before excuses no failure.
        """
        bad = verdict.outcome not in GOOD
        if self.holding(verdict) is None:
            if bad or not verdict.passes:
                return _failed(verdict)
            last = verdict.passes[0]
            return self.since(last.revision).of_test(verdict.path, last.own, last.base)
        if not bad:
            return None
        flaky = verdict.nodeid in self._present.flaky
        return _failed(verdict) if flaky or self.holds(verdict) else None

    def failing(self) -> Iterator[Verdict]:
        """The tests whose last outcome was bad, and that have not passed on what there is now."""
        return (verdict for verdict in self._bad() if self.why_due(verdict) is not None)

    def restored(self) -> Iterator[Verdict]:
        """The tests whose last outcome was bad, and that have passed on what there is now.

        What they failed on has been taken back.
        """
        return (verdict for verdict in self._bad() if self.why_due(verdict) is None)

    def _bad(self) -> Iterator[Verdict]:
        graph, records = self._present.graph, self._present.records
        there = frozenset(graph.tests)
        for verdict in records.verdicts.values():
            if verdict.outcome in GOOD or verdict.path not in there:
                continue
            listing = self.listing(verdict.path)
            if listing is not None and listing is not records.listings[verdict.path][0]:
                number = records.number_of.get(f"n {verdict.nodeid}")
                if number not in records.members(listing.tests):
                    continue
            yield verdict


def _failed(verdict: Verdict) -> Reason:
    return Reason("failed", (verdict.nodeid,), "failed when it last ran")
