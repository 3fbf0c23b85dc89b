"""What may read a name behind which another value stands now, in tests that can meet that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from devloop.events import Reason
from devloop.select.records import Records


class Origin(NamedTuple):
    """Sources of which a test's closure has to hold one, that a name of theirs may concern it.

    Args:
        paths: of them.
        modules: the numbers of their imports.
    """

    paths: frozenset[str]
    modules: frozenset[int]

    def is_held(self, path: str, *sets: frozenset[int]) -> bool:
        """Whether a test can meet what the names stand for.

        Args:
            path: of its file.
            sets: the numbers of what it depends on.
        """
        if self is ANYWHERE or path in self.paths:
            return True
        return not all(map(self.modules.isdisjoint, sets))


ANYWHERE = Origin(frozenset(), frozenset())
"""Of what concerns whoever has run it."""


class Mentions:
    """The dependencies that may read a changed value, each with its reason and its origins.

    Args:
        in_tests: only tests have computed such a value, so that what ran at an import met none.
    """

    def __init__(self, *, in_tests: bool = False) -> None:
        self.in_tests = in_tests
        self._reasons: dict[int, Reason] = {}
        self._origins: dict[int, list[Origin]] = {}
        self._ran: dict[Origin, frozenset[int]] = {}

    def add(self, number: int, reason: Reason, origin: Origin) -> None:
        """Note a dependency.

        Args:
            number: its own.
            reason: why; the first one counts.
            origin: of the names.
        """
        self._reasons.setdefault(number, reason)
        origins = self._origins.setdefault(number, [])
        if origin not in origins:
            origins.append(origin)

    def of(self, path: str, members: frozenset[int], *more: frozenset[int]) -> dict[int, Reason]:
        """What of a set concerns a test.

        Args:
            path: of its file.
            members: the set.
            more: whatever else it depends on.

        Returns:
            The dependencies, with their reasons.
        """
        if self._reasons.keys().isdisjoint(members):
            return {}
        return {
            number: self._reasons[number]
            for number in self._reasons.keys() & members
            if any(origin.is_held(path, members, *more) for origin in self._origins[number])
        }

    def causes(
        self, function: Collection[int], numbers: Iterable[int], records: Records
    ) -> Iterator[Reason]:
        """Why a function that keeps results may have kept another value.

        Args:
            function: its own numbers.
            numbers: those of all that it reaches.
            records: what runs have shown.

        Yields:
            A reason for each of them that a test may have met there.
        """
        for number in numbers:
            if number in self._reasons and any(
                self._may_meet(function, origin, records) for origin in self._origins[number]
            ):
                yield self._reasons[number]

    def _may_meet(self, function: Collection[int], origin: Origin, records: Records) -> bool:
        """Whether a test has run a function that can meet what the names stand for."""
        if origin is ANYWHERE:
            return True
        if origin not in self._ran:
            self._ran[origin] = records.whens.of_tests(origin.is_held, itself=self.in_tests)
        return not self._ran[origin].isdisjoint(function)
