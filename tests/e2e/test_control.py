"""A running `watch`, asked and followed from other processes (DESIGN §2)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Shell, Watching

Watch = Callable[..., "Watching"]

PROJECT = """
cart.py
    def total(prices):
        return sum(prices)
test_cart.py
    import cart
    def test_total():
        assert cart.total([1, 2]) == 4
    def test_empty():
        assert cart.total([]) == 0
test_alone.py
    def test_alone():
        pass
app.py
    import time
    print("up", flush=True)
    time.sleep(600)
make_css.py
    import shutil
    shutil.copy("in.txt", "out.txt")
in.txt
    text
devloop.toml
    [apps.web]
    command = ["{python}", "app.py"]
    [steps.css]
    command = ["{python}", "make_css.py"]
    inputs = ["in.txt"]
    outputs = ["out.txt"]
"""


@pytest.fixture
def project(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> Path:
    """A project with an app, a step, two tests that pass and one that fails."""
    root = tmp_path / "p"
    root.mkdir()
    write_tree(root, PROJECT.replace("{python}", sys.executable))
    return root


@pytest.fixture
def running(project: Path, watching: Watch) -> Watching:
    """A `watch` whose first cycle has ended."""
    session = watching(project)
    session.wait("cycle-finished")
    return session


class Follower:
    """A devloop that goes on, and the lines that it has written so far."""

    def __init__(self, command: tuple[str, ...], root: Path, environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()

    def until(self, check: Callable[[list[str]], object], timeout: float = 60.0) -> None:
        """Wait until the lines so far are right."""
        with self._news:
            assert self._news.wait_for(lambda: check(self.lines), timeout), self.lines

    def end(self, number: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """End it, or wait for its end; its exit code, and what it wrote to standard error."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(60)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout, self.process.stderr:
            return code, self.process.stderr.read()


@pytest.fixture
def follower(
    project: Path, devloop_command: tuple[str, ...], plain_environment: dict[str, str]
) -> Iterator[Callable[..., Follower]]:
    """Start a devloop that goes on."""
    begun: list[Follower] = []

    def begin(*arguments: str) -> Follower:
        begun.append(Follower((*devloop_command, *arguments), project, plain_environment))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def status(devloop: Devloop, root: Path) -> dict[str, Any]:
    """What stands."""
    done = devloop("status", "--format", "json", cwd=root)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return found


def test_status_says_what_stands(running: Watching, devloop: Devloop) -> None:
    """For a program, and for a person: cycle, app, step, what fails and where; exit code 1."""
    found = status(devloop, running.root)
    assert found["v"] == 1
    assert found["pid"] == running.process.pid
    assert not found["ok"]
    cycle = found["cycle"]
    assert (cycle["number"], cycle["trigger"], cycle["outcome"]) == (1, "start", "failed")
    assert (cycle["passed"], cycle["failed"], cycle["due"]) == (2, 1, 0)
    (app,) = found["apps"]
    assert (app["name"], app["state"]) == ("web", "ready")
    assert app["pid"] == running.of("app-ready")[-1]["pid"]
    (step,) = found["steps"]
    assert (step["name"], step["state"]) == ("css", "built")
    (test,) = found["failing"]
    assert test["nodeid"] == "test_cart.py::test_total"
    assert (test["path"], test["line"]) == ("test_cart.py", 3)
    assert test["message"] == "assert 3 == 4"
    (failed,) = running.of("test-finished", outcome="failed")
    assert abs(test["since"] - failed["t"]) < 1
    done = devloop("status", cwd=running.root)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"watch     pid {running.process.pid}, for ")
    assert re.fullmatch(r"cycle     1 \(start\) failed in \S+, 3 tests ran, .+ ago", lines[1])
    assert re.fullmatch(r"app web   ready, pid \d+, (\w+, )?in \S+, .+ ago", lines[2])
    assert re.fullmatch(r"step css  built, in \S+, .+ ago", lines[3])
    assert lines[4:] == [
        "tests     1 of 3 failing",
        "",
        "test_cart.py::test_total",
        "  test_cart.py:3: assert 3 == 4",
    ]
    assert done.returncode == 1


