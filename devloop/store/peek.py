"""Looking into a store that another process may write, without opening it for writing.

A store that is not there, or cannot be read, holds nothing; none is made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

import msgspec

from devloop.errors import StoreError
from devloop.plan.measures import Measure
from devloop.plan.warm import WarmRecord
from devloop.select.proofs import Proofs
from devloop.select.records import Verdict
from devloop.store import records
from devloop.store.database import FILE, FOLDER
from devloop.store.tables import deps_of, proofs_of, rows_of, verdicts_of

T = TypeVar("T")


def warm(root: Path) -> dict[str, WarmRecord]:
    """What is known of the starts of every app, whatever its command was then.

    Args:
        root: the project's.
    """
    return {app: found for app, _, found in _all(root, "warm", records.warm_record)}


def is_warm_of(root: Path, app: str, stamp: str) -> bool:
    """Whether what is known of an app's starts is known of this command, and not of another one.

    Args:
        root: the project's.
        app: its name.
        stamp: names its command and its interpreter.
    """
    known = {name: mark for name, mark, _ in _all(root, "warm", records.warm_record)}
    return known.get(app) == records.stamp(stamp)


def measures(root: Path) -> list[Measure]:
    """What the cycles took, the oldest first.

    Args:
        root: the project's.
    """
    return sorted(_all(root, "measures", records.measure_record), key=lambda one: one.t)


def verdicts(root: Path) -> list[Verdict]:
    """The last outcome of every test.

    Args:
        root: the project's.
    """
    return _look(root, lambda connection: verdicts_of(connection, deps_of(connection)), [])


def proofs(root: Path) -> Proofs:
    """What is known of selection itself.

    Args:
        root: the project's.
    """
    return _look(root, proofs_of, Proofs())


def _look(root: Path, work: Callable[[Connection], T], nothing: T) -> T:
    """Read from the tables without opening the store for writing."""
    place = (root / FOLDER / FILE).absolute().as_uri()
    try:
        with closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as connection:
            return work(connection)
    except (sqlite3.Error, StoreError, msgspec.DecodeError):
        return nothing


def _all(root: Path, table: str, make: Callable[[bytes, bytes], T]) -> list[T]:
    return _look(root, lambda connection: rows_of(connection, table, make), [])
