"""What is known of selection itself: whether the tests that it left out would have passed.

A test that ran in a cycle and passed is *verified*; one that was left out and whose last verdict
holds is *assumed*. A *shadow run* runs assumed tests while nothing else is to be done. One that
then shows another outcome was skipped wrongly. A test that shows another outcome although nothing
that it reaches has changed is *flaky*, which is no fault of selection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from devloop.events import Reason, TestOutcome
from devloop.select.records import GOOD, Ran, Records, Verdict
from devloop.select.selection import SelectedFile
from devloop.select.tests import Due


class FlakyTest(msgspec.Struct, frozen=True):
    """A test that has shown two outcomes on one content.

    Args:
        nodeid: pytest's own.
        times: how often its outcome has changed so.
        at: when it last did, in seconds since the epoch.
    """

    nodeid: str
    times: int
    at: float


class WrongSkip(msgspec.Struct, frozen=True):
    """A test that was left out although its outcome had changed.

    Args:
        nodeid: pytest's own.
        at: when that was found, in seconds since the epoch.
        assumed: the outcome that was taken to hold.
        outcome: the one that it had.
        missing: dependencies that only the new record has.
    """

    nodeid: str
    at: float
    assumed: TestOutcome
    outcome: TestOutcome
    missing: tuple[str, ...] = ()


class ShadowTotals(msgspec.Struct, frozen=True):
    """All shadow runs together.

    Args:
        runs: how many there were.
        tests: how many tests they have run.
        confirmed: how many of those had the outcome that was assumed.
        seconds: how long they took.
    """

    runs: int = 0
    tests: int = 0
    confirmed: int = 0
    seconds: float = 0.0

    def __add__(self, other: ShadowTotals) -> ShadowTotals:
        return ShadowTotals(
            self.runs + other.runs,
            self.tests + other.tests,
            self.confirmed + other.confirmed,
            self.seconds + other.seconds,
        )


class Shown(msgspec.Struct, frozen=True):
    """What a test has shown when it ran alone.

    Args:
        outcome: its own; None where it did not come to its end.
        hindered: it could not have what something else holds, a port for instance.
    """

    outcome: TestOutcome | None
    hindered: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """What a shadow run says of selection.

    Args:
        confirmed: how many tests had the outcome that was assumed.
        other: those that had another one, with others and alone, and which.
        unclear: those of which it is not known, because they did not run alone.
        ran: what is to be learned of the run.
    """

    confirmed: int
    other: Mapping[str, TestOutcome]
    unclear: frozenset[str]
    ran: Ran


class Proofs(msgspec.Struct, frozen=True):
    """All of it, as the store has it.

    Args:
        flaky: the tests that have shown two outcomes on one content, by nodeid.
        skips: the tests that were skipped wrongly, by nodeid; the last time of each.
        shadow: what shadow runs have come to.
    """

    flaky: Mapping[str, FlakyTest] = {}
    skips: Mapping[str, WrongSkip] = {}
    shadow: ShadowTotals = ShadowTotals()


def assumed(
    records: Records, test_files: Collection[str], due: Due, ran: Collection[str]
) -> tuple[str, ...]:
    """Find the tests that are taken to pass without having run.

    Args:
        records: what earlier runs have shown.
        test_files: all that there are.
        due: what is due, whether or not it ran.
        ran: the tests that ran in this cycle.

    Returns:
        Nodeids, those whose verdict is oldest first.
    """
    there = frozenset(test_files) - {file.path for file in due.files if not file.nodeids}
    open_ = {nodeid for file in due.files for nodeid in file.nodeids}
    open_.update(ran)
    found = [
        verdict
        for verdict in records.verdicts.values()
        if verdict.path in there
        and verdict.nodeid not in open_
        # What failed last and is not due has passed on what there is now.
        and (verdict.outcome in GOOD or verdict.passes)
    ]
    found.sort(key=lambda verdict: verdict.revision)  # stable: as they were collected
    return tuple(verdict.nodeid for verdict in found)


def still_due(due: Due, ran: Ran, doubtful: Collection[str]) -> Due:
    """What is left of what was due after a run.

    Args:
        due: before it.
        ran: the run.
        doubtful: tests, and test files, whose verdicts hold for no content for certain.
    """
    left = []
    unsure: dict[str, list[str]] = {}
    for nodeid, (path, outcome, _) in sorted(ran.outcomes.items()):
        if nodeid in doubtful or outcome not in GOOD:
            unsure.setdefault(path, []).append(nodeid)
    for file in due.files:
        open_ = (nodeid for nodeid in file.nodeids if nodeid not in ran.outcomes)
        nodeids = tuple(dict.fromkeys((*open_, *unsure.get(file.path, ()))))
        if file.path in doubtful or (not file.nodeids and file.path not in ran.whole):
            left.append(file)
        elif nodeids and (file.path not in ran.whole or file.path in unsure):
            left.append(msgspec.structs.replace(file, nodeids=nodeids))
    return Due(tuple(left))


def as_assumed(verdict: Verdict, outcome: TestOutcome) -> bool:
    """Whether a test that was left out has the outcome that was assumed.

    Args:
        verdict: its last one; where that is a bad one, it has passed on what there is now.
        outcome: the one that it has.
    """
    return outcome == verdict.outcome or (verdict.outcome not in GOOD and outcome in GOOD)


def judged(records: Records, ran: Ran, alone: Mapping[str, Shown]) -> Judgement:
    """Hold a shadow run against what was assumed.

    Args:
        records: what was known before.
        ran: the run.
        alone: what those that showed another outcome have shown when they ran alone.

    Returns:
        A test that had the assumed outcome alone depends on what ran before it, or on what runs
        beside it: that is no fault of selection, and nothing is learned of it.
    """
    confirmed = 0
    other: dict[str, TestOutcome] = {}
    unclear = set()
    kept = {}
    for nodeid, (path, outcome, seconds) in ran.outcomes.items():
        before = records.verdicts.get(nodeid)
        shown = alone.get(nodeid)
        if before is None or as_assumed(before, outcome):
            confirmed += before is not None
            kept[nodeid] = (path, outcome, seconds)
        elif shown is None:
            unclear.add(nodeid)
        elif shown.outcome is None or shown.hindered or as_assumed(before, shown.outcome):
            continue
        else:
            other[nodeid] = shown.outcome
            kept[nodeid] = (path, shown.outcome, seconds)
    whole = {path: names for path, names in ran.whole.items() if names <= kept.keys()}
    learned = msgspec.structs.replace(ran, outcomes=kept, whole=whole)
    return Judgement(confirmed, other, frozenset(unclear), learned)


def with_distrusted(
    due: Due,
    records: Records,
    skips: Collection[str],
    changed_since: Callable[[int], Collection[str]],
) -> Due:
    """Add the tests that were skipped wrongly before: any change selects them.

    Args:
        due: what is due besides.
        records: what earlier runs have shown.
        skips: those tests.
        changed_since: what has changed since a revision and could matter to a test.

    Returns:
        All of them.
    """
    chosen = {file.path: file for file in due.files}
    for nodeid in sorted(skips):
        verdict = records.verdicts.get(nodeid)
        if verdict is None or not (changed := changed_since(verdict.revision)):
            continue
        file = chosen.get(verdict.path)
        reason = Reason("opaque", (verdict.path, min(changed)), "was skipped wrongly before")
        if file is None:
            chosen[verdict.path] = SelectedFile(verdict.path, reason, (nodeid,))
        elif file.nodeids and nodeid not in file.nodeids:
            chosen[verdict.path] = msgspec.structs.replace(
                file,
                nodeids=(*file.nodeids, nodeid),
                reasons={**file.reasons, nodeid: reason},
            )
    return Due(tuple(chosen.values()), due.all_reason)


def unsteady(
    records: Records, ran: Ran, doubtful: Collection[str], unchanged: Callable[[int], bool]
) -> tuple[str, ...]:
    """Find the tests of a run that have shown another outcome on the same content.

    Args:
        records: what was known before the run.
        ran: the run.
        doubtful: tests and test files of which it is not known on what content they ran.
        unchanged: whether nothing at all that could matter has changed since a revision. That
            only its own record does not name what has changed would be no proof: it is what
            makes a test skipped wrongly.

    Returns:
        Nodeids: they had passed and failed now, or the other way round.
    """
    found = []
    for nodeid, (path, outcome, _) in ran.outcomes.items():
        before = records.verdicts.get(nodeid)
        if before is None or (before.outcome in GOOD) == (outcome in GOOD):
            continue
        if path in doubtful or nodeid in doubtful:
            continue
        if unchanged(before.revision):
            found.append(nodeid)
    return tuple(found)
