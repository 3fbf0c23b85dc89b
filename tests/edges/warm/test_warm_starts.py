"""An app starts warm from its second start on, or cold with a reason (W7 to W13, W19, W20, W29)."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import AppExited, AppFailed, AppReady, AppStarted
from devloop.execute import apps, bytecode, holders, tree
from devloop.execute.guard import Guard
from devloop.plan.warm import WarmRecord

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
UP = Ready(log="^up")
APP = """
    import os, time
    import dep
    print("dep says", dep.VALUE, flush=True)
    print("up", flush=True)
    time.sleep(600)
    """


class Kept:
    """A memory as the store is one."""

    def __init__(self) -> None:
        self.records: dict[str, WarmRecord] = {}

    def load(self, stamp: str) -> WarmRecord | None:
        """What is known."""
        return self.records.get(stamp)

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Keep it."""
        self.records[stamp] = record


def write(root: Path, name: str, code: str) -> None:
    """Write a file, with the folders that it needs."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that imports an installed module."""
    root = tmp_path / "project"
    write(root, "app.py", APP)
    write(root.parent, "env/site-packages/dep.py", "VALUE = 1\n")
    return root


def table(root: Path, **more: Any) -> dict[str, Any]:
    """The app's table: it finds what is installed beside the project."""
    env = {"PYTHONPATH": str(root.parent / "env/site-packages"), **more.pop("env", {})}
    return {"command": (sys.executable, "-s", "app.py"), "ready": UP, "env": env, **more}


async def started(session: Any, outcome: str = "ready") -> AppStarted:
    """Restart the app, and see how it was started."""
    session.app.restart()
    assert await session.app.settled() == outcome, session.output
    event: AppStarted = session.all(AppStarted)[-1]
    return event


async def stocked(session: Any) -> None:
    """Wait until the next start can come from a zygote."""
    with anyio.fail_after(60):
        while not session.app.warm.ready:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)


async def watched(session: Any) -> None:
    """Wait until it is known, too, what that has read and looked for."""
    await stocked(session)
    with anyio.fail_after(60):
        while not session.app.warm._origin.is_told:  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(0.01)


async def test_the_second_start_is_warm(supervised: Supervised, guard: Guard, root: Path) -> None:
    """The first one tells what it imports; what is outside the project is held from then on."""
    async with supervised(guard, root, **table(root)) as session:
        first = await started(session)
        assert (first.start, first.reason) == ("cold", None)
        await stocked(session)
        for _ in range(3):
            again = await started(session)
            assert (again.start, again.reason) == ("warm", None)
        assert "dep" in session.app.warm.record.held
        with anyio.fail_after(60):
            while not session.app.warm.record.audited:  # noqa: ASYNC110 - it tells by and by
                await anyio.sleep(0.01)
        assert session.output.count("dep says 1\nup") == 4
    assert tree.family([guard.pid]) == [guard.pid]


async def test_what_is_held_is_told_of_without_a_look_at_it(
    supervised: Supervised, guard: Guard, root: Path, tmp_path: Path
) -> None:
    """In a warm process that would copy a page of memory for each module."""
    looks = tmp_path / "looks"
    write(root.parent, "env/site-packages/dep.py", f"""
        import os, sys, types
        class Watched(types.ModuleType):
            def __getattribute__(self, name):
                if name == "__file__":
                    os.makedirs(f"{looks}/{{os.getpid()}}", exist_ok=True)
                return super().__getattribute__(name)
        sys.modules[__name__].__class__ = Watched
        VALUE = 1
        """)  # fmt: skip
    async with supervised(guard, root, **table(root)) as session:
        pids = []
        for start in ("cold", "warm"):
            event = await started(session)
            assert event.start == start
            pids.append(str(event.pid))
            with anyio.fail_after(60):
                while not session.app.told_imports:  # noqa: ASYNC110 - nobody is told of it
                    await anyio.sleep(0.01)
            await stocked(session)
        assert [(looks / pid).exists() for pid in pids] == [True, False]


