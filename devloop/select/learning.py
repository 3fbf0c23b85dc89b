"""What one run adds to the records."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from devloop.graph.graph import Graph
from devloop.select.delta import Present
from devloop.select.judge import Judge
from devloop.select.numbers import pack
from devloop.select.recorded import Deps, Recording
from devloop.select.records import (
    BROKEN,
    GOOD,
    HINDERED,
    PASSES,
    UNRECORDED,
    Contents,
    Learned,
    Listing,
    Pass,
    Ran,
    Records,
    Verdict,
)

_NOTHING: Deps = frozenset()


def learn(present: Present, ran: Ran, doubtful: frozenset[str]) -> Learned:
    """Turn what a run has shown into records.

    Args:
        present: what is known; with the contents that it ran on, as planned.
        ran: the run.
        doubtful: tests, and test files, that a save may have reached while they ran: what they
            showed holds for no content for certain, and is not kept. A failure is kept, so that
            the test stays due.

    Returns:
        What is new.
    """
    records, contents, judge = present.records, present.contents, Judge(present)
    entries = records.entries_for(contents)
    revision = records.revision + 1 if entries else records.revision
    numbers = _Numbers(records)
    evidence = _Evidence(present.graph, ran.recording, numbers)
    verdicts = []
    for nodeid in _in_order(ran):
        path, outcome, seconds = ran.outcomes[nodeid]
        unsure = path in doubtful or nodeid in doubtful
        if unsure and outcome in GOOD:
            continue
        own, base = (UNRECORDED, UNRECORDED) if unsure else evidence.of(nodeid, path)
        before = records.verdicts.get(nodeid)
        passes = before.passes if before is not None and not unsure else ()
        if outcome in GOOD:
            others = []
            for one in passes:
                if judge.since(one.revision).of_test(path, one.own, one.base) is not None:
                    others.append(one)
                elif own != UNRECORDED:
                    # Nothing that it depended on then is another one: it may do now what it did.
                    own, base = numbers.union(own, one.own), numbers.union(base, one.base)
            passes = (Pass(revision, own, base), *others)[:PASSES]
        failures = before.failures << 1 & 0xFF if before is not None else 0
        failures |= outcome not in GOOD
        numbers.of(f"n {nodeid}")
        verdicts.append(
            Verdict(nodeid, path, outcome, seconds, revision, own, base, passes, failures)
        )
    listings = []
    for path, nodeids in sorted(ran.whole.items()):
        if path not in doubtful:
            tests = numbers.set_of(f"n {nodeid}" for nodeid in nodeids)
            latest = Listing(revision, evidence.base(path), tests)
            older = [
                listing
                for listing in records.listings.get(path, ())
                if judge.since(listing.revision).of_file(path, listing.base) is not None
            ]
            listings.append((path, (latest, *older)[:PASSES]))
    collected = (  # of a file that is both, the last one counts
        *((path, revision) for path, _ in listings),
        *((path, HINDERED) for path in sorted(ran.hindered)),
        *((path, BROKEN) for path in sorted(ran.broken)),
    )
    memos = tuple(
        (key, numbers.joined(records.memos.get(key, UNRECORDED), deps))
        for key, deps in sorted(ran.recording.memos.items() if ran.recording else ())
    )
    gone = _gone(records, dict(listings), contents, numbers)
    return Learned(
        entries,
        tuple(verdicts),
        collected,
        tuple(listings),
        gone,
        tuple(numbers.deps),
        tuple((number, data) for data, number in numbers.sets.items()),
        tuple((key, number) for key, number in memos if records.memos.get(key) != number),
    )


def _in_order(ran: Ran) -> Iterable[str]:
    """The tests in the order in which they ended, where that is known."""
    if ran.recording is None:
        return ran.outcomes
    return dict.fromkeys([*filter(ran.outcomes.__contains__, ran.recording.ran_in), *ran.outcomes])


def _gone(
    records: Records,
    listings: dict[str, tuple[Listing, ...]],
    contents: Contents,
    numbers: _Numbers,
) -> tuple[str, ...]:
    """The tests that no remembered content of their file holds, and failures of files that went."""
    found = []
    for verdict in records.verdicts.values():
        bad = verdict.outcome not in GOOD
        if verdict.path in listings:
            # What has passed elsewhere is remembered; what has failed there is no failure here.
            some = listings[verdict.path][: 1 if bad else PASSES]
            number = numbers.of(f"n {verdict.nodeid}")
            if not any(number in numbers.members(listing.tests) for listing in some):
                found.append(verdict.nodeid)
        elif bad and verdict.path not in contents:
            found.append(verdict.nodeid)
    return tuple(found)


class _Numbers:
    """Gives numbers to dependencies and to sets of them."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._number_of = dict(records.number_of)
        self._set_of = {data: number for number, data in records.sets.items()}
        self._next = max(records.sets, default=0) + 1
        self.deps: list[str] = []
        self.sets: dict[bytes, int] = {}
        self._new: dict[int, frozenset[int]] = {}

    def of(self, dep: str) -> int:
        number = self._number_of.get(dep)
        if number is None:
            number = self._number_of[dep] = len(self._number_of)
            self.deps.append(dep)
        return number

    def set_of(self, deps: Iterable[str]) -> int:
        return self._numbered(map(self.of, deps))

    def joined(self, number: int, deps: Iterable[str]) -> int:
        """The set that holds one more dependencies than an older set."""
        return self._numbered([*self.members(number), *map(self.of, deps)])

    def union(self, one: int, other: int) -> int:
        """The set that holds what either of two sets holds."""
        return one if one == other else self._numbered(self.members(one) | self.members(other))

    def members(self, number: int) -> frozenset[int]:
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


