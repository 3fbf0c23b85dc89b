"""Which tests are due: all whose last verdict did not pass on what they can reach now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devloop.events import Reason
from devloop.graph.graph import Graph
from devloop.select.reach import Categorise, Reach
from devloop.select.records import BROKEN, GOOD, HINDERED, Contents, Learned, Records, Verdict
from devloop.select.selection import SelectedFile

_ORDER = {"edited": 0, "failed": 1}


class Due(msgspec.Struct, frozen=True):
    """The tests that are due.

    Args:
        files: in the order in which they run.
        all_reason: one sentence, where every test file is due for one common reason.
    """

    files: tuple[SelectedFile, ...]
    all_reason: str | None = None


def due(graph: Graph, records: Records, contents: Contents, categorise: Categorise) -> Due:
    """Find the tests whose last verdict does not hold any more.

    Args:
        graph: as it is now.
        records: what earlier runs have shown.
        contents: as they are now.
        categorise: tells what a path is to selection.

    Returns:
        The files that hold them, edited ones first, then last failures, then the nearest.
    """
    reaches: dict[int, Reach] = {}

    def since(revision: int) -> Reach:
        if revision not in reaches:
            changed = records.changed_since(revision, contents)
            reaches[revision] = Reach(graph, changed, categorise)
        return reaches[revision]

    verdicts = by_file(records)
    ranked = []
    wholes: set[str | None] = set()
    for path in graph.tests:
        known = verdicts.get(path, ())
        collected = records.collected.get(path)
        seconds = sum(verdict.seconds for verdict in known)
        if collected is None:
            selected = SelectedFile(path, Reason("new", (path,), "has not run yet"))
            ranked.append((_rank(selected, 0, seconds), selected))
            wholes.add("never ran before")
            continue
        if collected in (BROKEN, HINDERED):
            reason = Reason("failed", (path,), "could not be collected when it last ran")
            selected = SelectedFile(path, reason)
            ranked.append((_rank(selected, 0, seconds), selected))
            wholes.add(None)
            continue
        reach = since(collected)
        found = reach.reason(path)
        if found is not None:
            selected = SelectedFile(path, found)
            ranked.append((_rank(selected, reach.distance(path), seconds), selected))
            wholes.add(reach.everything.detail if reach.everything else None)
            continue
        wholes.add(None)
        selected_or_none = _partly(path, known, since)
        if selected_or_none is not None:
            ranked.append((_rank(selected_or_none, 0, seconds), selected_or_none))
    files = tuple(selected for _, selected in sorted(ranked, key=lambda pair: pair[0]))
    all_reason = wholes.pop() if len(wholes) == 1 else None
    return Due(files, all_reason)


def _partly(path: str, known: Iterable[Verdict], since: object) -> SelectedFile | None:
    """Find the single tests that are due in a file that is not due as a whole."""
    assert callable(since)
    failed = []
    reached: list[str] = []
    reached_by: Reason | None = None
    for verdict in known:
        if verdict.outcome not in GOOD:
            failed.append(verdict.nodeid)
        else:
            reason = since(verdict.revision).reason(path)
            if reason is not None:
                reached_by = reason
                reached.append(verdict.nodeid)
    if reached_by is not None:
        return SelectedFile(path, reached_by, tuple(sorted(reached + failed)))
    if failed:
        reason = Reason("failed", (path,), "failed when it last ran")
        return SelectedFile(path, reason, tuple(sorted(failed)))
    return None


def renewed(graph: Graph, records: Records, contents: Contents, categorise: Categorise) -> Learned:
    """Say of verdicts that still hold that they hold for the contents of now.

    Each revision that some verdict is as of costs `due` one comparison; so they must not
    become many.

    Args:
        graph: as it is now.
        records: what earlier runs have shown.
        contents: as they are now.
        categorise: tells what a path is to selection.

    Returns:
        What is new; nothing where the last revision has other contents than these.
    """
    last = records.revision
    if records.changed_since(last, contents):
        return Learned()
    open_files = {file.path for file in due(graph, records, contents, categorise).files}
    old = [
        path
        for path in graph.tests
        if path not in open_files and records.collected.get(path, last) != last
    ]
    known = by_file(records)
    return Learned(
        verdicts=tuple(
            msgspec.structs.replace(verdict, revision=last)
            for path in old
            for verdict in known.get(path, ())
        ),
        collected=tuple((path, last) for path in old),
    )


def reached(graph: Graph, records: Records, changed: Iterable[str], categorise: Categorise) -> Due:
    """Find the tests that a change reaches, whatever their last verdict.

    Args:
        graph: as it is after the change.
        records: for the tests' durations.
        changed: paths and facts whose content is another one.
        categorise: tells what a path is to selection.

    Returns:
        The files that hold them, in the same order as `due`.
    """
    reach = Reach(graph, changed, categorise)
    verdicts = by_file(records)
    ranked = []
    for path in graph.tests:
        reason = reach.reason(path)
        if reason is not None:
            selected = SelectedFile(path, reason)
            seconds = sum(verdict.seconds for verdict in verdicts.get(path, ()))
            ranked.append((_rank(selected, reach.distance(path), seconds), selected))
    files = tuple(selected for _, selected in sorted(ranked, key=lambda pair: pair[0]))
    return Due(files, reach.everything.detail if reach.everything and files else None)


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
    ranked = []
    for path in tests:
        known = verdicts.get(path, ())
        failing = any(verdict.outcome not in GOOD for verdict in known)
        seconds = sum(verdict.seconds for verdict in known)
        selected = SelectedFile(path, Reason("all", (path,), reason))
        ranked.append(((0 if failing else 1, seconds, path), selected))
    files = tuple(selected for _, selected in sorted(ranked, key=lambda pair: pair[0]))
    return Due(files, reason)


def failing(tests: Iterable[str], records: Records) -> tuple[str, ...]:
    """Find what is known to fail: tests, and files that cannot be collected.

    Args:
        tests: the test files that there are.
        records: what earlier runs have shown.

    Returns:
        Nodeids, sorted.
    """
    there = frozenset(tests)
    bad = [v.nodeid for v in records.verdicts.values() if v.outcome not in GOOD and v.path in there]
    broken = [p for p, revision in records.collected.items() if revision == BROKEN and p in there]
    return tuple(sorted(bad + broken))


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


def _rank(selected: SelectedFile, distance: int, seconds: float) -> tuple[int, int, float, str]:
    return (_ORDER.get(selected.reason.kind, 2), distance, seconds, selected.path)
