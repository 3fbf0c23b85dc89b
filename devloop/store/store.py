"""What is remembered from one session to the next."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import TypeVar

from devloop.events import Notice
from devloop.plan.measures import Measure
from devloop.plan.steps import StepRecord
from devloop.plan.warm import WarmRecord
from devloop.select.proofs import FlakyTest, Proofs, ShadowTotals, WrongSkip
from devloop.select.records import (
    UNRECORDED,
    HistoryEntry,
    Learned,
    Listing,
    Records,
    Verdict,
)
from devloop.store import records
from devloop.store.database import Database
from devloop.store.records import FileRecord
from devloop.store.tables import deps_of, proofs_of, rows_of, verdicts_of

T = TypeVar("T")

MEASURES = 5000
"""Cycles whose measures are kept; a busy day has some hundreds."""
MEASURED = 180 * 86_400.0
"""How long they are kept, in seconds."""
WAIT = 5.0
"""How long another process may hold the store, in seconds; its transactions take milliseconds."""
MANY = 500
"""How many keys one question to SQLite may name; it allows 999 in the oldest versions."""
FEW = 1000
"""Rows that no question is about any more, and that may lie where they are."""


class Store:
    """The records of one project, in `.devloop/store.db`.

    Any number of processes may use it at once, and any thread of each. No method raises for
    the state of the file or the disk: see `notices`.

    Args:
        database: where the records are.
        stamp: whose facts are wanted.
    """

    def __init__(self, database: Database, *, stamp: str) -> None:
        self._database = database
        self._stamp = records.stamp(stamp)

    @classmethod
    def open(cls, root: Path, *, stamp: str, wait: float = WAIT) -> Store:
        """Open a project's store, or make it.

        Args:
            root: the project's; `.devloop/` is made in it, with a `.gitignore` of its own.
            stamp: names the interpreter and the version of the parser. Facts that were saved
                under another stamp are not given back; verdicts are.
            wait: how long another process may hold the store before it is set aside, in seconds.

        Returns:
            A store that works; where the file could not be used, `notices` says so.
        """
        return cls(Database(root, wait=wait), stamp=stamp)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def notices(self) -> list[Notice]:
        """What a person should know of the store; taken out by whoever tells them."""
        return self._database.notices

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def catch_up(self) -> None:
        """Write what was put off, now that there is time."""
        self._database.catch_up()

    def shrink(self) -> None:
        """Keep nothing of the file in memory; a session seldom reads again what it has read."""
        self._database.shrink()

    def load_files(self) -> dict[str, FileRecord]:
        """Every file that is known, by path."""
        mark, make = self._stamp, records.file_record
        with _no_collections():
            found = self._load("files", lambda key, body: make(key, body, mark))
            return {record.path: record for record in found}

    def save_files(
        self, files: Iterable[FileRecord], deleted: Iterable[str] = (), *, later: bool = False
    ) -> None:
        """Remember files, in one transaction.

        Args:
            files: new ones and changed ones.
            deleted: paths that are gone.
            later: when there is time; a process that is killed before that has to read them anew.
        """
        rows = [records.file_row(record, self._stamp) for record in files]
        gone = [(records.name(path),) for path in deleted]

        def work(connection: Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", rows)
            connection.executemany("DELETE FROM files WHERE key = ?", gone)

        (self._database.put_off if later else self._database.write)(work)

    def save_outlines(self, outlines: Mapping[bytes, bytes], *, later: bool = False) -> None:
        """Remember outlines of sources.

        Args:
            outlines: packed, by fingerprint.
            later: as for files.
        """
        rows = [records.outline_row(*one) for one in outlines.items()]

        def work(connection: Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO outlines VALUES (?, ?)", rows)

        (self._database.put_off if later else self._database.write)(work)

    def load_outlines(self, fingerprints: Iterable[bytes]) -> dict[bytes, bytes]:
        """The outlines of some sources, packed.

        Args:
            fingerprints: of their contents; those of which none is known are left out.
        """
        wanted = list(fingerprints)

        def work(connection: Connection) -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            for start in range(0, len(wanted), MANY):
                some = wanted[start : start + MANY]
                marks = ",".join("?" * len(some))
                rows = connection.execute(
                    f"SELECT key, body FROM outlines WHERE key IN ({marks})", some
                )
                found.update(records.outline_record(key, body) for key, body in rows)
            return found

        return self._database.read(work)

    def load_records(self) -> Records:
        """All that earlier runs have shown."""

        def work(connection: Connection) -> tuple[Records, list[bytes], list[bytes]]:
            history = rows_of(connection, "history", records.history_record)
            deps = deps_of(connection)
            sets = dict(rows_of(connection, "sets", records.set_record))
            verdicts = verdicts_of(connection, deps)
            lists = rows_of(connection, "collected", records.collected_record)
            memos = rows_of(connection, "memos", records.memo_record)
            old = [
                records.history_row(entry)[0]
                for entry in _outlived(history, _revisions(verdicts, lists))
            ]
            used = {number for _, number in memos}
            used.update(_sets_of(verdicts))
            used.update(n for _, _, some in lists for x in some for n in (x.base, x.tests))
            unused = [records.set_row(n, b"")[0] for n in sets if n not in used]
            found = Records(
                history,
                verdicts,
                [(path, revision) for path, revision, _ in lists],
                [(path, some) for path, _, some in lists if some],
                deps,
                sets.items(),
                memos,
            )
            return found, old, unused

        with _no_collections():
            found, old, unused = self._database.read(work)
        for table, keys in (("history", old), ("sets", unused)):
            if len(keys) > FEW:
                self._sweep(table, keys)
        return found

    def _sweep(self, table: str, keys: Iterable[bytes]) -> None:
        rows = [(key,) for key in keys]
        self._database.write(
            lambda own: own.executemany(f"DELETE FROM {table} WHERE key = ?", rows)
        )

    def forget_outlines(self, known: Collection[bytes]) -> None:
        """Forget outlines that nobody will ask for, once they are many.

        Args:
            known: the fingerprints of all contents that are remembered.
        """

        def work(connection: Connection) -> list[bytes]:
            return [key for (key,) in connection.execute("SELECT key FROM outlines")]

        old = [key for key in self._database.read(work) if key not in known]
        if len(old) > FEW:
            self._sweep("outlines", old)

    def save_run(self, learned: Learned, base: Records) -> bool:
        """Remember what a test run has shown, in one transaction: all of it or nothing.

        Args:
            learned: what is new.
            base: the records that it was learned with.

        Returns:
            False where another process has added to them meanwhile, or the store was made
            anew: nothing was written, and what is new is to be learned again with the records
            as they are now.
        """
        numbers = base.number_of | {
            dep: number for number, dep in enumerate(learned.deps, len(base.deps))
        }
        lists = {**base.listings, **dict(learned.listings)}
        sets = {**base.sets, **dict(learned.sets)}
        held = set(_sets_of(learned.verdicts))
        held.update(n for _, some in learned.listings for x in some for n in (x.base, x.tests))
        held.update(number for _, number in learned.memos)
        rows = {
            "history": [records.history_row(entry) for entry in learned.entries],
            "deps": [records.dep_row(n, d) for n, d in enumerate(learned.deps, len(base.deps))],
            # Those that were known are written again: they may have been swept meanwhile.
            "sets": [records.set_row(n, sets[n]) for n in sorted(held - {UNRECORDED})],
            "verdicts": [
                records.verdict_row(v, numbers[f"n {v.nodeid}"]) for v in learned.verdicts
            ],
            "collected": [
                records.collected_row(path, revision, lists.get(path, ()))
                for path, revision in learned.collected
            ],
            "memos": [records.memo_row(*one) for one in learned.memos],
        }
        gone = [
            records.dep_row(numbers[f"n {nodeid}"], "")[0]
            for nodeid in learned.gone
            if f"n {nodeid}" in numbers
        ]

        def work(connection: Connection) -> bool:
            (last,) = connection.execute("SELECT max(key) FROM history").fetchone()
            # An empty history has no revisions: verdicts of 57 would outlive the next 56 edits.
            if base.revision != (0 if last is None else records.revision_of(last)):
                return False
            (deps,) = connection.execute("SELECT max(key) FROM deps").fetchone()
            if len(base.deps) != (0 if deps is None else records.number_of(deps) + 1):
                return False
            (sets,) = connection.execute("SELECT max(key) FROM sets").fetchone()
            if max(base.sets, default=0) < (0 if sets is None else records.number_of(sets)):
                return False
            connection.executemany("DELETE FROM verdicts WHERE key = ?", [(key,) for key in gone])
            for table, some in rows.items():
                connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", some)
            return True

        return self._database.write(work)

    def load_steps(self) -> dict[str, StepRecord]:
        """The last success of every step, by its name."""
        return dict(self._load("steps", records.step_record))

    def save_step(self, name: str, record: StepRecord | None) -> None:
        """Remember the success of a step.

        Args:
            name: the step's.
            record: None forgets it, so that the step runs the next time.
        """

        def work(connection: Connection) -> None:
            if record is None:
                connection.execute("DELETE FROM steps WHERE key = ?", (records.name(name),))
            else:
                row = records.step_row(name, record)
                connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", row)

        self._database.write(work)

    def load_warm(self, app: str, stamp: str) -> WarmRecord | None:
        """What is known of an app's starts.

        Args:
            app: its name.
            stamp: names its command and its interpreter.

        Returns:
            None where nothing is known of an app of that name and that stamp.
        """
        mark = records.stamp(stamp)
        for name, bears, record in self._load("warm", records.warm_record):
            if (name, bears) == (app, mark):
                return record
        return None

    def save_warm(self, app: str, stamp: str, record: WarmRecord) -> None:
        """Remember what is known of an app's starts, in the place of what was.

        Args:
            app: its name.
            stamp: names its command and its interpreter.
            record: what is known. One that is not Unicode is not kept.
        """
        try:
            row = records.warm_row(app, record, records.stamp(stamp))
        except UnicodeEncodeError:
            return
        self._database.write(
            lambda own: own.execute("INSERT OR REPLACE INTO warm VALUES (?, ?)", row)
        )

    def load_proofs(self) -> Proofs:
        """What is known of selection itself: flaky tests, wrong skips, shadow runs."""
        return self._database.read(proofs_of)

    def save_flaky(self, nodeids: Iterable[str], at: float) -> None:
        """Remember that tests have shown another outcome on the same content.

        Args:
            nodeids: theirs.
            at: when, in seconds since the epoch.
        """
        named = tuple(nodeids)

        def work(connection: Connection) -> None:
            known = proofs_of(connection).flaky
            for nodeid in named:
                times = known[nodeid].times + 1 if nodeid in known else 1
                _put(connection, "flaky", nodeid, FlakyTest(nodeid, times, at))

        self._database.write(work)

    def save_shadow(self, run: ShadowTotals, skips: Iterable[WrongSkip]) -> None:
        """Remember what a shadow run has come to.

        Args:
            run: it alone.
            skips: the tests that were skipped wrongly.
        """
        found = tuple(skips)

        def work(connection: Connection) -> None:
            _put(connection, "shadow", "", proofs_of(connection).shadow + run)
            for skip in found:
                _put(connection, "skips", skip.nodeid, skip)

        self._database.write(work)

    def save_measure(self, measure: Measure) -> None:
        """Remember what a cycle took; what is too old or too much is forgotten.

        Args:
            measure: of the cycle that has just ended.
        """
        row = records.measure_row(measure)
        oldest = records.moment(measure.t - MEASURED)

        def work(connection: Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO measures VALUES (?, ?)", row)
            connection.execute("DELETE FROM measures WHERE key < ?", (oldest,))
            connection.execute(
                "DELETE FROM measures WHERE key <= "
                "(SELECT key FROM measures ORDER BY key DESC LIMIT 1 OFFSET ?)",
                (MEASURES,),
            )

        self._database.write(work)

    def _load(self, table: str, make: Callable[[bytes, bytes], T]) -> list[T]:
        return self._database.read(lambda connection: rows_of(connection, table, make))


def _put(
    connection: Connection, table: str, key: str, proof: FlakyTest | WrongSkip | ShadowTotals
) -> None:
    row = records.proof_row(key, proof)
    if row is not None:
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", row)


def _sets_of(verdicts: Iterable[Verdict]) -> Iterator[int]:
    """The sets that verdicts name."""
    for verdict in verdicts:
        yield from (verdict.own, verdict.base)
        for one in verdict.passes:
            yield from (one.own, one.base)


def _revisions(
    verdicts: Iterable[Verdict], lists: Iterable[tuple[str, int, tuple[Listing, ...]]]
) -> Iterator[int]:
    """The revisions that questions are about."""
    for verdict in verdicts:
        yield verdict.revision
        yield from (one.revision for one in verdict.passes)
    for _, revision, some in lists:
        yield revision
        yield from (one.revision for one in some)


def _outlived(history: Iterable[HistoryEntry], seen: Iterable[int]) -> list[HistoryEntry]:
    """The entries after which their path has another one that is as old as every verdict."""
    oldest = min(seen, default=0)
    latest: dict[str, HistoryEntry] = {}
    outlived = []
    for entry in sorted(history, key=lambda entry: entry.revision):
        if entry.revision > oldest:
            break
        if entry.path in latest:
            outlived.append(latest[entry.path])
        latest[entry.path] = entry
    return outlived


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector from walking ten thousand new records again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
