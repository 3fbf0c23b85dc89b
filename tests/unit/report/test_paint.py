"""Widths and colours."""

from __future__ import annotations

import pytest

from devloop.report.paint import Paint, crop, width


@pytest.mark.parametrize("columns", range(1, 12))
def test_a_cut_line_is_never_wider_than_asked(columns: int) -> None:
    """Wide characters count two, and are not cut in half."""
    pieces = [("日本", "bold"), (" é\u0301x", ""), ("語", "red")]
    cut = crop(pieces, columns)
    assert width(cut) <= columns
    assert (cut == pieces) == (columns >= width(pieces))


def test_a_cut_line_ends_with_an_ellipsis() -> None:
    """What is cut is seen to be cut."""
    assert Paint().render(crop([("abc", "bold"), ("defgh", "")], 5)) == "abcd…"


def test_styles_are_reset_after_each_piece() -> None:
    """No colour runs on into what comes next."""
    assert Paint(color=True)("x", "bold red") == "\x1b[1;31mx\x1b[0m"
    assert Paint(color=True)("", "red") == ""
    assert Paint()("x", "bold red") == "x"
