"""The rows of the tables, read as what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import Connection
from typing import TypeVar

from devloop.select.proofs import Proofs, ShadowTotals
from devloop.select.records import Verdict
from devloop.store import records

T = TypeVar("T")


def rows_of(connection: Connection, table: str, make: Callable[[bytes, bytes], T]) -> list[T]:
    """All rows of a table.

    Args:
        connection: to the store.
        table: its name.
        make: what a row's key and body stand for.

    Raises:
        StoreError: one is damaged.
        msgspec.DecodeError: one has another form.
    """
    return [make(key, body) for key, body in connection.execute(f"SELECT key, body FROM {table}")]


def deps_of(connection: Connection) -> list[str]:
    """The names that verdicts and sets mean by their numbers."""
    return [dep for _, dep in sorted(rows_of(connection, "deps", records.dep_record))]


def verdicts_of(connection: Connection, deps: Sequence[str]) -> list[Verdict]:
    """The last outcome of every test.

    Args:
        connection: to the store.
        deps: its names, by their numbers.
    """
    return rows_of(
        connection, "verdicts", lambda key, body: records.verdict_record(key, body, deps)
    )


def proofs_of(connection: Connection) -> Proofs:
    """What is known of selection itself."""
    totals = rows_of(connection, "shadow", records.totals_record)
    return Proofs(
        {one.nodeid: one for one in rows_of(connection, "flaky", records.flaky_record)},
        {one.nodeid: one for one in rows_of(connection, "skips", records.skip_record)},
        totals[0] if totals else ShadowTotals(),
    )
