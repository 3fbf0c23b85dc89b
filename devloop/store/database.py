"""The SQLite file in `.devloop/`: opening it, sharing it, and doing without it.

A store is a convenience. Whatever is wrong with the file, the folder or the file system costs
time and never a result: a file that cannot be trusted is set aside, and where none can be
had the records live in memory for the session. What happened is said in `notices`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from devloop.errors import StoreError
from devloop.events import Notice
from devloop.store.sqlite import (
    TABLES,
    Fault,
    Work,
    connect,
    create,
    fault_of,
    locks_work,
    transact,
)

T = TypeVar("T")

FOLDER = ".devloop"
FILE = "store.db"
KEPT = 3
"""How many files that were set aside are kept."""

MOST_PUT_OFF = 32
"""How many changes are put off at most."""

_SUFFIXES = ("", "-wal", "-shm", "-journal", ".lock")


class Database:
    """One connection, which outlives the file that it began with.

    Every method may be called from any thread.

    Args:
        root: the project's; the file is `.devloop/store.db` in it.
        wait: how long another process may hold the file, in seconds.
    """

    def __init__(self, root: Path, *, wait: float) -> None:
        self.notices: list[Notice] = []
        self._wait = wait
        self._path = root / FOLDER / FILE
        self._lock = threading.RLock()
        self._put_off: list[Work[object]] = []
        self._inode: int | None = None
        self._connection = self._open()

    @property
    def in_memory(self) -> bool:
        """Nothing of this session will be found by the next one."""
        return self._inode is None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self.catch_up()
            self._connection.close()

    def read(self, work: Work[T]) -> T:
        """Read from the tables.

        Args:
            work: is given the connection, whose tables stay as they are meanwhile; called again,
                on empty tables, if the file proves bad.

        Returns:
            What `work` returned.
        """
        with self._lock:
            self.catch_up()
            return self._persist(lambda connection: transact(connection, work, "DEFERRED"))

    def write(self, work: Work[T]) -> T:
        """Change the tables in one transaction.

        Args:
            work: is given the connection; called again elsewhere if the file cannot be written.

        Returns:
            What `work` returned.
        """
        with self._lock:
            if not self.in_memory and _inode(self._path) != self._inode:
                # Removed (`devloop clean`, `git clean -fdx`) or set aside by another process:
                # what is written to a nameless file is lost.
                self._connection.close()
                self._connection = self._open()
            before, self._put_off = self._put_off, []

            def everything(connection: sqlite3.Connection) -> T:
                for one in before:
                    one(connection)
                return work(connection)

            return self._persist(lambda connection: transact(connection, everything))

    def put_off(self, work: Work[object]) -> None:
        """Change the tables when there is time, and before anybody reads or changes them.

        Args:
            work: as for `write`. Of a process that is killed before that, nothing is written:
                so it is for what can be found out again.
        """
        with self._lock:
            self._put_off.append(work)
            if len(self._put_off) >= MOST_PUT_OFF:
                self.catch_up()

    def catch_up(self) -> None:
        """Do what was put off."""
        with self._lock:
            if self._put_off:
                self.write(lambda connection: None)

    def shrink(self) -> None:
        """Free the pages that SQLite has at hand; it reads again those that are asked for."""
        with self._lock:
            self._connection.execute("PRAGMA shrink_memory")

    def _persist(self, work: Work[T]) -> T:
        moved = False
        while True:
            try:
                return work(self._connection)
            except (StoreError, msgspec.DecodeError, sqlite3.DatabaseError) as error:
                fault = fault_of(error)
                if fault is None or self.in_memory:
                    raise
                self._leave(fault, str(error), for_good=moved)
                moved = True

    def _leave(self, fault: Fault, reason: str, *, for_good: bool) -> None:
        old = self._connection
        try:
            if for_good or fault == "unusable" or not self._set_aside(reason):
                self._connection = self._in_memory(reason)
            else:
                self._connection = self._open()
            if fault != "damaged":
                _copy(old, self._connection)
        finally:
            old.close()

    def _open(self) -> sqlite3.Connection:
        folder = self._path.parent
        try:
            folder.mkdir(exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.is_file() or not ignore.stat().st_size:
                ignore.write_text("*\n")
        except OSError as error:
            return self._in_memory(f"{folder} cannot be written: {error.strerror}")
        reason = ""
        for _ in range(2):
            try:
                connection = self._connect()
            except (StoreError, sqlite3.DatabaseError) as error:
                reason = str(error)
                fault = fault_of(error)
                if fault is None:
                    raise
                self._inode = _inode(self._path)
                if fault == "unusable" and not self._path.is_dir():
                    break
                if not self._set_aside(reason):
                    break
            else:
                self._inode = _inode(self._path)
                return connection
        return self._in_memory(reason)

    def _connect(self) -> sqlite3.Connection:
        folder = self._path.parent
        vfs, missing = None, "shared memory"
        if locks_work(folder):
            try:
                return connect(self._path, wait=self._wait, journal="wal")
            except sqlite3.OperationalError as error:
                # Network and foreign file systems may have locks and no shared memory.
                if fault_of(error) != "unusable" or self._path.is_dir():
                    raise
        else:
            vfs, missing = "unix-dotfile", "locks"
        connection = connect(self._path, wait=self._wait, journal="delete", vfs=vfs)
        self._say(
            f"the file system of {folder} has no working {missing}: "
            "the store does without its write-ahead log"
        )
        return connection

    def _in_memory(self, reason: str) -> sqlite3.Connection:
        self._inode = None
        self._say(
            f"the store cannot be used ({reason}): records are kept in memory, "
            "and the next start begins anew",
            hint=f"make {self._path.parent} writable, on a disk with room",
        )
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        create(connection)
        return connection

    def _set_aside(self, reason: str) -> bool:
        """Rename the file, unless another process has done so already."""
        if _inode(self._path) != self._inode:
            return True
        folder = self._path.parent
        old = sorted(folder.glob(f"{FILE}.bad-*"), key=_number)
        number = _number(old[-1]) + 1 if old else 1
        aside = f"{FILE}.bad-{number}"
        try:
            for suffix in _SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    folder.joinpath(FILE + suffix).rename(folder / (aside + suffix))
        except OSError:
            return False
        numbers = sorted({_number(path) for path in old})
        for path in old:
            if _number(path) in numbers[: len(numbers) + 1 - KEPT]:
                _remove(path)
        self._say(
            f"the store was set aside ({reason}); its records are made anew",
            hint=f"it is kept as {FOLDER}/{aside}",
        )
        return True

    def _say(self, message: str, *, hint: str | None = None) -> None:
        self.notices.append(Notice(message=message, severity="warning", hint=hint))


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Take along what can still be read."""

    def copy(connection: sqlite3.Connection) -> None:
        for table in TABLES:
            rows: Iterator[tuple[bytes, bytes]] = old.execute(f"SELECT key, body FROM {table}")
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)

    with contextlib.suppress(sqlite3.DatabaseError):
        transact(new, copy)


def _inode(path: Path) -> int:
    """The file's inode number; 0 where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _number(path: Path) -> int:
    found = re.search(r"\.bad-(\d+)", path.name)
    return int(found[1]) if found else 0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
