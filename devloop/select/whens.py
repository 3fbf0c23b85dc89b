"""When what tests depend on was done: as modules were imported, or in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from devloop.select.records import Records


class Whens(NamedTuple):
    """When what tests depend on was done.

    Args:
        at_import: the numbers of what was done as modules were imported, before any test.
        late: the sources that were imported amid tests.
        runs: for each test that is recorded its file, and the numbers of all that it did itself
            or its modules did.
    """

    at_import: frozenset[int]
    late: frozenset[str]
    runs: tuple[tuple[str, frozenset[int], frozenset[int]], ...]

    def of_tests(self, concerned: Callable[..., bool], *, itself: bool) -> frozenset[int]:
        """What some tests did.

        Args:
            concerned: says of a test whether it is one of them, by its file, the numbers of what
                it did and those of what its modules did.
            itself: leave out what their modules did.
        """
        found: set[int] = set()
        for path, own, base in self.runs:
            if concerned(path, own, base):
                found |= own
                if not itself:
                    found |= base
        return frozenset(found)


def whens(records: Records) -> Whens:
    """Find out when what tests depend on was done.

    Args:
        records: what runs have shown.
    """
    verdicts = records.verdicts.values()
    runs = {(one.path, one.own, one.base) for one in verdicts}
    return Whens(
        _all(records.members(number) for number in {base for _, _, base in runs}),
        frozenset(records.of_kind("a")),
        tuple((path, records.members(own), records.members(base)) for path, own, base in runs),
    )


def _all(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*sets)
