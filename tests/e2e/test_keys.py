"""Keys at the terminal (DESIGN §5): typed into a real one, and read from its screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

TESTS = {
    "cart.py": "def total(prices):\n    return sum(prices)\n",
    "test_cart.py": "import cart\n"
    "def test_total():\n    assert cart.total([1, 2]) == 3\n"
    "def test_empty():\n    assert cart.total([]) == 0\n",
    "test_alone.py": "def test_alone():\n    pass\n",
}
BROKEN = "def total(prices):\n    return sum(prices) + 1 if prices else 0\n"
APP = "import os, time\nprint('app is up', flush=True)\ntime.sleep(600)\n"

Begin = Callable[[dict[str, str]], "Shell"]


def idle(at: Shell) -> None:
    """Wait for the footer of an idle loop."""
    at.expect("q quits")


def watch(shell: Begin, files: dict[str, str], *arguments: str) -> Shell:
    """A `devloop watch` whose first pass has ended."""
    at = shell(files)
    at.run("watch", *arguments)
    at.child.expect("(PASS|FAIL)")
    idle(at)
    return at


def quits(at: Shell) -> None:
    """`q` ends it with 0, and the terminal is as it was."""
    at.child.send("q")
    assert at.ended() == 0
    at.alone()


def test_a_runs_all_tests_and_r_what_ran_last(shell: Begin) -> None:
    """On an unchanged tree, where nothing is due; the trigger is what was asked for."""
    at = watch(shell, TESTS)
    at.child.send("a")
    at.expect("all tests")
    at.expect("3 passed")
    idle(at)
    (at.root / "cart.py").write_text(TESTS["cart.py"] + "\nprint()\n")
    at.expect("2 passed")
    idle(at)
    at.child.send("r")
    at.expect("rerun")
    at.expect("2 passed")
    idle(at)
    at.child.send("\r")
    at.expect("2 passed")
    idle(at)
    quits(at)


def test_f_holds_back_all_but_the_failed_tests(shell: Begin) -> None:
    """What is due and left out stays due, is told, and runs when the filter goes."""
    at = watch(shell, {**TESTS, "cart.py": BROKEN})
    at.child.send("f")
    at.expect("failed tests only")
    at.expect("1 failed")
    idle(at)
    (at.root / "test_alone.py").write_text("def test_alone():\n    assert [1]\n")
    at.expect("1 still due")
    at.child.expect("failed only.*q quits")
    (at.root / "cart.py").write_text(TESTS["cart.py"])
    at.expect("fixed test_cart.py::test_total")
    at.expect("2 still due")
    idle(at)
    at.child.send("f")
    # Where functions are not told apart the test that passed is due again with its file.
    at.child.expect("all that is due.*[23] passed")
    idle(at)
    quits(at)


def test_space_pauses_and_goes_on_with_what_was_saved(shell: Begin) -> None:
    """While paused a save begins nothing, but what is asked for runs."""
    at = watch(shell, TESTS)
    at.child.send(" ")
    at.expect("paused")
    (at.root / "cart.py").write_text(BROKEN)
    at.expect("paused, 1 file changed")
    at.child.send("w")
    at.expect("all tests: ")
    at.child.send(" ")
    at.expect("cart.py")
    at.expect("1 failed")
    at.child.expect("watching.*q quits")
    quits(at)


def test_capital_r_restarts_the_app(shell: Begin) -> None:
    """The tests go on or rest; without an app it is said that there is none."""
    config = f"[apps.web]\ncommand = {[sys.executable, 'app.py']!r}\nready = {{ log = 'up' }}\n"
    at = watch(shell, {"devloop.toml": config, "app.py": APP})
    at.child.send("R")
    at.expect("restart")
    at.expect("app is up")
    at.child.expect("web.*ready")
    idle(at)
    quits(at)


def test_a_key_acts_at_once_while_tests_run(shell: Begin) -> None:
    """`q` in the middle of a run ends it, teardown included; nothing typed is echoed."""
    slow = (
        "import pathlib, pytest, time\n"
        "@pytest.fixture\ndef held():\n    yield\n    pathlib.Path('torn').touch()\n"
        "def test_slow(held):\n    pathlib.Path('runs').touch()\n    time.sleep(60)\n"
    )
    at = shell({"test_slow.py": slow})
    at.run("watch")
    at.until(lambda: (at.root / "runs").exists())
    at.child.send("xyz")
    at.child.send("q")
    assert at.ended() == 0
    assert (at.root / "torn").exists()
    assert "xyz" not in at.seen()


def test_without_keys_what_is_typed_is_the_apps(shell: Begin) -> None:
    """`--no-keys`: the app that printed last reads it, and `q` is a letter."""
    code = "print('app is up', flush=True)\nwhile True:\n    print('got', input(), flush=True)\n"
    config = f"[apps.web]\ncommand = {[sys.executable, 'app.py']!r}\nready = {{ log = 'up' }}\n"
    at = shell({"devloop.toml": config, "app.py": code})
    at.run("watch", "--no-keys")
    at.expect("PASS")
    at.expect("Ctrl-C quits")
    at.child.send("q\r")
    at.expect("got q")
    at.child.sendintr()
    assert at.ended() == 0


def test_p_and_t_filter_what_runs_until_c(shell: Begin) -> None:
    """With matches as one types; a filter that nothing matches is refused."""
    at = watch(shell, TESTS)
    at.child.send("p")
    at.expect("2 of 2 test files")
    at.child.send("alone")
    at.expect("1 of 2 test files")
    at.child.send("\r")
    at.expect("files with alone")
    at.expect("1 passed")
    idle(at)
    at.child.send("c")
    at.expect("no filters")
    idle(at)
    at.child.send("t")
    at.expect("3 of 3 tests")
    at.child.send("empty\r")
    at.expect("tests with empty")
    at.expect("1 passed")
    idle(at)
    (at.root / "cart.py").write_text(BROKEN)
    at.expect("1 still due")
    at.child.expect("tests with empty.*q quits")
    at.child.send("t")
    at.child.send("nowhere\r")
    at.expect("no known test is meant by that")
    at.child.send("c")
    at.expect("1 failed")
    idle(at)
    quits(at)


def test_o_runs_what_has_changed_since_a_revision(shell: Begin) -> None:
    """Revisions are found by their subjects; without a checkout it is said that there is none."""
    at = shell({**TESTS, ".gitignore": "before\nafter\n"})
    for words in ("init -q", "add .", "-c user.name=n -c user.email=e commit -q -m 'first total'"):
        subprocess.run(f"git {words}", shell=True, cwd=at.root, check=True)
    (at.root / "cart.py").write_text(TESTS["cart.py"] + "\nprint()\n")
    at.run("watch")
    at.expect("3 passed")
    idle(at)
    at.child.send("o")
    at.expect("changed since")
    at.child.send("first tot")
    at.expect("1 of")
    at.child.send("\r")
    at.expect("2 of 3 tests")
    at.expect("2 passed")
    idle(at)
    at.child.send("o")
    at.child.send("nonsense\r")
    at.expect("git knows no revision 'nonsense'")
    quits(at)


def test_h_shows_the_keys_in_the_place_of_the_footer(shell: Begin) -> None:
    """Until the next key."""
    at = watch(shell, TESTS)
    at.child.send("h")
    at.expect("changed since")
    at.expect("quit")
    at.child.send("\x1b")
    idle(at)
    quits(at)


def test_w_says_why(shell: Begin) -> None:
    """As chains of files, for all that the last cycle has run."""
    at = watch(shell, TESTS)
    (at.root / "cart.py").write_text(BROKEN)
    at.expect("1 failed")
    idle(at)
    at.child.send("w")
    at.expect("1 change")
    at.child.expect("test_cart.py.*← cart.py")
    quits(at)


def test_d_hands_the_terminal_to_a_debugger_and_takes_it_back(shell: Begin) -> None:
    """Ctrl-C there is the debugger's, a line can be edited, and keys are keys again after it."""
    at = watch(shell, {**TESTS, "cart.py": BROKEN})
    at.child.send("d")
    at.expect("debugging test_cart.py::test_total")
    at.expect("(Pdb) ")
    at.child.send("p 100 + cart.total([1x\x7f, 2])\r")
    at.expect("104")
    at.expect("(Pdb) ")
    # Short ones: a signal just before a sleep is handled after it.
    at.child.send("import time; [time.sleep(0.1) for _ in range(600)]\r")
    at.expect("sleep")
    at.child.sendintr()
    at.expect("KeyboardInterrupt")
    at.expect("(Pdb) ")
    at.child.send("q\r")
    at.expect("the debugger has ended")
    idle(at)
    at.child.send("f")
    at.expect("failed tests only")
    at.expect("1 failed")
    idle(at)
    quits(at)


