"""Calling a person who looks elsewhere (`[notify]`): the codes and programs of a real session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

TESTS = {
    "cart.py": "def total(prices):\n    return sum(prices)\n",
    "test_cart.py": "import cart\ndef test_total():\n    assert cart.total([1, 2]) == 3\n",
}
BROKEN = "def total(prices):\n    return sum(prices) + 1\n"
PROGRAM = '#!/bin/sh\nprintf "%s|" "$@" >> "$HOME/called"; echo >> "$HOME/called"\n'


def test_a_change_of_the_verdict_calls(shell: Callable[[dict[str, str]], Shell]) -> None:
    """By the bell, a code for the terminal, and the desktop's program; the first pass does not."""
    config = "[notify]\nbell = true\nterminal = true\ndesktop = true\n"
    at = shell({**TESTS, "devloop.toml": config})
    home = at.root.parent / "home"
    programs = home / "bin"
    programs.mkdir(parents=True)
    (programs / "notify-send").write_text(PROGRAM)
    (programs / "notify-send").chmod(0o755)
    at.child.sendline("export PATH=$HOME/bin:$PATH")
    at.run("watch")
    at.expect("1 passed")
    at.expect("q quits")
    assert "\x07" not in at.seen()
    (at.root / "cart.py").write_text(BROKEN)
    at.expect("FAIL")
    at.expect("\x07\x1b]9;p: failed: 1 failing\x1b\\")
    at.until((home / "called").exists)
    (at.root / "cart.py").write_text(TESTS["cart.py"])
    at.expect("\x07\x1b]9;p: passed: 1 assumed to pass\x1b\\")
    at.until(lambda: (home / "called").read_text().count("\n") == 2)
    assert (home / "called").read_text().splitlines() == [
        "--app-name=devloop|--|p: failed|1 failing|",
        "--app-name=devloop|--|p: passed|1 assumed to pass|",
    ]
    at.child.send("q")
    assert at.ended() == 0
    assert at.seen().count("\x07") == 2


def test_a_desktop_without_such_a_program_is_told_of_once(
    shell: Callable[[dict[str, str]], Shell],
) -> None:
    """The session goes on."""
    config = '[notify]\ndesktop = true\nwhen = "always"\n'
    at = shell({**TESTS, "devloop.toml": config})
    at.child.sendline("export PATH=$HOME/nowhere:/usr/sbin")
    at.run("watch")
    at.expect("no notification: ")
    at.expect("q quits")
    at.child.send("a")
    at.expect("all tests")
    at.expect("1 passed")
    at.expect("q quits")
    at.child.send("q")
    at.child.expect("code 0")
    assert at.seen().count("no notification: ") == 1
