"""Where watchers fail (TRAPS, P8 to P13, P21, P22), with real files and programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from devloop.config.types import Watch
from devloop.events import Change, Notice
from devloop.watch.scan import ChangeSet
from devloop.watch.watcher import Watcher

pytestmark = pytest.mark.anyio

Reported = Callable[..., Awaitable[list[ChangeSet]]]


def kinds(sets: list[ChangeSet]) -> dict[str, str]:
    """The last kind of each path."""
    return {change.path: change.kind for found in sets for change in found.changes}


def sets_with(path: str, sets: list[ChangeSet]) -> int:
    """How many sets hold a path."""
    return sum(path in {change.path for change in found.changes} for found in sets)


async def test_a_branch_switch_is_one_change_set(
    checkout: Callable[..., Path], reported: Reported
) -> None:
    """P8: git switches 1,201 files, with a long pause before one of them: they are one set."""
    root = checkout()
    for number in range(1200):
        folder = root / f"pkg{number % 20:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"m{number}.py").write_text("V = 1\n")
    (root / "pkg10" / "slow.py").write_text("V = 1\n")
    (root / ".gitattributes").write_text("slow.py filter=slow\n")
    checkout("add", "-A")
    checkout("commit", "-qm", "one")
    checkout("checkout", "-qb", "other")
    for path in root.glob("pkg*/*.py"):
        path.write_text("V = 'two'\n")
    checkout("commit", "-qam", "two")
    checkout("checkout", "-q", "main")
    checkout("config", "filter.slow.smudge", "sleep 0.7; cat")
    async with Watcher(root, config=Watch()) as watcher:
        await anyio.to_thread.run_sync(checkout, "checkout", "-q", "other")
        paths = {path.relative_to(root).as_posix() for path in root.glob("pkg*/*.py")}
        sets = await reported(watcher, *paths)
    assert len(sets) == 1
    assert sets[0].changes == tuple(Change(path, "modified") for path in sorted(paths))


async def test_a_lock_that_git_has_left_behind_holds_nothing_back(
    checkout: Callable[..., Path], reported: Reported
) -> None:
    """P8: an old index.lock is a crash's; changes are reported all the same."""
    root = checkout()
    lock = root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    async with Watcher(root, config=Watch()) as watcher:
        (root / "m.py").write_text("V = 1\n")
        await reported(watcher, "m.py")


async def test_folders_made_and_filled_at_once_are_seen(tmp_path: Path, reported: Reported) -> None:
    """P10: `mkdir -p a/b/c` and a write at once; and the file is watched from then on."""
    async with Watcher(tmp_path, config=Watch()) as watcher:
        for number in range(5):
            folder = tmp_path / f"a{number}" / "b" / "c"
            folder.mkdir(parents=True)
            (folder / "new.py").write_text("V = 1\n")
            path = f"a{number}/b/c/new.py"
            assert kinds(await reported(watcher, path))[path] == "created"
            (folder / "new.py").write_text("V = 2\n")
            assert kinds(await reported(watcher, path))[path] == "modified"


async def test_folders_that_keep_coming_are_all_seen(tmp_path: Path, reported: Reported) -> None:
    """P10: while watches are laid over new folders, more come, and files in them."""
    expected = [f"n{number}/deep/m.py" for number in range(80)]

    def make() -> None:
        for path in expected:
            (tmp_path / path).parent.mkdir(parents=True)
            threading.Event().wait(0.002)
            (tmp_path / path).write_text("V = 1\n")

    async with Watcher(tmp_path, config=Watch()) as watcher, anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, make)
        await reported(watcher, *expected)


async def test_a_folder_that_is_replaced_is_still_watched(
    tmp_path: Path, reported: Reported
) -> None:
    """A folder is removed and comes back at once: its files are seen after that too."""
    folder = tmp_path / "src" / "inner"
    folder.mkdir(parents=True)
    (folder / "m.py").write_text("V = 1\n")
    shutil.copytree(tmp_path / "src", tmp_path / "src2")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        shutil.rmtree(tmp_path / "src")
        (tmp_path / "src2").rename(tmp_path / "src")
        (tmp_path / "seen.py").write_text("\n")
        await reported(watcher, "seen.py", "src2/inner/m.py")
        (folder / "m.py").write_text("V = 2\n")
        assert kinds(await reported(watcher, "src/inner/m.py")) == {"src/inner/m.py": "modified"}


