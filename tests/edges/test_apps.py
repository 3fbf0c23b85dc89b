"""Apps are started, restarted and reported (traps P1 to P5, P7, P12, P17 and P18)."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from devloop.config.types import Ready
from devloop.events import (
    AppExited,
    AppFailed,
    AppReady,
    AppStarted,
    AppStopping,
    Notice,
    Output,
)
from devloop.execute import tree
from devloop.execute.app_state import Crashed, Done, Serving, Stopped
from devloop.execute.guard import Guard
from devloop.execute.life import Life
from devloop.plan import backoff

pytestmark = pytest.mark.anyio

PYTHON = (sys.executable, "-I", "-S")
Supervised = Callable[..., AbstractAsyncContextManager[Any]]

SERVER = """
import os, socket
listener = socket.socket()
listener.bind(("127.0.0.1", {port}))
listener.listen()
while True:
    connection, _ = listener.accept()
    connection.sendall(b"%d" % os.getpid())
    connection.close()
"""
"""It has no SO_REUSEADDR and no second try: a port that is still taken ends it."""


def write(root: Path, name: str, code: str) -> tuple[str, ...]:
    """Write a program, and give the command that runs it."""
    (root / name).write_text(textwrap.dedent(code))
    return (*PYTHON, name)


def marked(guard: Guard) -> set[int]:
    """All living processes that came from this guardian, without those that wait for a start."""
    family = [pid for pid in tree.family([guard.pid]) if pid != guard.pid and tree.started(pid)]
    return {pid for pid in family if not any(word.endswith("zygote.py") for word in words(pid))}


def words(pid: int) -> list[str]:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


async def until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    deadline = anyio.current_time() + 60
    while tree.started(pid) is not None:
        assert anyio.current_time() < deadline
        await anyio.sleep(0.01)


async def until_none(guard: Guard) -> None:
    """Wait until nothing lives that came from this guardian: its last preparations may."""
    deadline = anyio.current_time() + 60
    while left := marked(guard):
        assert anyio.current_time() < deadline, [words(pid) for pid in left]
        await anyio.sleep(0.01)


async def test_fifty_restarts_leave_one_listener(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int
) -> None:
    """Through `sh -c`: the port is free for each next one, and nothing strays (P1)."""
    (tmp_path / "server.py").write_text(SERVER.format(port=port))
    command = ("sh", "-c", f"{' '.join(PYTHON)} server.py & wait")
    ready = Ready(port=port)
    async with supervised(guard, tmp_path, command=command, ready=ready) as session:
        for _ in range(50):
            session.app.restart()
            assert await session.app.settled() == "ready", session.output
        assert len(session.all(AppStarted)) == 50
        assert len(marked(guard)) == 2
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            assert int(connection.recv(100)) in marked(guard)
        await session.app.stop()
        await until_none(guard)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60)


async def test_nothing_of_an_ended_process_waits_for_the_collector(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """A restart would leave kilobytes behind until then, after hundreds of restarts perhaps."""
    command = write(tmp_path, "app.py", "print('up', flush=True)\nimport time\ntime.sleep(600)\n")
    gc.collect()
    gc.disable()
    # Those of other tests, if something still holds them.
    others = sum(isinstance(one, Life) for one in gc.get_objects())
    try:
        async with supervised(guard, tmp_path, command=command, ready=Ready(log="^up$")) as session:
            for _ in range(3):
                session.app.restart()
                assert await session.app.settled() == "ready"
            deadline = anyio.current_time() + 60
            while sum(isinstance(one, Life) for one in gc.get_objects()) > others + 1:
                assert anyio.current_time() < deadline
                await anyio.sleep(0.01)
    finally:
        gc.enable()


async def test_lifetimes_never_overlap(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """The next one starts when the last one has ended, however long that takes (P2)."""
    code = """
        import os, signal, sys, time
        def note(word):
            with open("note", "a") as file:
                file.write(word + "\\n")
        def end(*_):
            time.sleep(0.4)
            note("end")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        note("start")
        print("up", flush=True)
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
        """
    command = write(tmp_path, "slow.py", code)
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="^up$")) as session:
        for count in range(1, 4):
            session.app.restart()
            assert await session.app.settled() == "ready"
            assert len(session.all(AppStarted)) == count
        await session.app.stop()
    lines = (tmp_path / "note").read_text().split()
    assert lines == ["start", "end"] * 3


STUBBORN = {
    "timer": """
        import signal, sys, threading, time
        # Python joins its threads at the end, and so waits for the timer.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        threading.Timer(600, print).start()
        print("up", flush=True)
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
        """,
    "ignores-the-signal": """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("up", flush=True)
        time.sleep(600)
        """,
    "process-pool": """
        import concurrent.futures, multiprocessing, signal, sys, time
        def ignore():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if __name__ == "__main__":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(2, context, ignore) as pool:
                pool.submit(pow, 2, 2).result()
                waiting = [pool.submit(time.sleep, 600) for _ in range(2)]
                print("up", flush=True)
                waiting[0].result()
        """,
    "stopped-at-a-breakpoint": """
        import os, signal
        print("up", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        """,
}


@pytest.mark.parametrize("kind", sorted(STUBBORN))
async def test_a_restart_never_hangs(
    supervised: Supervised, guard: Guard, tmp_path: Path, kind: str
) -> None:
    """Timers, pools and ignored signals: the new one is up after the stop timeout (P3)."""
    command = write(tmp_path, "stubborn.py", STUBBORN[kind])
    async with supervised(
        guard, tmp_path, command=command, ready=Ready(log="^up$"), stop_timeout="300ms"
    ) as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
        old = marked(guard)
        session.app.restart()
        with anyio.fail_after(60):
            assert await session.app.settled() == "ready"
        assert not old & marked(guard)


async def test_an_open_stream_does_not_hold_a_restart(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int
) -> None:
    """Uvicorn waits for an open SSE connection for ever; devloop does not (P3)."""
    (tmp_path / "main.py").write_text(
        textwrap.dedent("""
            import asyncio
            from starlette.applications import Starlette
            from starlette.responses import StreamingResponse
            from starlette.routing import Route

            async def events():
                while True:
                    yield "data: x\\n\\n"
                    await asyncio.sleep(0.1)

            async def stream(request):
                return StreamingResponse(events(), media_type="text/event-stream")

            app = Starlette(routes=[Route("/", stream)])
            """)
    )
    async with supervised(
        guard, tmp_path, command=f"uvicorn main:app --port {port}", stop_timeout="500ms"
    ) as session:
        session.app.restart()
        assert await session.app.settled() == "ready", session.output
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.receive()
            session.app.restart()
            with anyio.fail_after(60):
                assert await session.app.settled() == "ready", session.output
                assert (await session.until(AppExited)).signal == "SIGKILL"


BROKEN = {
    "syntax": ("def f(:\n", "SyntaxError"),
    "name": ("prunt('up')\n", "NameError"),
    "module": ("import no_such_module\n", "ModuleNotFoundError"),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
async def test_a_broken_import_waits_for_a_change(
    supervised: Supervised, guard: Guard, tmp_path: Path, kind: str
) -> None:
    """At the start and later: it is reported, not tried again, and mending recovers (P4)."""
    broken, name = BROKEN[kind]
    good = "import time; print('up', flush=True); time.sleep(600)\n"
    command = write(tmp_path, "app.py", broken)
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="^up$")) as session:
        for _ in range(2):
            (tmp_path / "app.py").write_text(broken)
            session.events.clear()
            session.app.restart()
            assert await session.app.settled() == "failed"
            (failed,) = session.all(AppFailed)
            assert name in failed.output
            assert failed.retry_in is None
            assert failed.message == "it ended with exit code 1 before it was ready"
            assert session.app.state == Crashed(None)
            (tmp_path / "app.py").write_text(good)
            session.app.restart()
            assert await session.app.settled() == "ready"


@pytest.mark.parametrize("phase", ["start", "stop"])
async def test_what_runs_in_the_end_is_the_last_content(
    supervised: Supervised, guard: Guard, tmp_path: Path, phase: str
) -> None:
    """Saves while it starts or stops are not lost, and later ones still work (P5)."""
    code = """
        import signal, sys, time
        def end(*_):
            {stop}
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("loading", flush=True)
        {start}
        print("version {version}", flush=True)
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
        """
    pauses = {"start": "time.sleep(0.5)", "stop": "pass"}
    if phase == "stop":
        pauses = {"start": "pass", "stop": "time.sleep(0.5)"}

    def save(version: int) -> None:
        write(tmp_path, "app.py", code.format(version=version, **pauses))
        session.app.restart()

    command = (*PYTHON, "app.py")
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="version")) as session:
        save(1)
        if phase == "start":
            await session.until(Output, lambda event: "loading" in event.text)
        else:
            assert await session.app.settled() == "ready"
        save(2)
        if phase == "stop":
            await session.until(AppStopping)
        save(3)
        assert await session.app.settled() == "ready"
        assert session.output.endswith("version 3")
        assert "version 2" not in session.output
        assert len(marked(guard)) == 1
        save(4)
        assert await session.app.settled() == "ready"
        assert session.output.endswith("version 4")


async def test_one_request_is_one_start(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Two requests at once are one start as well (P12)."""
    async with supervised(guard, tmp_path, command="sleep 600") as session:
        session.app.restart()
        session.app.restart()
        assert await session.app.settled() == "ready"
        session.app.restart()
        session.app.restart()
        assert await session.app.settled() == "ready"
        assert len(session.all(AppStarted)) == 2
        assert [event.expected for event in session.all(AppExited)] == [True]


async def test_a_silent_death_is_told(supervised: Supervised, guard: Guard, tmp_path: Path) -> None:
    """SIGKILL from elsewhere: it is said at once, with what it had left behind ended (P17)."""
    command = ("sh", "-c", "sleep 600 & echo up; wait")
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="up")) as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
        pid = session.all(AppStarted)[0].pid
        os.kill(pid, signal.SIGKILL)
        exited = await session.until(AppExited)
        assert (exited.pid, exited.code, exited.signal) == (pid, None, "SIGKILL")
        assert not exited.expected
        failed = await session.until(AppFailed)
        assert failed.message == "it was ended by signal SIGKILL"
        assert failed.retry_in == 0.5
        assert not isinstance(session.app.state, Serving)
        # It comes back by itself, and the sleeper of the first life is gone.
        await session.until(AppReady, lambda event: event.pid != pid)
        assert len(marked(guard)) == 2


