"""SQLite as the store uses it: one connection, its tables, and what its errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import msgspec

from devloop.errors import StoreError

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]
Fault: TypeAlias = Literal["busy", "damaged", "unusable"]

APPLICATION = 0x64766C70
"""SQLite's application_id of our files: "dvlp"."""
VERSION = 5
"""The form of the tables and of their bodies; a file of another one is set aside."""
TABLES = (
    "files",
    "outlines",
    "history",
    "deps",
    "sets",
    "verdicts",
    "collected",
    "memos",
    "steps",
    "warm",
    "flaky",
    "skips",
    "shadow",
    "measures",
)

_BUSY = ("locked", "locking protocol", "busy")
_UNUSABLE = ("full", "readonly", "unable to open", "disk i/o", "out of memory", "too big")


def connect(
    path: Path, *, wait: float, journal: Literal["wal", "delete"], vfs: str | None = None
) -> sqlite3.Connection:
    """Open a file, check whose it is, and make the tables in a new one.

    Args:
        path: the file.
        wait: how long another process may hold it, in seconds.
        journal: SQLite's journal mode.
        vfs: the name of the SQLite file system layer, where it is not the usual one.

    Returns:
        A connection without transactions of its own, for any thread.

    Raises:
        StoreError: the file is another program's, or of another version.
        sqlite3.DatabaseError: it cannot be used; see `fault_of`.
    """
    connection = sqlite3.connect(
        path if vfs is None else f"{path.absolute().as_uri()}?vfs={vfs}",
        uri=vfs is not None,
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if journal == "delete":
            # A file that was left in WAL mode opens without shared memory only if exclusive.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN")  # what `_check` reads is of one moment
        fresh = _check(connection)
        connection.execute("COMMIT")
        deadline = time.monotonic() + wait
        while True:
            try:
                (mode,) = connection.execute(f"PRAGMA journal_mode={journal}").fetchone()
                break
            except sqlite3.OperationalError as error:
                # The change of mode does not wait for other processes by itself.
                if fault_of(error) != "busy" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != journal:
            raise sqlite3.OperationalError("unable to open shared memory")
        connection.execute("PRAGMA locking_mode=NORMAL")
        # With WAL a crash of the machine may cost the last transactions, never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        if fresh:
            transact(connection, lambda own: create(own) if _check(own) else None)
        connection.execute("SELECT 1 FROM files LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> bool:
    """Tell whether the file is new; raise `StoreError` where it is not ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not (application or version or tables):
        return True
    if application != APPLICATION:
        raise StoreError("it belongs to another program")
    if version != VERSION:
        raise StoreError("it was written by another version of devloop")
    return False


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file."""
    for table in TABLES:
        connection.execute(f"CREATE TABLE {table} (key BLOB PRIMARY KEY, body BLOB NOT NULL)")
    connection.execute(f"PRAGMA application_id={APPLICATION}")
    connection.execute(f"PRAGMA user_version={VERSION}")


def transact(
    connection: sqlite3.Connection,
    work: Work[T],
    kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE",
) -> T:
    """Do all of `work` in one transaction, or nothing of it."""
    connection.execute(f"BEGIN {kind}")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def fault_of(error: Exception) -> Fault | None:
    """What an error says of the file; None where it says something of our code.

    By its message, because `sqlite_errorcode` came with Python 3.11.
    """
    if isinstance(error, (StoreError, msgspec.DecodeError)):
        return "damaged"
    if type(error) is sqlite3.OperationalError:
        words = str(error).lower()
        if any(word in words for word in _BUSY):
            return "busy"
        if any(word in words for word in _UNUSABLE):
            return "unusable"
        return "damaged"
    return "damaged" if type(error) is sqlite3.DatabaseError else None


def locks_work(folder: Path) -> bool:
    """Try a lock of the kind that SQLite takes, in the folder itself."""
    try:
        import fcntl
    except ImportError:  # Windows has locks of its own, and they work
        return True
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        except OSError:  # no room or no right to write, which is another matter
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
