"""Imports that are held are used only while what they were made from is as it was (W7 to W9)."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from devloop.execute.orders import Preloaded
from devloop.execute.signs import sign_of
from devloop.execute.staleness import SOME, Origin
from devloop.watch.vigil import Vigil


def installation(root: Path) -> str:
    """An interpreter with a package, a .pth file, and a file that the package reads."""
    for folder in ("bin", "site-packages/pkg"):
        (root / folder).mkdir(parents=True)
    (root / "bin/python").write_text("interpreter")
    (root / "pyvenv.cfg").write_text("home = /usr/bin")
    (root / "site-packages/pkg/__init__.py").write_text("A = 1\n")
    (root / "site-packages/pkg/data.json").write_text("{}")
    (root / "site-packages/more.pth").write_text("/somewhere\n")
    return str(root / "bin/python")


def origin(root: Path, env: dict[str, str], read: frozenset[str] | None) -> Origin:
    """What a process came from that holds the package, and has read its file."""
    made = Origin(installation(root), [str(root / "site-packages"), str(root / "gone")], env)
    data = root / "site-packages/pkg/data.json"
    found = data.stat()
    files = {str(data): (found.st_mtime_ns, found.st_size, found.st_ino)}
    made.add([str(root / "site-packages/pkg/__init__.py")], files, read)
    return made


def same_length(root: Path) -> None:
    """An older file of the same length, as `git checkout` may put it there."""
    path = root / "site-packages/pkg/__init__.py"
    path.write_text("A = 2\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))


def replaced(root: Path) -> None:
    """Another file with the same length and the same times."""
    path = root / "site-packages/pkg/__init__.py"
    found = path.stat()
    path.with_name("new").write_text("A = 2\n")
    os.utime(path.with_name("new"), ns=(found.st_atime_ns, found.st_mtime_ns))
    path.with_name("new").replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "older": same_length,
    "replaced": replaced,
    "removed": lambda root: shutil.rmtree(root / "site-packages/pkg"),
    "installed": lambda root: (root / "site-packages/other.dist-info").mkdir(),
    "pth": lambda root: (root / "site-packages/more.pth").write_text("/elsewhere/\n"),
    "data": lambda root: (root / "site-packages/pkg/data.json").write_text("{ }"),
    "interpreter": lambda root: (root / "bin/python").write_text("another"),
    "environment": lambda root: (root / "pyvenv.cfg").write_text("home = /opt/bin"),
}


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_what_changes_on_disk_is_seen(tmp_path: Path, kind: str) -> None:
    """Whatever the times of the files say."""
    made = origin(tmp_path, {}, frozenset())
    assert made.stale({}) is None
    CHANGES[kind](tmp_path)
    said = made.stale({})
    assert said is not None
    assert said.endswith(" changed")


@pytest.mark.anyio
@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_what_a_look_has_not_come_to_is_looked_at_in_the_end(
    tmp_path: Path, turns: int
) -> None:
    """A look ahead goes on between other work, and is used as far as it has come."""
    made = origin(tmp_path, {}, frozenset())
    modules = [tmp_path / f"site-packages/pkg/m{number}.py" for number in range(5 * SOME)]
    for path in modules:
        path.write_text("A = 1\n")
    made.add(map(str, modules), {}, frozenset())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.look)
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        modules[-1].write_text("A = 22\n")
        for _ in range(2):
            assert made.stale({}) == f"{modules[-1]} changed"


@pytest.mark.anyio
async def test_what_a_look_finds_is_told(tmp_path: Path) -> None:
    """However soon after it that is asked."""
    made = origin(tmp_path, {}, frozenset())
    assert made.stale({}) is None
    same_length(tmp_path)
    await made.look()
    for _ in range(2):
        assert str(made.stale({})).endswith("__init__.py changed")


@pytest.mark.anyio
@pytest.mark.parametrize("kind", sorted(CHANGES))
async def test_what_changes_under_watch_is_seen(tmp_path: Path, kind: str) -> None:
    """Once it was looked at and found to be as it was, and again when that was asked before."""
    made = origin(tmp_path, {}, frozenset())
    await made.keep_an_eye(Vigil.over)
    assert made.stale({}) is None
    CHANGES[kind](tmp_path)
    for _ in range(2):
        assert str(made.stale({})).endswith(" changed")
    made.close()


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells of single files there")
async def test_what_is_watched_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as nothing happens to it; that is what watching is for."""
    made = origin(tmp_path, {}, frozenset())
    await made.keep_an_eye(Vigil.over)
    assert made.stale({}) is None
    looked: list[object] = []
    stat = os.stat

    def looking(path: str) -> os.stat_result:
        looked.append(path)
        return stat(path)

    monkeypatch.setattr(os, "stat", looking)
    await made.look()
    assert made.stale({}) is None
    module = str(tmp_path / "site-packages/pkg/__init__.py")
    assert module not in looked
    os.utime(module)
    await made.look()
    assert module in looked
    made.close()


