"""Whether anything has happened to some files is told without looking at them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from devloop.watch import inotify, mounts, vigil
from devloop.watch.vigil import Vigil

if sys.platform != "linux":
    pytest.skip("this is a matter of Linux", allow_module_level=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a package, which is reached by two links in a row as well."""
    package = tmp_path / "lib/site/pkg"
    package.mkdir(parents=True)
    (package / "m.py").write_text("A = 1\n")
    (tmp_path / "lib64").symlink_to("lib")
    (tmp_path / "current").symlink_to("lib64")
    return tmp_path


@pytest.fixture
def watched(site: Path) -> Iterator[Vigil]:
    """What watches the module by its path through the links."""
    found = Vigil.over([str(site / "current/site/pkg/m.py")])
    assert found is not None
    yield found
    found.close()


def replaced(path: Path) -> None:
    """Another file takes its place, with the same times."""
    times = path.stat()
    path.with_name("new").write_text("A = 2\n")
    os.utime(path.with_name("new"), ns=(times.st_atime_ns, times.st_mtime_ns))
    path.with_name("new").replace(path)


def through_a_hard_link(path: Path) -> None:
    """It is written to under the name that it has in the cache of an installer."""
    os.link(path, path.parents[3] / "cached")
    (path.parents[3] / "cached").write_text("A = 2\n")


def exchanged(path: Path) -> None:
    """Its package gives way to another one, as pip does it: nothing happens to the file."""
    package = path.parent
    package.rename(package.with_name("~pkg"))
    package.mkdir()
    shutil.copy2(package.with_name("~pkg") / "m.py", path)


def points_elsewhere(link: str) -> Callable[[Path], None]:
    """A link on the way leads to a copy from now on."""

    def change(path: Path) -> None:
        root = path.parents[3]
        shutil.copytree(root / "lib", root / "other")
        (root / "new").symlink_to("other")
        (root / "new").replace(root / link)

    return change


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda path: path.write_text("A = 2\n"),
    "touched": lambda path: os.utime(path, (1, 1)),
    "removed": lambda path: path.unlink(),
    "replaced": replaced,
    "hard link": through_a_hard_link,
    "exchanged": exchanged,
    "folder above moved": lambda path: path.parents[1].rename(path.parents[2] / "elsewhere"),
    "first link": points_elsewhere("current"),
    "second link": points_elsewhere("lib64"),
}


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_whatever_happens_to_a_file_is_heard(site: Path, watched: Vigil, kind: str) -> None:
    """To the file itself, to a folder above it, or to a link on the way to it."""
    assert watched.quiet()
    CHANGES[kind](site / "lib/site/pkg/m.py")
    assert not watched.quiet()


def test_what_happens_beside_a_file_is_nothing(site: Path, watched: Vigil) -> None:
    """It may be read, and its folder may get bytecode, and other folders anything."""
    package = site / "lib/site/pkg"
    (package / "m.py").read_text()
    (package / "__pycache__").mkdir()
    (package / "__pycache__/m.cpython-313.pyc").write_bytes(b"")
    (site / "lib/site/other.py").write_text("")
    (site / "lib/site/other.py").chmod(0o600)
    assert watched.quiet()


def test_what_was_heard_once_is_past(site: Path, watched: Vigil) -> None:
    """A file that was touched is watched on."""
    for _ in range(2):
        os.utime(site / "lib/site/pkg/m.py", (1, 1))
        assert not watched.quiet()
        assert watched.quiet()


def test_after_a_replacement_it_is_never_quiet_again(site: Path, watched: Vigil) -> None:
    """What has taken the place of a file is not watched."""
    replaced(site / "lib/site/pkg/m.py")
    assert not watched.quiet()
    assert not watched.quiet()


def test_where_a_file_is_missing_there_is_none(tmp_path: Path) -> None:
    """A module in an archive has no file of its own, for one."""
    assert Vigil.over([str(tmp_path / "gone.zip/m.py")]) is None


def test_where_a_limit_is_used_up_there_is_none(site: Path) -> None:
    """And nothing stays open of what was begun."""
    before = sorted(os.listdir("/proc/self/fd"))
    with mock.patch.object(inotify.Inotify, "add", side_effect=OSError(28, "no space")):
        assert Vigil.over([str(site / "lib/site/pkg/m.py")]) is None
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_where_watches_are_scarce_there_is_none(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are left to the folders of the project (P14)."""
    module = str(site / "lib/site/pkg/m.py")
    for allowed in (vigil.SHARE, 1_000 * vigil.SHARE):
        (tmp_path / "limit").write_text(f"{allowed}\n")
        monkeypatch.setattr(vigil, "LIMIT", tmp_path / "limit")
        found = Vigil.over([module])
        assert (found is not None) is (allowed > vigil.SHARE)
    assert found is not None
    found.close()


def test_where_other_machines_write_there_is_none(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells of what is written here alone."""
    monkeypatch.setattr(mounts, "silent", lambda _: "nfs4")
    assert Vigil.over([str(site / "lib/site/pkg/m.py")]) is None
