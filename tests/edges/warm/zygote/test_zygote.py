"""Zygotes hold what is safe to hold, and survive what happens to them (W1, W2, W12, W20, W29)."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from devloop.execute import tree
from devloop.execute.blank import Blank
from devloop.execute.guard import Ended
from devloop.execute.orders import Declined, Order
from devloop.execute.zygote import Zygote

if TYPE_CHECKING:
    from .conftest import Life, Starter

pytestmark = pytest.mark.anyio

Until = Callable[[Callable[[], object], str], Awaitable[None]]

UNSAFE = {
    "starts a thread": """
        import threading, time
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        """,
    "starts a thread of its library's own": """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None)
        """,
    "leaves a socket open": "import socket\nheld = socket.socket()",
    "leaves a pipe open": "import os\nheld = os.pipe()",
    "leaves an event queue open": "import select\nheld = select.epoll()",
    "leaves {root}/data open": "held = open({root!r} + '/data')",
    "starts a process": "import subprocess\nheld = subprocess.Popen(['sleep', '60'])",
    "handles signal 15": "import signal\nsignal.signal(15, lambda *_: None)",
    "sets the event loop policy": """
        import asyncio
        class Policy(asyncio.DefaultEventLoopPolicy):
            pass
        asyncio.set_event_loop_policy(Policy())
        """,
    "changes the working folder": "import os\nos.chdir('/')",
    "ends the process": "import os\nos._exit(3)",
}
"""Modules that must not be held, by the reason."""

SAFE = {
    "a thread that ends": "import threading\nthreading.Thread(target=print, args=('',)).start()",
    "a process that ends": "import subprocess\nsubprocess.run(['true'])",
    "a descriptor of no weight": "held = open('/dev/null'), open('/dev/urandom', 'rb')",
    "a file that is closed": "import sys\nwith open(__file__) as file:\n    file.read()",
    "a setting": "import sys\nsys.setrecursionlimit(1234)",
}

STAY = """
import time
print("runs", flush=True)
while True:
    time.sleep(0.1)  # a signal just before a sleep is handled after it
"""


def library(start: Starter, **modules: str) -> None:
    """Write modules into a folder that is not the project's, and put it on the path."""
    for name, text in modules.items():
        start.write(f"lib/{name}.py", textwrap.dedent(text))
    start.env["PYTHONPATH"] = str(start.root / "lib")


def processes(start: Starter) -> list[psutil.Process]:
    """All that the guardian owns."""
    return psutil.Process(start.guard.pid).children(recursive=True)


@pytest.mark.parametrize("reason", UNSAFE)
async def test_an_unsafe_module_is_left_out(start: Starter, reason: str) -> None:
    """With what imports it, and the reason; the rest is held, and the command imports it itself."""
    start.write("data", "")
    root = str(start.root)
    library(
        start,
        bad=UNSAFE[reason].replace("{root!r}", repr(root)),
        user="import bad",
        other="import json",
        late="import user",
    )
    reason = reason.format(root=root)
    start.write("main.py", "import sys; print('bad' in sys.modules, 'other' in sys.modules)")
    zygote = await start.zygote("python", "main.py")
    found = await zygote.preload(["bad", "user", "late", "other"])
    assert found.unsafe["bad"] == reason
    assert found.unsafe["user"].endswith(reason)
    assert found.unsafe["late"].endswith(reason)
    assert set(found.unsafe) == {"bad", "user", "late"}
    assert "other" in found.loaded
    life = await start.run(await zygote.take(), "python", "main.py")
    assert await life.end() == Ended(code=0)
    assert life.text == "False True\n"


async def test_whatever_the_order(start: Starter) -> None:
    """What was imported on the way to the module that was asked for is found to be at fault."""
    library(start, bad=UNSAFE["starts a thread"], user="import bad", other="import user, json")
    start.write("main.py", "import sys; print('bad' in sys.modules, 'json' in sys.modules)")
    zygote = await start.zygote("python", "main.py")
    found = await zygote.preload(["other", "user", "json"])
    assert found.unsafe == {
        "user": "imports bad, which starts a thread",
        "other": "imports bad, which starts a thread",
    }
    life = await start.run(await zygote.take(), "python", "main.py")
    await life.end()
    assert life.text == "False True\n"


