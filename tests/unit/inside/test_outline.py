"""What a source consists of: functions and statements, with what each mentions."""

from __future__ import annotations

import pytest

from devloop.inside import source
from devloop.select.classes import Classes
from devloop.select.edits import Edit, compare
from devloop.select.outlines import (
    ANY_IMPORT,
    ANY_NAME,
    ANY_SIGNATURE,
    CHANGED,
    SIGNATURE,
    Outline,
    decode,
)

BASE = '''
"""A module."""
import os
from other import A as renamed

LIMIT = 10
TABLE: dict = {"limit": LIMIT}

def plain(a, b=LIMIT):
    """Says so."""
    return [helper(i, key=b) for i in a]

def outer():
    def inner():
        return os.sep
    return inner, (lambda: renamed)

class Shape(Base):
    sides = 0
    @property
    def area(self):
        return self.width * self.height
    @area.setter
    def area(self, value):
        self.width = value

@register("x")
def hooked():
    return "templates/a.html"

start(plain)
'''


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


def edit(old: str, new: str, *others: str) -> Edit:
    """What the replacement of one text by another in the source comes to."""
    assert BASE.count(old) == 1
    before, after = outline(BASE), outline(BASE.replace(old, new))
    return compare(before, after, Classes([before, after, *map(outline, others)]))


def mentions(key: str) -> set[str]:
    """The identifiers that a function of the source mentions."""
    found = outline(BASE)
    (function,) = [one for one in found.functions if one.key == key]
    return set(found.names_of(function))


def test_functions_are_told_apart_and_what_has_no_name_is_folded() -> None:
    """A getter and a setter are one, and each by its number; a lambda is part of a function."""
    keys = [function.key for function in outline(BASE).functions]
    assert keys == [
        "Shape.area", "Shape.area#1", "Shape.area#2", "hooked", "outer", "outer.<locals>.inner",
        "plain",
    ]  # fmt: skip


def test_a_function_mentions_names_attributes_keywords_and_what_strings_hold() -> None:
    """Not its docstring, nor its own variables."""
    assert {"helper", "key"} <= mentions("plain")
    assert "Says" not in mentions("plain")
    assert "a" not in mentions("plain")
    assert {"width", "height"} <= mentions("Shape.area")
    assert {"templates", "a", "html"} <= mentions("hooked")
    assert "renamed" in mentions("outer")


def unsaid(body: str, before: str = "import inspect") -> set[str]:
    """What a function may read without saying it."""
    found = outline(f"{before}\ndef f(x, name):\n    {body}\n")
    return {ANY_NAME, ANY_SIGNATURE}.intersection(found.names_of(found.functions[0]))


def test_what_may_read_any_name_says_so() -> None:
    """By its code, or by code within its strings; what reads any object's signature, too."""
    both = {ANY_NAME, ANY_SIGNATURE}
    assert unsaid("return x.__dict__") == {ANY_NAME}
    assert unsaid("return [dir(x)]") == both
    assert unsaid("return getattr(x, name)") == {ANY_NAME}
    assert unsaid("return map(getattr, x)") == {ANY_NAME}
    assert unsaid("return x.__code__.co_names") == both
    assert unsaid("return signature(x)", "from inspect import signature") == both
    assert unsaid("return inspect.signature(x)") == both
    assert unsaid("return sig(x)", "from inspect import signature as sig") == both
    assert unsaid("return attr(x, name)", "from builtins import getattr as attr") == {ANY_NAME}
    assert unsaid("return b.eval(name)", "import builtins as b") == both
    assert unsaid("return fields(x)", "from dataclasses import fields") == {ANY_NAME}
    assert unsaid("return run('-c', 'print(vars(x))')") == both
    assert unsaid("return resolve('dataclasses:asdict')") == both
    assert unsaid("return getattr(builtins, 'eval')(name)") == both
    assert unsaid("return f'{name}.__dict__'") == both


def test_a_name_that_is_computed_is_that_of_a_signature_where_its_parts_are() -> None:
    """Else who wants a signature says so where the name comes from; so does who makes a double."""
    both = {ANY_NAME, ANY_SIGNATURE}
    assert unsaid("return getattr(x, f'__{name}__')") == both
    assert unsaid("return getattr(x, '__' + name)") == both
    assert unsaid("return getattr(x, '__%s__' % name)") == both
    assert unsaid("return getattr(x, '_' * 2 + name)") == both
    assert unsaid("return getattr(x, '_' + name)") == both
    assert unsaid("return getattr(x, name) or x['__name__'] or 'a_b'") == {ANY_NAME}
    assert unsaid("return '__defaults__'") == both
    assert unsaid("return mock.create_autospec(x)") == both
    assert unsaid("return mock.patch('a.f', autospec=True)") == both


