"""What the system does not tell: a queue that overflowed, limits, silent mounts (P9, P14, P19)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from devloop.config.types import Watch
from devloop.events import Change, Notice
from devloop.watch.by_watchfiles import ByWatchfiles
from devloop.watch.scan import ChangeSet
from devloop.watch.walk import RACY
from devloop.watch.watcher import Watcher

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="this is a matter of Linux")

WATCH = """
import json, sys
import anyio
from pathlib import Path
from devloop.config.types import Watch
from devloop.watch.by_watchfiles import ByWatchfiles
from devloop.watch.notify import system
from devloop.watch.watcher import Watcher

def say(**message):
    print(json.dumps(message), flush=True)

async def main():
    def notice(n):
        say(notice=n.message, hint=n.hint)
    back_end = ByWatchfiles if "watchfiles" in sys.argv else system
    root = Path(sys.argv[1])
    async with Watcher(root, config=Watch(), notice=notice, back_end=back_end) as watcher:
        say(polling=watcher.polling)
        async for found in watcher:
            say(paths=[change.path for change in found.changes], rescan=found.rescan)

anyio.run(main)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program that watches a folder and prints what it is told as lines of JSON."""
    started: list[subprocess.Popen[str]] = []
    errors = (tmp_path / "errors.txt").open("w+")

    def start(root: Path, *wrapper: str, back_end: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", WATCH, str(root), back_end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(60)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
    errors.seek(0)
    said = errors.read()
    errors.close()
    assert said == ""


def line(process: subprocess.Popen[str]) -> dict[str, object]:
    """The next line; the test's own time limit ends the wait."""
    assert process.stdout is not None
    read: dict[str, object] = json.loads(process.stdout.readline())
    return read


@LINUX
@pytest.mark.slow
def test_an_overflow_while_stopped_is_made_good(
    tmp_path: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """P9: stopped, while more files are written than the queue takes, and continued: all are told.

    Each gives three events.
    """
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    root = tmp_path / "project"
    folders = [root / f"d{number}" for number in range(50)]
    for folder in folders:
        folder.mkdir(parents=True)
    process = program(root)
    assert line(process) == {"polling": None}
    (root / "first.py").write_text("\n")
    assert line(process)["paths"] == ["first.py"]
    process.send_signal(signal.SIGSTOP)
    written = set()
    for number in range(queue + 1000):
        path = folders[number % 50] / f"f{number}.txt"
        path.write_bytes(b"%d" % number)
        written.add(path.relative_to(root).as_posix())
    process.send_signal(signal.SIGCONT)
    rescans = []
    while written:
        found = line(process)
        paths = found["paths"]
        assert isinstance(paths, list)
        rescans.append(found["rescan"])
        written.difference_update(paths)
    assert any(rescans)


@LINUX
@pytest.mark.parametrize("back_end", ["inotify", "watchfiles"])
def test_events_lost_without_many_files_are_made_good(
    tmp_path: Path, program: Callable[..., subprocess.Popen[str]], back_end: str
) -> None:
    """P9: the queue is filled by two ignored files, so that few paths tell of the overflow.

    inotify itself tells of it; watchfiles does not, but it was stopped for long.
    """
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "m.py").write_text("V = 1\n")
    process = program(root, back_end=back_end)
    assert line(process) == {"polling": None}
    (root / "first.py").write_text("\n")
    assert line(process)["paths"] == ["first.py"]
    process.send_signal(signal.SIGSTOP)
    noise = [os.open(root / "pkg" / name, os.O_CREAT | os.O_WRONLY) for name in ("a~", "b~")]
    number, end = 0, time.monotonic() + 0.5
    while number < 40_000 or time.monotonic() < end:
        os.pwrite(noise[number % 2], b"%d" % number, 0)
        number += 1
    (root / "pkg" / "m.py").write_text("V = 2\n")
    process.send_signal(signal.SIGCONT)
    found = line(process)
    for fd in noise:
        os.close(fd)
    assert found == {"paths": ["pkg/m.py"], "rescan": True}


