"""Paths on disk and paths as they are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from devloop.watch.places import Places, above


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("m.py", ""),
        ("a/m.py", "a"),
        ("a/b/m.py", "a/b"),
        ("", None),
        ("/x/m.py", "/x"),
        ("/x", "/"),
    ],
)
def test_above(path: str, folder: str | None) -> None:
    """The folder that a path is in; above the root there is nothing."""
    assert above(path) == folder
    assert above("/") is None


def test_paths_are_relative_inside_the_root_and_absolute_outside(tmp_path: Path) -> None:
    """There and back, through a link to the root as well."""
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    places = Places(str(tmp_path / "link"), ["."], [], print)
    assert places.reported(f"{tmp_path}/link/a/m.py") == "a/m.py"
    assert places.reported(f"{root}/a/m.py") == "a/m.py"
    assert places.reported(f"{root}er/m.py") == f"{root}er/m.py"
    assert places.named("./a/../b/m.py") == "b/m.py"
    assert places.named("../else.py") == f"{tmp_path}/else.py"
    assert places.place("a/m.py") == f"{tmp_path}/link/a/m.py"
    assert places.place(f"{tmp_path}/else.py") == f"{tmp_path}/else.py"
    assert places.place("") == f"{tmp_path}/link"
