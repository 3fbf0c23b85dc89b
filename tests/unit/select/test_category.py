"""What a file is to selection, by its path."""

from __future__ import annotations

import pytest

from devloop.select.category import Category, category, fact


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", Category.SOURCE),
        ("a.pyw", Category.SOURCE),
        ("readme.py", Category.SOURCE),
        ("_core.cpython-311-x86_64-linux-gnu.so", Category.EXTENSION),
        ("a.pyd", Category.EXTENSION),
        ("README.md", Category.DOCUMENT),
        ("docs/index.rst", Category.DOCUMENT),
        ("LICENSE", Category.DOCUMENT),
        ("CHANGES.txt", Category.DOCUMENT),
        ("pkg/README.md", Category.DOCUMENT),
        ("notes.md", Category.DOCUMENT),
        ("docs/api/more.md", Category.DOCUMENT),
        (".github/workflows/ci.yml", Category.DOCUMENT),
        (".gitignore", Category.DOCUMENT),
        ("devloop.toml", Category.DOCUMENT),
        ("pkg/py.typed", Category.DOCUMENT),
        ("app.log", Category.BYPRODUCT),
        ("db.sqlite3-wal", Category.BYPRODUCT),
        (".coverage.host.123", Category.BYPRODUCT),
        ("cases.yaml", Category.DATA),
        ("templates/a.html", Category.DATA),
        ("templates/news.html", Category.DATA),
        ("tests/cases/history.json", Category.DATA),
        ("tests/cases/links.md", Category.DATA),
        ("pkg/pages/start.rst", Category.DATA),
        ("tests/sample.pdf", Category.DATA),
        ("requirements.txt", Category.DATA),
        ("docs/example.json", Category.DATA),
        ("Makefile", Category.DATA),
        (fact("what is installed"), Category.FACT),
    ],
)
def test_the_path_tells(path: str, expected: Category) -> None:
    """What nobody is known to read is data, unless it is a document or a byproduct."""
    assert category(path) is expected


def test_the_files_that_configure_pytest_are_told_apart() -> None:
    """Named by the caller: the same name in another folder is data."""
    assert category("tox.ini", configuration={"tox.ini"}) is Category.CONFIGURATION
    assert category("sub/tox.ini", configuration={"tox.ini"}) is Category.DATA
    assert category("conftest.py", configuration={"conftest.py"}) is Category.SOURCE


def test_a_byproduct_that_git_tracks_is_data() -> None:
    """A fixture database is read by tests, not written by them."""
    assert category("tests/a.db", tracked={"tests/a.db"}) is Category.DATA
    assert category("tests/a.db", tracked=set()) is Category.BYPRODUCT


def test_a_fact_is_no_path() -> None:
    """Its key cannot be a file's."""
    assert fact("x") == "<x>"
