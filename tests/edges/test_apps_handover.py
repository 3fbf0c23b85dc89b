"""How a new process follows the old one: beside it, after it, or once it is ready (trap P2)."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import AppExited, AppFailed, AppReady, AppStarted, AppStopping, Notice, Output
from devloop.execute import tree
from devloop.execute.app_state import Serving, Stopped
from devloop.execute.guard import Guard

pytestmark = pytest.mark.anyio

Supervised = Callable[..., AbstractAsyncContextManager[Any]]
UP = Ready(log="^up")
SLOW = """
    import os, signal, sys, time
    def end(*_):
        while not os.path.exists("go"):
            time.sleep(0.01)
        os.write(1, b"last words\\n")
        os._exit(3)
    signal.signal(signal.SIGTERM, end)
    print("up", flush=True)
    while True:
        time.sleep(0.1)  # a signal just before a sleep is handled after it
    """
"""It takes as long to stop as somebody wants."""


def write(root: Path, code: str) -> tuple[str, ...]:
    """Write a program, and give the command that runs it."""
    (root / "app.py").write_text(textwrap.dedent(code))
    return (sys.executable, "-I", "-S", "app.py")


async def ready(session: Any) -> AppReady:
    """Restart the app, and see it ready."""
    session.app.restart()
    assert await session.app.settled() == "ready", session.output
    event: AppReady = session.all(AppReady)[-1]
    return event


@pytest.mark.parametrize("terminal", [False, True])
async def test_the_old_one_drains_beside_the_new_one(
    supervised: Supervised, guard: Guard, tmp_path: Path, terminal: bool
) -> None:
    """It is asked at once and has its time; what it says is heard, its end is told as its own."""
    command = write(tmp_path, SLOW)
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="drain", stop_timeout="1h",
        terminal=terminal,
    ) as session:  # fmt: skip
        old = await ready(session)
        new = await ready(session)
        assert [event.pid for event in session.all(AppStopping)] == [old.pid]
        assert not session.all(AppExited)
        assert tree.started(old.pid)
        assert tree.started(new.pid)
        (tmp_path / "go").touch()
        exited = await session.until(AppExited)
        assert (exited.pid, exited.code, exited.expected) == (old.pid, 3, True)
        said = next(at for at, event in enumerate(session.events) if "last words" in str(event))
        assert said < session.events.index(exited)
        assert session.app.state == Serving(session.app.state.process)
        assert session.app.state.process.pid == new.pid


async def test_there_is_one_draining_predecessor_at_most(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """A third start does not wait for the first one's time to be up: that one is ended (P2)."""
    command = write(tmp_path, SLOW)
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="drain", stop_timeout="1h"
    ) as session:
        pids = [(await ready(session)).pid for _ in range(4)]
        events = [e for e in session.events if isinstance(e, AppExited | AppStarted)]
        running: set[int] = set()
        for event in events:
            running = (
                running | {event.pid} if isinstance(event, AppStarted) else running - {event.pid}
            )
            assert len(running) <= 2
        killed = session.all(AppExited)
        assert [(event.pid, event.signal) for event in killed] == [(p, "SIGKILL") for p in pids[:2]]
        assert all(event.expected for event in killed)
        (tmp_path / "go").touch()
        await session.app.stop()
        assert session.app.state == Stopped()
        assert {event.pid for event in session.all(AppExited)} == {*pids}
        assert not any(tree.started(pid) for pid in pids)


@pytest.mark.parametrize("how", ["stop", "kill", "cancel"])
async def test_nothing_outlives_its_supervisor(
    supervised: Supervised, guard: Guard, tmp_path: Path, how: str
) -> None:
    """The draining one ends with the new one, in its own time or at once, as is asked."""
    command = write(tmp_path, SLOW)
    timeout = "1h" if how == "kill" else "300ms"
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="drain", stop_timeout=timeout
    ) as session:
        pids = [(await ready(session)).pid for _ in range(2)]
        with anyio.fail_after(60):
            if how == "stop":
                await session.app.stop()
            elif how == "kill":
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(session.app.stop)
                    await session.until(AppStopping, lambda event: event.pid == pids[1])
                    await session.app.kill()
    assert [event.signal for event in session.all(AppExited)] == ["SIGKILL"] * 2
    assert session.app.state == Stopped()
    assert not any(tree.started(pid) for pid in pids)


