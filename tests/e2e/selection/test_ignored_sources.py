"""Sources that git ignores and the project imports all the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

MakeLab = Callable[..., Any]

PROJECT = """
pyproject.toml
    [project]
    name = "mine"
.gitignore
    .devloop/
    _version.py
mine/__init__.py
mine/_version.py
    V = 1
test_mine.py
    from mine import _version
    def test_version():
        assert _version.V == 1
"""


def test_an_ignored_source_that_was_generated_anew_between_two_runs(lab: MakeLab) -> None:
    """One length, one second: its old bytecode looks current, and must not be run (P23)."""
    project = lab(PROJECT)
    source = project.root / "mine/_version.py"
    assert project.ran("--all") == {"test_mine.py::test_version"}
    assert list(project.root.glob("mine/__pycache__/_version.*.pyc"))
    before = source.stat()
    source.write_text("V = 2\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert project.ran(code=1) == {"test_mine.py::test_version"}


def test_an_ignored_source_that_is_gone(lab: MakeLab) -> None:
    """Its importers are due, and fail until it is back."""
    project = lab(PROJECT)
    project.check({"mine/_version.py": None}, "test_version")