def test_status_follows_what_changes(running: Watching, devloop: Devloop) -> None:
    """A mended test is not among what fails any more, and the exit code is 0."""
    running.save(
        "test_cart.py",
        PROJECT.split("test_cart.py\n")[1]
        .split("test_alone")[0]
        .replace("\n    ", "\n")
        .replace("== 4", "== 3")
        .strip(),
    )
    running.wait("cycle-finished", outcome="passed")
    found = status(devloop, running.root)
    assert found["ok"]
    assert found["failing"] == []
    assert found["cycle"]["number"] == 2


@pytest.mark.parametrize("arguments", [["status"], ["status", "--follow"], ["trigger", "all"]])
def test_without_a_watch_one_is_told_so(
    project: Path, devloop: Devloop, arguments: list[str]
) -> None:
    """With what to do; and nothing is made in the project."""
    done = devloop(*arguments, cwd=project)
    assert done.returncode == 4
    assert done.stderr == (
        f"error: no `devloop watch` runs in {project}\nStart one: devloop watch\n"
    )
    assert not (project / ".devloop").exists()


def test_trigger_waits_for_what_comes_of_it(running: Watching, devloop: Devloop) -> None:
    """Its exit code is that of what stands then; the cycle is known as asked for."""
    running.seen = len(running.events)
    done = devloop("trigger", "all", cwd=running.root)
    assert done.returncode == 1
    assert "devloop: 1 failed, 2 passed" in done.stdout
    assert "test_cart.py:3:1: error: assert 3 == 4 [test_cart.py::test_total]" in done.stdout
    assert done.stdout.count("devloop: cycle started") == 1
    assert running.wait("cycle-started")["trigger"] == "control"
    assert running.wait("run-finished")["failed"] == 1


def test_trigger_failed_runs_what_failed(running: Watching, devloop: Devloop) -> None:
    """And nothing else; what is mended meanwhile is taken up first, however quick one is."""
    running.seen = len(running.events)
    devloop("trigger", "failed", cwd=running.root)
    assert running.wait("run-finished")["failed"] == 1
    assert [e["nodeid"] for e in running.of("test-finished", cycle=2)] == [
        "test_cart.py::test_total"
    ]
    text = (running.root / "test_cart.py").read_text()
    running.save("test_cart.py", text.replace("== 4", "== 3"))
    done = devloop("trigger", "rerun", cwd=running.root)
    assert done.returncode == 0, done.stdout


def test_trigger_restarts_an_app(running: Watching, devloop: Devloop) -> None:
    """And waits until it is ready."""
    before = running.of("app-ready")[-1]["pid"]
    devloop("trigger", "restart", "web", cwd=running.root)
    assert running.of("app-ready")[-1]["pid"] != before
    assert status(devloop, running.root)["apps"][0]["pid"] == running.of("app-ready")[-1]["pid"]


def test_trigger_runs_a_step_though_it_is_up_to_date(running: Watching, devloop: Devloop) -> None:
    """As `build --force` does."""
    (running.root / "out.txt").write_text("spoilt")
    devloop("trigger", "step", "css", cwd=running.root)
    assert (running.root / "out.txt").read_text() == "text\n"


def test_what_is_not_there_is_named_with_what_is(running: Watching, devloop: Devloop) -> None:
    """Exit code 4; the shell completes the names of what is there."""
    for arguments, message in (
        (["restart", "wep"], "there is no app wep\n.*web"),
        (["step", "cs"], "there is no step cs\n.*css"),
        (["step"], "which step?"),
        (["all", "web"], "all takes no name"),
    ):
        done = devloop("trigger", *arguments, cwd=running.root)
        assert done.returncode == 4
        assert re.search(message, done.stderr), done.stderr
    for words, found in (
        ("devloop trigger restart ", ["web"]),
        ("devloop trigger step c", ["css"]),
        ("devloop build ", ["css"]),
        ("devloop trigger restart we", ["web"]),
    ):
        done = devloop(
            cwd=running.root,
            _DEVLOOP_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(len(words.split(" ")) - 1),
        )
        assert [line.partition(",")[2] for line in done.stdout.splitlines()] == found