async def test_the_old_one_serves_until_the_new_one_is_ready(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """With overlap it is asked to stop after that, not before."""
    code = """
        import os, time
        if not os.path.exists("first"):
            open("first", "w").close()
        else:
            print("waiting", flush=True)
            while not os.path.exists("go"):
                time.sleep(0.01)
        print("up", flush=True)
        time.sleep(600)
        """
    command = write(tmp_path, code)
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="overlap"
    ) as session:
        old = await ready(session)
        session.app.restart()
        await session.until(Output, lambda event: "waiting" in event.text)
        assert not session.all(AppStopping)
        (tmp_path / "go").touch()
        assert await session.app.settled() == "ready"
        exited = await session.until(AppExited)
        assert (exited.pid, exited.expected) == (old.pid, True)
        kinds = [type(event) for event in session.events if not isinstance(event, Output)]
        assert kinds[-5:] == [AppReady, AppStarted, AppReady, AppStopping, AppExited]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:", "it ended with exit code 1 before it was ready"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "it was ended by signal SIGKILL before it was ready",
        ),
    ],
)
async def test_the_old_one_stays_when_the_new_one_fails(
    supervised: Supervised, guard: Guard, tmp_path: Path, code: str, message: str
) -> None:
    """That is said; the next start that goes well takes over."""
    command = write(tmp_path, SLOW)
    (tmp_path / "go").touch()
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="overlap"
    ) as session:
        old = await ready(session)
        write(tmp_path, code)
        session.app.restart()
        assert await session.app.settled() == "failed"
        (failed,) = session.all(AppFailed)
        assert failed.message == f"{message}; the process from before the change keeps serving"
        assert session.app.state.process.pid == old.pid
        assert tree.started(old.pid)
        write(tmp_path, SLOW)
        new = await ready(session)
        exited = await session.until(AppExited, lambda event: event.pid == old.pid)
        assert exited.expected
        assert session.app.state.process.pid == new.pid


@pytest.mark.parametrize("mended", [True, False])
async def test_what_cannot_start_beside_the_old_one_waits_for_its_end(
    supervised: Supervised, guard: Guard, tmp_path: Path, mended: bool
) -> None:
    """Another try then shows whether it was that; if so, later ones wait at once."""
    code = "import os, sys\n" + textwrap.dedent("""
        try:
            os.mkdir("taken")
        except FileExistsError:
            sys.exit("Already running")
        """) + textwrap.dedent(SLOW)  # fmt: skip
    if mended:
        code = code.replace("    os.write(", "    os.rmdir('taken')\n    os.write(")
    command = write(tmp_path, code)
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="drain", stop_timeout="1h"
    ) as session:
        old = await ready(session)
        session.app.restart()
        failed = await session.until(AppExited)
        assert (failed.code, session.all(AppFailed)) == (1, [])
        (tmp_path / "go").touch()
        assert await session.app.settled() == ("ready" if mended else "failed")
        exits = [(event.pid, event.code) for event in session.all(AppExited)]
        said = [e.message for e in session.all(Notice) if "cannot start while" in e.message]
        if mended:
            assert exits == [(failed.pid, 1), (old.pid, 3)]
            assert len(said) == 1
            await ready(session)
            assert [event.code for event in session.all(AppExited)] == [1, 3, 3]
            assert not session.all(AppFailed)
        else:
            assert [code for _, code in exits] == [1, 3, 1]
            assert not said
            assert len(session.all(AppFailed)) == 1


async def test_what_fails_is_tried_again_beside_the_old_one(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """A crash that another try may mend is followed by one, with overlap too."""
    code = """
        import os, sys, time
        if os.path.exists("fail"):
            os.remove("fail")
            sys.exit("no database yet")
        print("up", flush=True)
        time.sleep(600)
        """
    command = write(tmp_path, code)
    async with supervised(
        guard, tmp_path, command=command, ready=UP, handover="overlap"
    ) as session:
        old = await ready(session)
        (tmp_path / "fail").touch()
        session.app.restart()
        assert await session.app.settled() == "failed"
        await session.until(AppReady, lambda event: event.pid != old.pid)
        await session.until(AppExited, lambda event: event.pid == old.pid)
