"""Outlines of modules made at random: each edit is just what it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devloop.inside import source
from devloop.select.classes import Classes
from devloop.select.edits import Edit, compare
from devloop.select.outlines import ANY_NAME, Outline, decode

NAMES = [f"n{number}" for number in range(5)]
KINDS = ("value", "function", "method", "inner", "attribute")
PARTS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=len(NAMES))


def text_of(kinds: list[str], edited: int | None = None, layout: str = "") -> str:
    """A module of such parts; one of them says another number, and all have some layout."""
    found = [layout.strip()]
    for number, (kind, name) in enumerate(zip(kinds, NAMES, strict=False)):
        said = 1 if number == edited else 0
        found += {
            "value": [f"{name} = ({said},)"],
            "function": [f"def {name}(a, b=1):", layout, f"    return a + {said}"],
            "method": [f"class C{name}:", f"    def {name}(self):", f"        return {said}"],
            "inner": [
                f"def {name}():",
                "    def inner():",
                f"        return {said}",
                layout,
                "    return inner",
            ],
            "attribute": [f"class C{name}:", layout, f"    {name} = {said}"],
        }[kind]
    return "\n".join(found) + "\n"


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


def edit(before: str, after: str) -> Edit:
    """What the step from one text to another comes to."""
    one, other = outline(before), outline(after)
    return compare(one, other, Classes([one, other]))


@given(PARTS, st.data())
def test_an_edit_is_that_of_its_own_part_alone(kinds: list[str], data: st.DataObject) -> None:
    """The body of a function is that function, a value its name, an attribute its class too."""
    at = data.draw(st.integers(0, len(kinds) - 1))
    name = NAMES[at]
    found = edit(text_of(kinds), text_of(kinds, at))
    functions = {
        "function": {name},
        "method": {f"C{name}.{name}"},
        "inner": {f"{name}.<locals>.inner"},
    }.get(kinds[at], set())
    values = {"value": {name, ANY_NAME}, "attribute": {name, f"C{name}", ANY_NAME}}
    names = values.get(kinds[at], set())
    assert found.functions == functions
    assert set(found.names) == names
    assert found.wild is None


@given(PARTS, st.sampled_from(["", "    # a comment", "    "]))
def test_layout_is_no_edit(kinds: list[str], layout: str) -> None:
    """Comments and blank lines, wherever they stand."""
    assert edit(text_of(kinds), text_of(kinds, layout=layout)) == Edit()


STATEMENTS = (
    "A = 1", "A, (B, *C) = 1, (2, 3)", "A: int = 1", "A = [B := 2]", "A = B = 3", "import os.path",
    "import os.path as A", "from os import path, sep as B", "def A(): D = 1", "class A:\n    D = 1",
    "for A, B in [(1, 2)]: C = A", "if True:\n    A = 1\nelse:\n    B = 1",
    "with open(__import__('os').devnull) as A: B = 1", "try:\n    A = 1\nfinally:\n    B = 2",
    "A = 1\nA += 1", "async def A(): pass", "while True:\n    A = 1\n    break",
    "A = [D for D in (1, 2)]", "A = lambda D: D", "@staticmethod\ndef A(): pass",
)  # fmt: skip


@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4))
def test_all_that_a_module_binds_is_known(statements: list[str]) -> None:
    """What is there when its statements have run is bound by one of them, in its outline."""
    text = "\n".join(statements)
    there: dict[str, object] = {}
    exec(text, there)
    bound = {name for unit in outline(text).units if not unit.scope for name in unit.binds}
    assert there.keys() - {"__builtins__", "__annotations__"} <= bound
