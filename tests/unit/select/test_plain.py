"""Whether a file of plain data may name something."""

from __future__ import annotations

import pytest

from devloop.select.plain import may_name


def may(text: str | None, *names: str, path: str = "data.json") -> bool:
    """Whether a file with such a text may name one of some names."""
    return may_name(path, names, lambda _: text)


def test_a_file_of_data_names_what_it_spells_out() -> None:
    """Also in other letters, with other signs between the words, and as a part of a path."""
    assert may('{"limit": 1}', "limit")
    assert may('{"LIMIT": 1}', "limit")
    assert may('{"max-limit": 1}', "MAX_LIMIT")
    assert may('{"maxLimit": 1}', "MAX_LIMIT")
    assert may('"shop.consts:LIMIT"', "other", "LIMIT")
    assert may(r'"\u004cimit"', "LIMIT")
    assert may(r'"\x4cimit"', "LIMIT", path="data.yaml")


def test_a_file_of_data_names_nothing_else() -> None:
    """Nor what is not said in any source."""
    assert not may('{"limits": 1, "unlimited": "limit1"}', "limit", "any name")


@pytest.mark.parametrize("text", ["{{ x }}", "${x}", "%(x)s", r"\U0000004c", "<% x %>"])
def test_what_computes_something_may_name_anything(text: str) -> None:
    """As a template does."""
    assert may(text, "limit")


def test_a_file_whose_text_is_not_at_hand_may_name_anything() -> None:
    """So may one that may be a template, or code."""
    assert may(None, "limit")
    assert may("nothing", "limit", path="page.html")
    assert may("nothing", "limit", path="notes.txt")
