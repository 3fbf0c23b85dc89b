"""What of a module's `__getattr__` runs where it is asked for a private name."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping

import pytest

from devloop.inside import source
from devloop.inside.effects import Effects
from devloop.inside.refusals import refusal
from devloop.select.edits import functions_edited
from devloop.select.outlines import Outline, decode

PLAIN = '''
def __getattr__(name: str) -> object:
    """Says so."""
    import warnings

    if name == "old":
        warnings.warn("gone", stacklevel=2)
        return new
    elif name in {"older", "oldest"}:
        return find(name)
    raise AttributeError(f"module {__name__!r} has no {name}")
'''


def refused(text: str) -> str | None:
    """With what the source refuses."""
    tree = ast.parse(text)
    return refusal(tree, Effects(tree.body))


def outline(text: str) -> Outline:
    """The outline of a source."""
    return decode(source.read(text.encode())[1])


def edited(old: str, new: str) -> frozenset[str]:
    """Which functions an edit of the source edits."""
    assert PLAIN.count(old) == 1
    return functions_edited(outline(PLAIN), outline(PLAIN.replace(old, new)))


def test_an_edit_of_an_answer_leaves_the_refusal_as_it_was() -> None:
    """So that it concerns those alone who were given an answer."""
    assert edited("return find(name)", "return find(None)") == {"__getattr__"}
    assert edited('"older"', '"newer"') == {"__getattr__"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"older"', '"__path__"'),
        ('name == "old"', 'name != "old"'),
        ('name == "old"', "name == OLD"),
        ('name == "old"', 'name.upper() == "old"'),
        ('name in {"older", "oldest"}', 'name not in {"older", "oldest"}'),
        ("import warnings", "import other"),
        ("raise AttributeError(", "return print("),
        ("raise AttributeError(", "raise KeyError("),
        ("has no", "lacks"),
        ("{name}", "{find(name)}"),
        ("{name}", "{name:{find()}}"),
        ("(name: str)", "(name: str, *more)"),
        ("def __getattr__", "@cached\ndef __getattr__"),
        ("return find(name)", "yield find(name)"),
        ("    import warnings", "    name = '__path__'"),
        ('"""Says so."""', "find(name)"),
        ("def __getattr__", "AttributeError = KeyError\ndef __getattr__"),
    ],
)
def test_where_it_may_do_anything_else_the_refusal_is_edited(old: str, new: str) -> None:
    """Or refuses with other words."""
    assert "__getattr__#_" in edited(old, new)


def test_methods_of_that_name_are_no_refusals_of_the_module() -> None:
    """Nor is there none because of them."""
    proxy = "class Proxy:\n    def __getattr__(self, name):\n        return find(name)\n"
    assert refused(proxy + PLAIN) == refused(PLAIN) is not None
    assert refused(proxy) is None
    assert (
        refused(PLAIN + "if old:\n    def __getattr__(name):\n        return find(name)\n") is None
    )


@pytest.mark.parametrize("old", ["", '"older", '])
def test_what_is_taken_for_a_refusal_is_one(old: str) -> None:
    """It raises AttributeError, and has called nothing."""
    text = PLAIN.replace(old, "") if old else PLAIN
    assert refused(text) is not None
    names: dict[str, object] = {"__name__": "m", "__builtins__": _guarded()}
    exec(text, names)
    with pytest.raises(AttributeError, match="has no __path__"):
        names["__getattr__"]("__path__")  # type: ignore[operator]


def _guarded() -> Mapping[str, object]:
    return {"AttributeError": AttributeError, "__import__": builtins.__import__}
