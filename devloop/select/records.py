"""What earlier runs have shown: verdicts, and the contents that they were shown on.

Contents are kept as a history: for each path the revisions at which its content became
another one. So the question "what has changed since this test passed" has an answer that
survives the session, and an edit that was taken back is no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devloop.events import TestOutcome
from devloop.select.recorded import Recording

GOOD: frozenset[TestOutcome] = frozenset({"passed", "skipped", "xfailed", "xpassed"})
ABSENT = b""
"""The content of a path that is not there."""

BROKEN = 0
"""Stands for the revision as of which a file's tests are known, where it could not be collected."""

HINDERED = -1
"""The same where something above the file, a `conftest.py` say, was at fault."""

Contents = Mapping[str, bytes]
"""For each path (and each fact that is not a file) a digest of what matters about it."""


class Verdict(msgspec.Struct, frozen=True):
    """The last outcome of one test.

    Args:
        nodeid: pytest's own.
        path: its file.
        outcome: how it ended.
        seconds: how long it took, set-up and teardown included.
        revision: of the contents that it ran on.
    """

    nodeid: str
    path: str
    outcome: TestOutcome
    seconds: float
    revision: int


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
        gone: tests that are no longer there.
    """

    entries: tuple[HistoryEntry, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    collected: tuple[tuple[str, int], ...] = ()
    gone: tuple[str, ...] = ()


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
    """

    __slots__ = ("_history", "collected", "revision", "verdicts")

    def __init__(
        self,
        entries: Iterable[HistoryEntry] = (),
        verdicts: Iterable[Verdict] = (),
        collected: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._history: dict[str, list[tuple[int, bytes]]] = {}
        self.revision = 0
        for entry in sorted(entries, key=lambda entry: entry.revision):
            self._history.setdefault(entry.path, []).append((entry.revision, entry.content))
            self.revision = max(self.revision, entry.revision)
        self.verdicts: Mapping[str, Verdict] = {v.nodeid: v for v in verdicts}
        self.collected: Mapping[str, int] = dict(collected)

    def changed_since(self, revision: int, contents: Contents) -> frozenset[str]:
        """The paths whose content is now another one.

        Args:
            revision: the one to compare with.
            contents: as they are now.

        Returns:
            Paths and facts, those that came or went included.
        """
        changed = set()
        for path, entries in self._history.items():
            then = ABSENT
            for at, content in entries:
                if at > revision:
                    break
                then = content
            if contents.get(path, ABSENT) != then:
                changed.add(path)
        changed.update(path for path in contents if path not in self._history)
        return frozenset(changed)

    def content_of(self, path: str) -> bytes:
        """The content that a path had in the last revision."""
        entries = self._history.get(path)
        return entries[-1][1] if entries else ABSENT

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

    def learn(self, ran: Ran, contents: Contents, doubtful: frozenset[str]) -> Learned:
        """Turn what a run has shown into records.

        Args:
            ran: the run.
            contents: what it ran on, as planned.
            doubtful: test files that a save may have reached while they ran: what they showed
                holds for no content for certain, and is not kept. A failure is kept, so that
                the test stays due.

        Returns:
            What is new.
        """
        entries = self.entries_for(contents)
        revision = self.revision + 1 if entries else self.revision
        verdicts = tuple(
            Verdict(nodeid, path, outcome, seconds, revision)
            for nodeid, (path, outcome, seconds) in ran.outcomes.items()
            if path not in doubtful or outcome not in GOOD
        )
        collected = (  # of a file that is both, the last one counts
            *((path, revision) for path in sorted(ran.whole) if path not in doubtful),
            *((path, HINDERED) for path in sorted(ran.hindered)),
            *((path, BROKEN) for path in sorted(ran.broken)),
        )
        gone = tuple(
            verdict.nodeid
            for verdict in self.verdicts.values()
            if verdict.path not in contents
            or (verdict.path in ran.whole and verdict.nodeid not in ran.whole[verdict.path])
        )
        return Learned(entries, verdicts, collected, gone)

    def with_learned(self, learned: Learned) -> Records:
        """These records and what a run has added.

        Args:
            learned: made by `learn` of these very records.

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
        return after