def test_d_takes_a_failure_of_the_run_that_goes_on(shell: Begin) -> None:
    """What is on the screen can be debugged, though other tests still run."""
    slow = "import pathlib, time\ndef test_bad():\n    assert not [1]\n"
    slow += "def test_slow():\n    pathlib.Path('runs').touch()\n    time.sleep(60)\n"
    at = shell({"test_it.py": slow})
    at.run("watch")
    at.expect("1 failed")
    at.child.send("d")
    at.expect("debugging test_it.py::test_bad")
    at.expect("(Pdb) ")
    at.child.send("q\r")
    at.expect("the debugger has ended")
    quits(at)


def test_what_is_reported_does_not_spoil_the_debuggers_prompt(shell: Begin) -> None:
    """It waits for the end of the line that is typed."""
    at = watch(shell, {**TESTS, "cart.py": BROKEN})
    at.child.send("d")
    at.expect("(Pdb) ")
    at.child.send("p 'half a ")
    at.expect("half a ")
    (at.root / "test_alone.py").write_text("def test_alone():\n    open('ran', 'w').close()\n")
    at.until((at.root / "ran").exists)
    at.child.send("line'\r")
    at.expect("'half a line'")
    at.expect("(Pdb) ")
    assert "p 'half a line'" in at.seen()
    assert at.seen().index("p 'half a line'") < at.seen().index("test_alone.py\x1b[0m")
    at.child.send("q\r")
    at.expect("the debugger has ended")
    idle(at)
    quits(at)


