"""A person at the terminal of a warm command notices nothing of that (W14)."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from devloop.execute.guard import Ended

if TYPE_CHECKING:
    from .conftest import Life, Starter

pytestmark = pytest.mark.anyio

SIZE = (24, 80)

DEBUGGER = """
def f():
    x = 41
    breakpoint()
    print("went on")
f()
"""

PROMPT = """
import getpass, readline, sys
name = input("name? ")
print("hello", name)
print("secret", len(getpass.getpass("pass? ")))
print("rest", repr(sys.stdin.readline()))
with open("/dev/tty", "w") as tty:
    tty.write("to the terminal\\n")
"""

SIGNALS = """
import os, signal, time
def show(number, frame):
    # Not `print`, which a handler may have interrupted.
    os.write(1, f"{signal.Signals(number).name} {tuple(os.get_terminal_size())}\\n".encode())
signal.signal(signal.SIGWINCH, show)
signal.signal(signal.SIGTSTP, show)
signal.signal(signal.SIGQUIT, show)
try:
    print("ready", os.tcgetpgrp(0) == os.getpgrp(), flush=True)
    while True:
        time.sleep(0.1)  # a signal just before a sleep is handled after it
except KeyboardInterrupt:
    print("interrupted")
    raise
"""

CHILD = """
import subprocess
print("start", flush=True)
code = subprocess.run(["sh", "-c", "read line; echo got $line; exit 7"]).returncode
print("code", code)
"""


async def each(start: Starter, script: str) -> list[Life]:
    """The same command, cold and warm, in terminals of their own."""
    start.env["TERM"] = "xterm"
    start.write("main.py", script)
    modules = ["pdb", "readline", "subprocess"]
    return [
        await start.cold("python", "main.py", size=SIZE),
        await start.warm("python", "main.py", modules=modules, size=SIZE),
    ]


async def say(life: Life, prompt: str, answer: str) -> None:
    """Wait for a prompt, and type something."""
    await life.until(prompt)
    assert life.wiring.terminal is not None
    await life.wiring.terminal.type(answer.encode())


async def test_a_debugger(start: Starter) -> None:
    """Its prompt, echo and commands are those of a cold start."""
    lives = await each(start, DEBUGGER)
    for life in lives:
        await say(life, "(Pdb) ", "p x + 1\n")
        await say(life, "42", "where\n")
        await say(life, "-> ", "c\n")
        assert await life.end() == Ended(code=0)
        assert "went on" in life.text
    assert lives[0].text.count("(Pdb)") == lives[1].text.count("(Pdb)")


async def test_prompts(start: Starter) -> None:
    """`input` with line editing, a password without echo, lines, and /dev/tty."""
    lives = await each(start, PROMPT)
    for life in lives:
        await say(life, "name? ", "Adb\x7fa\n")
        await say(life, "pass? ", "secret\n")
        await say(life, "secret 6", "more\n")
        assert await life.end() == Ended(code=0)
        assert "hello Ada" in life.text
        assert life.text.count("secret") == 1
        assert "rest 'more\\n'" in life.text
        assert "to the terminal" in life.text


async def test_keys_that_signal_and_a_resize(start: Starter) -> None:
    """Ctrl-Z, Ctrl-backslash, another size and Ctrl-C arrive, and it dies of the last one."""
    for life in await each(start, SIGNALS):
        await say(life, "ready True", "\x1a")
        await life.until("SIGTSTP (80, 24)")
        assert life.wiring.terminal is not None
        life.wiring.terminal.resize((50, 100))
        await life.until("SIGWINCH (100, 50)")
        await say(life, "SIGWINCH", "\x1c")
        await say(life, "SIGQUIT (100, 50)", "\x03")
        assert await life.end() == Ended(signal="SIGINT")
        assert "interrupted\nTraceback (most recent call last):" in life.text


async def test_a_child_reads_the_terminal(start: Starter) -> None:
    """A subprocess shares it, and its exit code is told."""
    for life in await each(start, CHILD):
        await say(life, "start", "line\n")
        assert await life.end() == Ended(code=0)
        assert "got line" in life.text
        assert "code 7" in life.text


async def test_keys_reach_it_after_the_zygotes_death(start: Starter) -> None:
    """Its terminal is its own: nothing of that hangs on the zygote (W29)."""
    start.write("main.py", SIGNALS)
    life = await start.warm("python", "main.py", size=SIZE)
    await life.until("ready True")
    for pid in start.zygotes[0].pids:
        os.kill(pid, signal.SIGKILL)
    await say(life, "ready", "\x1a")
    await say(life, "SIGTSTP", "\x03")
    assert await life.end() == Ended(signal="SIGINT")