async def test_it_may_be_turned_off(supervised: Supervised, guard: Guard, root: Path) -> None:
    """With `start = "cold"` no start is a warm one, and that is no refusal."""
    async with supervised(guard, root, **table(root, start="cold")) as session:
        for _ in range(3):
            event = await started(session)
            assert (event.start, event.reason) == ("cold", None)


async def test_what_is_excluded_is_imported_anew(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """It is left out, with the reason."""
    async with supervised(guard, root, exclude=("dep",), **table(root)) as session:
        await started(session)
        await stocked(session)
        assert (await started(session)).start == "warm"
        record = session.app.warm.record
        assert "dep" not in record.held
        assert record.left_out["dep"] == "excluded by the configuration"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sh", "-c", "echo up; exec sleep 600"), "it is not a Python program"),
        ((sys.executable, "-c", "print('up', flush=True); input()"), "command line"),
    ],
)
async def test_what_cannot_be_warm_says_why(
    supervised: Supervised, guard: Guard, root: Path, command: tuple[str, ...], reason: str
) -> None:
    """In one line, at each start."""
    async with supervised(guard, root, **table(root, command=command)) as session:
        for _ in range(2):
            session.app.restart()
            await session.app.settled()
            event = session.all(AppStarted)[-1]
            assert event.start == "cold"
            assert reason in event.reason
            assert "\n" not in event.reason


