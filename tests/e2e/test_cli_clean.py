"""`devloop clean` removes what is devloop's, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is a project."""
    (tmp_path / "main.py").touch()
    return tmp_path


def test_what_devloop_made_is_removed(devloop: Run, project: Path) -> None:
    """The whole folder goes; how much it was is said."""
    folder = project / ".devloop"
    (folder / "inner").mkdir(parents=True)
    (folder / ".gitignore").write_text("*\n")
    (folder / "inner/file").write_text("12345")
    done = devloop("clean")
    assert done.stdout == f"Removed {folder} (2 files, 7 bytes).\n"
    assert done.returncode == 0
    assert not folder.exists()


def test_there_may_be_nothing_to_remove(devloop: Run, project: Path) -> None:
    """That is no error."""
    done = devloop("clean")
    assert done.returncode == 0
    assert "Nothing to remove" in done.stdout


def test_an_empty_folder_is_removed(devloop: Run, project: Path) -> None:
    """Nobody loses anything."""
    (project / ".devloop").mkdir()
    assert devloop("clean").returncode == 0
    assert not (project / ".devloop").exists()


@pytest.mark.parametrize("ignore", [None, "*.pyc\n"])
def test_a_folder_that_is_not_ours_is_left_alone(
    devloop: Run, project: Path, ignore: str | None
) -> None:
    """Somebody's folder of the same name does not bear our mark."""
    folder = project / ".devloop"
    folder.mkdir()
    (folder / "precious").touch()
    if ignore is not None:
        (folder / ".gitignore").write_text(ignore)
    done = devloop("clean")
    assert done.returncode == 4
    assert "was not made by devloop" in done.stderr
    assert (folder / "precious").exists()


def test_a_link_is_not_followed(devloop: Run, project: Path) -> None:
    """What it leads to may be anything."""
    target = project / "elsewhere"
    target.mkdir()
    (target / ".gitignore").write_text("*\n")
    (project / ".devloop").symlink_to(target)
    done = devloop("clean")
    assert done.returncode == 4
    assert "symbolic link" in done.stderr
    assert (target / ".gitignore").exists()


def test_a_file_of_that_name_is_left_alone(devloop: Run, project: Path) -> None:
    """It is no folder of records."""
    (project / ".devloop").touch()
    assert devloop("clean").returncode == 4
    assert (project / ".devloop").exists()


def test_a_faulty_configuration_does_not_matter(devloop: Run, project: Path) -> None:
    """One can always clean."""
    (project / "devloop.toml").write_text("[")
    assert devloop("clean").returncode == 0
