"""What a person reads from the terminal, at three widths (E3, E4): an emulated one reads along."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

FILES = {
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": "import shop\n\n\n"
    "def test_the_total_of_some_prices_is_their_sum():\n"
    "    print('adding up')\n"
    "    assert shop.total([1, 2]) == 3\n\n\n"
    "def test_empty():\n    assert shop.total([]) == 0\n",
    "test_alone.py": "def test_alone():\n    pass\n",
    "app.py": "import shop, time\n"
    "print('\\x1b[32mINFO\\x1b[0m app is up, and this line is longer than forty columns are')\n"
    "time.sleep(600)\n",
    "style.in": "one\n",
    "devloop.toml": f"""
[apps.web]
command = {[sys.executable, "app.py"]!r}
ready = {{ log = "up" }}
[steps.style]
command = "cp style.in style.out"
inputs = ["style.in"]
outputs = ["style.out"]
""",
}
MENDED = "def total(prices):\n    return sum([*prices])\n"
WRONG = "def total(prices):\n    return sum(prices) + 1 if prices else 0\n"


def last_lines(at: Shell) -> list[str]:
    """What is written on the screen, without the empty lines below."""
    lines = at.screen()[1]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def idle(at: Shell, text: str) -> None:
    """Wait for a text, and then for the footer of an idle loop."""
    at.expect(text)
    at.expect("watching")
    at.until(lambda: read(at) and last_lines(at)[-1].startswith("watching"))


def read(at: Shell) -> bool:
    """Take in what has been written since."""
    with contextlib.suppress(pexpect.TIMEOUT):
        at.child.read_nonblocking(1 << 16, 0.1)
    return True


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_day_at_the_terminal(shell: Callable[..., Shell], columns: int) -> None:
    """Start, break, mend: all of it can be read afterwards, in order, and nothing is doubled."""
    at = shell(FILES, columns)
    at.run("watch")
    idle(at, "3 passed")
    (at.root / "shop.py").write_text(WRONG)
    idle(at, "1 failed")
    (at.root / "shop.py").write_text(MENDED)
    idle(at, "2 passed")
    (at.root / "shop.py").write_text(WRONG)
    idle(at, "1 failed")
    (at.root / "shop.py").write_text(MENDED)
    idle(at, "3 assumed to pass")
    footer = last_lines(at)[-1]
    assert "3 tests" in footer
    assert "web ready" in footer
    assert ("q quits" in footer) is (columns > 60)  # the least goes first where it is narrow
    above, screen = at.screen()
    text = "\n".join(above + screen)
    begins = [line for line in text.splitlines() if line.startswith("●")]
    assert len(begins) == 5
    assert "shop.py ×4" in begins[4]  # noqa: RUF001
    assert text.count("1 assumed to pass") == 2
    for each, times in (
        ("test_shop.py:6", 2),
        ("E assert 4 == 3", 2),
        ("│ adding up", 2),
        ("fixed test_shop.py::test_the_total", 1),
        ("assumed to pass again", 1),
    ):
        assert text.count(each) == times, text
    assert text.count("web │ INFO app is up, and") == 5
    # A long line of an app's is the terminal's to wrap; ours fit.
    assert sum("PASS" in line or "FAIL" in line for line in text.splitlines()) == 5
    at.child.send("q")
    assert at.ended() == 0
    after = "\n".join(at.screen()[0] + at.screen()[1])
    assert after.count("watching") == 0


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_lines_are_three_at_most(shell: Callable[..., Shell], columns: int) -> None:
    """E4: while tests run, at a prompt and in the help; what is above them stays where it is."""
    slow = "import pathlib, time\n\n\ndef test_slow():\n    pathlib.Path('runs').touch()\n"
    slow += "    while not pathlib.Path('go').exists():\n        time.sleep(0.01)\n"
    at = shell({**FILES, "test_slow.py": slow, ".gitignore": "runs\ngo\nbefore\nafter\n"}, columns)
    at.run("watch")
    at.until((at.root / "runs").exists)
    at.expect("test_slow")
    at.child.send("h")
    at.expect("quit")
    at.until(lambda: read(at) and "quit" in last_lines(at)[-1])
    lines = last_lines(at)
    live = lines[-3:] if columns < 200 else lines[-2:]
    words = " ".join(live).split()
    assert {"a", "f", "r", "p", "t", "c", "o", "R", "d", "w", "space", "q"} <= set(words)
    at.child.send("p")
    at.expect("3 of 3 test files")
    at.child.send("slow")
    at.expect("test_slow.py")
    at.until(lambda: read(at) and last_lines(at)[-3].startswith("path: slow"))
    at.child.send("\x1b")
    (at.root / "go").touch()
    idle(at, "4 passed")
    at.child.send("q")
    assert at.ended() == 0
    text = "\n".join(at.screen()[0] + at.screen()[1])
    assert "path:" not in text
    assert text.count("● first pass") == 1
