"""`devloop watch` at a terminal, and where there is none (TRAPS, P7, P15, P16, E1 to E3)."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Shell

CONTROL = re.compile("\x1b")
NOT_COLOUR = re.compile("\x1b(?!\\[[0-9;]*m|\\]8;)")
"""Any control sequence that is neither a colour nor a link."""

SLOW = """
import signal, sys, time
def stop(*_):
    print("stopping", flush=True)
    time.sleep(600)
signal.signal(signal.SIGTERM, stop)
print("app is up", flush=True)
while True:
    time.sleep(0.1)  # a signal just before a sleep is handled after it
"""

DEBUGGED = """
import os, signal, time
import shop
print("app is up", shop.VALUE, flush=True)
answer = shop.VALUE + 40
breakpoint()
print("app goes on", answer, flush=True)
def show(*_):
    os.write(1, b"size %d x %d\\n" % os.get_terminal_size()[::-1])
signal.signal(signal.SIGWINCH, show)
show()
while True:
    time.sleep(0.1)  # a signal just before a sleep is handled after it
"""


WARM = """
import sys
warm = "warm" if "html.entities" in sys.modules else "cold"
import html.entities
import shop
"""
"""At the beginning of an app: it knows whether it was started warm."""


def until_warm(at: Shell) -> None:
    """Save until the app, which says so, is one that was started warm."""
    for value in range(1000, 1100):
        at.child.expect(r"app is up (\w+)")
        if at.child.match.group(1) == "warm":  # type: ignore[union-attr]
            return
        time.sleep(0.5)  # a person's own pace
        (at.root / "shop.py").write_text(f"VALUE = {value}\n")
    raise AssertionError(at.seen())


def app(more: str = "") -> str:
    """The configuration of an app, `app.py`."""
    return (
        f"[apps.web]\ncommand = {[sys.executable, 'app.py']!r}\nready = {{ log = 'up' }}\n{more}\n"
    )


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_ctrl_c_three_times(shell: Callable[[dict[str, str]], Shell], start: str) -> None:
    """P7: three within 300 ms, while app and fixture take their time: both are gone at once."""
    conftest = (
        "import pytest, time\n"
        "@pytest.fixture(autouse=True)\n"
        "def slow():\n"
        "    yield\n"
        "    time.sleep(600)\n"
    )
    code = SLOW.replace('"app is up"', '"app is up", warm')
    if start == "warm":  # what is restarted until then keeps nobody waiting
        code = code.replace("def stop(*_):\n", "def stop(*_):\n    if warm == 'cold': sys.exit()\n")
    at = shell(
        {
            "devloop.toml": app("stop-timeout = '60s'"),
            "shop.py": "VALUE = 1\n",
            "app.py": WARM + code,
            "conftest.py": conftest,
            "test_it.py": "import time\ndef test_it():\n"
            "    open('runs', 'w')\n    time.sleep(600)\n",
        }
    )
    at.run("watch")
    if start == "warm":
        until_warm(at)
    else:
        at.expect("app is up")
    deadline = time.monotonic() + 60
    while not (at.root / "runs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pressed = time.monotonic()
    for _ in range(3):
        at.child.sendintr()
        time.sleep(0.1)  # the trap's own pace
    assert at.ended() == 0
    assert time.monotonic() - pressed < 15
    at.alone()


def test_one_ctrl_c_lets_all_end(shell: Callable[[dict[str, str]], Shell]) -> None:
    """P7: one alone is patient: the app ends in its own way, and the prompt is back."""
    ending = "time.sleep(0.5)\n    print('app has ended', flush=True)\n    sys.exit()\nsignal"
    code = SLOW.replace("time.sleep(600)\nsignal", ending)
    at = shell({"devloop.toml": app(), "app.py": code})
    at.run("watch")
    at.expect("app is up")
    at.child.sendintr()
    at.expect("app has ended")
    assert at.ended() == 0


@pytest.mark.parametrize("start", ["cold", "warm"])
@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGHUP", "Ctrl-C"])
def test_the_terminal_is_as_it_was(
    shell: Callable[[dict[str, str]], Shell], end: str, start: str
) -> None:
    """P15: devloop ends, one way or another, at a pdb prompt: `stty -a` is the same after it."""
    debugged = DEBUGGED.replace('"app is up", shop.VALUE', '"app is up", warm')
    debugged = WARM + debugged.replace("shop.VALUE + 40", "42")
    at = shell({"devloop.toml": app(), "app.py": debugged, "shop.py": "VALUE = 2\n"})
    at.run("watch")
    if start == "warm":
        until_warm(at)
    at.expect("(Pdb) ")
    at.child.send("p answer\r")
    at.expect("42")
    at.expect("(Pdb) ")
    if end == "Ctrl-C":
        at.child.sendintr()
    else:
        os.kill(at.pid(), getattr(signal, end))
    code = at.ended()
    assert code == (0 if end == "Ctrl-C" else 128 + getattr(signal, end))
    at.alone()


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_a_killed_app_leaves_the_terminal_as_it_was(
    shell: Callable[[dict[str, str]], Shell], start: str
) -> None:
    """P15: the app dies at a prompt that echoes nothing; keys work again, and `stty -a` is same."""
    asking = (
        "import getpass, os, shop\n"
        "print('app is up', warm, flush=True)\n"
        "open('app.pid', 'w').write(str(os.getpid()))\n"
        "getpass.getpass('secret? ')\n"
    )
    at = shell({"devloop.toml": app(), "app.py": WARM + asking, "shop.py": "VALUE = 2\n"})
    at.run("watch")
    if start == "warm":
        until_warm(at)
    at.expect("secret? ")
    os.kill(int((at.root / "app.pid").read_text()), signal.SIGKILL)
    at.expect("SIGKILL")
    at.child.send("h")
    at.expect("quit")
    at.child.send("q")
    assert at.ended() == 0
    at.alone()


def test_a_debugger_works_before_and_after_a_restart(
    shell: Callable[[dict[str, str]], Shell],
) -> None:
    """P16: `breakpoint()` prompts, echoes, edits and goes on; the window's size is the app's."""
    at = shell({"devloop.toml": app(), "app.py": DEBUGGED, "shop.py": "VALUE = 2\n"})
    at.run("watch")
    for value, rows in ((2, 30), (3, 40)):
        if value == 3:
            (at.root / "shop.py").write_text(f"VALUE = {value}\n")
        at.expect(f"app is up {value}")
        at.expect("(Pdb) ")
        at.child.send("p answerx\x7f * 2\r")  # a slip, taken back
        at.expect(str((40 + value) * 2))
        at.expect("(Pdb) ")
        at.child.send("c\r")
        at.expect(f"app goes on {40 + value}")
        at.expect("size ")
        at.child.setwinsize(rows, 90)
        at.expect(f"size {rows} x ")
    at.child.sendintr()
    assert at.ended() == 0


def test_a_debugger_is_left_by_a_save(shell: Callable[[dict[str, str]], Shell]) -> None:
    """P16: a save while a person is at the prompt: the new process prompts in its place."""
    at = shell({"devloop.toml": app(), "app.py": DEBUGGED, "shop.py": "VALUE = 2\n"})
    at.run("watch")
    at.expect("(Pdb) ")
    at.child.send("p ans")
    (at.root / "shop.py").write_text("VALUE = 3\n")
    at.expect("app is up 3")
    at.expect("(Pdb) ")
    at.child.send("p answer\r")
    at.expect("43")
    at.child.sendintr()
    assert at.ended() == 0


@pytest.mark.parametrize("before", ["", "\x03", "\x1a"], ids=["idle", "stopping", "suspended"])
def test_a_closed_terminal_ends_everything(
    shell: Callable[[dict[str, str]], Shell], before: str
) -> None:
    """P6: the window is closed, whatever devloop is doing: nothing that it started is left.

    Writing to such a terminal fails; that must not keep an app from being stopped.
    """
    person = shell(
        {
            "app.py": SLOW,
            "devloop.toml": '[apps.a]\ncommand = "python app.py"\nstop-timeout = "1s"\n',
        }
    )
    person.run("watch")
    person.expect("app is up")
    person.expect("q quits")
    if before:
        person.child.send(before)
        person.expect("stopping" if before == "\x03" else "Stopped")
    person.child.close(force=False)
    deadline = time.monotonic() + 60
    while left := person.others():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_devloop_can_be_suspended(shell: Callable[[dict[str, str]], Shell]) -> None:
    """P16: Ctrl-Z gives the prompt back, with its modes; `fg` goes on with what was saved since."""
    at = shell(
        {
            "devloop.toml": app(),
            "app.py": "import shop, time\nprint('app is up', shop.VALUE)\ntime.sleep(600)\n",
            "shop.py": "VALUE = 2\n",
        }
    )
    at.run("watch")
    at.expect("app is up 2")
    at.child.send("\x1a")
    at.child.expect("(?i)stopped|suspended")
    at.child.sendline("stty -a > suspended; echo he''re")
    at.expect("here")
    assert at.modes("suspended") == at.modes("before")
    (at.root / "shop.py").write_text("VALUE = 3\n")
    at.child.sendline("fg; echo co''de $?")
    at.expect("app is up 3")
    (at.root / "shop.py").write_text("VALUE = 4\n")
    at.expect("app is up 4")
    at.child.sendintr()
    assert at.ended() == 0


def test_a_terminal_that_takes_no_output_stops_nothing(
    shell: Callable[[dict[str, str]], Shell],
) -> None:
    """Ctrl-S holds the screen, not the loop: saves are answered, and Ctrl-Q shows the rest."""
    at = shell(
        {
            "devloop.toml": app(),
            "shop.py": "VALUE = 0\n",
            "app.py": "import shop, time\n"
            "print('app is up', shop.VALUE, flush=True)\n"
            "open(f'served-{shop.VALUE}', 'w').close()\n"
            "for number in range(shop.VALUE * 100):\n"
            "    print('line', number, 'x' * 70)\n"
            "print('app is full', flush=True)\n"
            "time.sleep(600)\n",
        }
    )
    at.run("watch")
    at.expect("PASS")
    at.child.send("\x13")
    for value in range(1, 6):
        (at.root / "shop.py").write_text(f"VALUE = {value}\n")
        at.until((at.root / f"served-{value}").exists)
    at.child.send("\x11")
    for value in range(1, 6):
        at.expect(f"app is up {value}")
    at.child.send("q")
    assert at.ended() == 0
    at.alone()


def test_a_problem_matcher_sees_whole_cycles(
    tmp_path: Path, devloop_command: tuple[str, ...], plain_environment: dict[str, str]
) -> None:
    """E1: a begin and an end line for each cycle, a cancelled one too; a problem is one line."""
    root, gate, reached = tmp_path / "p", tmp_path / "gate", tmp_path / "reached"
    root.mkdir()
    (root / "shop.py").write_text("VALUE = 1\n")
    (root / "test_it.py").write_text(
        "import pathlib, shop, time\n"
        "def test_it():\n"
        "    assert shop.VALUE == 0, 'first\\nsecond'\n"
        "def test_slow():\n"
        f"    pathlib.Path({str(reached)!r}).touch()\n"
        f"    while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)\n"
    )
    child = pexpect.spawn(
        shlex.join([*devloop_command, "watch", "--reporter", "plain"]),
        cwd=str(root),
        env=plain_environment,
        timeout=120,
        encoding="utf-8",
    )
    try:
        deadline = time.monotonic() + 60
        while not reached.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (root / "shop.py").write_text("VALUE = 2\n")
        text = ""
        for _ in range(2):
            child.expect("cycle finished")
            text += str(child.before) + str(child.after)
            gate.touch()
        child.sendintr()
        child.expect(pexpect.EOF)
        lines = (text + str(child.before)).replace("\r", "").splitlines()
    finally:
        child.close(force=True)
    begins = [n for n, line in enumerate(lines) if line == "devloop: cycle started"]
    ends = [n for n, line in enumerate(lines) if line.startswith("devloop: cycle finished")]
    assert len(begins) == len(ends) >= 2
    assert sorted(begins + ends) == [n for pair in zip(begins, ends, strict=True) for n in pair]
    for begin, end in zip(begins[:2], ends[:2], strict=True):
        problems = [
            n for n, line in enumerate(lines) if re.match(r"test_it\.py:3(:\d+)?: error:", line)
        ]
        assert len([n for n in problems if begin < n < end]) == 1


TESTS = "def test_good():\n    pass\n\n\ndef test_bad():\n    assert [1] * 50 == [2] * 50\n"

PLACES = {
    "TERM=dumb": {"TERM": "dumb"},
    "CI": {"CI": "true"},
    "NO_COLOR": {"NO_COLOR": "1"},
    "FORCE_COLOR": {"FORCE_COLOR": "1"},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("columns", ["40", "400"])
def test_no_control_codes_where_none_belong(
    tmp_path: Path,
    devloop: Devloop,
    plain_environment: dict[str, str],
    place: str,
    columns: str,
) -> None:
    """E2: into a pipe nothing is drawn over; colours come at most where they were asked for."""
    (tmp_path / "test_it.py").write_text(TESTS)
    plain_environment |= {**PLACES[place], "COLUMNS": columns}
    for reporter in ("plain", "terminal"):
        done = devloop("watch", "--once", "--reporter", reporter)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "test_bad" in done.stdout
        assert not NOT_COLOUR.search(done.stdout + done.stderr)
        if place != "FORCE_COLOR" or reporter == "plain":
            assert not CONTROL.search(done.stdout + done.stderr)
        assert "\r" not in done.stdout


@pytest.mark.parametrize("columns", [40, 400])
@pytest.mark.parametrize("place", ["TERM=dumb", "CI", "NO_COLOR", "FORCE_COLOR"])
def test_a_terminal_of_any_kind(
    tmp_path: Path,
    devloop_command: tuple[str, ...],
    plain_environment: dict[str, str],
    place: str,
    columns: int,
) -> None:
    """E2, E3: narrow, wide or dumb: no traceback, no erased scrollback, no needless codes."""
    (tmp_path / "test_it.py").write_text(TESTS)
    environment = {"TERM": "xterm-256color", **plain_environment, **PLACES[place]}
    child = pexpect.spawn(
        shlex.join([*devloop_command, "watch", "--once"]),
        cwd=str(tmp_path),
        env=environment,
        dimensions=(24, columns),
        timeout=120,
        encoding="utf-8",
    )
    child.expect(pexpect.EOF)
    child.close()
    text = str(child.before)
    assert child.exitstatus == 1, text
    assert "Traceback" not in text
    assert "test_bad" in text
    assert "\x1b[3J" not in text
    if place in ("TERM=dumb", "CI"):
        assert not CONTROL.search(text)
    if place == "NO_COLOR":
        assert not re.search("\x1b\\[(3|4|9|10)[0-9]", text)


def test_jsonl_keeps_standard_output_to_itself(tmp_path: Path, devloop: Devloop) -> None:
    """E2: whatever is asked of colours, standard output holds JSON alone, one event a line."""
    import json

    (tmp_path / "test_it.py").write_text(TESTS)
    done = devloop("watch", "--once", "--reporter", "jsonl", FORCE_COLOR="1", TERM="xterm")
    assert done.returncode == 1
    for line in done.stdout.splitlines():
        assert json.loads(line)["v"] == 1
    assert "\x1b" not in done.stdout


def test_a_reader_that_goes_away_ends_it(
    tmp_path: Path, devloop_command: tuple[str, ...], plain_environment: dict[str, str]
) -> None:
    """`devloop watch --reporter jsonl | head -1`: it ends, without a traceback, leaving nothing."""
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [*devloop_command, "watch", "--reporter", "jsonl"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=plain_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
