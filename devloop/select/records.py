"""What earlier runs have shown: verdicts, and the contents that they were shown on.

Contents are kept as a history: for each path the revisions at which its content became
another one. So the question "what has changed since this test passed" has an answer that
survives the session, and an edit that was taken back is no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devloop.events import TestOutcome
from devloop.select.numbers import unpack
from devloop.select.recorded import Recording
from devloop.select.whens import Whens, whens

GOOD: frozenset[TestOutcome] = frozenset({"passed", "skipped", "xfailed", "xpassed"})
ABSENT = b""
"""The content of a path that is not there."""

BROKEN = 0
"""Stands for the revision as of which a file's tests are known, where it could not be collected."""

HINDERED = -1
"""The same where something above the file, a `conftest.py` say, was at fault."""

Contents = Mapping[str, bytes]
"""For each path (and each fact that is not a file) a digest of what matters about it."""


class Pass(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That a test has passed on some contents.

    Args:
        revision: of the contents.
        own: the number of the set of what the test itself was seen to depend on; `UNRECORDED`
            where nothing was recorded.
        base: that of what its file, its process and the imports of its closure did.
    """

    revision: int
    own: int = 0
    base: int = 0


UNRECORDED = 0
"""The number of no set."""
PASSES = 4
"""On how many contents it is remembered that a test has passed."""


class Verdict(msgspec.Struct, frozen=True):
    """The last outcome of one test, and the contents on which it has passed.

    Args:
        nodeid: pytest's own.
        path: its file.
        outcome: how it ended.
        seconds: how long it took, set-up and teardown included.
        revision: of the contents that it ran on.
        own: as of `Pass`.
        base: likewise.
        passes: the latest first; the last outcome among them if it is a good one.
        failures: how many of its last eight outcomes were bad, the latest in the lowest bit.
    """

    nodeid: str
    path: str
    outcome: TestOutcome
    seconds: float
    revision: int
    own: int = 0
    base: int = 0
    passes: tuple[Pass, ...] = ()
    failures: int = 0


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which tests a file holds on some contents.

    Args:
        revision: of the contents.
        base: the number of the set of what their collection depends on.
        tests: the number of the set of the tests.
    """

    revision: int
    base: int
    tests: int


class HistoryEntry(msgspec.Struct, frozen=True):
    """From this revision on a path had this content.

    Args:
        path: or a fact's key.
        revision: counted from 1.
        content: a digest, or `ABSENT`.
    """

    path: str
    revision: int
    content: bytes


class Learned(msgspec.Struct, frozen=True):
    """What one run adds to the records; the store writes just this.

    Args:
        entries: new entries of the history.
        verdicts: of the tests that ran.
        collected: test files all of whose tests are known as of that revision, `BROKEN` or
            `HINDERED`.
        listings: on which contents the tests of a file are known, the latest first.
        gone: tests that are no longer there.
        deps: dependencies that had no number, in the order of their numbers.
        sets: the sets that are new, with their numbers.
        memos: for cached functions the numbers of the sets of all that they reached.
    """

    entries: tuple[HistoryEntry, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    collected: tuple[tuple[str, int], ...] = ()
    listings: tuple[tuple[str, tuple[Listing, ...]], ...] = ()
    gone: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    sets: tuple[tuple[int, bytes], ...] = ()
    memos: tuple[tuple[str, int], ...] = ()


class Ran(msgspec.Struct, frozen=True):
    """What one run of the tests has shown, in the words of selection.

    Args:
        outcomes: for each test that ended: its file, outcome and seconds.
        whole: the files all of whose tests were collected and ended, with all their nodeids.
        broken: the files that could not be collected.
        hindered: the files that could not be, because of something above them.
        recording: on what the tests were seen to depend; None where nothing was recorded.
    """

    outcomes: Mapping[str, tuple[str, TestOutcome, float]]
    whole: Mapping[str, frozenset[str]]
    broken: frozenset[str] = frozenset()
    hindered: frozenset[str] = frozenset()
    recording: Recording | None = None


class Records:
    """All that earlier runs have shown. Immutable.

    Args:
        entries: the history, in any order.
        verdicts: the last one of each test.
        collected: for each test file the revision as of which all its tests are known,
            `BROKEN` or `HINDERED`.
        listings: for each test file on which contents its tests are known.
        deps: all dependencies that sets hold, by their numbers; those of kind ``n`` are tests.
        sets: of dependencies, packed, by their numbers, counted from 1.
        memos: for cached functions the numbers of the sets of all that they reached.
    """

    __slots__ = (
        "_history", "_kinds", "_members", "_whens", "collected", "deps", "listings", "memos",
        "number_of", "revision", "sets", "verdicts",
    )  # fmt: skip

    def __init__(
        self,
        entries: Iterable[HistoryEntry] = (),
        verdicts: Iterable[Verdict] = (),
        collected: Iterable[tuple[str, int]] = (),
        listings: Iterable[tuple[str, tuple[Listing, ...]]] = (),
        deps: Iterable[str] = (),
        sets: Iterable[tuple[int, bytes]] = (),
        memos: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._history: dict[str, list[tuple[int, bytes]]] = {}
        self.revision = 0
        for entry in sorted(entries, key=lambda entry: entry.revision):
            self._history.setdefault(entry.path, []).append((entry.revision, entry.content))
            self.revision = max(self.revision, entry.revision)
        self.verdicts: Mapping[str, Verdict] = {v.nodeid: v for v in verdicts}
        self.collected: Mapping[str, int] = dict(collected)
        self.listings: Mapping[str, tuple[Listing, ...]] = dict(listings)
        self.deps: list[str] = list(deps)
        self.number_of: dict[str, int] = {dep: number for number, dep in enumerate(self.deps)}
        self.sets: dict[int, bytes] = dict(sets)
        self.memos: Mapping[str, int] = dict(memos)
        self._members: dict[int, frozenset[int]] = {UNRECORDED: frozenset()}
        self._kinds: dict[str, dict[str, int]] | None = None
        self._whens: Whens | None = None

    def members(self, number: int) -> frozenset[int]:
        """The dependencies in a set, by their numbers.

        Args:
            number: of the set.
        """
        found = self._members.get(number)
        if found is None:
            found = self._members[number] = unpack(self.sets[number])
        return found

    def dependencies(self, nodeid: str) -> frozenset[str]:
        """On what a test was seen to depend when it last ran.

        Args:
            nodeid: of the test.

        Returns:
            Nothing where that was not recorded.
        """
        verdict = self.verdicts.get(nodeid)
        if verdict is None:
            return frozenset()
        members = self.members(verdict.own) | self.members(verdict.base)
        return frozenset(self.deps[number] for number in members)

    @property
    def whens(self) -> Whens:
        """When what tests depend on was done; found out once."""
        if self._whens is None:
            self._whens = whens(self)
        return self._whens

    def holding(self) -> frozenset[str]:
        """The files that held tests when they were collected last."""
        return frozenset(p for p, some in self.listings.items() if self.members(some[0].tests))

    def of_kind(self, kind: str) -> Mapping[str, int]:
        """All dependencies of a kind: what each is about, with its number.

        Args:
            kind: its letter.
        """
        if self._kinds is None:
            self._kinds = {}
            for number, dep in enumerate(self.deps):
                self._kinds.setdefault(dep[0], {})[dep[2:]] = number
        return self._kinds.get(kind, {})

    def all_contents(self) -> Iterable[bytes]:
        """All contents that are remembered, of whatever path."""
        return (content for entries in self._history.values() for _, content in entries)

    def changed_since(self, revision: int, contents: Contents) -> frozenset[str]:
        """The paths whose content is now another one.

        Args:
            revision: the one to compare with.
            contents: as they are now.

        Returns:
            Paths and facts, those that came or went included.
        """
        return frozenset(self.differences(revision, contents))

    def differences(self, revision: int, contents: Contents) -> Mapping[str, bytes]:
        """The paths whose content is now another one, with the one of then.

        Args:
            revision: the one to compare with.
            contents: as they are now.

        Returns:
            Paths and facts, those that came or went included; `ABSENT` for what came.
        """
        changed = {}
        for path, entries in self._history.items():
            then = ABSENT
            for at, content in entries:
                if at > revision:
                    break
                then = content
            if contents.get(path, ABSENT) != then:
                changed[path] = then
        for path in contents:
            if path not in self._history:
                changed[path] = ABSENT
        return changed

    def content_of(self, path: str, revision: int | None = None) -> bytes:
        """The content that a path had.

        Args:
            path: which.
            revision: in this one; None is the last.
        """
        then = ABSENT
        for at, content in self._history.get(path, ()):
            if revision is not None and at > revision:
                break
            then = content
        return then

    def entries_for(self, contents: Contents) -> tuple[HistoryEntry, ...]:
        """The entries that bring the history up to these contents.

        Args:
            contents: what a run ran on.

        Returns:
            Entries of a new revision; none where nothing has changed.
        """
        revision = self.revision + 1
        return tuple(
            HistoryEntry(path, revision, contents.get(path, ABSENT))
            for path in sorted(self.changed_since(self.revision, contents))
        )

    def with_learned(self, learned: Learned) -> Records:
        """These records and what a run has added.

        Args:
            learned: made by `learning.learn` of these very records.

        Returns:
            The next records.
        """
        after = Records()
        after._history = self._history
        if learned.entries:
            after._history = {path: list(entries) for path, entries in self._history.items()}
            for entry in learned.entries:
                after._history.setdefault(entry.path, []).append((entry.revision, entry.content))
        after.revision = max([self.revision, *(entry.revision for entry in learned.entries)])
        gone = set(learned.gone)
        after.verdicts = {
            **{nodeid: v for nodeid, v in self.verdicts.items() if nodeid not in gone},
            **{verdict.nodeid: verdict for verdict in learned.verdicts},
        }
        after.collected = {**self.collected, **dict(learned.collected)}
        after.listings = {**self.listings, **dict(learned.listings)}
        after.deps, after.number_of = self.deps, self.number_of
        after._kinds = self._kinds
        if learned.deps:
            after.deps = [*self.deps, *learned.deps]
            after.number_of = {dep: number for number, dep in enumerate(after.deps)}
            after._kinds = None
        after.sets = {**self.sets, **dict(learned.sets)}
        after.memos = {**self.memos, **dict(learned.memos)}
        after._members = dict(self._members)
        return after