def _vim(path: Path, text: str) -> None:
    lines = ["set nocompatible backupcopy=no backup writebackup", f"%s/.*/{text}/", "wq"]
    script = [part for line in lines for part in ("-c", line)]
    subprocess.run(
        ["vim", "-n", "-es", "-u", "NONE", *script, str(path)],
        check=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def _rename(path: Path, text: str) -> None:
    new = path.with_name(".m.py.new~")
    new.write_text(text + "\n")
    new.replace(path)


def _sed(path: Path, text: str) -> None:
    subprocess.run(["sed", "-i", f"s/.*/{text}/", str(path)], check=True)


def _gap(path: Path, text: str) -> None:
    """As a slow editor does: for a moment there is no file."""
    old = path.with_name("m.py~")
    path.rename(old)
    threading.Event().wait(0.05)
    path.write_text(text + "\n")
    old.unlink()


@pytest.mark.parametrize("save", [_vim, _rename, _sed, _gap])
async def test_atomic_saves_are_seen_each_and_never_as_a_deletion(
    tmp_path: Path, reported: Reported, save: Callable[[Path, str], None]
) -> None:
    """P11: five saves by a replacing editor are five modifications of just this file."""
    if save is _vim and not shutil.which("vim"):
        pytest.skip("vim is not installed")
    path = tmp_path / "m.py"
    path.write_text("V = 0\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        for number in range(1, 6):
            await anyio.to_thread.run_sync(save, path, f"V = {number}")
            sets = await reported(watcher, "m.py")
            assert [found.changes for found in sets] == [(Change("m.py", "modified"),)]
            assert path.read_text() == f"V = {number}\n"


async def test_a_deleted_file_is_reported_once(tmp_path: Path, reported: Reported) -> None:
    """What stays away is a deletion, and what comes back later a creation."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        path.unlink()
        assert kinds(await reported(watcher, "m.py")) == {"m.py": "deleted"}
        path.write_text("V = 1\n")
        assert kinds(await reported(watcher, "m.py")) == {"m.py": "created"}


async def test_a_formatter_after_the_save_makes_no_second_set(
    tmp_path: Path, reported: Reported
) -> None:
    """P12: two writes within the debounce are one set."""
    path, last = tmp_path / "m.py", tmp_path / "last.py"
    path.write_text("V=0\n")
    async with Watcher(tmp_path, config=Watch(debounce="1s")) as watcher:
        for number in range(1, 3):
            path.write_text(f"V={number}\n")
            await anyio.sleep(0.05)
            path.write_text(f"V = {number}\n")
            sets = await reported(watcher, "m.py")
            last.write_text(f"V = {number}\n")
            sets += await reported(watcher, "last.py")
            assert sets_with("m.py", sets) == 1


async def test_what_keeps_its_bytes_is_no_change(tmp_path: Path, reported: Reported) -> None:
    """P13: touched, its mode changed, read, or written anew with the same bytes: no change."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        path.write_text("V = 2\n")
        await reported(watcher, "m.py")  # it has been read now
        os.utime(path)
        path.chmod(0o600)
        path.read_text()
        path.write_text("V = 2\n")
        (tmp_path / "last.py").write_text("\n")
        assert kinds(await reported(watcher, "last.py")) == {"last.py": "created"}
        stamp = path.stat()
        path.write_text("V = 3\n")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert kinds(await reported(watcher, "m.py")) == {"m.py": "modified"}


async def test_a_file_written_in_every_cycle_is_muted(
    checkout: Callable[..., Path], reported: Reported
) -> None:
    """P13: after three cycles in a row a log no longer starts cycles, and that is said once."""
    root = checkout()
    (root / "tracked.txt").write_text("0\n")
    checkout("add", "-A")
    notices: list[Notice] = []
    log, tracked = root / "run.log", root / "tracked.txt"
    async with Watcher(root, config=Watch(), wanted=["in/**"], notice=notices.append) as watcher:
        (root / "in").mkdir()
        for number in range(3):
            watcher.cycle_started()
            for path in (log, tracked, root / "in" / "data.csv"):
                path.write_text(f"{number}\n")
            sets = await reported(watcher, "tracked.txt", "in/data.csv")
            assert ("run.log" in kinds(sets)) == (number < 2)
            watcher.cycle_finished()
        assert watcher.muted == {"run.log"}
        assert [notice.message.split()[0] for notice in notices] == ["run.log"]
        log.write_text("more\n")
        (root / "last.py").write_text("\n")
        assert kinds(await reported(watcher, "last.py")) == {"last.py": "created"}
        watcher.update(wanted=["run.log"])
        log.write_text("and more\n")
        await reported(watcher, "run.log")
        assert watcher.muted == frozenset()


async def test_outputs_are_quiet_until_somebody_looks(tmp_path: Path, reported: Reported) -> None:
    """P13: declared outputs are never reported; a look tells what has become of them."""
    (tmp_path / "static").mkdir()
    out, made = tmp_path / "static" / "app.css", tmp_path / "gen" / "one.py"
    out.write_text("a {}\n")
    quiet = ["static/app.css", "gen/**"]
    async with Watcher(tmp_path, config=Watch(), quiet=quiet) as watcher:
        out.write_text("b {}\n")
        made.parent.mkdir()
        made.write_text("V = 1\n")
        (tmp_path / "last.py").write_text("\n")
        assert kinds(await reported(watcher, "last.py")) == {"last.py": "created"}
        assert await watcher.look(["static/app.css", "gen"]) == (
            Change("gen/one.py", "created"),
            Change("static/app.css", "modified"),
        )
        assert await watcher.look(["static/app.css", "gen"]) == ()


async def test_odd_files_end_nothing(tmp_path: Path, reported: Reported) -> None:
    """P21: undecodable names, links that lead nowhere or in circles, FIFOs, files that vanish."""
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    (tmp_path / "circle.py").symlink_to("circle.py")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.py")
    name = os.fsdecode(b"caf\xe9.py")
    (tmp_path / name).write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        assert set(watcher.known) == {name}
        (tmp_path / name).write_text("V = 2\n")
        assert kinds(await reported(watcher, name)) == {name: "modified"}
        for number in range(200):
            path = tmp_path / f"short{number}.py"
            path.write_text("\n")
            path.unlink()
        (tmp_path / "dangling2.py").symlink_to("nowhere.py")
        (tmp_path / "nowhere.py").write_text("\n")
        sets = await reported(watcher, "nowhere.py")
        (tmp_path / "last.py").write_text("\n")
        sets += await reported(watcher, "last.py")
        assert not [path for path in kinds(sets) if path.startswith("short")]
        (tmp_path / "dangling.py").unlink()
        (tmp_path / "dangling.py").write_text("V = 9\n")
        await reported(watcher, "dangling.py")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no file modes here")
def test_a_folder_that_cannot_be_read_is_passed_over() -> None:
    """P21: what is in an unreadable folder is not watched, which is said; all else is."""
    program = """
import os
import sys
import anyio
from pathlib import Path
from devloop.config.types import Watch
from devloop.watch.watcher import Watcher

async def watch(root):
    notices = []
    async with Watcher(root, config=Watch(), notice=notices.append) as watcher:
        print(sorted(watcher.known), [n.message for n in notices])
        (root / "m.py").write_text("V = 2\\n")
        print((await watcher.__anext__()).changes[0].path)

# Once before, so that all is imported: nobody else may read what is root's.
anyio.run(watch, Path(sys.argv[1]))
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
anyio.run(watch, Path(sys.argv[2]))
"""
    # Not below `tmp_path`: pytest keeps the folders above that to their owner.
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as partly:
        for root in (Path(whole), Path(partly)):
            (root / "locked").mkdir()
            (root / "locked" / "in.py").write_text("\n")
            (root / "m.py").write_text("\n")
            (root / "m.py").chmod(0o666)
            root.chmod(0o777)
        (Path(partly) / "locked").chmod(0o000)
        try:
            done = subprocess.run(
                [sys.executable, "-c", program, whole, partly],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )
        finally:
            (Path(partly) / "locked").chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "['locked/in.py', 'm.py'] []",
        "m.py",
        "['m.py'] ['The folder locked cannot be read: nothing in it is watched.']",
        "m.py",
    ]


async def test_a_slow_save_ends_with_the_last_bytes(tmp_path: Path, reported: Reported) -> None:
    """P22: a file written in twenty parts: what was reported last is what it holds in the end."""
    path = tmp_path / "m.py"
    path.write_text("")

    def write() -> None:
        with path.open("w") as file:
            for number in range(20):
                file.write(f"V{number} = {number}\n")
                file.flush()
                threading.Event().wait(0.03)

    async with Watcher(tmp_path, config=Watch()) as watcher, anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, write)
        read = ""
        with anyio.fail_after(60):
            while "V19 = 19\n" not in read:
                await watcher.__anext__()
                read = path.read_text()
        assert watcher.known["m.py"].signature.size <= len(read)
        while watcher.known["m.py"].signature.size < path.stat().st_size:
            await reported(watcher, "m.py")


