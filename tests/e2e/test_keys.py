"""Keys at the terminal (DESIGN §5): typed into a real one, and read from its screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

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
    (at.root / "cart.py").write_text(TESTS["cart.py"] + "\nX = 1\n")
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
    at.child.expect("all that is due.*3 passed")
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