def test_paused_it_begins_nothing_until_it_goes_on(running: Watching, devloop: Devloop) -> None:
    """Changes wait; status says so. How long they did is not how long their cycle took."""
    done = devloop("trigger", "pause", cwd=running.root)
    assert (done.returncode, done.stderr) == (0, "devloop: paused\n")
    text = (running.root / "test_cart.py").read_text()
    running.save("test_cart.py", text.replace("== 4", "== 3"))
    running.wait("mode-changed", waiting=1)
    assert status(devloop, running.root)["paused"]
    assert not running.of("cycle-started", cycle=2)
    resumed = time.time()
    done = devloop("trigger", "resume", cwd=running.root)
    assert done.returncode == 0, done.stdout
    (end,) = running.of("cycle-finished", cycle=2, outcome="passed")
    assert end["seconds"] <= end["t"] - resumed


def test_stop_ends_it_and_all_that_it_runs(running: Watching, devloop: Devloop) -> None:
    """When the command returns, all is gone; the exit code of `watch` is 0."""
    done = devloop("trigger", "stop", cwd=running.root)
    assert (done.returncode, done.stderr) == (0, "devloop: stopped\n")
    assert running.process.wait(60) == 0
    names = {path.name for path in (running.root / ".devloop").iterdir()}
    assert not any(name.startswith("control") for name in names)


def test_several_follow_and_all_hear_the_same(
    running: Watching, follower: Callable[..., Follower]
) -> None:
    """As JSON: first what stands, then each event as the first's own reporter has it."""
    followers = [follower("status", "--follow", "--format", "json") for _ in range(3)]
    for one in followers:
        one.until(lambda lines: any('"cycle-finished"' in line for line in lines))
    running.save("test_alone.py", "def test_alone():\n    assert 1\n")
    end = running.wait("cycle-finished")
    for one in followers:
        one.until(lambda lines: end in map(json.loads, lines))
        heard = [json.loads(line) for line in one.lines]
        assert heard[0]["event"] == "session-started"
        assert [e for e in heard if e.get("cycle") == 2] == running.of_cycle(2)
    for one in followers:
        assert one.end() == (0, "")


def test_who_follows_late_is_shown_what_stands(
    running: Watching, follower: Callable[..., Follower]
) -> None:
    """By the ordinary reporter: what failed in an earlier cycle is a problem still."""
    running.save("test_alone.py", "def test_alone():\n    assert 1\n")
    running.wait("cycle-finished")
    late = follower("status", "--follow")
    late.until(lambda lines: lines.count("devloop: cycle finished") == 2)
    problem = "test_cart.py:3:1: error: assert 3 == 4 [test_cart.py::test_total]"
    last = late.lines[-late.lines[::-1].index("devloop: cycle started") :]
    assert problem in last
    running.end()
    code, errors = late.end(None)
    assert (code, errors) == (0, "")


def test_a_killed_watch_is_told_to_those_who_follow(
    running: Watching, follower: Callable[..., Follower], watching: Watch, devloop: Devloop
) -> None:
    """As an error; the next one meets nothing that is in its way."""
    late = follower("status", "--follow")
    late.until(lambda lines: "devloop: cycle finished" in lines)
    running.send(signal.SIGKILL)
    running.process.wait(60)
    code, errors = late.end(None)
    assert code == 3
    assert errors == f"error: the `devloop watch` in {running.root} has ended without a word\n"
    done = devloop("status", cwd=running.root)
    assert (done.returncode, "no `devloop watch` runs" in done.stderr) == (4, True)
    again = watching(running.root)
    again.wait("cycle-finished")
    assert not again.of("notice", severity="warning")
    assert status(devloop, running.root)["pid"] == again.process.pid


def test_a_second_watch_says_how_to_follow_the_first(running: Watching, devloop: Devloop) -> None:
    """Where there is no terminal to ask at."""
    done = devloop("watch", cwd=running.root)
    assert done.returncode == 4
    assert done.stderr == (
        f"error: another `devloop watch` (pid {running.process.pid}) runs in {running.root}\n"
        "`devloop status --follow` shows what it does, `devloop trigger` asks it for something; "
        "`devloop test` and `devloop build` work beside it.\n"
    )


