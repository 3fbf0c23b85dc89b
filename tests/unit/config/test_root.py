"""Which project a folder belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from devloop.config.root import find_root
from devloop.errors import NotAProject


@pytest.mark.parametrize(
    "marker", [".git/HEAD", "pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini"]
)
def test_the_nearest_marker_upwards_makes_the_root(tmp_path: Path, marker: str) -> None:
    """Any of a project's own files will do, and the nearest one counts."""
    for folder in ("outer", "outer/inner"):
        path = tmp_path / folder / marker
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    below = tmp_path / "outer/inner/src/pkg"
    below.mkdir(parents=True)
    assert find_root(below) == tmp_path / "outer/inner"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("devloop.toml", ""),
        ("pyproject.toml", "[tool.devloop]\n"),
        ("pyproject.toml", "[ tool . devloop.watch]"),
    ],
)
def test_a_configuration_counts_before_nearer_markers(tmp_path: Path, file: str, text: str) -> None:
    """One configuration at the top serves a repository of many packages."""
    (tmp_path / file).write_text(text)
    inner = tmp_path / "packages/one"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").touch()
    assert find_root(inner) == tmp_path


def test_a_table_of_a_similar_name_is_no_configuration(tmp_path: Path) -> None:
    """`[tool.devloops]` belongs to someone else."""
    (tmp_path / "pyproject.toml").write_text("[tool.devloops]\n")
    inner = tmp_path / "one"
    inner.mkdir()
    (inner / "setup.py").touch()
    assert find_root(inner) == inner


def test_a_folder_with_python_in_it_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of scripts is a project, even in a home folder that is a repository."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".git").mkdir()
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "main.py").touch()
    assert find_root(scripts) == scripts
    assert find_root(tmp_path) == tmp_path


def test_a_folder_with_nothing_in_it_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where was looked, and what can be done."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NotAProject) as caught:
        find_root(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "devloop init" in (caught.value.hint or "")
    assert caught.value.exit_code == 4


def test_a_folder_of_tests_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources or tests in their usual folder make a project, with nothing beside them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("tests/unit", "src/pkg"):
        inner = tmp_path / folder.partition("/")[0] / folder
        inner.mkdir(parents=True)
        (inner / "test_it.py").touch()
        root = tmp_path / folder.partition("/")[0]
        assert find_root(root) == root
