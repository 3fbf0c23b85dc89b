"""The files that an SQLite database lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from devloop.inside.databases import files_of


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("d.db", "d.db"),
        (Path("a/d.db"), "a/d.db"),
        (b"d.db", "d.db"),
        ("file:d.db?mode=ro&cache=private", "d.db"),
        ("file:///a/d.db#part", "/a/d.db"),
        ("file://localhost/a/d.db", "/a/d.db"),
        ("file:my%20d%C3%A9.db", "my dé.db"),
        ("file:100%.db", "100%.db"),
    ],
)
def test_a_database_lies_in_a_file_and_in_its_log(name: object, path: str) -> None:
    """However it is named; what was committed last may stand in the log alone."""
    assert files_of(name) == (path, f"{path}-wal")


@pytest.mark.parametrize(
    "name", ["", ":memory:", "file::memory:?cache=shared", "file:x?mode=memory", 7]
)
def test_a_database_in_memory_lies_nowhere(name: object) -> None:
    """Nor does what is no name."""
    assert files_of(name) == ()