def test_words_and_own_variables_read_no_name_unsaid() -> None:
    """English holds many of them; `locals` gives what the function itself has named.

    So may an object have an attribute of such a name.
    """
    assert unsaid("return self.__dict__") == set()
    assert unsaid("return self.__dict__", "class Meta(type): ...") == {ANY_NAME}
    local = "from threading import local\nkept = local()\n"
    assert unsaid("return kept.__dict__", local) == set()
    assert unsaid("return kept.__dict__", f"{local}kept = x") == {ANY_NAME}
    assert unsaid("return kept.__dict__", "kept = local()") == {ANY_NAME}
    assert unsaid("return x.globals, x.fields(), x.deep.signature, fields(x)") == set()
    assert unsaid("raise ValueError('the fields of a signature, evaluated in its dir')") == set()
    assert unsaid("return name.format(**locals())") == set()
    assert unsaid("return [one.limit for one in type(x).__mro__]") == set()
    assert unsaid("return getattr(x, 'limit')") == set()


def test_a_statement_may_read_any_name_too() -> None:
    """`locals` is that of the module there."""

    def names(text: str) -> set[str]:
        found = outline(text)
        return {ANY_NAME, ANY_SIGNATURE}.intersection(found.names_of(found.units[-1]))

    assert names("X = locals()") == {ANY_NAME}
    assert names("X = print.__dict__") == {ANY_NAME}
    assert names("X = getattr(print, name)") == {ANY_NAME, ANY_SIGNATURE}
    assert names("@patch('a.f', autospec=True)\ndef f(): ...") == {ANY_NAME, ANY_SIGNATURE}
    assert names("X = 'eval $(fields)'") == set()


def test_layout_and_comments_are_no_edit() -> None:
    """Nothing of them is in an outline."""
    spread_out = BASE.replace("(i, key=b)", "(\n        i,  # one\n        key=b,\n    )")
    assert outline(spread_out) == outline(BASE)


def test_the_edit_of_a_body_is_that_of_its_function_alone() -> None:
    """Whatever stands around it; where several have its name, of that one among them."""
    one, other = (Edit(frozenset({"Shape.area", f"Shape.area#{number}"})) for number in (1, 2))
    assert edit("self.width * self", "self.width + self") == one
    assert edit("self.width = value", "self.width = 2 * value") == other


def test_a_property_that_becomes_none_breaks_what_is_built_on_it() -> None:
    """Its setter is none of a function; the last one of a name has nothing on it."""
    base = "class Base:\n    pass"
    assert edit("    @property\n", "", base).wild == "Shape.area"
    assert edit("    @area.setter\n", "", base).wild is None


def test_where_one_more_has_a_name_nobody_knows_which_is_which() -> None:
    """The first may be the second now; so it is, where a function has lost its namesake."""
    more = "    @area.deleter\n    def area(self):\n        del self.width\n\n@register"
    found = edit("\n@register", more).functions
    assert found == {"Shape.area", *(f"Shape.area#{number}" for number in (1, 2, 3))}
    less = edit("    @area.setter\n    def area(self, value):\n", "    def other(self, value):\n")
    assert {"Shape.area", "Shape.area#1", "Shape.area#2"} <= less.functions
    assert edit("return os.sep", "return os.name") == Edit(frozenset({"outer.<locals>.inner"}))
    assert edit("(lambda: renamed)", "(lambda: 1)") == Edit(frozenset({"outer"}))


def test_a_constant_is_its_name() -> None:
    """And whatever may read a name without saying it."""
    found = edit("LIMIT = 10", "LIMIT = 11")
    assert (found.functions, set(found.names)) == (frozenset(), {"LIMIT", ANY_NAME})
    assert found.wild is None


def test_a_docstring_is_what_mentions_docstrings() -> None:
    """That of the module, and of a function, whose own code it is not (S27)."""
    found = edit("A module.", "Another module.")
    assert "__doc__" in found.names
    assert (found.functions, found.wild) == (frozenset(), None)
    assert "__doc__" in edit("Says so.", "Says no.").names


@pytest.mark.parametrize(
    ("decorator", "taken"),
    [("@click.command()", True), ("@functools.cache", False)],
)
def test_a_docstring_is_part_of_what_a_decorator_makes_of_a_function(
    decorator: str, taken: bool
) -> None:
    """A command shows it as its help, and mentions no `__doc__` (S27)."""
    said = "import click, functools\n"
    said += f'{decorator}\ndef main():\n    """Says so."""\n'
    before, after = outline(said), outline(said.replace("Says so.", "Says no."))
    found = compare(before, after, Classes([before, after]))
    assert ("main" in found.names) is taken
    assert found.wild is None
    assert "__doc__" in found.names