@pytest.mark.parametrize("what", SAFE)
async def test_what_leaves_nothing_behind_is_held(start: Starter, what: str) -> None:
    """Not all that a module does at its import is in the way of a fork."""
    library(start, good=SAFE[what])
    start.write("main.py", "import sys; print('good' in sys.modules)")
    zygote = await start.zygote("python", "main.py")
    found = await zygote.preload(["good"])
    assert not found.unsafe
    assert "good" in found.loaded


async def test_a_thread_of_a_library_where_warnings_are_errors(
    start: Starter, interpreter: Callable[[str], str]
) -> None:
    """Looking whether it sees a fork raises nothing (W5)."""
    python = interpreter("3.12")
    library(start, bad=UNSAFE["starts a thread of its library's own"], other="import json")
    start.write("main.py", "print('runs')")
    command = (python, "-W", "error", "main.py")
    zygote = await start.zygote(*command)
    found = await zygote.preload(["warnings", "bad", "other"])
    assert set(found.unsafe) == {"bad"}
    life = await start.run(await zygote.take(), *command)
    assert await life.end() == Ended(code=0)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def f(:\n", "SyntaxError: "),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import nothing_there", "ModuleNotFoundError: No module named 'nothing_there'"),
    ],
)
async def test_a_module_that_fails_is_passed_over(start: Starter, code: str, reason: str) -> None:
    """The zygote lives on, holds the rest, and says what failed (W12)."""
    library(start, bad=code, good="x = 1")
    start.write("main.py", "import sys; print('bad' in sys.modules, 'good' in sys.modules)")
    zygote = await start.zygote("python", "main.py")
    found = await zygote.preload(["bad", "good", "missing.part"])
    assert found.failed["bad"].startswith(reason)
    assert found.failed["missing.part"].startswith("ModuleNotFoundError")
    life = await start.run(await zygote.take(), "python", "main.py")
    assert await life.end() == Ended(code=0)
    assert life.text == "False True\n"


async def test_what_an_import_prints_is_printed_by_each_command(start: Starter) -> None:
    """As a cold start would print it: once."""
    library(start, loud="print('imported', flush=True)\nimport sys\nprint('it', file=sys.stderr)")
    start.write("main.py", "import loud; print('runs')")
    zygote = await start.zygote("python", "main.py", modules=["loud"])
    for _ in range(2):
        life = await start.run(await zygote.take(), "python", "main.py")
        await life.end()
        assert sorted(life.text.splitlines()) == ["imported", "it", "runs"]


async def test_what_an_import_reads_is_told(start: Starter) -> None:
    """Environment variables and files, so that a change of either can be noticed (W7)."""
    start.write("data.txt", "x")
    library(
        start,
        reads="""
        import os
        a = os.environ.get("ONE"), os.getenv("TWO"), "THREE" in os.environ
        os.environ.setdefault("FOUR", "4")
        with open("data.txt") as file:
            file.read()
        """,
        every="import os; copy = dict(os.environ)",
    )
    start.write("main.py", "import os; print(os.environ.get('FOUR'))")
    zygote = await start.zygote("python", "main.py")
    found = await zygote.preload(["reads"])
    assert found.env is not None
    assert {"ONE", "TWO", "THREE", "FOUR", "PYTHON*"} <= found.env
    probed = await zygote.probe(["reads"])
    status = (start.root / "data.txt").stat()
    sign = (status.st_mtime_ns, status.st_size, status.st_ino)
    assert probed.files == {str(start.root / "data.txt"): sign}
    life = await start.run(await zygote.take(), "python", "main.py")
    await life.end()
    assert life.text == "4\n"
    assert (await zygote.preload(["every"])).env is None


