"""New dependencies, and sets of them, get numbers that stand behind those of the records."""

from __future__ import annotations

from collections.abc import Iterable

from devloop.select.numbers import pack
from devloop.select.records import UNRECORDED, Records


class Numbers:
    """Gives numbers to dependencies and to sets of them.

    Args:
        records: what has some already.

    Attributes:
        deps: those that got a number, in their order.
        sets: the numbers that sets got, by the set.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._number_of = dict(records.number_of)
        self._set_of = {data: number for number, data in records.sets.items()}
        self._next = max(records.sets, default=0) + 1
        self.deps: list[str] = []
        self.sets: dict[bytes, int] = {}
        self._new: dict[int, frozenset[int]] = {}

    def of(self, dep: str) -> int:
        """The number of a dependency."""
        number = self._number_of.get(dep)
        if number is None:
            number = self._number_of[dep] = len(self._number_of)
            self.deps.append(dep)
        return number

    def set_of(self, deps: Iterable[str]) -> int:
        """The number of a set of dependencies."""
        return self._numbered(map(self.of, deps))

    def joined(self, number: int, deps: Iterable[str]) -> int:
        """The set that holds one more dependencies than an older set."""
        return self._numbered([*self.members(number), *map(self.of, deps)])

    def union(self, one: int, other: int) -> int:
        """The set that holds what either of two sets holds."""
        return one if one == other else self._numbered(self.members(one) | self.members(other))

    def members(self, number: int) -> frozenset[int]:
        """The dependencies of a set."""
        if number in self._records.sets or number == UNRECORDED:
            return self._records.members(number)
        return self._new[number]

    def _numbered(self, numbers: Iterable[int]) -> int:
        members = frozenset(numbers)
        data = pack(members)
        number = self._set_of.get(data)
        if number is None:
            number = self._set_of[data] = self.sets[data] = self._next
            self._next += 1
            self._new[number] = members
        return number