def test_an_attribute_is_its_name_and_that_of_its_class() -> None:
    """Where the bases are known to do nothing when they are derived from."""
    base = "class Base:\n    pass"
    assert set(edit("sides = 0", "sides = 4", base).names) == {"sides", "Shape", ANY_NAME}


def test_in_a_class_of_unknown_bases_anything_may_happen() -> None:
    """A metaclass may register it, or `__init_subclass__`."""
    hooked = "class Base:\n    def __init_subclass__(cls): ..."
    assert edit("sides = 0", "sides = 4").wild == "Shape.sides"
    assert edit("sides = 0", "sides = 4", hooked).wild == "Shape.sides"
    made = "class Base(metaclass=Meta):\n    pass"
    assert edit("sides = 0", "sides = 4", made).wild == "Shape.sides"


def test_a_default_is_served_to_those_who_run_the_function() -> None:
    """An annotation, too, whatever stands there as the default."""
    found = edit("b=LIMIT", "b: int = LIMIT")
    assert found.functions == {"plain"}
    assert set(found.names) == {ANY_SIGNATURE, SIGNATURE + "plain"}
    assert edit("b=LIMIT", "b=TABLE").functions == {"plain"}
    assert set(edit("b=LIMIT", "b=TABLE").names) == {ANY_SIGNATURE, SIGNATURE + "plain"}


def test_another_decorator_may_give_another_docstring() -> None:
    """Those of the standard library that are known to hand it on do not."""
    lines = "import functools\n{}def f():\n    'Says so.'\n"
    wraps = "def wraps(f):\n    def run():\n        return f()\n    return run\n"

    def docs(before: str, after: str, more: str = "") -> bool:
        one, other = (outline(more + lines.format(text)) for text in (before, after))
        return "__doc__" in compare(one, other, Classes([one, other])).names

    assert not docs("@functools.cache\n", "")
    assert not docs("@functools.cache\n", "@functools.lru_cache(maxsize=5)\n")
    assert docs("@wraps\n", "", wraps)


def test_an_import_of_the_standard_library_is_the_name_that_it_binds() -> None:
    """It does nothing else that a test could see."""
    found = edit("import os", "import os.path as os")
    assert (set(found.names), found.wild) == ({"os", ANY_NAME}, None)


def test_what_is_not_known_to_do_nothing_else_may_do_anything() -> None:
    """Calls, imports, decorators, the header of a class, the order of statements."""
    assert edit("start(plain)", "start(outer)").wild
    assert edit("import A as", "import B as").wild == "renamed"
    assert edit('@register("x")', '@register("y")').wild == "hooked"
    assert edit("class Shape(Base)", "class Shape(Base, Mixin)").wild == "Shape"
    assert edit('@register("x")\n', "").wild == "hooked"
    assert edit("    sides = 0", "    __slots__ = ()").wild
    moved = BASE.replace("LIMIT = 10\n", "").replace("import os\n", "import os\nLIMIT = 10\n")
    assert compare(outline(BASE), outline(moved), Classes([])).wild


def test_a_function_that_comes_is_its_name() -> None:
    """It may stand in the place of another one; a method that Python calls may do more."""
    found = edit("def outer():", "def another():\n    pass\n\ndef outer():")
    assert found.functions == {"another"}
    assert set(found.names) == {"another", ANY_NAME, ANY_IMPORT}
    base = "class Base:\n    pass"
    method = "    sides = 0\n    def __eq__(self, other):\n        return True"
    assert edit("    sides = 0", method, base).wild == "Shape.__eq__"


def test_only_what_the_standard_library_is_known_to_do_counts_as_harmless() -> None:
    """A function of the same name from elsewhere does not."""

    def effect(text: str) -> bool:
        found = outline(text)
        classes = Classes([found])
        return any(
            bool(unit.effect & CHANGED) or classes.may_do_anything(unit)
            for unit in found.units
            if "X" in unit.binds
        )

    assert not effect("import re\nX = re.compile('a')")
    assert not effect("from functools import partial as p\nX = p(print, 1)")
    assert not effect("X = frozenset({1, 2}) | {len('a')}")
    assert effect("from own import compile\nX = compile('a')")
    assert effect("from .re import compile\nX = compile('a')")
    assert effect("def frozenset(x): print(x)\nX = frozenset({1})")
    assert effect("X = print(1)")
    assert effect("X = Y['a'] = 1")
    assert effect("X = Y.a = 1")
    assert not effect("from dataclasses import dataclass\n@dataclass\nclass X:\n    a: int = 1")
    assert not effect("import enum\nclass X(enum.Enum):\n    A = 1")


def test_a_source_that_does_not_compile_has_no_outline() -> None:
    """Its edit is one of everything."""
    assert source.read(b"def f(:")[1] == b""
