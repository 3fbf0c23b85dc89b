"""A start that has begun before it is wanted is what any other start is."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import AppStarted
from devloop.execute import bytecode
from devloop.execute.guard import Guard
from devloop.execute.zygote import FORKS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not FORKS, reason="nothing is forked here"),
]

Supervised = Callable[..., AbstractAsyncContextManager[Any]]

LAUNCH = """
    import asyncio, importlib, json, os, re, signal, sys, threading

    def kind(fd):
        try:
            return re.sub("[0-9]+", "", os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            return None

    def handler(number):
        return re.sub("0x[0-9a-f]+", "", str(signal.getsignal(number)))

    async def main():
        os.environ["LAUNCHED"] = "yes"
        given = open("given").read() if os.path.isfile("given") else "nothing"
        app = importlib.import_module(sys.argv[1])
        fds = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        print(json.dumps({
            "given": given, "app": app.VALUE, "pid": os.getpid(), "argv": sys.argv,
            "path": sys.path, "env": sorted(os.environ), "cwd": os.getcwd(),
            "fds": [(fd, kind(fd)) for fd in fds if fd < 100 and kind(fd)],
            "handlers": [handler(n) for n in range(1, 32) if n != signal.SIGURG],
            "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
            "name": open("/proc/self/cmdline").read().split(chr(0)), "main": __spec__.name,
            "finders": len(sys.meta_path), "threads": threading.active_count(),
        }), flush=True)
        print("up", flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
    """


def write(root: Path, name: str, code: str) -> None:
    """Write a file, with the folders that it needs."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))
    bytecode.drop([name], root, [])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project, and what runs it, which is installed beside it."""
    root = tmp_path / "project"
    write(root, "shop.py", "VALUE = 1\n")
    write(root.parent, "env/site-packages/launch/__init__.py", "import asyncio, json, re\n")
    write(root.parent, "env/site-packages/launch/__main__.py", LAUNCH)
    return root


def table(root: Path, *command: str) -> dict[str, Any]:
    """The app's table."""
    return {
        "command": (sys.executable, "-s", *(command or ("-m", "launch", "shop"))),
        "ready": Ready(log="^up"),
        "env": {"PYTHONPATH": str(root.parent / "env/site-packages")},
    }


async def start(session: Any) -> dict[str, Any]:
    """Start the app, or start it again; gives what it says of itself."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    said = [line for line in session.output.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(said[-1])
    event: AppStarted = session.all(AppStarted)[-1]
    assert event.pid == found["pid"]
    return {**found, "start": event.start}


async def gone_ahead(session: Any) -> int:
    """Wait until the next start has gone ahead; gives its process id."""
    with anyio.fail_after(60):
        while (pid := session.app.warm.ahead) is None:  # noqa: ASYNC110 - it is told by nobody
            await anyio.sleep(0.01)
    found: int = pid
    return found


async def refused(session: Any) -> str:
    """Wait until it is known that the next start does not go ahead; gives the reason."""
    with anyio.fail_after(60):
        while (why := session.app.warm.refused_ahead) is None:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    return str(why)


async def test_it_is_what_a_cold_start_is(supervised: Supervised, guard: Guard, root: Path) -> None:
    """Arguments, paths, environment, low descriptors, signals, command line, `__main__`."""
    async with supervised(guard, root, **table(root)) as session:
        cold = await start(session)
        assert cold["start"] == "cold"
        for _ in range(3):
            pid = await gone_ahead(session)
            ahead = await start(session)
            assert ahead["pid"] == pid
            assert {**ahead, "pid": 0, "start": ""} == {**cold, "pid": 0, "start": ""}
        assert session.app.warm.record.off is None


async def test_it_imports_what_the_project_is_by_then(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """The first module of the project is imported when the start is wanted, and not before."""
    async with supervised(guard, root, **table(root)) as session:
        await start(session)
        for value in (2, 3):
            pid = await gone_ahead(session)
            write(root, "shop.py", f"VALUE = {value}\n")
            found = await start(session)
            assert (found["app"], found["pid"]) == (value, pid)


async def test_a_file_that_it_reads_or_misses_is_that_of_now(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """It comes, changes and goes between the two."""
    async with supervised(guard, root, **table(root)) as session:
        await start(session)
        for text in ("one", "another", None):
            pid = await gone_ahead(session)
            if text is None:
                (root / "given").unlink()
            else:
                write(root, "given", text)
            found = await start(session)
            assert found["given"] == (text or "nothing")
            assert found["pid"] != pid
            assert found["start"] == "warm"


async def test_what_went_ahead_before_a_change_is_not_taken_for_what_does_after_it(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """A start that came of a layer has left it waiting; what is read is found out anew then."""
    async with supervised(guard, root, **table(root)) as session:
        await start(session)
        pid = await gone_ahead(session)
        write(root, "given", "one")
        session.app.warm.settled()
        with anyio.fail_after(60):
            while await gone_ahead(session) == pid:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.01)
        found = await start(session)
        assert found["given"] == "one"


@pytest.mark.parametrize(
    "act",
    [
        "open('done', 'a').write('x')",
        "fd = os.open('.', 0); os.write(os.open('done', 0o2101, 0o644, dir_fd=fd), b'x')",
        "os.mkdir(f'folder{os.getpid()}')",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
        "threading.Thread(target=print).start()",
        "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
        "print('hello', flush=True)",
    ],
)
async def test_what_others_see_is_done_by_a_start_alone(
    supervised: Supervised, guard: Guard, root: Path, act: str
) -> None:
    """A program that does such a thing before it imports the app does not go ahead."""
    write(
        root.parent,
        "env/site-packages/launch/__main__.py",
        LAUNCH.replace('os.environ["LAUNCHED"] = "yes"', act),
    )
    async with supervised(guard, root, **table(root)) as session:
        for count in (1, 2, 3):
            assert (await start(session))["start"] == ("cold" if count == 1 else "warm")
            why = await refused(session)
            assert why.startswith("it ")
            done = root / "done"
            assert not done.exists() or done.read_text() == "x" * count
            assert len([name for name in os.listdir(root) if "folder" in name]) in (0, count)
            assert session.app.warm.ahead is None
        assert session.app.warm.record.not_ahead == why


async def test_a_script_is_the_projects_also_where_its_interpreter_is_looked_for(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """A bare ``python`` is in no folder, and neither is a script beside `devloop.toml`."""
    write(root, "own.py", LAUNCH.replace("sys.argv[1]", "'shop'").replace("__spec__.name", "''"))
    python = Path(sys.executable)
    env = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = (python.name, "own.py")
    async with supervised(
        guard, root, **{**table(root), "command": command, "env": env}
    ) as session:
        await start(session)
        assert await refused(session) == "it begins with a script of the project"


@pytest.mark.parametrize("command", [("own.py",), ("-m", "own"), ("-m", "package")])
async def test_the_projects_own_code_never_runs_ahead(
    supervised: Supervised, guard: Guard, root: Path, command: tuple[str, ...]
) -> None:
    """Not even where the command is nothing else."""
    code = """
        with open("ran", "a") as file:
            file.write("x")
        import json, os
        print(json.dumps({"pid": os.getpid()}), flush=True)
        print("up", flush=True)
        import time
        time.sleep(600)
        """
    write(root, "own.py", code)
    write(root, "package/__main__.py", code)
    async with supervised(guard, root, **table(root, *command)) as session:
        for count in (1, 2, 3):
            await start(session)
            if command[0] == "own.py":
                assert await refused(session) == "it begins with a script of the project"
            else:
                await gone_ahead(session)
            assert (root / "ran").read_text() == "x" * count
