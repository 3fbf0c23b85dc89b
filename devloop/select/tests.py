"""Which tests are due: all that have not passed on what they depend on now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devloop.events import Reason
from devloop.select.delta import Delta, Present
from devloop.select.judge import Judge
from devloop.select.learning import renewed as renewed_passes
from devloop.select.records import (
    BROKEN,
    GOOD,
    HINDERED,
    UNRECORDED,
    Learned,
    Pass,
    Records,
    Verdict,
)
from devloop.select.selection import SelectedFile

_ORDER = {"edited": 0, "failed": 1}
_FAR = 1_000_000


class Due(msgspec.Struct, frozen=True):
    """The tests that are due.

    Args:
        files: in the order in which they run.
        all_reason: one sentence, where every test file is due for one common reason.
    """

    files: tuple[SelectedFile, ...]
    all_reason: str | None = None


def due(present: Present) -> Due:
    """Find the tests that have not passed on what they depend on now.

    Args:
        present: what is known now.

    Returns:
        The files that hold them, edited ones first, then last failures, then the nearest.
    """
    records, judge = present.records, Judge(present)
    verdicts = by_file(records)
    found = []
    wholes: set[str | None] = set()
    for path in present.graph.tests:
        known = verdicts.get(path, ())
        selected, whole = _due_of(path, records, judge)
        wholes.add(whole)
        if selected is not None:
            last = records.collected.get(path, 0)
            distance = _distance(judge.since(last), selected) if last > 0 else 0
            found.append((_rank(selected, distance, known), selected))
    return Due(_in_order(found), wholes.pop() if len(wholes) == 1 else None)


def _due_of(path: str, records: Records, judge: Judge) -> tuple[SelectedFile | None, str | None]:
    """What of one file is due; and the sentence by which all of it is, with others alike."""
    collected = records.collected.get(path)
    if collected is None:
        reason = Reason("new", (path,), "has not run yet")
        return SelectedFile(path, reason), "never ran before"
    if collected in (BROKEN, HINDERED):
        reason = Reason("failed", (path,), "could not be collected when it last ran")
        return SelectedFile(path, reason), None
    listing = judge.listing(path)
    if listing is None:
        last = records.listings[path][0]
        delta = judge.since(last.revision)
        found = delta.of_file(path, last.base)
        assert found is not None
        everything = (delta.static if last.base == UNRECORDED else delta).everything
        return SelectedFile(path, found), everything.detail if everything else None
    reasons = {}
    there = judge.tests(listing)
    for nodeid in there:
        verdict = records.verdicts.get(nodeid)
        if verdict is None:
            reasons[nodeid] = Reason("new", (nodeid,), "has not run yet")
        elif (found := judge.why_due(verdict)) is not None:
            reasons[nodeid] = found
    return _partly(path, reasons, listed=len(reasons) < len(there)), None


def _partly(
    path: str, reasons: Mapping[str, Reason], *, listed: bool = False
) -> SelectedFile | None:
    """Select single tests of a file; the most telling reason stands for the file."""
    if not reasons:
        return None
    first = min(reasons.values(), key=lambda one: (_ORDER.get(one.kind, 2), len(one.chain)))
    return SelectedFile(path, first, tuple(reasons), reasons, listed)


def renewed(present: Present) -> Learned:
    """Say of outcomes that still hold that they hold for the contents of now.

    Each revision that some outcome is as of costs `due` one comparison; so they must not
    become many.

    Args:
        present: what is known now.

    Returns:
        What is new; nothing where the last revision has other contents than these.
    """
    records, judge = present.records, Judge(present)
    last = records.revision
    if records.changed_since(last, present.contents):
        return Learned()
    holding: list[tuple[Verdict, Pass]] = []
    listings = []
    for path in present.graph.tests:
        if records.collected.get(path, BROKEN) in (BROKEN, HINDERED):
            continue
        if (listing := judge.listing(path)) is None:
            continue
        if listing.revision != last:
            others = [one for one in records.listings[path] if one is not listing]
            renewed_one = msgspec.structs.replace(listing, revision=last)
            listings.append((path, (renewed_one, *others)))
        for nodeid in judge.tests(listing):
            verdict = records.verdicts.get(nodeid)
            if verdict is not None and (one := judge.holding(verdict)) is not None:
                holding.append((verdict, one))
    return Learned(
        verdicts=renewed_passes(records, holding),
        collected=tuple((path, last) for path, _ in listings),
        listings=tuple(listings),
    )


def revisions(records: Records) -> int:
    """How many comparisons `due` makes where nothing has changed.

    Args:
        records: what earlier runs have shown.
    """
    found = {some[0].revision for some in records.listings.values()}
    found.update(v.passes[0].revision for v in records.verdicts.values() if v.passes)
    return len(found)


def reached(present: Present, before: Mapping[str, bytes]) -> Due:
    """Find the tests that a change reaches, whatever their last outcome.

    Args:
        present: what is known after the change.
        before: for each path and fact whose content is another one the one from before.

    Returns:
        The files that hold them, in the same order as `due`.
    """
    delta, records = Delta(present, before), present.records
    verdicts = by_file(records)
    found = []
    for path in present.graph.tests:
        selected = reached_of(path, delta, records)
        if selected is not None:
            known = verdicts.get(path, ())
            found.append((_rank(selected, _distance(delta, selected), known), selected))
    recorded = any(one.base != UNRECORDED for some in records.listings.values() for one in some[:1])
    everything = (delta if recorded else delta.static).everything
    return Due(_in_order(found), everything.detail if everything and found else None)


def reached_of(path: str, delta: Delta, records: Records) -> SelectedFile | None:
    """What of one file a change reaches.

    Args:
        path: of the test file.
        delta: the change.
        records: what earlier runs have shown.

    Returns:
        The file, or single tests of it.
    """
    listings = records.listings.get(path)
    if not listings:
        reason = delta.static.reason(path)
        return None if reason is None else SelectedFile(path, reason)
    reason = delta.of_file(path, listings[0].base)
    if reason is not None:
        return SelectedFile(path, reason)
    reasons = {}
    for number in records.members(listings[0].tests):
        nodeid = records.deps[number][2:]
        verdict = records.verdicts.get(nodeid)
        if verdict is not None:
            found = delta.of_test(path, verdict.own, verdict.base)
            if found is not None:
                reasons[nodeid] = found
    return _partly(path, dict(sorted(reasons.items())))


def reaches(nodeid: str, delta: Delta, records: Records) -> bool:
    """Whether a change reaches a test.

    Args:
        nodeid: of the test.
        delta: the change.
        records: what earlier runs have shown.
    """
    verdict = records.verdicts.get(nodeid)
    if verdict is None:
        return delta.static.reason(nodeid.partition("::")[0]) is not None
    return delta.of_test(verdict.path, verdict.own, verdict.base) is not None


def everything(tests: Iterable[str], records: Records, reason: str) -> Due:
    """Select all tests.

    Args:
        tests: the test files.
        records: for their last outcomes and durations.
        reason: one sentence.

    Returns:
        Every test file, last failures first.
    """
    verdicts = by_file(records)
    found = []
    for path in tests:
        known = verdicts.get(path, ())
        selected = SelectedFile(path, Reason("all", (path,), reason))
        _, _, lately, seconds, _ = _rank(selected, 0, known)
        failing = any(verdict.outcome not in GOOD for verdict in known)
        found.append(((0 if failing else 1, 0, lately, seconds, path), selected))
    return Due(_in_order(found), reason)


def failing(present: Present) -> tuple[str, ...]:
    """Find what is known to fail: tests, and files that cannot be collected.

    Args:
        present: what is known now.

    Returns:
        Nodeids, sorted.
    """
    records, there = present.records, frozenset(present.graph.tests)
    bad = [verdict.nodeid for verdict in Judge(present).failing()]
    broken = [p for p, revision in records.collected.items() if revision == BROKEN and p in there]
    return tuple(sorted(bad + broken))


def hindered(present: Present) -> tuple[str, ...]:
    """Find the test files that something above them, as a conftest.py, kept from being collected.

    Args:
        present: what is known now.

    Returns:
        Their paths, sorted.
    """
    records = present.records
    return tuple(p for p in sorted(present.graph.tests) if records.collected.get(p) == HINDERED)


def restored(present: Present) -> tuple[str, ...]:
    """Find the tests that failed when they last ran and have passed on what there is now.

    Args:
        present: what is known now.

    Returns:
        Nodeids, sorted.
    """
    return tuple(sorted(verdict.nodeid for verdict in Judge(present).restored()))


def by_file(records: Records) -> Mapping[str, list[Verdict]]:
    """The known verdicts of each test file.

    Args:
        records: what earlier runs have shown.

    Returns:
        For each file its verdicts.
    """
    found: dict[str, list[Verdict]] = {}
    for verdict in records.verdicts.values():
        found.setdefault(verdict.path, []).append(verdict)
    return found


Rank = tuple[int, int, int, float, str]


def _rank(selected: SelectedFile, distance: int, known: Iterable[Verdict]) -> Rank:
    wanted = frozenset(selected.nodeids)
    some = [verdict for verdict in known if not wanted or verdict.nodeid in wanted]
    lately = max((verdict.failures.bit_count() for verdict in some), default=0)
    seconds = sum(verdict.seconds for verdict in some)
    return _ORDER.get(selected.reason.kind, 2), distance, -lately, seconds, selected.path


def _distance(delta: Delta, selected: SelectedFile) -> int:
    return delta.distance(selected.path) if selected.reason.kind not in _ORDER else 0


def _in_order(found: Iterable[tuple[Rank, SelectedFile]]) -> tuple[SelectedFile, ...]:
    return tuple(selected for _, selected in sorted(found, key=lambda pair: pair[0]))
