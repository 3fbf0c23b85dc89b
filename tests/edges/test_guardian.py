"""The guardian owns every process, and nothing outlives it (traps P1, P2, P3, P6 and P7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import anyio
import psutil
import pytest

import devloop
from devloop.errors import CommandError, GuardianLost
from devloop.execute import tree
from devloop.execute.guard import Ended, Guard, Process, Spawn

pytestmark = pytest.mark.anyio

PYTHON = [sys.executable, "-I", "-S", "-c"]

ESCAPE = """
import os, sys, time
if os.fork():
    os.wait()
    time.sleep({stay})
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
{before}
open({note!r}, "a").write(f"{{os.getpid()}}\\n")
time.sleep(600)
"""
"""A daemon, made as daemons are: two forks and a new session between them."""


async def until(check: Callable[[], object], what: str) -> None:
    """Wait for something that comes soon."""
    deadline = anyio.current_time() + 60
    while not check():
        assert anyio.current_time() < deadline, f"it did not happen: {what}"
        await anyio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not reaped does not."""
    return tree.started(pid) is not None


def noted(path: Path, count: int = 1) -> list[int]:
    """The process ids that were written into a file, once they are all there."""
    text = path.read_text() if path.exists() else ""
    return list(map(int, text.split())) if text.count("\n") >= count else []


def python(code: str, cwd: Path, **options: object) -> Spawn:
    """An interpreter that starts quickly, with some code."""
    return Spawn([*PYTHON, textwrap.dedent(code)], dict(os.environ), str(cwd), **options)  # type: ignore[arg-type]


def escaping(note: Path, before: str = "", stay: int = 600) -> str:
    """The code that makes a daemon, which writes its process id down, and stays itself."""
    return ESCAPE.format(note=str(note), before=before, stay=stay)


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("exit 0", Ended(code=0)),
        ("exit 3", Ended(code=3)),
        ("exit 255", Ended(code=255)),
        ("kill -TERM $$", Ended(signal="SIGTERM")),
        ("kill -KILL $$", Ended(signal="SIGKILL")),
    ],
)
async def test_how_a_process_ended_is_told_exactly(
    guard: Guard, tmp_path: Path, script: str, ended: Ended
) -> None:
    """Exit codes and signals arrive as they were."""
    process = await guard.spawn(Spawn(["sh", "-c", script], dict(os.environ), str(tmp_path)))
    assert await process.wait() == ended


async def test_each_process_has_a_session_of_its_own(guard: Guard, tmp_path: Path) -> None:
    """A signal to devloop's group, such as Ctrl-C, does not reach it."""
    read, write = os.pipe()
    code = "import os; print(os.getpid(), os.getpgid(0), os.getsid(0))"
    process = await guard.spawn(python(code, tmp_path, stdout=write))
    os.close(write)
    await process.wait()
    with os.fdopen(read) as out:
        assert out.read().split() == [str(process.pid)] * 3


async def test_descriptors_are_handed_over_under_their_numbers(
    guard: Guard, tmp_path: Path
) -> None:
    """What is passed has the same number there; nothing else of ours is open."""
    read, write = os.pipe()
    secret = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(secret, True)
    code = f"""
        import os
        os.write({write}, b"here")
        names = {{int(n) for n in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{{n}}")}}
        assert names == {{0, 1, 2, {write}}}, names
        """
    process = await guard.spawn(python(code, tmp_path, pass_fds=(write,), stderr=2))
    os.close(write)
    os.close(secret)
    assert await process.wait() == Ended(code=0)
    with os.fdopen(read) as out:
        assert out.read() == "here"


async def test_signals_are_as_a_shell_would_leave_them(guard: Guard, tmp_path: Path) -> None:
    """The guardian ignores SIGINT, SIGHUP and SIGPIPE; what it starts does not."""
    code = """
        import os, signal
        status = open("/proc/self/status").read() if os.path.exists("/proc/self/status") else ""
        lines = dict(line.split(":", 1) for line in status.splitlines())
        ignored = int(lines.get("SigIgn", "0"), 16)
        # Python itself ignores SIGPIPE and SIGXFSZ at its start. What is no valid signal is the
        # C library's own: glibc's posix_spawn, which Python 3.13 uses, leaves it ignored.
        others = signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}
        found = [number for number in others if ignored >> number - 1 & 1]
        assert not found, found
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        """
    process = await guard.spawn(python(code, tmp_path, stderr=2))
    assert await process.wait() == Ended(code=0)