async def test_a_module_of_the_project_that_hides_a_held_one(start: Starter) -> None:
    """A cold start would find the project's: so this one is declined."""
    library(start, thing="print('library')")
    start.write("main.py", "import thing")
    zygote = await start.zygote("python", "main.py", modules=["thing"])
    start.write("json.py", "print('mine')")
    assert (await (await start.run(await zygote.take(), "python", "main.py")).end()).code == 0
    start.write("thing.py", "print('mine')")
    with pytest.raises(Declined, match="the project has a module thing of its own"):
        await start.run(await zygote.take(), "python", "main.py")
    life = await start.cold("python", "main.py")
    await life.end()
    assert life.text == "mine\n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PYTHONWARNINGS": "error"}, "the environment variable PYTHONWARNINGS differs"),
        ({"OMP_NUM_THREADS": "1"}, "the environment variable OMP_NUM_THREADS differs"),
        ({"LC_ALL": "C"}, "the environment variable LC_ALL differs"),
    ],
)
async def test_what_only_a_start_can_settle_is_declined(
    start: Starter, change: dict[str, str], reason: str
) -> None:
    """An interpreter reads these once, when it starts."""
    start.write("main.py", "")
    zygote = await start.zygote("python", "main.py")
    start.env |= change
    with pytest.raises(Declined, match=reason):
        await start.run(await zygote.take(), "python", "main.py")


async def test_other_options_and_a_script_that_is_gone_are_declined(start: Starter) -> None:
    """Nothing of such a process is left, and the next one is none the worse."""
    start.write("main.py", "print('runs')")
    zygote = await start.zygote("python", "main.py")
    blank = await zygote.take()
    with pytest.raises(Declined, match="options differ"):
        await start.run(blank, "python", "-O", "main.py")
    assert blank.process.ended is not None
    blank = await zygote.take()
    command = start.parse("python", "main.py")
    (start.root / "main.py").unlink()
    with open(os.devnull, "r+b") as null:  # noqa: ASYNC230, PTH123
        fd = null.fileno()
        with pytest.raises(Declined, match=r"main\.py: No such file"):
            await blank.run(Order(command, start.env, str(start.root), fd, fd, fd))
    start.write("main.py", "print('again')")
    life = await start.run(await zygote.take(), "python", "main.py")
    await life.end()
    assert life.text == "again\n"


async def running(start: Starter, zygote: Zygote, **more: Any) -> Life:
    """A command that stays."""
    start.write("main.py", STAY)
    life = await start.run(await zygote.take(), "python", "main.py", **more)
    await life.until("runs")
    return life


async def test_a_running_child_outlives_its_zygote(start: Starter, until: Until) -> None:
    """SIGKILL to everything above it: the child goes on, and its end is told (W29)."""
    start.write("main.py", STAY)
    zygote = await start.zygote("python", "main.py", modules=["json"])
    life = await running(start, zygote)
    await zygote.restock()
    pids = zygote.pids
    assert len(pids) == 3
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not zygote.pids, "the ends of all three were told")
    assert not zygote.alive
    with pytest.raises(Declined):
        await zygote.take()
    assert life.process.ended is None
    assert tree.started(life.process.pid) is not None
    os.kill(life.process.pid, signal.SIGTERM)
    assert await life.end() == Ended(signal="SIGTERM")
    await zygote.preload(["json"])
    again = await running(start, zygote)
    assert await again.process.stop() == Ended(signal="SIGTERM")


