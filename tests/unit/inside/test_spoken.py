"""Calls of `getattr` whose names are spelled out elsewhere."""

from __future__ import annotations

import ast
import textwrap

import pytest

from devloop.inside.reflection import BY
from devloop.inside.spoken import spoken

PRIVATE = """
def _reads(x, name, other):
    return getattr(x, name, None) == other

def _both(x):
    return _reads(x, "one", 1) and _reads(x, name="two", other=2)
"""
PROXY = """
class Proxy:
    def __getattr__(self, name):
        return getattr(self._inner, name)
"""


def found(text: str) -> tuple[int, dict[str, set[str]]]:
    """How many calls there are, and what is read by private functions."""
    calls, literals = spoken(ast.parse(textwrap.dedent(text)))
    return len(calls), literals


def test_a_private_function_reads_the_literals_that_its_module_gives_it() -> None:
    """As long as nobody else calls it."""
    assert found(PRIVATE) == (1, {"_reads": {f"{BY}_reads", "one", "two"}})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"one"', 'x + "one"'),
        ('"one"', "*x"),
        ("name=", "**"),
        ("name=", "nmae="),
        ("and _reads(", "and map(_reads, "),
        ("def _both", "also = _reads\ndef _both"),
        ("def _both", "@_reads\ndef _both"),
        ("def _both", "also = '_reads'\ndef _both"),
        ("def _both", "also.made._reads(1, z, 2)\ndef _both"),
        ("def _both", "from a import b as _reads\ndef _both"),
        ("def _both", "class A:\n    def _reads(self): ...\ndef _both"),
        ("def _reads", "@cached\ndef _reads"),
        ("x, name, other)", "x, other, name=1)"),
        ("x, name, other)", "x, /, name, other)"),
        ("    return getattr", "    name += other\n    return getattr"),
        ("    return getattr", "    for name in other: pass\n    return getattr"),
        ("    return getattr", "    import name\n    return getattr"),
        ("    return getattr", "    def inner():\n        nonlocal name\n    return getattr"),
    ],
)
def test_where_another_name_may_come_nobody_knows_which(old: str, new: str) -> None:
    """Or where the function may be had by other ways, or may be another one."""
    assert old in PRIVATE
    assert found(PRIVATE.replace(old, new, 1)) == (0, {})


def test_a_public_function_may_be_given_any_name() -> None:
    """By those who use the module."""
    assert found(PRIVATE.replace("_reads", "reads")) == (0, {})


def test_a_method_that_hands_on_what_it_was_asked_for_reads_no_other_name() -> None:
    """Who asks says the name himself."""
    assert found(PROXY) == (1, {})
    assert found(PROXY.replace("__getattr__", "__getattribute__")) == (1, {})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (", name)\n", ", name + '_')\n"),
        ("        return", "        name = name.lower()\n        return"),
        ("def __getattr__", "def look"),
        ("    def", "    @wrapped\n    def"),
        ("(self, name)", "(name)"),
        ("self._inner, name", "self._inner, self.name"),
        ("return getattr(self._inner, name)", "return lambda name: getattr(self._inner, name)"),
    ],
)
def test_a_method_that_may_read_another_name_is_not_one(old: str, new: str) -> None:
    """Nor is one that is not asked by Python."""
    assert old in PROXY
    assert found(PROXY.replace(old, new)) == (0, {})