@pytest.mark.parametrize(
    ("program", "cwd", "message"),
    [
        ("no-such-program", "", "command not found: 'no-such-program'"),
        ("./missing", "", "command not found: './missing'"),
        ("./plain", "", "'./plain' cannot be run: Permission denied"),
        ("./orphaned", "", "the program that its first line names does not exist"),
        ("./empty", "", "'./empty' cannot be run: Exec format error"),
        ("true", "nowhere", "cannot be entered: No such file or directory"),
    ],
)
async def test_what_cannot_be_started_says_why(
    guard: Guard, tmp_path: Path, program: str, cwd: str, message: str
) -> None:
    """A command that is not there is an error that names it, with a hint."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "orphaned").write_text("#!/no/such/interpreter\n")
    (tmp_path / "empty").write_text("echo\n")
    for name in ("orphaned", "empty"):
        (tmp_path / name).chmod(0o755)
    with pytest.raises(CommandError, match=message):
        await guard.spawn(Spawn([program], dict(os.environ), str(tmp_path / cwd)))
    process = await guard.spawn(Spawn(["true"], dict(os.environ), str(tmp_path)))
    assert await process.wait() == Ended(code=0)


async def test_undecodable_arguments_arrive_as_they_are(guard: Guard, tmp_path: Path) -> None:
    """Bytes of names that are not UTF-8 survive the way through the guardian."""
    read, write = os.pipe()
    name = os.fsdecode(b"caf\xe9")
    env = {**os.environ, "NAME": name}
    argv = ["sh", "-c", 'printf "%s %s" "$1" "$NAME"', "sh", name]
    process = await guard.spawn(Spawn(argv, env, str(tmp_path), stdout=write))
    os.close(write)
    await process.wait()
    with os.fdopen(read, "rb") as out:
        assert out.read() == b"caf\xe9 caf\xe9"


async def test_a_stop_waits_for_the_whole_group(guard: Guard, tmp_path: Path) -> None:
    """The shell ends at once, what it runs takes its time: the stop is over when both are (P2)."""
    note = tmp_path / "note"
    code = (
        "import signal, sys, time, os\n"
        "def end(*_):\n"
        "    time.sleep(0.3); open('note', 'a').write('-1\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open('note', 'a').write(f'{os.getpid()}\\n')\n"
        "while True: time.sleep(0.1)\n"  # a signal just before a sleep is handled after it
    )
    (tmp_path / "slow.py").write_text(code)
    script = f"{sys.executable} -I -S slow.py & wait"
    process = await guard.spawn(Spawn(["sh", "-c", script], dict(os.environ), str(tmp_path)))
    await until(lambda: noted(note), "the inner process runs")
    await process.stop()
    inner, last = noted(note, 2)
    assert last == -1
    assert not alive(inner)


async def stubborn(guard: Guard, tmp_path: Path) -> Process:
    """A process that ignores SIGTERM by now."""
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("note", "w").write("1\\n")
        time.sleep(600)
        """
    process = await guard.spawn(python(code, tmp_path))
    await until(lambda: noted(tmp_path / "note"), "it ignores the signal")
    return process


async def test_who_ignores_the_signal_is_killed(guard: Guard, tmp_path: Path) -> None:
    """After the stop timeout comes SIGKILL (P3)."""
    process = await stubborn(guard, tmp_path)
    assert await process.stop(timeout=0.2) == Ended(signal="SIGKILL")
    assert not alive(process.pid)


async def test_a_second_stop_shortens_the_first(guard: Guard, tmp_path: Path) -> None:
    """Who does not want to wait any longer need not (P7)."""
    process = await stubborn(guard, tmp_path)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.stop, signal.SIGTERM, 600)
            await anyio.wait_all_tasks_blocked()
            assert await process.stop(timeout=0) == Ended(signal="SIGKILL")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="daemon"),
        pytest.param("import signal; signal.signal(15, signal.SIG_IGN)", id="stubborn"),
        pytest.param(
            "import sys\n"
            "if len(sys.argv) < 2: os.execve(sys.executable, [sys.executable, '-I', '-S', '-c',"
            " 'import os, time; open(' + repr({note!r}) + ', \"a\").write(str(os.getpid()) +"
            " chr(10)); time.sleep(600)', 'x'], {{}})",
            id="without-its-environment",
        ),
    ],
)
async def test_who_got_away_is_ended_too(guard: Guard, tmp_path: Path, before: str) -> None:
    """A daemon with a session of its own goes when the process goes that it came from (P1)."""
    note = tmp_path / "note"
    code = escaping(note, before.format(note=str(note)))
    process = await guard.spawn(python(code, tmp_path, stderr=2))
    await until(lambda: noted(note), "the daemon runs")
    (daemon,) = noted(note)
    assert os.getsid(daemon) != process.pid
    await process.stop(timeout=0.5)
    assert not alive(daemon)
    assert not alive(process.pid)


