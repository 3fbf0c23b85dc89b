"""Bytes become whole lines, whatever pieces they come in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.execute.streams import LONGEST_LINE, Lines, Tail, plain


@given(
    st.lists(st.text(st.characters(exclude_characters="\b\r\n", codec="utf-8"))),
    st.lists(st.integers(min_value=0, max_value=400)),
    st.sampled_from(["\n", "\r\n"]),
)
def test_no_cut_changes_a_line(lines: list[str], cuts: list[int], end: str) -> None:
    """However the bytes are cut, in the middle of a character too, the lines are the same."""
    data = "".join(line + end for line in lines).encode()
    splitter = Lines()
    found: list[str] = []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, stop in itertools.pairwise(places):
        found += splitter.feed(data[begin:stop])
    assert found + splitter.end() == lines


def test_what_was_written_over_is_gone() -> None:
    """A progress line is what stands there in the end."""
    splitter = Lines()
    assert splitter.feed(b"10%\r20%\r") == []
    assert not splitter.prompting
    assert splitter.feed(b"100%\r\nnext\n") == ["100%", "next"]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("name? Abx\b \b\b \bda", "name? Ada"),
        ("カ店\b\b  \b\b-", "カ- "),
        ("|\b/\b-\b done", " done"),
        ("\b\bx", "x"),
    ],
)
def test_what_was_erased_is_gone(printed: str, shown: str) -> None:
    """A terminal that echoes what is typed erases with backspaces; spinners turn with them."""
    assert Lines().feed(f"{printed}\n".encode()) == [shown]


def test_an_unended_line_may_be_a_prompt() -> None:
    """It can be seen before it ends, and comes again when it does."""
    splitter = Lines()
    assert splitter.feed(b"name? ") == []
    assert splitter.prompting
    assert splitter.rest == "name? "
    assert splitter.feed(b"Ann\r\n") == ["name? Ann"]
    assert not splitter.prompting


def test_the_last_line_needs_no_end() -> None:
    """What stands there when the stream ends is a line."""
    splitter = Lines()
    assert splitter.feed(b"a\nb") == ["a"]
    assert splitter.end() == ["b"]
    assert splitter.end() == []


def test_a_line_that_never_ends_is_cut_between_characters() -> None:
    """Memory stays bounded, and no character is cut in two."""
    splitter = Lines()
    text = "x" + "é" * LONGEST_LINE
    lines = splitter.feed(text.encode()) + splitter.end()
    assert "".join(lines) == text
    assert all(len(line.encode()) <= LONGEST_LINE for line in lines)


def test_endless_progress_is_not_kept() -> None:
    """A line that is written over again and again needs no more room than it shows."""
    splitter = Lines()
    for number in range(100_000):
        assert splitter.feed(b"\r%d" % number) == []
    assert splitter.end() == ["99999"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    """A broken encoding is no reason to fail."""
    assert Lines().feed(b"caf\xe9\n") == ["caf\ufffd"]


def test_the_tail_keeps_the_last_lines() -> None:
    """What is needed to understand a crash, and no more."""
    tail = Tail(lines=3)
    tail.add(["a", "b"])
    tail.add(["c", "d"])
    assert tail.text == "b\nc\nd"


def test_control_sequences_can_be_taken_out() -> None:
    """Colours, cursor moves, titles and links go; the text stays."""
    text = "\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b[2K\x1b(B!"
    assert plain(text) == "red link!"
