"""Apps in pseudo-terminals, and the real terminal beside them (traps P15 and P16)."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import sys
import termios
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pexpect
import pytest

import devloop
from devloop.config.types import App, Ready
from devloop.events import AppExited, Event, Output
from devloop.execute.apps import AppSupervisor, typed_to
from devloop.execute.guard import Guard
from devloop.execute.streams import plain
from devloop.execute.terminal import Dialogue, Terminal, restored, size_of, typing

pytestmark = pytest.mark.anyio


class Screen:
    """One app in a terminal: what it shows, as events and as a dialogue."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lines = ""
        self.prompt = ""
        self.dialogue = b""
        self.over = 0
        self.app: AppSupervisor

    def emit(self, event: Event) -> None:
        """Take an event in."""
        self.events.append(event)
        if isinstance(event, Output) and event.partial:
            self.prompt = event.text
        elif isinstance(event, Output):
            self.lines += plain(event.text) + "\n"

    def show(self, data: bytes | None) -> None:
        """Take a part of a dialogue in."""
        if data is None:
            self.over += 1
        else:
            self.dialogue += data

    @property
    def all(self) -> str:
        """What a person has seen, in two parts."""
        return self.lines + self.dialogue.decode()

    async def until(self, check: Callable[[], object], what: str) -> None:
        """Wait for something that comes soon."""
        deadline = anyio.current_time() + 60
        while not check():
            assert anyio.current_time() < deadline, (what, self.lines, self.prompt, self.dialogue)
            await anyio.sleep(0.01)

    async def type(self, text: str) -> None:
        """Type into the app's terminal."""
        assert self.app.terminal is not None
        await self.app.terminal.type(text.encode())


