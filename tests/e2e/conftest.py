"""What black-box tests use: the command line, run as a user would run it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pexpect
import psutil
import pyte
import pytest

from tests.e2e.forked import Forked

Event = dict[str, Any]

LAUNCHER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from devloop.cli.main import main
sys.argv[0] = "devloop"
main()
"""
"""The console script, for a checkout that need not be installed. Nothing of it is inherited by
the project's own processes, as a PYTHONPATH would be, and no module of the project shadows ours."""

COMMAND = (sys.executable, "-I", "-c", LAUNCHER)


class Devloop(Protocol):
    """Run `devloop` to its end."""

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it in `cwd` (else the test's own folder) with some environment variables set."""


@pytest.fixture
def plain_environment(tmp_path: Path) -> dict[str, str]:
    """The environment, without what would change devloop's ways: CI, colours, its own flags.

    What `few_plugins` has put there stays.
    """
    loud = {"CI", "NO_COLOR", "FORCE_COLOR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "COLUMNS"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in loud
        and (name == "PYTEST_ADDOPTS" or not name.startswith(("DEVLOOP_", "PYTEST_", "_DEVLOOP")))
    }
    return {**kept, "HOME": str(tmp_path / "home")}


@pytest.fixture(scope="session")
def devloop_command() -> tuple[str, ...]:
    """The words that start `devloop`."""
    return COMMAND


@pytest.fixture(scope="session")
def forked_devloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    """`devloop`, imported once."""
    made = Forked("devloop", tmp_path_factory.mktemp("forked"), sys.executable, "-I")
    yield made
    made.close()


@pytest.fixture
def devloop(tmp_path: Path, plain_environment: dict[str, str], forked_devloop: Forked) -> Devloop:
    """Run `devloop` to its end, forked; standard output and error are captured."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        variables = {**plain_environment, **environment}
        return forked_devloop([*map(str, arguments)], cwd or tmp_path, variables)

    return run


@pytest.fixture
def started_devloop(tmp_path: Path, plain_environment: dict[str, str]) -> Devloop:
    """Run `devloop` to its end as a person does, from nothing."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={**plain_environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


class Watching:
    """A `devloop watch` that reports in JSON, and what it has reported so far.

    Args:
        root: the folder it runs in.
        command: its words.
        environment: its environment; what it starts inherits a mark from it, the one that is in
            it already, else a new one.
    """

    def __init__(self, root: Path, command: list[str], environment: dict[str, str]) -> None:
        self.root = root
        self.mark = environment.get("TRAP_MARK") or uuid.uuid4().hex
        self.events: list[Event] = []
        self.seen = 0
        """How many of them `wait` has gone past."""

        self._news = threading.Condition()
        self._over = False
        self._errors = root.with_name(f"{root.name}-{self.mark}.stderr")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=root,
                env={**environment, "TRAP_MARK": self.mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._errors.read_text(errors="replace")

    def wait(self, kind: str, timeout: float = 150.0, **fields: object) -> Event:
        """Go on to the next event of a kind with these fields; what was seen does not count."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                while self.seen < len(self.events):
                    event = self.events[self.seen]
                    self.seen += 1
                    if event["event"] == kind and fields.items() <= event.items():
                        return event
                left = deadline - time.monotonic()
                assert left > 0, f"no {kind} {fields} came\n{self}"
                assert not self._over, f"it ended before {kind} {fields}\n{self}"
                self._news.wait(left)

    def save(self, path: str, text: str) -> None:
        """Write a file of the project; what is waited for from now on comes after that."""
        with self._news:
            self.seen = len(self.events)
        (self.root / path).write_text(text)

    def cycle(self, **fields: object) -> list[Event]:
        """Go on to the next end of a cycle with these fields; all of the cycle's events."""
        self.wait("cycle-finished", 150.0, **fields)
        number = self.events[self.seen - 1]["cycle"]
        return [event for event in self.events if event.get("cycle") == number]

    def of(self, kind: str, **fields: object) -> list[Event]:
        """All events of a kind with these fields, from the beginning."""
        return [e for e in tuple(self.events) if e["event"] == kind and fields.items() <= e.items()]

    def of_cycle(self, number: int) -> list[Event]:
        """All events of a cycle."""
        return [event for event in tuple(self.events) if event.get("cycle") == number]

    def send(self, number: signal.Signals) -> None:
        """Signal devloop's own process, and none else."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGINT, timeout: float = 60.0) -> int:
        """End it with a signal; its exit code."""
        if self.process.poll() is None:
            self.send(number)
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def started(self) -> dict[int, str]:
        """The processes that it, or what it has started, has started and that live: their words."""
        found = {}
        for process in psutil.process_iter():
            try:
                marked = process.environ().get("TRAP_MARK") == self.mark
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.pid] = " ".join(process.cmdline())
            except (psutil.Error, OSError):
                continue
        return found

    def until(self, check: Callable[[], object], timeout: float = 150.0) -> None:
        """Wait for what no event tells."""
        deadline = time.monotonic() + timeout
        while not check():
            assert time.monotonic() < deadline, self
            time.sleep(0.01)

    def until_nothing_is_left(self, timeout: float = 150.0) -> None:
        """Wait until all that it has started is gone."""
        deadline = time.monotonic() + timeout
        while left := self.started():
            assert time.monotonic() < deadline, left
            time.sleep(0.02)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._news:
                    self.events.append(json.loads(line))
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def __str__(self) -> str:
        lines = [json.dumps(event)[:400] for event in tuple(self.events)]
        return "\n".join([*lines, "standard error:", self.errors[-4000:]])


@pytest.fixture
def watching(
    tmp_path: Path, plain_environment: dict[str, str]
) -> Iterator[Callable[..., Watching]]:
    """Start `devloop watch --reporter jsonl`; whatever it starts must be gone when it has ended."""
    begun: list[Watching] = []

    def watch(root: Path, *arguments: str, **environment: str) -> Watching:
        command = [*COMMAND, "watch", "--reporter", "jsonl", "--output", "events", *arguments]
        begun.append(Watching(root, command, {**plain_environment, **environment}))
        return begun[-1]

    yield watch
    try:
        for one in begun:
            one.end()
            one.until_nothing_is_left()
    finally:
        for one in begun:
            for pid in one.started():
                os.kill(pid, signal.SIGKILL)
            one.process.wait(60)


class Shell:
    """A person's shell in a terminal, with `devloop` in its path."""

    def __init__(
        self,
        root: Path,
        command: tuple[str, ...],
        environment: dict[str, str],
        columns: int = 100,
    ) -> None:
        self.root = root
        self.columns = columns
        environment = {**environment, "TERM": "xterm-256color", "PS1": "", "TRAP_MARK": str(root)}
        self.child = pexpect.spawn(
            "sh",
            ["-i"],
            cwd=str(root),
            env=environment,
            timeout=120,
            encoding="utf-8",
            codec_errors="replace",  # Ctrl-C has the system drop what is not read yet
            dimensions=(24, columns),
        )
        self.devloop = shlex.join(command)
        self.log = io.StringIO()
        self.child.logfile_read = self.log

    def expect(self, text: str) -> None:
        """Wait until it shows something."""
        self.child.expect(re.escape(text))

    def seen(self) -> str:
        """All that was written on it."""
        return self.log.getvalue()

    def screen(self) -> tuple[list[str], list[str]]:
        """What a person sees by now: the lines that scrolled away, and those on the screen."""
        screen = pyte.HistoryScreen(self.columns, 24, history=10_000, ratio=1)
        pyte.Stream(screen).feed(self.seen())
        above = [
            "".join(line[column].data for column in range(self.columns))
            for line in screen.history.top
        ]
        return [line.rstrip() for line in above], [line.rstrip() for line in screen.display]

    def until(self, check: Callable[[], object], timeout: float = 150.0) -> None:
        """Wait for what the screen does not tell."""
        deadline = time.monotonic() + timeout
        while not check():
            assert time.monotonic() < deadline, self.seen()
            time.sleep(0.02)

    def run(self, *arguments: str) -> None:
        """Type a devloop command."""
        self.child.sendline(
            f"stty -a > before; {self.devloop} {shlex.join(arguments)}; echo co''de $?"
        )

    def ended(self) -> int:
        """Wait for the prompt, which must be as it was; the exit code."""
        self.child.expect(r"code (\d+)")
        code = int(str(self.child.match.group(1)))  # type: ignore[union-attr]
        deadline = time.monotonic() + 60
        while not termios.tcgetattr(self.child.child_fd)[3] & termios.ICANON:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.child.sendline("stty -a > after; echo che''cked")
        self.expect("checked")
        assert self.modes("after") == self.modes("before")
        return code

    def modes(self, name: str) -> list[str]:
        """What `stty -a` has written into a file, without the window's size."""
        return (self.root / name).read_text().splitlines()[1:]

    def pid(self) -> int:
        """Of the devloop that runs."""
        return int((self.root / ".devloop" / "watch.pid").read_text())

    def others(self) -> list[str]:
        """What lives that the shell has started, directly or not."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get("TRAP_MARK") == str(self.root)
                if marked and process.pid != self.child.pid:
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return found

    def alone(self) -> None:
        """Wait until nothing lives that it has started."""
        deadline = time.monotonic() + 60
        while others := self.others():
            assert time.monotonic() < deadline, others
            time.sleep(0.02)


@pytest.fixture
def shell(
    tmp_path: Path, devloop_command: tuple[str, ...], plain_environment: dict[str, str]
) -> Iterator[Callable[..., Shell]]:
    """A shell in a project with these files."""
    begun: list[Shell] = []

    def begin(files: dict[str, str], columns: int = 100) -> Shell:
        root = tmp_path / "p"
        root.mkdir()
        for path, text in files.items():
            (root / path).write_text(text)
        begun.append(Shell(root, devloop_command, plain_environment, columns))
        return begun[-1]

    yield begin
    for one in begun:
        one.child.close(force=True)
        one.alone()
