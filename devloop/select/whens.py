"""When what tests depend on was done: as modules were imported, or in tests."""

from __future__ import annotations

from collections.abc import Iterable
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

    def of_tests_with(
        self, paths: frozenset[str], modules: frozenset[int], *, itself: bool
    ) -> frozenset[int]:
        """What those tests did that have imported one of some sources.

        Args:
            paths: of the sources; the tests in these have, too.
            modules: the numbers of the imports of these.
            itself: leave out what their modules did.
        """
        found: set[int] = set()
        for path, own, base in self.runs:
            if path in paths or not (modules.isdisjoint(own) and modules.isdisjoint(base)):
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