@pytest.mark.usefixtures("patient")
async def test_a_crash_loop_slows_down(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Each crash doubles the wait; a change is tried at once (P18)."""
    command = write(tmp_path, "app.py", "raise OSError('no database')")
    async with supervised(guard, tmp_path, command=command) as session:
        session.app.restart()
        await session.until(AppFailed, lambda event: event.retry_in == 1.0)
        assert [event.retry_in for event in session.all(AppFailed)] == [0.5, 1.0]
        session.app.restart()
        assert await session.app.settled() == "failed"
        assert [event.retry_in for event in session.all(AppFailed)] == [0.5, 1.0, 0.5]


@pytest.mark.usefixtures("patient")
async def test_a_change_does_not_wait_for_the_next_try(
    supervised: Supervised, guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long an app that crashes is left alone: a change is tried at once (P18)."""
    monkeypatch.setattr(backoff, "FIRST", 600.0)
    monkeypatch.setattr(backoff, "LONGEST", 600.0)
    command = write(tmp_path, "app.py", "raise OSError('no database')")
    async with supervised(guard, tmp_path, command=command) as session:
        for count in (1, 2):
            session.app.restart()
            with anyio.fail_after(60):
                assert await session.app.settled() == "failed"
            assert [event.retry_in for event in session.all(AppFailed)] == [600.0] * count


@pytest.mark.usefixtures("patient")
async def test_an_app_may_end(supervised: Supervised, guard: Guard, tmp_path: Path) -> None:
    """Exit code 0 is no crash: it is not started again until a change."""
    async with supervised(guard, tmp_path, command="echo done") as session:
        for count in (1, 2):
            session.app.restart()
            assert await session.app.settled() == "ended"
            assert session.app.state == Done()
            assert [event.code for event in session.all(AppExited)] == [0] * count
        assert not session.all(AppFailed)
        assert session.output == "done\ndone"


async def test_a_launcher_is_what_it_launched(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """A command that leaves something running and ends is up as long as that is."""
    command = ("sh", "-c", "sleep 600 & echo up")
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="up")) as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
        await until_gone(session.all(AppStarted)[0].pid)
        await anyio.wait_all_tasks_blocked()
        assert not session.all(AppExited)
        await session.app.stop()
        await until_none(guard)
        assert [event.code for event in session.all(AppExited)] == [0]