@LINUX
def test_edits_while_stopped_are_reported(
    tmp_path: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """Stopped and continued, as by Ctrl-Z or a frozen container: the kernel has kept the events.

    So nothing was lost, whatever has become of the folders, and what is edited later is seen too.
    """
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "m.py").write_text("V = 1\n")
    process = program(root)
    assert line(process) == {"polling": None}
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    (root / "pkg").rename(root / "lib")
    (root / "pkg").mkdir()
    (root / "pkg" / "m.py").write_text("V = 22\n")
    process.send_signal(signal.SIGCONT)
    assert line(process) == {"paths": ["lib/m.py", "pkg/m.py"], "rescan": False}
    for path in ("lib/m.py", "pkg/m.py"):
        (root / path).write_text("V = 333\n")
        assert line(process) == {"paths": [path], "rescan": False}


@pytest.fixture
def unseen(tmp_path: Path) -> tuple[Path, Path]:
    """A project with a file, and the same file outside: a write to that, no event tells of."""
    root, other = tmp_path / "project", tmp_path / "other.py"
    root.mkdir()
    (root / "m.py").write_text("V = 1\n")
    other.hardlink_to(root / "m.py")
    time.sleep(RACY / 1e9)  # younger ones are looked at again in any case
    return root, other


async def swept(watcher: Watcher) -> None:
    """Wait until all files have been looked at since the watches were laid."""
    begun = watcher._pump.swept_at
    with anyio.fail_after(60):
        while watcher._pump.swept_at == begun:  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.005)


@LINUX
@pytest.mark.anyio
async def test_after_a_sleep_all_files_are_looked_at(
    unseen: tuple[Path, Path], reported: Callable[..., Awaitable[list[ChangeSet]]]
) -> None:
    """The clock that goes on while the machine sleeps is ahead by more than before."""
    root, other = unseen
    slept = 0.0
    async with Watcher(root, config=Watch(), ahead=lambda: slept) as watcher:
        await swept(watcher)
        other.write_text("V = 22\n")
        slept = 60.0
        (found,) = await reported(watcher, "m.py")
        assert found.rescan


@LINUX
@pytest.mark.anyio
async def test_from_time_to_time_all_files_are_looked_at(
    unseen: tuple[Path, Path], reported: Callable[..., Awaitable[list[ChangeSet]]]
) -> None:
    """What nothing told of is found by the slow sweep, which means no loss of events."""
    root, other = unseen
    async with Watcher(root, config=Watch(), sweep_every=0.2) as watcher:
        await swept(watcher)
        other.write_text("V = 22\n")
        (found,) = await reported(watcher, "m.py")
        assert found.changes == (Change("m.py", "modified"),)
        assert not found.rescan


@LINUX
@pytest.mark.anyio
async def test_watchfiles_sees_what_comes_changes_and_goes(
    tmp_path: Path, reported: Callable[..., Awaitable[list[ChangeSet]]]
) -> None:
    """The back end of other systems: files, new folders, moved ones, and what is in them later."""
    (tmp_path / "m.py").write_text("V = 1\n")
    async with Watcher(tmp_path, config=Watch(), back_end=ByWatchfiles) as watcher:
        (tmp_path / "m.py").write_text("V = 2\n")
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "new.py").write_text("\n")
        await reported(watcher, "m.py", "a/b/new.py")
        (tmp_path / "a").rename(tmp_path / "c")
        await reported(watcher, "a/b/new.py", "c/b/new.py")
        (tmp_path / "c" / "b" / "new.py").write_text("V = 1\n")
        await reported(watcher, "c/b/new.py")
        (tmp_path / "c" / "b" / "new.py").unlink()
        sets = await reported(watcher, "c/b/new.py")
        assert sets[-1].changes == (Change("c/b/new.py", "deleted"),)


