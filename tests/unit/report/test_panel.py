"""What stands in the place of the footer."""

from __future__ import annotations

import pytest

from devloop.loop.keys import ACTIONS, PROMPTS
from devloop.report.paint import width
from devloop.report.panel import Help, Panel, Prompt, lines

LONG = Prompt(
    "path",
    "cart " * 40,
    "3 of 1,200 test files",
    tuple(f"tests/units/test_cart_{number}.py" for number in range(20)),
    "Enter runs these",
)


def text(panel: Panel, columns: int) -> list[str]:
    """The lines, without their styles."""
    return ["".join(piece for piece, _ in line) for line in lines(panel, columns)]


@pytest.mark.parametrize("columns", [19, 39, 60, 79, 120, 199])
@pytest.mark.parametrize("panel", [Help(), LONG])
def test_three_lines_are_enough(panel: Panel, columns: int) -> None:
    """At every width, and none is longer than the window is wide."""
    found = lines(panel, columns)
    assert 1 <= len(found) <= 3
    assert all(width(line) <= columns for line in found)


@pytest.mark.parametrize("columns", [39, 79, 199])
def test_every_key_is_named(columns: int) -> None:
    """A narrow window has shorter words, and no fewer keys."""
    words = " ".join(text(Help(), columns)).split()
    named = {{"\r": "r", "\n": "r", " ": "space"}.get(key, key) for key in (*ACTIONS, *PROMPTS)}
    assert named <= set(words)


def test_a_prompt_shows_the_end_of_what_is_typed() -> None:
    """With how much matches; a match that does not fit is cut."""
    short = Prompt("path", "cart", "1 of 2 test files", ("tests/test_cart.py",), "Enter runs these")
    assert text(short, 79) == [
        "path: cart▏  1 of 2 test files",
        "tests/test_cart.py",
        "Enter runs these · Tab completes · Esc leaves",
    ]
    assert "cart cart ▏" in text(LONG, 39)[0]
