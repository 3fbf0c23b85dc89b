"""Names that are never watched."""

from __future__ import annotations

import pytest

from devloop.watch import names


@pytest.mark.parametrize(
    "name",
    [
        ".m.py.swp",
        ".m.py.swo",
        "4913",
        "m.py~",
        "#m.py#",
        ".#m.py",
        "m.py___jb_tmp___",
        "m.py___jb_old___",
        ".goutputstream-AB12CD",
        "sedAb3dEf",
        "m.pyc",
        ".coverage",
        ".coverage.host.123.456",
        ".DS_Store",
        "package.json.tmp.1f3a",
        ".git",
        "caf\udce9.py~",
    ],
)
def test_temporary_files(name: str) -> None:
    """Editors' and tools' own files."""
    assert names.is_temporary(name)


@pytest.mark.parametrize(
    "name",
    [
        "m.py",
        "sedan.py",
        "4914.txt",
        "491",
        ".env",
        ".coveragerc",
        "swp",
        "a.swp.py",
        "#1.md",
        "a~b",
    ],
)
def test_files_that_count(name: str) -> None:
    """Names that only look alike."""
    assert not names.is_temporary(name)


def test_folders() -> None:
    """Tools' folders, by their whole name."""
    assert names.is_ignored_folder("node_modules")
    assert names.is_ignored_folder("__pycache__")
    assert not names.is_ignored_folder("modules")
    assert not names.is_ignored_folder(".github")
