"""Where processes must not be forked, each start comes from an interpreter of its own."""

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
from devloop.events import AppStarted
from devloop.execute import spare, tree
from devloop.execute.guard import Guard

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
APP = """
    import time
    import dep
    print("dep says", dep.VALUE, flush=True)
    print("up", flush=True)
    time.sleep(600)
    """
THREADED = """
    import queue, threading, time
    VALUE = 1
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        pass
    asked, answered = queue.Queue(), queue.Queue()
    def work():
        while True:
            answered.put(asked.get())
    threading.Thread(target=work, daemon=True).start()
    """


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


def table(root: Path) -> dict[str, Any]:
    """The app's table: it finds what is installed beside the project."""
    env = {"PYTHONPATH": str(root.parent / "env/site-packages")}
    return {"command": (sys.executable, "-s", "app.py"), "ready": Ready(log="^up"), "env": env}


async def started(session: Any) -> AppStarted:
    """Restart the app, and see how it was started."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    event: AppStarted = session.all(AppStarted)[-1]
    return event


async def stocked(session: Any, kind: str = "spare") -> None:
    """Wait until the next start can come from a spare."""
    with anyio.fail_after(60):
        while not (session.app.warm.ready and session.app.warm.kind == kind):  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_each_start_has_a_spare_of_its_own(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """One stands ready once the app is up; it is used once, and the next one is prepared."""
    async with supervised(guard, root, forks=False, **table(root)) as session:
        first = await started(session)
        assert (first.start, first.reason) == ("cold", None)
        pids = set()
        for _ in range(3):
            await stocked(session)
            assert len(session.app.warm.pids) == 1
            waiting = session.app.warm.pids[0]
            again = await started(session)
            assert (again.start, again.reason) == ("spare", None)
            assert again.pid == waiting
            pids.add(again.pid)
        assert len(pids) == 3
        assert "dep" in session.app.warm.record.held
        assert session.output.count("dep says 1\nup") == 4
    assert tree.family([guard.pid]) == [guard.pid]


async def test_a_save_before_it_is_ready_starts_cold(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """Nobody waits for imports that a cold start would do as well; the reason says so."""
    write(root.parent, "env/site-packages/dep.py", "import time; time.sleep(0.3); VALUE = 1\n")
    async with supervised(guard, root, forks=False, **table(root)) as session:
        await started(session)
        await stocked(session)
        assert (await started(session)).start == "spare"
        quick = await started(session)
        assert (quick.start, quick.reason) == ("cold", spare.NOT_YET)
        await stocked(session)
        assert (await started(session)).start == "spare"


async def test_what_changed_since_it_was_prepared_is_seen(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """An upgrade starts cold, and then another spare is prepared."""
    async with supervised(guard, root, forks=False, **table(root)) as session:
        await started(session)
        await stocked(session)
        write(root.parent, "env/site-packages/dep.py", "VALUE = 22\n")
        again = await started(session)
        assert again.start == "cold"
        assert again.reason
        assert "dep.py changed" in again.reason
        await stocked(session)
        assert (await started(session)).start == "spare"
        assert session.output.count("dep says 22") == 2


async def test_a_spare_that_dies_costs_a_cold_start(
    supervised: Supervised, guard: Guard, root: Path
) -> None:
    """The next one is prepared as ever."""
    async with supervised(guard, root, forks=False, **table(root)) as session:
        await started(session)
        await stocked(session)
        os.kill(session.app.warm.pids[0], signal.SIGKILL)
        with anyio.fail_after(60):
            while session.app.warm.pids:  # noqa: ASYNC110 - the guardian tells
                await anyio.sleep(0.01)
        assert (await started(session)).start == "cold"
        await stocked(session)
        assert (await started(session)).start == "spare"


@pytest.mark.parametrize(("seconds", "kind"), [(0.6, "spare"), (0.0, "warm")])
async def test_what_cannot_be_held_decides_where_starts_come_from(
    supervised: Supervised, guard: Guard, root: Path, seconds: float, kind: str
) -> None:
    """A module with a thread that takes long to import is worth a spare, which has its thread."""
    write(root.parent, "env/site-packages/dep.py", THREADED.format(seconds=seconds))
    asks = "dep.asked.put(7); print('the thread says', dep.answered.get(timeout=60), flush=True)"
    write(root, "app.py", APP.replace('print("up"', f'{asks}; print("up"'))
    async with supervised(guard, root, **table(root)) as session:
        await started(session)
        with anyio.fail_after(60):
            while session.app.warm.record.spare is None:  # noqa: ASYNC110 - nobody is told
                await anyio.sleep(0.01)
        await stocked(session, kind)
        assert (await started(session)).start == kind
        assert session.output.count("the thread says 7") == 2
        assert session.app.warm.record.quarantine["dep"].reason == "starts a thread"
        assert ("dep" in session.app.warm.record.held) == (kind == "spare")