@contextlib.asynccontextmanager
async def shown(root: Path, code: str, *, dialogue: bool = False) -> AsyncIterator[Screen]:
    """A Python program in a terminal of 30 rows and 90 columns."""
    (root / "app.py").write_text(textwrap.dedent(code))
    screen = Screen()
    environ = {name: value for name, value in os.environ.items() if name != "INPUTRC"}
    async with Guard() as guard:
        screen.app = AppSupervisor(
            "web",
            App(
                command=(sys.executable, "-I", "app.py"), ready=Ready(log="^up"), stop_timeout="2s"
            ),
            guard=guard,
            emit=screen.emit,
            root=root,
            interpreter=sys.executable,
            environ={**environ, "TERM": "xterm", "COLUMNS": "7", "LINES": "7"},
            terminal=(30, 90),
            dialogue=screen.show if dialogue else None,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(screen.app.run)
            screen.app.restart()
            assert await screen.app.settled() == "ready", screen.lines
            yield screen
            tasks.cancel_scope.cancel()


async def test_an_app_has_a_terminal_of_its_own(tmp_path: Path) -> None:
    """It is one by every sign, controls its session, and has the window's size."""
    code = """
        import os, shutil, sys, time
        print(os.isatty(0), os.isatty(1), os.isatty(2))
        print(*shutil.get_terminal_size())
        tty = os.open("/dev/tty", os.O_RDWR)
        print(os.tcgetpgrp(tty) == os.getpid() == os.getsid(0))
        print("up")
        time.sleep(600)
        """
    async with shown(tmp_path, code) as screen:
        assert screen.lines == "True True True\n90 30\nTrue\nup\n"


async def test_the_windows_size_is_forwarded(tmp_path: Path) -> None:
    """The app gets SIGWINCH and the new size; so does its successor."""
    code = """
        import os, shutil, signal, time
        def show(*_):
            os.write(1, b"size %d %d\\n" % os.get_terminal_size())
        signal.signal(signal.SIGWINCH, show)
        show()
        print("up", flush=True)
        while True:
            time.sleep(0.1)  # a signal just before a sleep is handled after it
        """
    async with shown(tmp_path, code) as screen:
        screen.app.resize((40, 120))
        await screen.until(lambda: "size 120 40\n" in screen.lines, "the new size")
        screen.lines = ""
        screen.app.restart()
        assert await screen.app.settled() == "ready"
        assert screen.lines.startswith("size 120 40\n")


async def test_a_prompt_is_seen_before_its_line_ends(tmp_path: Path) -> None:
    """`input` works: the prompt comes early, what is typed is echoed, the line comes whole."""
    code = """
        print("up")
        name = input("name? ")
        print("hello", name)
        input()
        """
    async with shown(tmp_path, code) as screen:
        await screen.until(lambda: screen.prompt.endswith("name? "), "the prompt")
        assert "name?" not in screen.lines
        await screen.type("Zoé\r")
        await screen.until(lambda: "hello Zoé\n" in screen.lines, "the answer")
        assert "name? Zoé\n" in screen.lines.replace("\x07", "")


BREAKPOINT = """
    print("up")
    answer = 41
    breakpoint()
    print("the answer was", answer)
    input()
    """


async def test_a_debugger_works_before_and_after_a_restart(tmp_path: Path) -> None:
    """`breakpoint()` has a prompt, an echo and answers, with readline (P16)."""
    async with shown(tmp_path, BREAKPOINT, dialogue=True) as screen:
        for _ in range(2):
            await screen.until(lambda: b"(Pdb) " in screen.dialogue, "its prompt")
            assert typed_to([screen.app]) is screen.app.terminal
            await screen.type("p answer + 1\r")
            await screen.until(lambda: "42" in screen.all, "its answer")
            await screen.until(lambda: screen.all.count("(Pdb) ") == 2, "the next prompt")
            # Ctrl-A and Ctrl-K are readline's: the line is edited, not taken as it is.
            await screen.type("nonsense\x01\x0bc\r")
            await screen.until(lambda: "the answer was 41" in screen.all, "it goes on")
            screen.lines, screen.dialogue = "", b""
            screen.app.restart()
            assert await screen.app.settled() == "ready"


async def test_a_restart_leaves_a_debugger(tmp_path: Path) -> None:
    """An app that waits at its prompt is stopped like any other (P16)."""
    async with shown(tmp_path, BREAKPOINT, dialogue=True) as screen:
        await screen.until(lambda: b"(Pdb) " in screen.dialogue, "its prompt")
        screen.app.restart()
        assert await screen.app.settled() == "ready"
        (exited,) = [event for event in screen.events if isinstance(event, AppExited)]
        assert exited.signal == "SIGTERM"
        assert screen.over == 1


async def test_keys_of_control_reach_the_app(tmp_path: Path) -> None:
    """Ctrl-C and Ctrl-Z, typed into its terminal, are its own business (P16)."""
    code = """
        import os, signal, time
        signal.signal(signal.SIGTSTP, lambda *_: os.write(1, b"suspend\\n"))
        print("up", flush=True)
        while True:
            try:
                while True:
                    time.sleep(0.1)  # a signal just before a sleep is handled after it
            except KeyboardInterrupt:
                os.write(1, b"interrupt\\n")
        """
    async with shown(tmp_path, code) as screen:
        await screen.type("\x1a")
        await screen.until(lambda: "suspend\n" in screen.lines, "Ctrl-Z")
        await screen.type("\x03")
        await screen.until(lambda: "interrupt\n" in screen.lines, "Ctrl-C")


async def test_a_shell_has_job_control(tmp_path: Path) -> None:
    """Ctrl-Z stops a shell's job, which can be continued (P16)."""
    code = """
        import os
        print("up", flush=True)
        os.environ["PS1"] = "$ "
        os.execlp("bash", "bash", "--norc", "--noprofile", "--noediting", "-i")
        """
    async with shown(tmp_path, code) as screen:
        terminal = screen.app.terminal
        assert terminal is not None
        master, bash = terminal.master, os.tcgetpgrp(terminal.master)
        # Bash gives the terminal to a job that is still bash, and ignores Ctrl-Z. So the job
        # has to speak first.
        await screen.type("sh -c 'echo job; exec sleep 600'\r")
        await screen.until(lambda: "job\n" in screen.lines, "the job runs")
        assert os.tcgetpgrp(master) != bash
        await screen.type("\x1a")
        await screen.until(lambda: "Stopped" in screen.lines, "the job is stopped")
        await screen.until(lambda: os.tcgetpgrp(master) == bash, "the shell has the terminal")
        await screen.type("fg\r")
        await screen.until(lambda: os.tcgetpgrp(master) != bash, "the job has it again")
        await screen.type("\x03")
        await screen.until(lambda: os.tcgetpgrp(master) == bash, "the job has ended")
        # What comes while bash sets the terminal up again is dropped: so it may be typed twice.
        while "\n42\n" not in screen.lines:
            await screen.type("echo $((6 * 7))\r")
            with anyio.move_on_after(2):
                await screen.until(lambda: "\n42\n" in screen.lines, "the shell is back")


async def test_typing_at_nobody_does_not_block(tmp_path: Path) -> None:
    """What an app never reads is dropped once its terminal is full."""
    terminal = Terminal()
    with contextlib.closing(terminal), anyio.fail_after(60):
        await terminal.type(b"x" * 100_000)


async def test_a_dialogue_ends_with_its_line(tmp_path: Path) -> None:
    """What comes after the end of the line that was edited is output again."""
    shown: list[bytes | None] = []

    def earlier() -> bytes:
        shown.append(b"earlier")
        return b""

    terminal = Terminal()
    with contextlib.closing(terminal):
        dialogue = Dialogue(terminal, shown.append)
        assert dialogue.take(b"before\n", earlier) == b"before\n"
        modes = termios.tcgetattr(terminal.slave)
        cooked = modes[3]
        modes[3] = cooked & ~termios.ICANON
        termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        assert dialogue.take(b"(Pdb) c", earlier) == b""
        modes[3] = cooked
        termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        assert dialogue.take(b"\r\nafter\n", earlier) == b"after\n"
        assert dialogue.take(b"more\n", earlier) == b"more\n"
    assert shown == [b"earlier", b"(Pdb) c", b"earlier", b"\r\n", None]


async def test_a_line_whose_end_comes_with_the_prompt_stays_before_it() -> None:
    """A terminal may hand over `42` and its line's end apart; the answer still comes first."""
    shown: list[bytes | None] = []
    terminal = Terminal()
    with contextlib.closing(terminal):
        dialogue = Dialogue(terminal, shown.append)
        modes = termios.tcgetattr(terminal.slave)
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        assert dialogue.take(b"\r\n(Pdb) ", lambda: b"42") == b""
    assert shown == [b"42\r\n(Pdb) "]


@pytest.fixture
def real() -> Iterator[int]:
    """A terminal that plays the real one."""
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def test_a_terminals_modes_come_back(real: int) -> None:
    """They are what they were, whatever is raised meanwhile (P15)."""
    before = termios.tcgetattr(real)
    with contextlib.suppress(KeyboardInterrupt), restored(real), typing(real):
        assert not termios.tcgetattr(real)[3] & (termios.ICANON | termios.ECHO)
        assert termios.tcgetattr(real)[3] & termios.ISIG
        raise KeyboardInterrupt
    assert termios.tcgetattr(real) == before


def test_the_size_of_what_is_no_terminal(tmp_path: Path) -> None:
    """A file has no window: the size is the one that terminals used to have."""
    with (tmp_path / "file").open("w") as file:
        assert size_of(file.fileno()) == (24, 80)


OWNER = """
import sys
sys.path.insert(0, sys.argv[1])
import anyio, asyncio, os
from pathlib import Path
from devloop.config.types import App
from devloop.events import Output
from devloop.execute.apps import AppSupervisor, typed_to
from devloop.execute.guard import Guard
from devloop.execute.terminal import TerminalInput, size_of, typing

def emit(event):
    if isinstance(event, Output) and not event.partial:
        os.write(1, event.text.encode() + b"\\n")

def show(data):
    os.write(1, data or b"")

async def main():
    async with Guard() as guard:
        await guard.keep_terminal(0)
        with typing(0):
            async with anyio.create_task_group() as tasks:
                app = AppSupervisor("web", App(command=(sys.executable, "-I", "app.py")),
                                    guard=guard, emit=emit, root=Path.cwd(),
                                    interpreter=sys.executable, environ=os.environ,
                                    terminal=size_of(0), dialogue=show)
                tasks.start_soon(app.run)
                tasks.start_soon(TerminalInput(0, lambda: typed_to([app])).run)
                app.restart()
                await anyio.sleep_forever()

print("owner", os.getpid(), flush=True)
try:
    anyio.run(main)
except (KeyboardInterrupt, asyncio.CancelledError):
    # Python 3.10 makes the one into the other.
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "Ctrl-C"])
def test_the_real_terminal_survives(tmp_path: Path, end: str) -> None:
    """A person debugs; then devloop is killed at the prompt: `stty -a` is the same (P15)."""
    (tmp_path / "app.py").write_text(textwrap.dedent(BREAKPOINT))
    (tmp_path / "owner.py").write_text(OWNER)
    folder = str(Path(devloop.__file__).parents[1])
    # The shell keeps the terminal open, as a person's does.
    owner = f"{sys.executable} owner.py {folder}"
    script = f"trap : INT; stty -a; {owner}; echo ended; read line; stty -a"
    shell = pexpect.spawn(
        "sh", ["-c", script], cwd=str(tmp_path), timeout=60, encoding="utf-8", dimensions=(24, 80)
    )
    try:
        shell.expect("owner ")
        before = stty(shell.before)
        pid = int(shell.readline())
        shell.expect(re.escape("(Pdb) "))
        shell.send("p answer + 1\r")
        shell.expect("p answer")
        shell.expect("42")
        shell.expect(re.escape("(Pdb) "))
        if end == "Ctrl-C":
            shell.send("\x03")
            shell.expect("interrupted")
        else:
            os.kill(pid, getattr(signal, end))
        shell.expect("ended")
        # The guardian gives the modes back as soon as devloop's socket is closed.
        wait_for_cooked(shell)
        shell.send("\r")
        shell.expect(pexpect.EOF)
        assert stty(shell.before) == before
    finally:
        shell.close(force=True)


def stty(text: str | None) -> list[str]:
    """The settings in what `stty -a` prints."""
    words = (text or "").replace("\r", "").replace("\n", " ")
    start = words.index("speed ")
    return [part.strip() for part in words[start:].split(";")]


def wait_for_cooked(shell: pexpect.spawn[str]) -> None:
    """Wait until the terminal takes lines again."""
    deadline = time.monotonic() + 60
    while not termios.tcgetattr(shell.child_fd)[3] & termios.ICANON:
        assert time.monotonic() < deadline
        time.sleep(0.01)