async def test_a_stop_can_be_hurried(supervised: Supervised, guard: Guard, tmp_path: Path) -> None:
    """Ctrl-C again, while it takes its time to stop, ends it at once (P7)."""
    command = write(tmp_path, "app.py", STUBBORN["ignores-the-signal"])
    async with supervised(
        guard, tmp_path, command=command, ready=Ready(log="^up$"), stop_timeout="1h"
    ) as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.app.stop)
            await session.until(AppStopping)
            with anyio.fail_after(60):
                await session.app.kill()
        assert session.app.state == Stopped()
        await until_none(guard)


async def test_cancelling_the_supervisor_stops_the_app(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Its last words are read, and its exit is told."""
    code = """
        import os, signal, time
        def end(*_):
            for _ in range(200):
                os.write(1, b"x" * 1000)
            os.write(1, b"\\nlast words\\n")
            os._exit(7)
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
        """
    command = write(tmp_path, "app.py", code)
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="^up$")) as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
    assert session.output.endswith("last words")
    assert [(event.code, event.expected) for event in session.all(AppExited)] == [(7, True)]
    await until_none(guard)


async def test_a_missing_command_is_a_clear_message(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """No traceback: what was not found, and what could be done."""
    async with supervised(guard, tmp_path, command="no-such-server --port 1") as session:
        session.app.restart()
        assert await session.app.settled() == "failed"
        (failed,) = session.all(AppFailed)
        assert failed.message.startswith("command not found: 'no-such-server' (")
        assert failed.retry_in is None
        assert not session.all(AppStarted)


async def test_seconds_count_from_the_change(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """How long it took is what the person has waited."""
    command = ("sh", "-c", "echo up; exec sleep 600")
    async with supervised(guard, tmp_path, command=command, ready=Ready(log="up")) as session:
        session.app.restart(time.monotonic() - 100)
        ready = await session.until(AppReady)
        assert 100 < ready.seconds < 120


async def test_what_must_come_before_a_start(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """The hook runs when the old one has ended and the new one has not begun (P23)."""
    seen: list[set[int]] = []
    async with supervised(
        guard, tmp_path, command="sleep 600", before_start=lambda: seen.append(marked(guard))
    ) as session:
        for _ in range(2):
            session.app.restart()
            assert await session.app.settled() == "ready"
    assert seen == [set(), set()]


@pytest.mark.usefixtures("patient")
async def test_the_environment_is_made_of_layers(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Devloop's own, over it the environment file, over that the configuration."""
    (tmp_path / ".env").write_text('B=file\nC="file ${A}"\n')
    environ = {"PATH": os.environ["PATH"], "A": "own", "B": "own", "C": "own"}
    show = "import os; print([os.environ.get(n) for n in ('A', 'B', 'C', 'D')])"
    command = write(tmp_path, "show.py", show)
    async with supervised(
        guard, tmp_path, command=command, environ=environ, env_file=".env", env={"C": "table"}
    ) as session:
        session.app.restart()
        assert await session.app.settled() == "ended"
        assert session.output == "['own', 'file', 'table', None]"
        (tmp_path / ".env").write_text("D=again\n")
        session.app.restart()
        assert await session.app.settled() == "ended"
        assert session.output.endswith("['own', 'own', 'table', 'again']")
        assert not session.all(Notice)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist"),
        (b"\xff\xfe", "cannot be read"),
        (b"A=1\nB='open\nC=2\n", ":2: not NAME=value"),
    ],
)
async def test_a_bad_environment_file_is_told(
    supervised: Supervised, guard: Guard, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """The app starts all the same, and a notice names the file."""
    if content is not None:
        (tmp_path / ".env").write_bytes(content)
    async with supervised(guard, tmp_path, command="true", env_file=".env") as session:
        session.app.restart()
        assert await session.app.settled() == "ended"
        (notice,) = session.all(Notice)
        assert str(tmp_path / ".env") in notice.message
        assert problem in notice.message


@pytest.mark.usefixtures("patient")
async def test_the_projects_programs_come_first(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """`python` is the project's interpreter, in its virtual environment, and does not buffer."""
    code = """
        import os, sys
        print(os.path.samefile(sys.executable, sys.argv[1]))
        venv = sys.prefix if sys.prefix != sys.base_prefix else None
        print(os.environ.get("VIRTUAL_ENV") == venv)
        print(os.environ["PYTHONUNBUFFERED"])
        """
    write(tmp_path, "show.py", code)
    async with supervised(guard, tmp_path, command=f"python show.py {sys.executable}") as session:
        session.app.restart()
        assert await session.app.settled() == "ended"
        assert session.output == "True\nTrue\n1"


async def test_its_own_reloader_is_turned_off(
    supervised: Supervised, guard: Guard, tmp_path: Path, port: int
) -> None:
    """Uvicorn --reload runs as one process, and that is said once (P24)."""
    (tmp_path / "main.py").write_text("async def app(scope, receive, send): ...\n")
    command = f"uvicorn main:app --reload --port {port} --lifespan off"
    async with supervised(guard, tmp_path, command=command) as session:
        for _ in range(2):
            session.app.restart()
            assert await session.app.settled() == "ready", session.output
        await session.until(AppExited)
        assert len(marked(guard)) == 1
        assert len(session.all(Notice)) == 1
        assert "reloader process" not in session.output


FLASK = """
import flask
app = flask.Flask("main")
if __name__ == "__main__":
    app.run(port={}, debug=True)
"""
UVICORN = """
import uvicorn
async def app(scope, receive, send): ...
if __name__ == "__main__":
    uvicorn.run("main:app", port={}, reload=True, lifespan="off")
"""


@pytest.mark.parametrize(("code", "named"), [(FLASK, "werkzeug"), (UVICORN, "uvicorn")])
async def test_a_reloader_that_its_code_turns_on_stays_off(
    supervised: Supervised,
    guard: Guard,
    tmp_path: Path,
    port: int,
    server_environment: Callable[[], str],
    code: str,
    named: str,
) -> None:
    """It runs as one process, and that is said once (P24)."""
    (tmp_path / "main.py").write_text(code.format(port))
    command = (server_environment(), "main.py")
    async with supervised(guard, tmp_path, command=command) as session:
        for _ in range(3):
            session.app.restart()
            assert await session.app.settled() == "ready", session.output
        current = session.all(AppStarted)[-1].pid
        with anyio.fail_after(60):
            while marked(guard) != {current}:  # noqa: ASYNC110 - the one before it drains
                await anyio.sleep(0.01)
        (notice,) = session.all(Notice)
        assert f"{named}'s reloader" in notice.message


@pytest.mark.usefixtures("patient")
async def test_a_flood_of_output_is_taken_in_batches(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Hundreds of thousands of lines arrive whole and in order, in few events."""
    code = """
        import sys
        for start in range(0, 300_000, 1000):
            sys.stdout.write("".join(f"line {n}\\n" for n in range(start, start + 1000)))
        """
    command = write(tmp_path, "flood.py", code)
    async with supervised(guard, tmp_path, command=command) as session:
        session.app.restart()
        assert await session.app.settled() == "ended"
        assert session.output == "\n".join(f"line {n}" for n in range(300_000))
        assert len(session.all(Output)) < 3_000


async def test_a_flooding_app_can_be_restarted(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """Endless output does not keep devloop from anything."""
    async with supervised(
        guard, tmp_path, command=("sh", "-c", "yes"), ready=Ready(log="y")
    ) as session:
        for _ in range(2):
            session.app.restart()
            assert await session.app.settled() == "ready"
        await session.app.stop()
        await until_none(guard)


async def test_the_death_of_the_guardian_is_a_failure(
    supervised: Supervised, guard: Guard, tmp_path: Path
) -> None:
    """The app is reported as failed, not as running."""
    async with supervised(guard, tmp_path, command="sleep 600") as session:
        session.app.restart()
        assert await session.app.settled() == "ready"
        os.kill(guard.pid, signal.SIGKILL)
        failed = await session.until(AppFailed)
        assert "guardian" in failed.message
        await until_gone(session.all(AppStarted)[0].pid)