@LINUX
@pytest.mark.parametrize(
    ("limit", "said", "mend"),
    [
        ("max_inotify_watches", "limit of watched folders", "max_user_watches"),
        ("max_inotify_instances", "limit of watchers", "max_user_instances"),
    ],
)
def test_a_low_limit_means_polling(
    tmp_path: Path,
    program: Callable[..., subprocess.Popen[str]],
    limit: str,
    said: str,
    mend: str,
) -> None:
    """P14: where watches or watchers do not suffice, files are polled; how to mend it is said."""
    root = tmp_path / "project"
    for number in range(30):
        (root / f"d{number}").mkdir(parents=True)
    command = f"echo {10 if 'watches' in limit else 0} > /proc/sys/user/{limit}"
    wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    tried = subprocess.run([*wrapper, command], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no user namespace of one's own here: {tried.stderr.strip()}")
    process = program(root, *wrapper, f'{command}; exec "$0" "$@"')
    told = line(process)
    assert said in str(told["notice"])
    assert mend in str(told["hint"])
    assert said in str(line(process)["polling"])
    (root / "d7" / "new.py").write_text("V = 1\n")
    assert line(process)["paths"] == ["d7/new.py"]


@LINUX
def test_ignored_folders_take_no_watches(
    tmp_path: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """P14: 300 folders below node_modules leave a limit of 10 watches alone, when new too."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    for number in range(300):
        (root / "node_modules" / f"d{number}").mkdir(parents=True)
    limit = "echo 10 > /proc/sys/user/max_inotify_watches"
    wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*wrapper, limit], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace of one's own here")
    process = program(root, *wrapper, f'{limit}; exec "$0" "$@"')
    assert line(process) == {"polling": None}
    for number in range(300):
        (root / "src" / "node_modules" / f"d{number}").mkdir(parents=True)
    (root / "src" / "a").mkdir()
    (root / "src" / "a" / "new.py").write_text("V = 1\n")
    assert line(process)["paths"] == ["src/a/new.py"]


@LINUX
def test_a_silent_mount_is_noticed_and_polled(
    tmp_path: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """P19: what somebody else changes on a share, of which no event tells, is reported."""
    root, ready = tmp_path / "share", tmp_path / "ready"
    root.mkdir()
    wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("there is no /dev/fuse to mount a file system of one's own with")
    if subprocess.run([*wrapper, ":"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace of one's own here")
    server = f"{sys.executable} {Path(__file__).with_name('remote_files.py')} {root}"
    script = f"""
        exec 3<&0
        {server} <&3 3<&- >{ready} &
        while ! [ -s {ready} ]; do sleep 0.02; done
        exec "$0" "$@" </dev/null 3<&-
    """
    process = program(root, *wrapper, script)
    assert process.stdin is not None
    said = line(process)
    assert "(fuse.remote)" in str(said["notice"])
    assert line(process) == {"polling": None}
    for content in ("V = 1", "V = 22", "V = 33"):
        process.stdin.write(f"new.py {content}\n")
        process.stdin.flush()
        assert line(process)["paths"] == ["new.py"]


@pytest.mark.anyio
async def test_polling_that_was_asked_for_sees_all(
    tmp_path: Path, reported: Callable[..., Awaitable[list[ChangeSet]]]
) -> None:
    """Polled, files are found that come, change and go, in new folders too."""
    (tmp_path / "m.py").write_text("V = 1\n")
    notices: list[Notice] = []
    async with Watcher(tmp_path, config=Watch(), poll=0.05, notice=notices.append) as watcher:
        (tmp_path / "m.py").write_text("V = 2\n")
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "new.py").write_text("\n")
        await reported(watcher, "m.py", "a/b/new.py")
        (tmp_path / "a" / "b" / "new.py").unlink()
        sets = await reported(watcher, "a/b/new.py")
        assert sets[-1].changes == (Change("a/b/new.py", "deleted"),)
        assert not sets[-1].rescan
        assert watcher.polling
    assert notices == []