async def test_who_cancels_leaves_nothing_behind(
    start: Starter, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even just as what it has asked for is there: the process ends, its socket is closed."""
    start.write("main.py", STAY)
    zygote = await start.zygote("python", "main.py")
    kept = zygote.pids
    load = Blank.load
    with anyio.CancelScope() as scope:

        async def load_and_cancel(blank: Blank, *args: Any, **more: Any) -> Any:
            answer = await load(blank, *args, **more)
            forked.append(blank)
            scope.cancel()
            return answer

        forked: list[Blank] = []
        monkeypatch.setattr(Blank, "load", load_and_cancel)
        await zygote.preload(["json"])
    assert scope.cancelled_caught
    assert zygote.pids == kept
    await until(lambda: forked[0].process.ended, "what was forked for it has ended")


async def test_a_blank_that_dies_is_replaced(start: Starter, until: Until) -> None:
    """The one in stock as well as the one that is about to be used."""
    start.write("main.py", STAY)
    zygote = await start.zygote("python", "main.py")
    await zygote.restock()
    os.kill(zygote.pids[-1], signal.SIGKILL)
    await until(lambda: len(zygote.pids) == 2, "its end was told")
    life = await running(start, zygote)
    assert (await life.process.stop()).signal == "SIGTERM"
    blank = await zygote.take()
    os.kill(blank.process.pid, signal.SIGKILL)
    with pytest.raises(Declined, match="its process ended with signal SIGKILL"):
        await start.run(blank, "python", "main.py")


async def test_an_interrupt_does_not_end_a_zygote(start: Starter) -> None:
    """Nor what waits; a command is ended by it as ever."""
    start.write("main.py", STAY)
    zygote = await start.zygote("python", "main.py", modules=["json"])
    await zygote.restock()
    for pid in zygote.pids:
        os.kill(pid, signal.SIGINT)
    life = await running(start, zygote)
    os.kill(life.process.pid, signal.SIGINT)
    assert await life.end() == Ended(signal="SIGINT")
    assert "KeyboardInterrupt" in life.text


async def test_closing_leaves_nothing_but_commands(start: Starter, until: Until) -> None:
    """What waits ends when it is closed; a running command does not."""
    start.write("main.py", STAY)
    zygote = await start.zygote("python", "main.py")
    life = await running(start, zygote)
    await zygote.restock()
    await zygote.close()
    await until(lambda: len(processes(start)) == 1, "the zygote is gone")
    assert processes(start)[0].pid == life.process.pid
    assert (await life.process.stop()).signal == "SIGTERM"
    await until(lambda: not processes(start), "all is gone")


async def test_all_end_when_the_guardian_loses_devloop(start: Starter, until: Until) -> None:
    """Zygotes, blanks and commands, with what they have started (W20)."""
    start.write(
        "main.py",
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\n" + STAY,
    )
    zygote = await start.zygote("python", "main.py")
    life = await start.run(await zygote.take(), "python", "main.py")
    await life.until("runs")
    await zygote.restock()
    found = processes(start)
    assert len(found) == 5
    os.kill(start.guard.pid, signal.SIGKILL)
    await until(lambda: not any(tree.started(one.pid) for one in found), "all are gone")


DEVLOOP = """
import os, sys
import anyio
from devloop.execute.command import parse
from devloop.execute.guard import Guard
from devloop.execute.holders import Purpose
from devloop.execute.orders import Order
from devloop.execute.zygote import Zygote

async def main():
    root, env = os.getcwd(), dict(os.environ)
    command = parse([sys.executable, "main.py"], env, root)
    async with Guard() as guard:
        async with Zygote(Purpose(guard, command, env, root)) as zygote:
            await zygote.preload(["json"])
            running = await (await zygote.take()).run(Order(command, env, root, 0, 1, 1))
            await zygote.restock()
            print("pids", guard.pid, running.process.pid, *zygote.pids, flush=True)
            await anyio.sleep(600)

anyio.run(main)
"""


@contextlib.asynccontextmanager
async def another_devloop(tmp_path: Path) -> AsyncIterator[tuple[Process, list[int]]]:
    """A program that is to its processes what devloop is.

    Yields:
        It, and the ids of its guardian, of its command, and of all that waits.
    """
    (tmp_path / "main.py").write_text("import time; time.sleep(600)")
    (tmp_path / "loop.py").write_text(DEVLOOP)
    async with await anyio.open_process(
        [sys.executable, "loop.py"], cwd=tmp_path, stderr=None
    ) as process:
        assert process.stdout is not None
        with anyio.fail_after(60):
            line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 999)
        word, *numbers = line.decode().split()
        assert word == "pids"
        assert len(numbers) == 5
        try:
            yield process, list(map(int, numbers))
        finally:
            process.kill()


async def test_all_end_when_devloop_is_killed(tmp_path: Path, until: Until) -> None:
    """SIGKILL leaves nobody: no zygote, no blank, no command (W20)."""
    async with another_devloop(tmp_path) as (process, pids):
        process.kill()
    await until(lambda: not any(tree.started(pid) is not None for pid in pids), "all are gone")


async def test_nothing_needs_the_guardian_or_devloop_to_be_ended(
    tmp_path: Path, until: Until
) -> None:
    """W20: the kernel ends a command with its guardian, and what waits ends with its socket.

    devloop is stopped, so that it does not end them; then both of them are killed.
    """
    async with another_devloop(tmp_path) as (process, (guardian, command, *waiting)):
        process.send_signal(signal.SIGSTOP)
        os.kill(guardian, signal.SIGKILL)
        await until(lambda: tree.started(command) is None, "the command is gone")
        assert any(tree.started(pid) is not None for pid in waiting)
        process.kill()
    await until(lambda: not any(tree.started(pid) is not None for pid in waiting), "all are gone")


async def test_an_answer_that_nobody_waited_for(start: Starter) -> None:
    """One who gives up waiting leaves nothing behind that the next one would take for his."""
    start.write("main.py", "print('runs')")
    zygote = await start.zygote("python", "main.py", modules=["json"])
    holder = zygote.pids[-1]
    os.kill(holder, signal.SIGSTOP)
    with anyio.move_on_after(0.2) as scope:
        await zygote.take()
    assert scope.cancelled_caught
    os.kill(holder, signal.SIGCONT)
    for _ in range(3):
        life = await start.run(await zygote.take(), "python", "main.py")
        assert await life.end() == Ended(code=0)
        assert life.text == "runs\n"


async def test_no_process_can_be_forked(start: Starter) -> None:
    """Too many processes: declined, with the kernel's reason, and tried again the next time."""
    library(
        start,
        scarce="""
        import errno, os
        real, left = os.fork, 2
        def fork():
            global left
            left -= 1
            if left < 0:
                return real()
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        os.fork = fork
        """,
    )
    start.write("main.py", "print('runs')")
    zygote = await start.zygote("python", "main.py", modules=["scarce"])
    with pytest.raises(Declined, match="it cannot fork: Resource temporarily unavailable"):
        await zygote.take()
    with pytest.raises(Declined, match="it cannot fork"):
        await zygote.restock()
    life = await start.run(await zygote.take(), "python", "main.py")
    assert await life.end() == Ended(code=0)


async def test_a_command_belongs_to_its_own_mark(start: Starter) -> None:
    """Stopping one ends its daemons, and nobody else's."""
    start.write(
        "main.py",
        """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(600)
os.wait()
print('runs', flush=True)
time.sleep(600)
""",
    )
    zygote = await start.zygote("python", "main.py")
    lives = []
    for _ in range(2):
        life = await start.run(await zygote.take(), "python", "main.py")
        await life.until("runs")
        lives.append(life)
    marks = [life.process.mark for life in lives]
    assert sorted(tree.mark(life.process.pid) for life in lives) == sorted(marks)
    daemons = [
        one.pid for one in processes(start) if one.pid not in {life.process.pid for life in lives}
    ]
    mine = [pid for pid in daemons if tree.mark(pid) == marks[0] and pid not in zygote.pids]
    other = [pid for pid in daemons if tree.mark(pid) == marks[1] and pid not in zygote.pids]
    assert len(mine) == len(other) == 1
    await lives[0].process.stop()
    assert tree.started(mine[0]) is None
    assert tree.started(other[0]) is not None
    assert lives[1].process.ended is None
    await lives[1].process.stop()
    assert tree.started(other[0]) is None
    assert zygote.alive


async def test_a_process_that_is_not_the_guardians_is_not_adopted(start: Starter) -> None:
    """It takes on what has become its own child, and nothing else."""
    with pytest.raises(Exception, match="is not ours"):
        await start.guard.adopt(os.getpid())


async def test_a_cold_start_that_can_be_asked(start: Starter) -> None:
    """An interpreter that has imported nothing becomes a command, too; once."""
    start.write("main.py", "import json\n" + STAY)
    command = start.parse("python", "main.py")
    blank = await Blank.start(start.guard, command, start.env, str(start.root), None)
    life = await start.run(blank, "python", "main.py")
    await life.until("runs")
    assert life.running is not None
    await life.running.order({"m": "report"})
    with anyio.fail_after(60):
        got = await life.running.control.next()
    assert got is not None
    message, _ = got
    names = [name for name, _ in message["modules"]]
    assert names.index("json.decoder") < names.index("json")
    assert message["path"][0] == str(start.root)
    assert not any(name.startswith("_devloop") for name in names)
    assert await life.process.stop() == Ended(signal="SIGTERM")


async def test_a_spare_may_hold_what_is_unsafe(start: Starter) -> None:
    """It is not forked, so its threads are there when it becomes the command."""
    library(
        start,
        bad="""
        import threading, time
        thread = threading.Thread(target=time.sleep, args=(0.2,))
        thread.start()
        """,
    )
    start.write("main.py", "import bad; bad.thread.join(); print('joined')")
    command = start.parse("python", "main.py")
    blank = await Blank.start(start.guard, command, start.env, str(start.root), None)
    found = await blank.preload(["bad"], check=False)
    assert not found.unsafe
    life = await start.run(blank, "python", "main.py")
    assert await life.end() == Ended(code=0)
    assert life.text == "joined\n"


async def test_an_interpreter_that_is_not_there(start: Starter) -> None:
    """Its reason is one line."""
    start.write("main.py", "")
    command = start.parse("python", "main.py")
    start.env["PATH"] = "/nowhere"
    with pytest.raises(Declined, match="command not found: 'python'"):
        await Blank.start(start.guard, command, start.env, str(start.root), None)


async def test_a_thread_that_comes_later_ends_the_forks(start: Starter) -> None:
    """It could have a lock while a process is forked, which nobody would open there (W3)."""
    library(
        start,
        late="""
        import os, threading
        def begin():
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        os.register_at_fork(after_in_parent=begin)
        """,
    )
    start.write("main.py", "print('runs')")
    zygote = await start.zygote("python", "main.py", modules=["late"])
    life = await start.run(await zygote.take(), "python", "main.py")
    assert await life.end() == Ended(code=0)
    with pytest.raises(Declined, match="a held module has started a thread"):
        await zygote.take()


async def test_a_thread_that_is_there_from_the_start_ends_the_forks(start: Starter) -> None:
    """As that of a `sitecustomize` which watches over programs: no module is to blame."""
    library(start, sitecustomize=UNSAFE["starts a thread"])
    start.write("main.py", "print('runs')")
    with pytest.raises(Declined, match="the interpreter's start has started a thread"):
        await start.zygote("python", "main.py")


STORE = """
import os, socket, sqlite3
connection = sqlite3.connect("kept.db")
connection.execute("create table if not exists kept (x)")
held = socket.socket()
"""


async def test_a_descriptor_of_an_import_belongs_to_one_command(start: Starter) -> None:
    """W2: each opens a socket, and a database, of its own."""
    library(start, store=STORE)
    start.write("main.py", "import store, os\nprint(os.fstat(store.held.fileno()).st_ino)")
    zygote = await start.zygote("python", "main.py")
    assert "store" in (await zygote.preload(["sqlite3", "socket", "store"])).unsafe
    lives = [await start.run(await zygote.take(), "python", "main.py") for _ in range(2)]
    for life in lives:
        assert await life.end() == Ended(code=0)
    assert lives[0].text != lives[1].text