async def test_a_save_that_is_held_up_is_one_change(tmp_path: Path) -> None:
    """P12: it empties the file and writes it half a second later, as on a busy machine."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")

    def write() -> None:
        with path.open("w") as file:
            threading.Event().wait(0.5)
            file.write("V = 2\n")

    async with Watcher(tmp_path, config=Watch()) as watcher:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, write)
            with anyio.fail_after(60):
                change_set = await watcher.__anext__()
        assert [change.path for change in change_set.changes] == ["m.py"]
        assert watcher.known["m.py"].signature.size == len("V = 2\n")


async def test_a_file_that_is_emptied_and_stays_open_is_told(
    tmp_path: Path, reported: Reported
) -> None:
    """Nobody is waited for without an end."""
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch()) as watcher:
        with path.open("w"):
            await reported(watcher, "m.py")


async def test_a_look_that_is_asked_for_follows_what_has_changed(tmp_path: Path) -> None:
    """Though nothing has told of the change: its change set is the first that comes after."""
    (tmp_path / "a.py").write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch(), poll=600) as watcher:
        for value in range(3):
            (tmp_path / "a.py").write_text(f"V = 'number {value}'\n")
            number = watcher.look_again()
            with anyio.fail_after(30):
                changed, looked = await watcher.__anext__(), await watcher.__anext__()
            assert [change.path for change in changed.changes] == ["a.py"]
            assert changed.look is None
            assert (looked.changes, looked.look) == ((), number)
        number = watcher.look_again()
        with anyio.fail_after(30):
            assert (await watcher.__anext__()).look == number
