"""Which code of a library keeps what it calls for."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from devloop.inside.record_lent import _Code

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="its code is looked at there")


def _places(function: Any) -> set[tuple[str, str]]:
    known = _Code(function.__code__)
    return {place for _, place in known.fills} & known.looks.keys()


def test_an_attribute_that_is_looked_at_and_filled() -> None:
    """A library's own way to make something once."""

    def lazily(self: Any) -> Any:
        if self.stack is None:
            self.stack = self.build()
        return self.stack

    assert _places(lazily) == {("self", "stack")}


def test_a_container_is_filled_whatever_its_key_and_what_it_is_given() -> None:
    """The key and the value may be attributes, too."""

    def cached(self: Any, ctx: Any) -> Any:
        if self.name not in self.kept:
            self.kept[self.name, ctx.key] = self.made.value
        return self.kept

    assert _places(cached) == {("self", "kept")}


def test_a_variable_of_its_own_is_nobodys() -> None:
    """It ends with the function."""

    def solved(self: Any, key: str) -> Any:
        kept: dict[str, Any] = {}
        if key not in kept:
            kept[self.name] = self.make(key)
        return kept

    assert _places(solved) == set()