def test_without_a_failure_there_is_nothing_to_debug(shell: Begin) -> None:
    """`d` says so."""
    at = watch(shell, TESTS)
    at.child.send("d")
    at.expect("no test fails that could be debugged")
    quits(at)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_devloop_ends_while_a_debugger_has_the_terminal(
    shell: Begin, number: signal.Signals
) -> None:
    """P15: `stty -a` is as it was, and nothing of the debugged test is left."""
    at = watch(shell, {**TESTS, "cart.py": BROKEN})
    at.child.send("d")
    at.expect("(Pdb) ")
    os.kill(at.pid(), number)
    assert at.ended() == 128 + number
    at.alone()


def test_an_app_that_asks_for_a_line_gets_it(shell: Begin) -> None:
    """Keys are off until it has it; on Linux this is seen of a plain `input()` too.

    What is typed is seen while it is, and stays as one line.
    """
    code = "print('app is up', flush=True)\nname = input('name? ')\nprint('hello', name)\n"
    code += "import time\ntime.sleep(600)\n"
    config = f"[apps.web]\ncommand = {[sys.executable, 'app.py']!r}\nready = {{ log = 'up' }}\n"
    at = shell({"devloop.toml": config, "app.py": code})
    at.run("watch")
    at.expect("name? ")
    idle(at)
    at.child.send("quet")
    at.expect("name? quet")
    at.child.send("\x7fntin\r")
    at.expect("hello quentin")
    above, shown = at.screen()
    asked = [line for line in (*above, *shown) if "name?" in line]
    assert asked == ["web │ name? quentin"]
    quits(at)
