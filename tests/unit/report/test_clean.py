"""Foreign text made safe."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from devloop.report.clean import LONGEST, bare, coloured, one_line

ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b[]0123;:mJHhl?\\\x07\r\n\t\x08\x9b\x9d\x85\u2028\udce9ab"),
        st.characters(),
    ),
    max_size=40,
)
SGR = re.compile(r"\x1b\[[0-9;:]*m")
LINK = re.compile(r"\x1b\]8;[^\x1b]*\x1b\\")


@given(ODD)
def test_bare_text_never_holds_a_control_code(line: str) -> None:
    """Whatever is printed, a log gets text that can be encoded."""
    text = bare(line)
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", text)
    text.encode()


@given(ODD)
def test_coloured_text_holds_only_colours_and_links(line: str) -> None:
    """Nothing moves the cursor, and what was coloured is reset."""
    text = coloured(line)
    rest = LINK.sub("", SGR.sub("", text))
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", rest)
    assert "\x1b" not in text or text.endswith("\x1b[0m")
    text.encode()


@given(ODD)
def test_a_message_is_one_short_line(text: str) -> None:
    """No line end of any kind is left, and no run of spaces."""
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert "  " not in line
    line.encode()


def test_progress_bars_leave_what_they_left_on_the_screen() -> None:
    """The last of what carriage returns overwrote is shown."""
    assert bare("10%\r50%\r100%\r") == "100%"
    assert coloured("\x1b[32m10%\r\x1b[32m100%\r") == "\x1b[32m100%\x1b[0m"


def test_links_of_apps_are_kept_and_closed() -> None:
    """A link whose end is missing does not run on into our lines."""
    text = coloured("\x1b]8;;http://x/\x07here")
    assert text == "\x1b]8;;http://x/\x1b\\here\x1b]8;;\x1b\\\x1b[0m"


def test_an_endless_message_is_cut() -> None:
    """A problem line stays readable, and is made in little time."""
    line = one_line("word " * 1_000_000)
    assert len(line) == LONGEST
    assert line.endswith("…")
