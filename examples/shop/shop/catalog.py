"""The teas, in SQLite."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

TEAS = [("Assam", 450), ("Sencha", 720), ("Yunnan", 990)]


class Tea(NamedTuple):
    """One row."""

    id: int
    name: str
    cents: int


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """The database that SHOP_DATABASE names, made and filled where it is new."""
    connection = sqlite3.connect(os.environ.get("SHOP_DATABASE", "shop.db"))
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS tea (id INTEGER PRIMARY KEY, name TEXT, cents INTEGER)"
            )
            if not connection.execute("SELECT 1 FROM tea").fetchone():
                connection.executemany("INSERT INTO tea (name, cents) VALUES (?, ?)", TEAS)
        yield connection
    finally:
        connection.close()


def teas() -> list[Tea]:
    """All of them, by name."""
    with opened() as connection:
        rows = connection.execute("SELECT id, name, cents FROM tea ORDER BY name")
        return [Tea(*row) for row in rows]


def tea(number: int) -> Tea | None:
    """One of them."""
    with opened() as connection:
        row = connection.execute(
            "SELECT id, name, cents FROM tea WHERE id = ?", [number]
        ).fetchone()
        return Tea(*row) if row else None
