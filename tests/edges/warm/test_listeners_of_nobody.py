"""Sockets that no process can take over decide how the next one follows, whoever binds them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from devloop.config.types import Ready
from devloop.events import AppExited, AppStarted, AppStopping
from devloop.execute import apps, tree
from devloop.execute.app_state import Stopping
from devloop.execute.guard import Guard
from devloop.execute.warm import Warm
from devloop.plan.warm import WarmRecord

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("patient"),
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell"),
]

Supervised = Callable[..., AbstractAsyncContextManager[Any]]

CODE = """
import _socket, os, signal, socket, subprocess, sys, time

def end(*_):
    while not os.path.exists("go"):
        time.sleep(0.005)
    os._exit(0)

signal.signal(signal.SIGTERM, end)
how, port, other = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
address = ("127.0.0.1", other)
if how == "in C":
    # As a library does that binds in C: the class of the `socket` module is not met.
    beside = _socket.socket()
    beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    beside.bind(address)
    beside.listen()
elif how == "in C, at a path":
    beside = _socket.socket(socket.AF_UNIX)
    if os.path.exists("beside.sock"):
        os.unlink("beside.sock")
    beside.bind("beside.sock")
    beside.listen()
elif how == "in a program of its own":
    code = (
        "import socket, sys\\n"
        "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\\n"
        "print('listens', flush=True)\\n"
        "server.accept()"
    )
    program = [sys.executable, "-I", "-S", "-c", code, str(other)]
    child = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert child.stdout.readline()
elif how == "at any port":
    beside = socket.create_server(("127.0.0.1", 0))
elif how == "at a shared port":
    beside = [socket.create_server(address, reuse_port=True) for _ in range(2)]
elif how == "at a path that was lost":
    parent = os.getpid()
    if os.fork() == 0:
        # A worker, which has what was held there before.
        while os.getppid() == parent:
            time.sleep(0.05)
        os._exit(0)
    if os.path.exists("beside.sock"):
        os.unlink("beside.sock")
    beside = socket.socket(socket.AF_UNIX)
    beside.bind("beside.sock")
    beside.listen()
server = socket.create_server(("127.0.0.1", port))
print("all listen", flush=True)
while True:
    time.sleep(0.1)  # a signal just before a sleep is handled after it
"""
"""It listens at a port that is handed over, and elsewhere; it ends when somebody wants.

By the time that it says so, devloop has been told of all."""

FIXED = ("in C", "in C, at a path", "in a program of its own")


@pytest.fixture
def listening(
    supervised: Supervised, guard: Guard, tmp_path: Path, free_port: Callable[[], int]
) -> Supervised:
    """Supervise an app that listens in such a way, too, if need be at a certain port."""

    def begin(
        how: str, *, other: int | None = None, stop_timeout: str = "1h", **more: Any
    ) -> AbstractAsyncContextManager[Any]:
        (tmp_path / "app.py").write_text(CODE)
        ports = (str(free_port()), str(other or free_port()))
        command = (sys.executable, "app.py", how, *ports)
        more = {"command": command, "ready": Ready(log="all listen"), **more}
        return supervised(guard, tmp_path, stop_timeout=stop_timeout, **more)

    return begin


async def ready(session: Any) -> int:
    """Restart the app, and see it ready; gives its process id."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    pid: int = session.all(AppStarted)[-1].pid
    return pid


@pytest.mark.parametrize("how", FIXED)
async def test_who_listens_on_what_nobody_takes_over_is_waited_for(
    listening: Supervised, tmp_path: Path, how: str
) -> None:
    """The next process could not listen there beside it; that another socket is held is no help."""
    async with listening(how) as session:
        first = await ready(session)
        session.app.restart()
        await session.until(AppStopping)
        assert session.app.state == Stopping(session.app.state.process)
        (tmp_path / "go").touch()
        assert await session.app.settled() == "ready", session.output
        second = session.app.pid
        order = [e for e in session.events if isinstance(e, AppStarted | AppExited)]
        assert [event.pid for event in order] == [first, first, second]


@pytest.mark.parametrize("how", ["at any port", "at a shared port"])
async def test_what_is_in_nobodys_way_is_drained_beside_the_next(
    listening: Supervised, tmp_path: Path, how: str
) -> None:
    """Another process may listen on a port of its own, and on one that both ask to share."""
    async with listening(how) as session:
        first = await ready(session)
        await ready(session)
        assert tree.started(first)
        (tmp_path / "go").touch()


async def test_what_was_held_at_a_path_that_leads_elsewhere_is_in_nobodys_way(
    listening: Supervised, tmp_path: Path
) -> None:
    """Another program has taken the path; a worker still has the socket that was there."""
    async with listening("at a path that was lost") as session:
        await ready(session)
        (tmp_path / "beside.sock").unlink()
        second = await ready(session)
        await ready(session)
        assert tree.started(second)
        (tmp_path / "go").touch()


@pytest.mark.parametrize("how", [*FIXED, "at any port"])
async def test_where_it_cannot_be_followed_without_a_gap_is_known(
    listening: Supervised, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The doctor can tell of it, from the first start on."""
    monkeypatch.setattr(apps, "SETTLING", 0.0)
    looked = anyio.Event()
    listens = Warm.listens

    def look(warm: Warm, others: Sequence[str]) -> None:
        listens(warm, others)
        looked.set()

    monkeypatch.setattr(Warm, "listens", look)
    other = free_port()
    async with listening(how, other=other, stop_timeout="200ms") as session:
        await ready(session)
        with anyio.fail_after(60):
            await looked.wait()
        at = "beside.sock" if how == "in C, at a path" else f":{other}"
        assert session.app.warm.record.not_handed_over == ((at,) if how in FIXED else ())


class Memory:
    """A memory as the store is one, of one app."""

    def __init__(self) -> None:
        self.kept: tuple[str, WarmRecord] | None = None
        self.news = anyio.Event()

    def load(self, stamp: str) -> WarmRecord | None:
        """What is known."""
        return self.kept[1] if self.kept is not None and self.kept[0] == stamp else None

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Keep it."""
        self.kept = (stamp, record)
        anyio.from_thread.run_sync(self.news.set)


async def test_where_an_app_listens_is_known_also_if_all_its_starts_are_cold(
    listening: Supervised, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one session to the next, for the doctor."""
    monkeypatch.setattr(apps, "SETTLING", 0.0)
    memory, other = Memory(), free_port()
    options = {"start": "cold", "memory": memory, "stop_timeout": "200ms"}
    async with listening("in C", other=other, **options) as session:
        await ready(session)
        with anyio.fail_after(60):
            await memory.news.wait()
    assert memory.kept is not None
    assert memory.kept[1].not_handed_over == (f":{other}",)
