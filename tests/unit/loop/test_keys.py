"""From what is typed to actions."""

from __future__ import annotations

import pytest

from devloop.loop.actions import (
    Action,
    Debug,
    FailedOnly,
    FilterNames,
    FilterPaths,
    Quit,
    Rerun,
    Restart,
    RunAll,
    RunSince,
)
from devloop.loop.keys import Candidate, Keys, Kind, split
from devloop.report.panel import Help, Prompt

CANDIDATES: dict[Kind, list[str]] = {
    "paths": ["tests/test_cart.py", "tests/test_tax.py"],
    "names": ["test_add", "test_total"],
    "revisions": ["HEAD", "main", "abc1234"],
}


def keyboard() -> Keys:
    """Nothing has been pressed."""
    return Keys(lambda kind: [Candidate(one, f"{one} about") for one in CANDIDATES[kind]])


def actions(data: str) -> list[Action]:
    """What keys ask for by themselves."""
    return keyboard().press(data)


def prompt(keys: Keys) -> Prompt:
    """The prompt that is open."""
    assert isinstance(keys.panel, Prompt)
    return keys.panel


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("a", [RunAll()]),
        ("f", [FailedOnly()]),
        ("\r", [Rerun()]),
        ("r", [Rerun()]),
        ("R", [Restart()]),
        ("d", [Debug()]),
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


def test_a_prompt_shows_what_matches_as_one_types() -> None:
    """All keys are its own until Enter, those that mean something elsewhere too."""
    keys = keyboard()
    assert keys.press("p") == []
    assert prompt(keys).found == "2 of 2 test files"
    assert prompt(keys).hint == "Enter takes the filter away"
    assert keys.press("q") == []
    assert prompt(keys).matches == ()
    assert keys.press("\x7f") == []
    for key in "tax":
        assert keys.press(key) == []
    assert prompt(keys).text == "tax"
    assert prompt(keys).matches == ("tests/test_tax.py about",)
    assert prompt(keys).found == "1 of 2 test files"
    assert keys.press("\r") == [FilterPaths("tax")]
    assert keys.panel is None
    assert keys.press("q") == [Quit()]


def test_a_prompt_takes_pasted_text() -> None:
    """Nothing of it is a key of the loop; what comes after Enter is."""
    assert keyboard().press("t") == []
    keys = keyboard()
    keys.press("t")
    assert keys.press("test_total\rq") == [FilterNames("test_total"), Quit()]


def test_escape_leaves_a_prompt() -> None:
    """Nothing is asked for."""
    keys = keyboard()
    keys.press("p")
    keys.press("cart")
    assert keys.press("\x1b") == []
    assert keys.panel is None


def test_editing_in_a_prompt() -> None:
    """Backspace, a word (Ctrl-W), the line (Ctrl-U), Tab; arrows type nothing."""
    keys = keyboard()
    keys.press("p")
    for typed, text in (
        ("one two", "one two"),
        ("\x1b[D", "one two"),
        ("\x7f", "one tw"),
        ("\x17", "one"),
        ("\x15", ""),
        ("tax", "tax"),
        ("\t", "tests/test_tax.py"),
        ("é", "tests/test_tax.pyé"),
    ):
        assert keys.press(typed) == []
        assert prompt(keys).text == text


@pytest.mark.parametrize(
    ("typed", "revision"),
    [("", "HEAD"), ("mai", "main"), ("HEAD", "HEAD"), ("HEAD~2", "HEAD~2"), ("abc", "abc1234")],
)
def test_a_revision_is_the_first_that_matches(typed: str, revision: str) -> None:
    """Or what is typed, where nothing does: git knows more names than are shown."""
    keys = keyboard()
    keys.press("o")
    keys.press(typed)
    assert keys.press("\r") == [RunSince(revision)]


def test_help_stands_until_the_next_key() -> None:
    """Which means what it means, but for those that only close it."""
    keys = keyboard()
    for key in "h?":
        assert keys.press(key) == []
        assert keys.panel == Help()
        assert keys.press(key) == []
        assert keys.panel is None
    keys.press("h")
    assert keys.press("\x1b") == []
    keys.press("h")
    assert keys.press("a") == [RunAll()]
    assert keys.panel is None
