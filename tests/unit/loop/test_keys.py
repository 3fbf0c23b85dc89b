"""From what is typed to actions."""

from __future__ import annotations

import pytest

from devloop.loop.actions import Action, FailedOnly, Quit, Rerun, Restart, RunAll
from devloop.loop.keys import actions, split


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("a", [RunAll()]),
        ("f", [FailedOnly()]),
        ("\r", [Rerun()]),
        ("r", [Rerun()]),
        ("R", [Restart()]),
        ("aq", [RunAll(), Quit()]),
        ("x", []),
        ("é", []),
        ("", []),
    ],
)
def test_a_key_is_an_action(data: str, wanted: list[Action]) -> None:
    """Case matters; a key that means nothing does nothing."""
    assert actions(data) == wanted


@pytest.mark.parametrize("sequence", ["\x1b[A", "\x1bOa", "\x1b[1;5C", "\x1b[3~", "\x1ba", "\x1b"])
def test_arrows_and_the_like_are_no_letters(sequence: str) -> None:
    """The letters in a control sequence ask for nothing; what follows it does."""
    assert list(split(sequence)) == [sequence]
    assert actions(sequence) == []
    assert actions(f"{sequence}\x1b[Bq") == [Quit()]


def test_text_that_was_pasted_asks_for_nothing() -> None:
    """Or a word from the clipboard would quit."""
    assert actions("query all") == []
