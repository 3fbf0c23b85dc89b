"""What is watched and what is not, with git itself, without it, and when it fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from devloop.config.types import Watch
from devloop.events import Notice
from devloop.watch.git import Git
from devloop.watch.scan import ChangeSet, scan
from devloop.watch.signatures import Known, read
from devloop.watch.watcher import Watcher

Reported = Callable[..., Awaitable[list[ChangeSet]]]

TREE = """
.gitignore
    *.log
    /build/
    gen/*
    !gen/keep.py
.ignore
    notes/
pkg/.gitignore
    local_*.py
pkg/m.py
pkg/local_a.py
pkg/run.log
logs/only.log
build/out/x.py
gen/keep.py
gen/drop.py
notes/n.txt
.venv/lib/a.py
env2/pyvenv.cfg
env2/lib/a.py
node_modules/p/index.js
pkg/__pycache__/m.pyc
docs/_build/index.html
docs/a.md
.m.py.swp
m.py~
"""
WATCHED = {".gitignore", ".ignore", "pkg/.gitignore", "pkg/m.py", "gen/keep.py", "docs/a.md"}


@pytest.mark.parametrize("git", [True, False])
def test_ignore_rules_hold_with_git_and_without(
    tmp_path: Path,
    write_tree: Callable[[Path, str], None],
    checkout: Callable[..., Path],
    git: bool,
) -> None:
    """.gitignore, nested too, .ignore, the configuration, and what is never watched."""
    root = tmp_path / "checkout"
    write_tree(root, TREE)
    if git:
        checkout()
    found = scan(root, Watch(ignore=("docs/_build/",)))
    assert set(found.files) == WATCHED
    assert found.tracked == (frozenset() if git else None)
    status = (root / "pkg/m.py").stat()
    assert found.files["pkg/m.py"].size == status.st_size
    assert found.files["pkg/m.py"].inode == status.st_ino


@pytest.mark.parametrize("git", [True, False])
@pytest.mark.anyio
async def test_ignore_rules_hold_for_new_files(
    tmp_path: Path,
    write_tree: Callable[[Path, str], None],
    checkout: Callable[..., Path],
    reported: Reported,
    git: bool,
) -> None:
    """What appears while watching, folders and all, is judged as at the start."""
    root = tmp_path / "checkout"
    root.mkdir()
    if git:
        checkout()
    async with Watcher(root, config=Watch(ignore=("docs/_build/",))) as watcher:
        write_tree(root, TREE)
        await reported(watcher, *WATCHED)
        assert set(watcher.known) == WATCHED


@pytest.mark.anyio
async def test_tracked_files_are_watched_though_ignored(
    checkout: Callable[..., Path], reported: Reported
) -> None:
    """A file that git tracks counts, inside an ignored folder too; its neighbours do not."""
    root = checkout()
    (root / ".gitignore").write_text("build/\n")
    (root / "build").mkdir()
    (root / "build" / "kept.py").write_text("V = 1\n")
    (root / "build" / "made.py").write_text("V = 1\n")
    checkout("add", "-f", ".gitignore", "build/kept.py")
    async with Watcher(root, config=Watch()) as watcher:
        assert set(watcher.known) == {".gitignore", "build/kept.py"}
        assert watcher.tracked() == frozenset({".gitignore", "build/kept.py"})
        (root / "build" / "made.py").write_text("V = 2\n")
        (root / "build" / "kept.py").write_text("V = 2\n")
        sets = await reported(watcher, "build/kept.py")
        assert [change.path for found in sets for change in found.changes] == ["build/kept.py"]
        (root / "new.py").write_text("\n")
        checkout("add", "new.py")
        assert watcher.tracked() == frozenset({".gitignore", "build/kept.py", "new.py"})


def test_other_checkouts_have_their_own_rules(checkout: Callable[..., Path]) -> None:
    """Nested repositories and submodules: git is asked in each of them."""
    checkout(at="library")
    (checkout(at="library") / "l.py").write_text("\n")
    (checkout(at="library") / ".gitignore").write_text("*.log\n")
    checkout("add", "-A", at="library")
    checkout("commit", "-qm", "one", at="library")
    root = checkout()
    (root / ".gitignore").write_text("*.tmp\n")
    checkout("submodule", "add", "-q", "../library", "vendor/library")
    checkout(at="checkout/nested")
    for folder in ("vendor/library", "nested"):
        for name in ("a.log", "a.tmp", "a.txt"):
            (root / folder / name).write_text("\n")
    checkout("add", "a.txt", at="checkout/nested")
    found = scan(root, Watch())
    assert set(found.files) == {
        ".gitignore",
        ".gitmodules",
        "nested/a.log",
        "nested/a.tmp",
        "nested/a.txt",
        "vendor/library/.gitignore",
        "vendor/library/a.tmp",
        "vendor/library/a.txt",
        "vendor/library/l.py",
    }
    assert found.tracked is not None
    assert {"nested/a.txt", "vendor/library/l.py", ".gitmodules"} <= found.tracked


@pytest.mark.parametrize("git", [True, False])
@pytest.mark.anyio
async def test_a_new_rule_counts_at_once(
    tmp_path: Path, checkout: Callable[..., Path], reported: Reported, git: bool
) -> None:
    """What is ignored no longer is reported as created; what is from now on, falls silent."""
    root = tmp_path / "checkout"
    root.mkdir()
    if git:
        checkout()
    (root / ".gitignore").write_text("hidden/\n")
    for folder in ("hidden", "open"):
        (root / folder).mkdir()
        (root / folder / "m.py").write_text("V = 1\n")
    async with Watcher(root, config=Watch()) as watcher:
        assert set(watcher.known) == {".gitignore", "open/m.py"}
        (root / "open" / "m.py").write_text("V = 'noted, and then ignored'\n")
        (root / ".gitignore").write_text("open/\n")
        sets = await reported(watcher, "hidden/m.py", ".gitignore")
        assert {change.path for found in sets for change in found.changes} == {
            "hidden/m.py",
            ".gitignore",
        }
        assert set(watcher.known) == {".gitignore", "hidden/m.py"}
        (root / "open" / "m.py").write_text("V = 2\n")
        (root / "hidden" / "m.py").write_text("V = 2\n")
        sets = await reported(watcher, "hidden/m.py")
        assert [change.path for found in sets for change in found.changes] == ["hidden/m.py"]


@pytest.mark.anyio
async def test_a_folder_becomes_a_checkout_while_it_is_watched(
    tmp_path: Path, checkout: Callable[..., Path], reported: Reported
) -> None:
    """`git init`: from then on git is asked what it tracks."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "m.py").write_text("V = 1\n")
    async with Watcher(root, config=Watch()) as watcher:
        assert watcher.tracked() is None
        checkout()
        checkout("add", "m.py")
        (root / "last.py").write_text("\n")
        await reported(watcher, "last.py")
        assert watcher.tracked() == frozenset({"m.py"})


def test_without_git_its_ignore_files_are_read_and_that_is_said(
    checkout: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a checkout where git is not installed: the same files, None tracked, one notice."""
    root = checkout()
    (root / ".gitignore").write_text("*.log\n")
    (root / "a.log").write_text("\n")
    (root / "a.py").write_text("\n")
    monkeypatch.setenv("PATH", str(root))
    notices: list[Notice] = []
    found = scan(root, Watch(), notice=notices.append)
    assert set(found.files) == {".gitignore", "a.py"}
    assert found.tracked is None
    (notice,) = notices
    assert "git is not installed" in notice.message


def test_a_checkout_that_git_refuses_is_read_all_the_same(checkout: Callable[..., Path]) -> None:
    """A broken repository: its ignore files are read, and git's own words are passed on."""
    root = checkout()
    (root / ".gitignore").write_text("*.log\n")
    (root / "a.log").write_text("\n")
    shutil.rmtree(root / ".git" / "objects")
    notices: list[Notice] = []
    found = scan(root, Watch(), notice=notices.append)
    assert set(found.files) == {".gitignore"}
    assert len(notices) == 1
    assert "not a git repository" in notices[0].message


@pytest.mark.anyio
async def test_a_dead_helper_process_is_replaced(
    checkout: Callable[..., Path], reported: Reported
) -> None:
    """The process that answers for git is killed: the next question starts another."""
    git = Git(str(checkout()))
    (Path(git.base) / ".gitignore").write_text("*.log\n")
    try:
        assert git.ignored(["a.log", "a.py"]) == {"a.log"}
        assert git._process is not None
        git._process.kill()
        assert git.ignored(["b.log", "b.py"]) == {"b.log"}
        many = [f"{'x' * 200}{number}.log" for number in range(500)]
        assert git.ignored(many) == set(many)
    finally:
        git.forget()


def test_a_project_that_its_surroundings_ignore_is_watched(checkout: Callable[..., Path]) -> None:
    """A project in an ignored folder of another checkout is no part of that checkout."""
    outer = checkout()
    (outer / ".gitignore").write_text("scratch/\n")
    root = outer / "scratch" / "project"
    root.mkdir(parents=True)
    (root / "a.py").write_text("\n")
    found = scan(root, Watch())
    assert set(found.files) == {"a.py"}
    assert found.tracked is None


def test_only_the_configured_places_are_watched(tmp_path: Path) -> None:
    """Folders, files, and folders beside the project; a place inside another counts once."""
    root, beside = tmp_path / "project", tmp_path / "shared"
    for path in ("project/src/a.py", "project/src/in/b.py", "project/other/c.py", "shared/d.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("\n")
    (root / "setup.cfg").write_text("\n")
    paths = ("src", "src/in", "../shared", "setup.cfg", "missing")
    found = scan(root, Watch(paths=paths))
    assert set(found.files) == {"src/a.py", "src/in/b.py", "setup.cfg", f"{beside}/d.py"}


@pytest.mark.anyio
async def test_places_that_come_later_are_watched(tmp_path: Path, reported: Reported) -> None:
    """A configured folder that is not there at the start, and one beside the project."""
    root, beside = tmp_path / "project", tmp_path / "shared"
    root.mkdir()
    (root / "first.py").write_text("\n")
    paths = ("src/app", "../shared", "first.py")
    async with Watcher(root, config=Watch(paths=paths)) as watcher:
        (root / "first.py").write_text("V = 1\n")
        await reported(watcher, "first.py")
        (root / "src" / "app").mkdir(parents=True)
        (root / "src" / "app" / "a.py").write_text("\n")
        beside.mkdir()
        (beside / "b.py").write_text("\n")
        await reported(watcher, "src/app/a.py", f"{beside}/b.py")
        (root / "src" / "else.py").write_text("\n")
        (beside / "b.py").write_text("V = 2\n")
        sets = await reported(watcher, f"{beside}/b.py")
        assert [change.path for found in sets for change in found.changes] == [f"{beside}/b.py"]


@pytest.mark.anyio
async def test_what_matters_is_watched_though_ignored(
    tmp_path: Path, checkout: Callable[..., Path], reported: Reported
) -> None:
    """Single ignored files, files outside, and the entries of folders; named later, too."""
    root, site = checkout(), tmp_path / "site"
    (root / ".gitignore").write_text(".env\n_version.py\nbuild/\n")
    (root / "pkg").mkdir()
    (root / "build").mkdir()
    site.mkdir()
    (site / "old.pth").write_text("\n")
    outside = tmp_path / "outside" / "settings.py"
    for path in (root / ".env", root / "pkg" / "_version.py", root / "build" / "x.so"):
        path.write_text("1\n")
    extra = [".env", "pkg/_version.py", str(outside), str(site), "build/gen/y.py"]
    async with Watcher(root, config=Watch(), extra=extra) as watcher:
        (root / "build" / "x.so").write_text("2\n")
        (root / ".env").write_text("2\n")
        (root / "pkg" / "_version.py").write_text("2\n")
        outside.parent.mkdir()
        outside.write_text("V = 1\n")
        (root / "build" / "gen").mkdir()
        (root / "build" / "gen" / "y.py").write_text("V = 1\n")
        (site / "old.pth").write_text("x\n")
        (site / "new_package").mkdir()
        (site / "new_package" / "__init__.py").write_text("\n")
        expected = {
            ".env": "modified",
            "pkg/_version.py": "modified",
            str(outside): "created",
            "build/gen/y.py": "created",
            f"{site}/old.pth": "modified",
            f"{site}/new_package": "created",
        }
        sets = await reported(watcher, *expected)
        assert {c.path: c.kind for found in sets for c in found.changes} == expected
        watcher.update(extra=[*extra, "build/x.so"])
        (root / "first.py").write_text("\n")
        await reported(watcher, "first.py")
        (root / "build" / "x.so").write_text("3\n")
        await reported(watcher, "build/x.so")
        # Since it was read, and before it was watched, it has become another one.
        late = root / "build" / "late.txt"
        late.write_text("1\n")
        was = read(str(late))
        assert was is not None
        late.write_text("another\n")
        watcher.update(
            extra=[*extra, "build/x.so", "build/late.txt"], known={"build/late.txt": was}
        )
        await reported(watcher, "build/late.txt")
        shutil.rmtree(site)
        await reported(watcher, f"{site}/old.pth", f"{site}/new_package")
        site.mkdir()
        (site / "again.pth").write_text("\n")
        await reported(watcher, f"{site}/again.pth")


@pytest.mark.anyio
async def test_the_target_of_a_link_is_watched(tmp_path: Path, reported: Reported) -> None:
    """A link to a file outside: its content is the target's."""
    root, target = tmp_path / "project", tmp_path / "elsewhere" / "real.py"
    root.mkdir()
    target.parent.mkdir()
    target.write_text("V = 1\n")
    (root / "link.py").symlink_to(target)
    async with Watcher(root, config=Watch()) as watcher:
        target.write_text("V = 2\n")
        sets = await reported(watcher, "link.py")
        assert [change.kind for found in sets for change in found.changes] == ["modified"]


@pytest.mark.anyio
async def test_what_was_known_before_is_the_baseline(tmp_path: Path, reported: Reported) -> None:
    """Files that the store knows need not be read, and no unreported change is learned away."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    before = read(str(path))
    assert before is not None
    wrong = Known(before.signature, b"x" * 16)
    async with Watcher(tmp_path, config=Watch(), known={"m.py": wrong}) as watcher:
        assert watcher.known["m.py"] == wrong
        path.write_text("V = 2\n")
        after = read(str(path))
        assert after is not None
        watcher.learn("m.py", after)
        sets = await reported(watcher, "m.py")
        assert [change.kind for found in sets for change in found.changes] == ["modified"]
        os.utime(path)
        (tmp_path / "last.py").write_text("\n")
        sets = await reported(watcher, "last.py")
        assert [change.path for found in sets for change in found.changes] == ["last.py"]


@pytest.mark.anyio
async def test_what_changed_since_everything_was_read_is_reported(
    tmp_path: Path, reported: Reported
) -> None:
    """Files that were saved, made or deleted between the reading and the watching."""
    known = {}
    for name in ("same.py", "saved.py", "touched.py", "gone.py"):
        (tmp_path / name).write_text("V = 1\n")
        before = read(str(tmp_path / name))
        assert before is not None
        known[name] = before
    (tmp_path / "saved.py").write_text("V = 2\n")
    (tmp_path / "touched.py").write_text("V = 1\n")
    (tmp_path / "made.py").write_text("V = 1\n")
    (tmp_path / "gone.py").unlink()
    async with Watcher(tmp_path, config=Watch(), known=known) as watcher:
        sets = await reported(watcher, "saved.py", "made.py", "gone.py")
    assert {c.path: c.kind for found in sets for c in found.changes} == {
        "saved.py": "modified",
        "made.py": "created",
        "gone.py": "deleted",
    }


@pytest.mark.anyio
async def test_what_is_ignored_before_it_is_reported_falls_silent(
    tmp_path: Path, reported: Reported
) -> None:
    """A file is saved, and within the debounce a rule says that it does not count."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "m.py").write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch(debounce="3s")) as watcher:
        (tmp_path / "out" / "m.py").write_text("V = 2\n")
        await anyio.sleep(0.15)
        (tmp_path / ".gitignore").write_text("out/\n")
        sets = await reported(watcher, ".gitignore")
    assert [change.path for found in sets for change in found.changes] == [".gitignore"]