async def test_what_a_dead_process_left_can_be_ended(guard: Guard, tmp_path: Path) -> None:
    """A stop after the end of the process ends its group and its daemons (P1)."""
    note = tmp_path / "note"
    (tmp_path / "daemon.py").write_text(escaping(note, stay=0))
    script = f"sleep 600 & echo $! >> note; {sys.executable} -I -S daemon.py; kill -KILL $$"
    process = await guard.spawn(Spawn(["sh", "-c", script], dict(os.environ), str(tmp_path)))
    assert await process.wait() == Ended(signal="SIGKILL")
    await until(lambda: noted(note, 2), "both run")
    left = noted(note, 2)
    assert all(map(alive, left))
    await process.stop()
    assert not any(map(alive, left))


async def test_the_end_of_a_tree_is_told(guard: Guard, tmp_path: Path) -> None:
    """A launcher has ended, and what it launched has, without being asked."""
    script = "sleep 0.3 & echo $! > note"
    process = await guard.spawn(Spawn(["sh", "-c", script], dict(os.environ), str(tmp_path)))
    assert await process.wait() == Ended(code=0)
    (left,) = noted(tmp_path / "note")
    with anyio.fail_after(60):
        await process.wait_tree()
    assert not alive(left)


async def test_other_processes_are_left_alone(guard: Guard, tmp_path: Path) -> None:
    """Ending one tree does not touch another one's daemon."""
    notes = [tmp_path / "first", tmp_path / "second"]
    processes = [await guard.spawn(python(escaping(note), tmp_path)) for note in notes]
    await until(lambda: all(map(noted, notes)), "both daemons run")
    (first,), (second,) = map(noted, notes)
    await processes[0].stop()
    assert not alive(first)
    assert alive(second)


async def test_a_stopped_process_can_be_ended(guard: Guard, tmp_path: Path) -> None:
    """SIGCONT comes with the stop signal: it ends by that, not by SIGKILL."""
    process = await guard.spawn(Spawn(["sleep", "600"], dict(os.environ), str(tmp_path)))
    await process.signal(signal.SIGSTOP)
    stopped = psutil.Process(process.pid)
    await until(lambda: stopped.status() == psutil.STATUS_STOPPED, "it is stopped")
    assert await process.stop() == Ended(signal="SIGTERM")


async def test_leaving_ends_everything(tmp_path: Path) -> None:
    """Nothing is left when the client is left, the guardian included."""
    note = tmp_path / "note"
    async with Guard() as guard:
        process = await guard.spawn(python(escaping(note), tmp_path))
        await until(lambda: noted(note), "the daemon runs")
    assert not alive(process.pid)
    assert not alive(noted(note)[0])
    assert not alive(guard.pid)
    assert process.ended == Ended(signal="SIGTERM")


async def test_leaving_by_an_error_passes_it_on(tmp_path: Path) -> None:
    """An exception inside the block comes out of it as it is, and everything is ended."""
    started: list[Process] = []

    async def fail() -> None:
        async with Guard() as guard:
            spawn = Spawn(["sleep", "600"], dict(os.environ), str(tmp_path))
            started.append(await guard.spawn(spawn))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()
    assert not alive(started[0].pid)


async def test_leaving_by_cancellation_ends_everything(tmp_path: Path) -> None:
    """A cancelled devloop ends its processes all the same."""
    with anyio.CancelScope() as scope:
        async with Guard() as guard:
            process = await guard.spawn(Spawn(["sleep", "600"], dict(os.environ), str(tmp_path)))
            scope.cancel()
            await anyio.sleep_forever()
    assert not alive(process.pid)
    assert not alive(guard.pid)