@pytest.mark.anyio
async def test_what_changed_before_it_was_watched_is_seen(tmp_path: Path) -> None:
    """However late a look at it had begun."""
    made = origin(tmp_path, {}, frozenset())
    await made.look()
    same_length(tmp_path)
    await made.keep_an_eye(Vigil.over)
    assert str(made.stale({})).endswith("__init__.py changed")
    made.close()


@pytest.mark.anyio
async def test_what_changes_under_watch_while_it_is_looked_at_is_seen(tmp_path: Path) -> None:
    """The look may have come past it: what is heard has everything looked at."""
    made = origin(tmp_path, {}, frozenset())
    await made.keep_an_eye(Vigil.over)
    await made.look()
    same_length(tmp_path)
    assert str(made.stale({})).endswith("__init__.py changed")
    made.close()


def test_a_file_that_changed_while_it_was_imported_counts_as_changed(tmp_path: Path) -> None:
    """What was read is not what lies there now."""
    made = origin(tmp_path, {}, frozenset())
    path = str(tmp_path / "site-packages/pkg/data.json")
    made.add([], {path: (1, 1, 1)}, frozenset())
    assert made.stale({}) == f"{path} changed"


def told(root: Path) -> Preloaded:
    """What another process tells that has imported the package later."""
    data, folder = str(root / "site-packages/pkg/data.json"), str(root / "site-packages/pkg")
    folders = {folder: (Path(folder).stat().st_mtime_ns, False)}
    return Preloaded({}, {}, {}, {}, frozenset(), {data: sign_of(data)}, {}, folders, {}, 0.0)


def write_later(path: Path, text: str) -> None:
    """Write a file, at a time that shows: those of files go by ticks."""
    now = time.time_ns()
    while path.stat().st_ctime_ns < now:
        path.write_text(text)


def test_what_changed_before_it_was_known_to_be_read_counts_once(tmp_path: Path) -> None:
    """It may have been read as it was; where it changes at each import that would not end."""
    python, known = installation(tmp_path), set[str]()
    data = tmp_path / "site-packages/pkg/data.json"
    made = Origin(python, [], {})
    made.add_told(told(tmp_path), known)
    assert made.stale({}) is None

    made = Origin(python, [], {})
    write_later(data, "{ }")
    os.utime(data, (1_000_000_000, 1_000_000_000))
    made.add_told(told(tmp_path), known)
    assert made.stale({}) == f"{data} changed"

    again = Origin(python, [], {})
    write_later(data, "{  }")
    again.add_told(told(tmp_path), known)
    assert again.stale({}) is None
    data.write_text("{   }")
    assert again.stale({}) == f"{data} changed"


@pytest.mark.parametrize(
    ("before", "now", "read", "said"),
    [
        ({"FOO": "1"}, {"FOO": "2"}, frozenset({"FOO"}), "$FOO changed"),
        ({}, {"FOO": "2"}, frozenset({"FOO"}), "$FOO changed"),
        ({"FOO": "1"}, {}, frozenset({"FOO"}), "$FOO changed"),
        ({"FOO": "1"}, {"FOO": "2"}, frozenset({"BAR"}), None),
        ({"FOO": "1"}, {"FOO": "2"}, None, "$FOO changed"),
        ({"FOO_A": "1"}, {"FOO_A": "2"}, frozenset({"FOO_*"}), "$FOO_A changed"),
        ({}, {"OMP_NUM_THREADS": "2"}, frozenset(), "$OMP_NUM_THREADS changed"),
        ({"TZ": "UTC"}, {"TZ": "CET"}, frozenset(), "$TZ changed"),
        ({"LINES": "1"}, {"LINES": "2"}, None, None),
    ],
)
def test_a_variable_that_was_read_counts(
    tmp_path: Path,
    before: dict[str, str],
    now: dict[str, str],
    read: frozenset[str] | None,
    said: str | None,
) -> None:
    """So does one that libraries in C read, which nobody can observe (W7)."""
    assert origin(tmp_path, before, read).stale(now) == said