class _Evidence:
    """Puts together on what each test of a run depends.

    Args:
        graph: of what it ran on.
        recording: what it recorded; None is nothing.
        numbers: gives numbers.
    """

    def __init__(self, graph: Graph, recording: Recording | None, numbers: _Numbers) -> None:
        self._graph = graph
        self._recording = recording
        self._numbers = numbers
        self._bases: dict[tuple[str, str, int], int] = {}
        self._closures: dict[str, frozenset[str]] = {}
        self._functions = recording is not None and any(
            dep[0] == "f" for deps in recording.tests.values() for dep in deps
        )
        """Whether functions could be told apart (Python 3.12 and later)."""
        self._strays: dict[str, set[str]] = {}
        """For each process the modules that tests have imported and no closure explains."""

    def of(self, nodeid: str, path: str) -> tuple[int, int]:
        """The numbers of a test's own set and of its base; to be asked in the tests' order."""
        recording = self._recording
        if recording is None or nodeid not in recording.tests:
            return UNRECORDED, UNRECORDED
        process = recording.ran_in.get(nodeid, "")
        deps = recording.tests[nodeid]
        strays = self._strays.setdefault(process, set())
        base = self._base(path, process, strays)
        # What a test imports stays imported: those after it in the process need it no more.
        imported = {dep[2:] for dep in deps if dep[0] in "mp"} - self._closure(path)
        strays |= imported
        own = deps | self._of_modules(imported, frozenset()) if imported else deps
        return self._numbers.set_of(own), base

    def base(self, path: str) -> int:
        """The number of the set of what the collection of a file depends on."""
        recording = self._recording
        if recording is None:
            return UNRECORDED
        processes = sorted(set(recording.ran_in.values()) or {""})
        return self._base(path, processes[0], set())

    def _base(self, path: str, process: str, strays: set[str]) -> int:
        assert self._recording is not None
        key = path, process, len(strays)
        found = self._bases.get(key)
        if found is None:
            recording = self._recording
            deps = recording.collections.get(path, _NOTHING)
            deps |= recording.processes.get(process, _NOTHING)
            deps |= {f"w {written}" for written in recording.written}
            static = self._closure(path)
            deps |= self._of_modules({*static, *strays}, static)
            if not self._functions:
                # Who ran what is not known: whatever may have been imported may have run.
                deps |= {f"p {module}" for module in static}
            found = self._bases[key] = self._numbers.set_of(deps)
        return found

    def _closure(self, path: str) -> frozenset[str]:
        found = self._closures.get(path)
        if found is None:
            found = self._closures[path] = self._graph.closure([path])
        return found

    def _of_modules(self, modules: Iterable[str], explained: frozenset[str]) -> Deps:
        """What was done while modules, and all that they imported, were imported.

        Args:
            modules: their paths.
            explained: those that the graph leads to; the others become dependencies themselves.
        """
        assert self._recording is not None
        recording = self._recording
        found: set[str] = set()
        seen: set[str] = set()
        todo = list(modules)
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            found |= recording.modules.get(path, _NOTHING)
            todo += recording.imports.get(path, _NOTHING)
            if path not in explained:
                found |= {f"m {path}", f"p {path}"}
                todo += self._closure(path)
        return frozenset(found)


def renewed(records: Records, holding: Iterable[tuple[Verdict, Pass]]) -> tuple[Verdict, ...]:
    """Say of passes that still hold that they hold for the last revision.

    Each revision that some pass is of costs a comparison; so they must not become many.

    Args:
        records: whose last revision has the contents of now.
        holding: verdicts, each with the one of its passes that holds.

    Returns:
        The verdicts that become others.
    """
    last = records.revision
    found = []
    for verdict, one in holding:
        if one.revision == last:
            continue
        passes = tuple(
            msgspec.structs.replace(other, revision=last) if other is one else other
            for other in verdict.passes
        )
        found.append(msgspec.structs.replace(verdict, passes=passes))
    return tuple(found)