OWNER = """
import sys
sys.path.insert(0, sys.argv[1])
import anyio, os
from devloop.execute.guard import Guard, Spawn

async def main():
    async with Guard() as guard:
        for argv in (["sleep", "600"], [sys.executable, "-I", "-S", "daemon.py"],
                     ["sh", "-c", "sleep 600 & echo $! >> note; wait"]):
            process = await guard.spawn(Spawn(argv, dict(os.environ), os.getcwd(),
                                              stop_timeout=float(sys.argv[2])))
            print(process.pid, flush=True)
        print(guard.pid, flush=True)
        print("up", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def owner(tmp_path: Path, stop_timeout: float = 0.5) -> tuple[subprocess.Popen[str], list[int]]:
    """A program that owns processes as devloop does, and their ids with the guardian's."""
    (tmp_path / "daemon.py").write_text(
        "import signal; signal.signal(15, signal.SIG_IGN)\n" + escaping(tmp_path / "note", stay=0)
    )
    (tmp_path / "owner.py").write_text(OWNER)
    folder = str(Path(devloop.__file__).parents[1])
    popen = subprocess.Popen(
        [sys.executable, "owner.py", folder, str(stop_timeout)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert popen.stdout is not None
    pids = []
    for line in popen.stdout:
        if line == "up\n":
            break
        pids.append(int(line))
    return popen, pids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_the_death_of_the_owner_is_the_death_of_all(
    tmp_path: Path, number: signal.Signals
) -> None:
    """However devloop is killed, alone and without a chance: nothing survives it (P6)."""
    popen, pids = owner(tmp_path)
    try:
        await until(lambda: noted(tmp_path / "note", 2), "the daemon and the sleeper run")
        escaped = noted(tmp_path / "note", 2)
        assert all(map(alive, escaped))
        pids += escaped
        popen.send_signal(number)
        popen.communicate(timeout=60)
    finally:
        popen.kill()
        popen.communicate()
    await until(lambda: not any(map(alive, pids)), "all have ended")


@pytest.mark.slow
async def test_without_its_owner_no_process_has_an_hour_to_stop(tmp_path: Path) -> None:
    """A long stop timeout is for whoever waits for it; there is nobody any more (P6)."""
    popen, pids = owner(tmp_path, stop_timeout=3600)
    try:
        await until(lambda: noted(tmp_path / "note", 2), "the daemon and the sleeper run")
        pids += noted(tmp_path / "note", 2)
        popen.kill()
    finally:
        popen.communicate()
    await until(lambda: not any(map(alive, pids)), "all have ended")


async def test_the_death_of_the_guardian_is_noticed(tmp_path: Path) -> None:
    """Should the guardian be killed, its processes die, and waiting for one is an error (P6)."""
    note = tmp_path / "note"
    async with Guard() as guard:
        process = await guard.spawn(python(escaping(note), tmp_path))
        await until(lambda: noted(note), "the daemon runs")
        os.kill(guard.pid, signal.SIGKILL)
        with anyio.fail_after(60):
            await guard.lost.wait()
            with pytest.raises(GuardianLost):
                await process.wait()
            with pytest.raises(GuardianLost):
                await process.stop()
            with pytest.raises(GuardianLost):
                await guard.spawn(Spawn(["true"], dict(os.environ), str(tmp_path)))
    pids = [process.pid, *noted(note)]
    await until(lambda: not any(map(alive, pids)), "its processes have died")


async def test_the_guardian_is_not_interrupted(guard: Guard, tmp_path: Path) -> None:
    """Ctrl-C and the terminal's hang-up are devloop's business, not the guardian's."""
    process = await guard.spawn(Spawn(["sleep", "600"], dict(os.environ), str(tmp_path)))
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(guard.pid, number)
    other = await guard.spawn(Spawn(["true"], dict(os.environ), str(tmp_path)))
    assert await other.wait() == Ended(code=0)
    assert process.ended is None
    assert not guard.lost.is_set()


async def test_a_terminated_guardian_ends_all_in_order(tmp_path: Path) -> None:
    """SIGTERM to the guardian stops everything in stages, as at the end of devloop."""
    async with Guard() as guard:
        process = await guard.spawn(Spawn(["sleep", "600"], dict(os.environ), str(tmp_path)))
        os.kill(guard.pid, signal.SIGTERM)
        with anyio.fail_after(60):
            await guard.lost.wait()
        assert process.ended == Ended(signal="SIGTERM")
        assert not alive(process.pid)


async def test_an_idle_guardian_sleeps(guard: Guard, tmp_path: Path) -> None:
    """While nothing happens it is not woken: there is no polling in it."""
    process = await guard.spawn(Spawn(["sleep", "600"], dict(os.environ), str(tmp_path)))
    guardian = psutil.Process(guard.pid)
    await until(lambda: guardian.status() == psutil.STATUS_SLEEPING, "it sleeps")
    before = guardian.num_ctx_switches().voluntary
    await anyio.sleep(1)
    assert guardian.num_ctx_switches().voluntary == before
    await process.stop()