def test_a_second_watch_at_a_terminal_offers_to_follow(
    shell: Callable[[dict[str, str]], Shell], watching: Watch
) -> None:
    """It shows what stands and what happens; Ctrl-C ends it, and the first goes on."""
    at = shell({"test_a.py": "def test_a():\n    assert 1 == 2\n"})
    first = watching(at.root)
    first.wait("cycle-finished")
    at.run("watch")
    at.expect(f"(pid {first.process.pid}) runs in")
    at.expect("Follow it?")
    at.child.sendline("y")
    at.expect("assert 1 == 2")
    at.expect("1 failed")
    first.save("test_a.py", "def test_a():\n    assert 1 == 1\n")
    at.expect("fixed test_a.py::test_a")
    at.child.sendintr()
    assert at.ended() == 0
    assert first.process.poll() is None
    at.run("watch")
    at.expect("Follow it?")
    at.child.sendline("n")
    assert at.ended() == 0


def test_another_configuration_keeps_those_who_follow(
    running: Watching, follower: Callable[..., Follower], devloop: Devloop
) -> None:
    """The next loop of the session answers them; what is configured no more is gone."""
    late = follower("status", "--follow", "--format", "json")
    late.until(lambda lines: any('"cycle-finished"' in line for line in lines))
    config = (running.root / "devloop.toml").read_text()
    running.save("devloop.toml", config.replace("[steps.css]", "[steps.style]"))
    running.wait("cycle-started", trigger="start")
    running.wait("cycle-finished")
    late.until(lambda lines: '"cycle":2' in lines[-1] and '"cycle-finished"' in lines[-1])
    assert [one["name"] for one in status(devloop, running.root)["steps"]] == ["style"]
    done = devloop("trigger", "step", "css", cwd=running.root)
    assert done.returncode == 4
    assert "style" in done.stderr


def test_a_project_at_a_long_path_has_a_control_socket_too(
    tmp_path: Path, watching: Watch, devloop: Devloop
) -> None:
    """In the user's own folder for such things; nothing is left there."""
    root = tmp_path / ("long" * 25) / ("path" * 25)
    root.mkdir(parents=True)
    (root / "test_a.py").write_text("def test_a(): pass\n")
    with tempfile.TemporaryDirectory() as place:  # its path is short, wherever tests have theirs
        session = watching(root, XDG_RUNTIME_DIR=place)
        session.wait("cycle-finished")
        # The link in the project leads there, whatever the asker's own folder is.
        assert status(devloop, root)["ok"]
        session.end()
        assert [list(folder.iterdir()) for folder in Path(place).iterdir()] == [[]]


def test_a_stuck_follower_holds_nothing_up(
    running: Watching, follower: Callable[..., Follower], devloop: Devloop
) -> None:
    """A stopped process (Ctrl-Z) that follows an app which prints without end."""
    late = follower("status", "--follow")
    late.until(lambda lines: "devloop: cycle finished" in lines)
    os.kill(late.process.pid, signal.SIGSTOP)
    try:
        running.save("app.py", "while True:\n    print('x' * 1000)\n")
        running.wait("app-started")
        seen = len(running.events)
        running.until(lambda: len(running.events) > seen + 200)
        began = time.monotonic()
        assert status(devloop, running.root)["pid"] == running.process.pid
        running.save("app.py", "import time\ntime.sleep(600)\n")
        running.wait("app-started", timeout=40)
        assert time.monotonic() - began < 40
    finally:
        os.kill(late.process.pid, signal.SIGCONT)


def test_a_watch_ends_when_nobody_reads_it_any_more(
    project: Path,
    devloop: Devloop,
    devloop_command: tuple[str, ...],
    plain_environment: dict[str, str],
) -> None:
    """At once, though nothing happens: whoever started it for its output is gone."""
    ours, theirs = os.pipe()
    command = [*devloop_command, "watch", "--reporter", "plain"]
    session = subprocess.Popen(
        command, cwd=project, env=plain_environment, stdin=subprocess.DEVNULL, stdout=theirs
    )
    try:
        os.close(theirs)
        said = b""
        while b"devloop: cycle finished" not in said:
            said += os.read(ours, 10_000)
        (app,) = status(devloop, project)["apps"]
        os.close(ours)
        assert session.wait(60) == 0
        assert not psutil.pid_exists(app["pid"])
    finally:
        session.kill()
        session.wait(60)