async def test_a_variable_that_a_module_has_read(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """Its new value is seen, at the price of a cold start; the next one is warm again (W7)."""
    write(root.parent, "env/site-packages/dep.py", "import os\nVALUE = os.environ.get('FOO')\n")
    write(root, ".env", "FOO=1\n")
    async with supervised(guard, root, **table(root, env_file=".env")) as session:
        await started(session)
        await stocked(session)
        assert (await started(session)).start == "warm"
        write(root, ".env", "FOO=2\n")
        event = await started(session)
        assert (event.start, event.reason) == (
            "cold",
            "$FOO changed: what it imports is loaded anew",
        )
        assert session.output.endswith("dep says 2\nup")
        await stocked(session)
        assert (await started(session)).start == "warm"
        assert session.output.endswith("dep says 2\nup")


async def test_a_variable_that_nobody_has_read(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """Another value of it is no reason for a cold start, and is the one that the app has."""
    write(
        root, "app.py", "import os\nprint('FOO is', os.environ.get('FOO'))\n" + textwrap.dedent(APP)
    )
    write(root, ".env", "FOO=1\n")
    async with supervised(guard, root, **table(root, env_file=".env")) as session:
        await started(session)
        await stocked(session)
        write(root, ".env", "FOO=2\n")
        assert (await started(session)).start == "warm"
        assert "FOO is 2" in session.output


@pytest.mark.parametrize(
    ("asks", "change"),
    [
        ("os.path.exists('deprc')", "touch deprc"),
        ("os.path.isdir('dep.d')", "mkdir dep.d"),
        ("sorted(os.listdir('conf'))", "touch conf/more"),
        ("[one.is_dir() for one in os.scandir('conf')]", "rm conf/one; mkdir conf/one"),
        ("int(open('conf/one').read())", "echo 2 > conf/one"),
    ],
)
async def test_what_a_module_has_looked_for(
    supervised: Supervised, guard: Guard, root: Path, asks: str, change: str
) -> None:
    """A file of settings that comes is read, as in a cold start."""
    write(root.parent, "env/site-packages/dep.py", f"import os\nVALUE = {asks}\n")
    write(root, "conf/one", "1\n")
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await watched(session)
        assert (await started(session)).start == "warm"
        before = session.output.splitlines()[-2]
        await anyio.run_process(["sh", "-ec", change], cwd=root)
        event = await started(session)
        assert event.start == "cold"
        assert str(event.reason).endswith(" changed: what it imports is loaded anew")
        assert session.output.splitlines()[-2] != before
        await stocked(session)
        assert (await started(session)).start == "warm"


@pytest.mark.parametrize(
    "does",
    [
        "open('cache', 'w').write(os.urandom(9).hex()); open('cache').read()",
        "n = open('count').read() if os.path.exists('count') else ''; open('count', 'w').write(n)",
        "import tempfile as t; f = t.NamedTemporaryFile(); os.stat(f.name); open(f.name).close()",
        "import tempfile as t; f = t.TemporaryDirectory(); os.listdir(f.name); f.cleanup()",
        "n = f'new{os.getpid()}'; open(n + 't', 'w').close(); os.replace(n + 't', n); os.stat(n)",
    ],
)
async def test_what_a_module_writes_itself_does_not_count(
    supervised: Supervised, guard: Guard, root: Path, does: str
) -> None:
    """Or it would be made anew again and again."""
    write(root.parent, "env/site-packages/dep.py", f"import os\n{does}\nVALUE = 1\n")
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        for _ in range(3):
            await watched(session)
            event = await started(session)
            assert (event.start, event.reason) == ("warm", None)


async def test_what_is_listed_to_find_what_is_installed(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """That looks into the project's folder as well; a new file there is no reason for anything."""
    look = "from importlib import metadata\nimport os\nmetadata.entry_points()\n"
    write(root.parent, "env/site-packages/dep.py", f"{look}VALUE = os.path.exists('deprc')\n")
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await watched(session)
        write(root, "new.txt", "")
        event = await started(session)
        assert (event.start, event.reason) == ("warm", None)


async def test_a_module_that_runs_and_moves(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """A held module has seen where it was, in `sys.argv`."""
    write(root.parent, "env/site-packages/dep.py", "import sys\nVALUE = sys.argv[0]\n")
    write(root, "tool/__init__.py", "")
    write(root, "tool/__main__.py", APP)
    command = (sys.executable, "-s", "-m", "tool")
    async with supervised(guard, root, **table(root, command=command)) as session:
        await started(session)
        await watched(session)
        assert (await started(session)).start == "warm"
        assert "tool/__main__.py" in session.output
        (root / "tool/__main__.py").rename(root / "tool.py")
        (root / "tool/__init__.py").unlink()
        assert (await started(session)).start == "cold"
        assert session.output.endswith(f"dep says {root}/tool.py\nup")
        await watched(session)
        assert (await started(session)).start == "warm"
        assert session.output.endswith(f"dep says {root}/tool.py\nup")
        write(root, "tool/__init__.py", "")
        write(root, "tool/__main__.py", APP)
        assert (await started(session)).start == "cold"
        assert session.output.endswith(f"dep says {root}/tool/__main__.py\nup")


async def test_an_upgrade_is_seen(supervised: Supervised, guard: Guard, root: Path) -> None:
    """The start after it is cold and has the new code; so have all later ones (W8, W9)."""
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        path = root.parent / "env/site-packages/dep.py"
        write(root.parent, "env/site-packages/dep.py", "VALUE = 2\n")
        os.utime(path, (1_000_000_000, 1_000_000_000))
        event = await started(session)
        assert (event.start, event.reason) == (
            "cold",
            f"{path} changed: what it imports is loaded anew",
        )
        assert session.output.endswith("dep says 2\nup")
        await stocked(session)
        assert (await started(session)).start == "warm"
        assert session.output.endswith("dep says 2\nup")


async def test_an_uninstalled_module_is_missed(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """As a cold start misses it, although the zygote still holds it (W13)."""
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        (root.parent / "env/site-packages/dep.py").unlink()
        event = await started(session, "failed")
        assert event.start == "cold"
        assert "No module named 'dep'" in session.output


async def test_a_broken_edit_leaves_the_zygote(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """The start fails as a cold one does; the mended one is warm (W12)."""
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        write(root, "app.py", "def f(:\n")
        assert (await started(session, "failed")).start == "warm"
        (failed,) = session.all(AppFailed)
        assert "SyntaxError" in failed.output
        assert "zygote" not in failed.output
        write(root, "app.py", APP)
        assert (await started(session)).start == "warm"


async def test_a_module_of_the_project_is_never_held(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """What an edit of it changes is seen at the next start (W10)."""
    write(root, "leaf.py", "X = 1\n")
    write(root, "app.py", "from leaf import X\nprint('X is', X)\n" + textwrap.dedent(APP))

    def before_start() -> None:
        # As the loop does for what was edited: one size and one second is one file to Python.
        bytecode.drop(["leaf.py"], root)

    async with supervised(guard, root, before_start=before_start, **table(root)) as session:
        await started(session)
        await stocked(session)
        for value in (2, 3):
            write(root, "leaf.py", f"X = {value}\n")
            os.utime(root / "leaf.py", (1_000_000_000, 1_000_000_000))
            assert (await started(session)).start == "warm"
            assert f"X is {value}" in session.output
        assert "leaf" not in session.app.warm.record.modules


async def test_what_is_imported_late_is_held_as_well(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """A module that is imported after the app is ready is learned when it is asked again."""
    write(root.parent, "env/site-packages/late.py", "print('late', flush=True)\n")
    code = """
        import os, signal, time
        print("up", flush=True)
        while not os.path.exists("request"):
            time.sleep(0.01)
        import late
        print("done", flush=True)
        time.sleep(600)
        """
    write(root, "app.py", code)
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        assert "late" not in session.app.warm.record.modules
        (root / "request").touch()
        with anyio.fail_after(60):
            while "done" not in session.output:  # noqa: ASYNC110 - any line may bring it
                await anyio.sleep(0.01)
        with anyio.fail_after(60):
            while "late" not in session.app.warm.record.held:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)


@pytest.mark.parametrize("victim", ["holder", "all"])
async def test_a_zygote_that_dies_costs_a_cold_start(
    supervised: Supervised, guard: Guard, root: Path, victim: str
) -> None:
    """The running app goes on; another zygote is made (W20, W29)."""
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        running = await started(session)
        await stocked(session)
        pids = session.app.warm.pids
        for pid in pids[1:] if victim == "holder" else pids:
            os.kill(pid, signal.SIGKILL)
        with anyio.fail_after(60):
            while any(tree.started(pid) for pid in pids[1:]):  # noqa: ASYNC110 - the kernel's
                await anyio.sleep(0.01)
        assert tree.started(running.pid)
        event = await started(session)
        # Its end may be seen before the start, or by it.
        assert event.start == "cold"
        assert event.reason in (holders.DIED, "its process ended with signal SIGKILL")
        await stocked(session)
        assert (await started(session)).start == "warm"


async def test_a_start_while_another_zygote_takes_the_place_of_the_one_it_asks(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """It is a warm one, from the other: what the app imports is learned from its first starts."""
    write(root.parent, "env/site-packages/dep.py", """
        import os, time
        def hold():
            try:
                os.rename("hold", "asked")
            except FileNotFoundError:
                return
            time.sleep(600)
        os.register_at_fork(before=hold)
        """)  # fmt: skip
    write(root.parent, "env/site-packages/late.py", """
        import os, time
        while "zygote.py" in open("/proc/self/cmdline").read() and not os.path.exists("make"):
            time.sleep(0.01)
        """)  # fmt: skip
    write(root, "app.py", """
        import os, time
        import dep
        print("up", flush=True)
        while not os.path.exists("request"):
            time.sleep(0.01)
        import late
        print("done", flush=True)
        time.sleep(600)
        """)  # fmt: skip
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        (root / "request").touch()
        with anyio.fail_after(60):
            while not session.app.warm.building:  # noqa: ASYNC110 - nobody is told of it
                await anyio.sleep(0.01)
        _, holder, ready = session.app.warm.pids
        # So the start asks the holder for a process, and does not get it.
        os.kill(ready, signal.SIGKILL)
        with anyio.fail_after(60):
            while ready in session.app.warm.pids:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
        (root / "hold").touch()
        session.app.restart()
        with anyio.fail_after(60):
            while not (root / "asked").exists():  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
        assert session.app.warm.building
        (root / "make").touch()
        assert await session.app.settled() == "ready", session.output
        event = session.all(AppStarted)[-1]
        assert (event.start, event.reason) == ("warm", None)
        assert holder not in session.app.warm.pids


async def test_a_zygote_that_hangs_costs_a_cold_start(
    supervised: Supervised, guard: Guard, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a bounded time; it is ended, and another one is made."""
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        for pid in session.app.warm.pids:
            os.kill(pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(holders, "PATIENCE", 0.3)
            event = await started(session)
        assert (event.start, event.reason) == ("cold", holders.SILENT)
        await stocked(session)
        assert (await started(session)).start == "warm"


async def test_a_save_while_it_preloads(supervised: Supervised, guard: Guard, root: Path) -> None:
    """It is a cold start that waits for nothing; later ones are warm (W19)."""
    write(root.parent, "env/site-packages/dep.py", """
        import os, time
        VALUE = 1
        if "zygote.py" in open("/proc/self/cmdline").read():
            while not os.path.exists(os.environ["GO"]):
                time.sleep(0.01)
        """)  # fmt: skip
    go = root.parent / "go"
    async with supervised(guard, root, **table(root, env={"GO": str(go)})) as session:
        await started(session)
        with anyio.fail_after(60):
            while not session.app.warm.building:  # noqa: ASYNC110 - nobody is told of it
                await anyio.sleep(0.01)
        event = await started(session)
        assert (event.start, event.reason) == ("cold", holders.NOT_YET)
        go.touch()
        await stocked(session)
        assert (await started(session)).start == "warm"


async def test_five_quick_saves(supervised: Supervised, guard: Guard, root: Path) -> None:
    """What runs in the end is the last content, and nothing else does (W19)."""
    code = "N = {n}\nprint('N is', N)\n" + textwrap.dedent(APP)
    write(root, "app.py", code.format(n=0))
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        await stocked(session)
        for n in range(1, 6):
            write(root, "app.py", code.format(n=n))
            session.app.restart()
            await anyio.sleep(0.005 * n)
        assert await session.app.settled() == "ready"
        last = session.all(AppReady)[-1]
        assert [line for line in session.output.splitlines() if "N is" in line][-1] == "N is 5"
        gone = {event.pid for event in session.all(AppExited)}
        alive = {event.pid for event in session.all(AppStarted)} - gone
        assert alive == {last.pid}


async def test_what_was_learned_is_known_in_the_next_session(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """What an earlier session has learned of late imports is held from the first zygote on."""
    memory = Kept()
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        await started(session)
        await stocked(session)
    (record,) = memory.records.values()
    assert "dep" in record.held
    (stamp,) = memory.records
    memory.records[stamp] = record.learn([*record.modules, "wave"])
    async with supervised(guard, root, memory=memory, **table(root)) as session:
        assert (await started(session)).start == "cold"
        await stocked(session)
        assert "wave" in session.app.warm.record.held


WORKER = """
    import os, signal, socket, sys, time
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if os.fork() == 0:
        import dep
        print("up", flush=True)
        while not os.path.exists("request"):
            time.sleep(0.01)
        import late
        print("done", flush=True)
    while True:
        time.sleep(0.1)  # a signal just before a sleep is handled after it
    """


async def test_what_forked_workers_import_is_held_as_well(
    supervised: Supervised,
    guard: Guard,
    root: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also what they import after they were asked: a worker that retires tells of that."""
    monkeypatch.setattr(apps, "SETTLING", 600.0)
    write(root.parent, "env/site-packages/late.py", "VALUE = 1\n")
    write(root, "app.py", WORKER)
    command = (sys.executable, "-s", "app.py", str(port))
    async with supervised(guard, root, **table(root, command=command)) as session:

        async def held(name: str) -> None:
            with anyio.fail_after(60):
                while name not in session.app.warm.record.held:  # noqa: ASYNC110 - see `stocked`
                    await anyio.sleep(0.01)

        await started(session)
        await held("dep")
        await stocked(session)
        assert "late" not in session.app.warm.record.modules
        (root / "request").touch()
        with anyio.fail_after(60):
            while "done" not in session.output:  # noqa: ASYNC110 - any line may bring it
                await anyio.sleep(0.01)
        assert (await started(session)).start == "warm"
        await held("late")
        await stocked(session)
        assert (await started(session)).start == "warm"
        assert session.app.warm.record.off is None
    with anyio.fail_after(60):
        while tree.family([guard.pid]) != [guard.pid]:  # noqa: ASYNC110 - it reaps by and by
            await anyio.sleep(0.01)
