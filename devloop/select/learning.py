"""What one run adds to the records."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from devloop.select.delta import Present
from devloop.select.evidence import Evidence
from devloop.select.judge import Judge
from devloop.select.numbering import Numbers
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
    numbers = Numbers(records)
    evidence = Evidence(present.graph, ran.recording, numbers, records.memos)
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
    numbers: Numbers,
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
