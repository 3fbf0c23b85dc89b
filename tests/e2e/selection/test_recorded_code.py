"""By what each test was seen to run: every test that an edit of code can break, and few others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VALUES = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["src"]
src/shop/__init__.py
src/shop/consts.py
    A = 1
    B = 1
    DERIVED = A + 1
    TABLE = {"a": 1}
src/shop/shapes.py
    class Shape:
        sides = 4
        colour = "red"
        def name(self):
            return "shape"
        def describe(self):
            return self.name()
        @property
        def area(self):
            return 9
        def __eq__(self, other):
            return True
        __hash__ = None
src/shop/squares.py
    from shop.shapes import Shape
    class Square(Shape):
        pass
src/shop/functions.py
    import functools
    def twice(function):
        @functools.wraps(function)
        def run(*args):
            return 2 * function(*args)
        return run
    def add(a, b: int = 1):
        return a + b
    def sub(a, b=1):
        return a - b
    def unused():
        return 1
    def outer():
        def inner():
            return 1
        return inner() + (lambda: 1)()
    @twice
    def doubled(a):
        return a
    EXPORTS = ["add"]
src/shop/exports.py
    __all__ = ["one"]
    one = 1
    two = 2
tests/test_values.py
    import inspect
    from shop import consts, functions
    from shop.exports import *
    from shop.shapes import Shape
    from shop.squares import Square
    def test_a():
        assert consts.A == 1
    def test_b():
        assert consts.B == 1
    def test_derived():
        assert consts.DERIVED == 2
    def test_by_name():
        assert getattr(consts, "TA" + "BLE") == {"a": 1}
    def test_sides():
        assert Square.sides == 4
    def test_colour():
        assert Square.colour == "red"
    def test_describe():
        assert Square().describe() == "shape"
    def test_area():
        assert Shape().area == 9
    def test_equal():
        assert Shape() == 1
    def test_add():
        assert functions.add(1) == 2
    def test_sub():
        assert functions.sub(1) == 0
    def test_outer():
        assert functions.outer() == 2
    def test_doubled():
        assert functions.doubled(1) == 2
    def test_annotation():
        assert inspect.get_annotations(functions.add) == {"b": int}
    def test_exported():
        assert "two" not in globals()
    def test_nothing():
        pass
tests/test_alone.py
    def test_alone():
        pass
"""


def test_an_edit_of_a_function_selects_those_that_ran_it(recorded: MakeLab) -> None:
    """Its body alone: methods, properties, nested functions, decorators' wrappers too."""
    project = recorded(VALUES)
    functions, shapes = "src/shop/functions.py", "src/shop/shapes.py"

    def check(path: str, old: str, new: str, *expected: str) -> set[str]:
        found = project.check(project.edit(path, old, new), *(f"::{name}" for name in expected))
        return {nodeid.rpartition("::")[2] for nodeid in found}

    assert check(functions, "a + b", "a + b + 1", "test_add") == {"test_add"}
    assert check(functions, "a - b", "a", "test_sub") == {"test_sub"}
    assert check(functions, "return 1\ndef outer", "return 2\ndef outer") == set()
    assert check(functions, "        return 1\n", "        return 2\n", "test_outer") == {
        "test_outer"
    }
    assert check(functions, "(lambda: 1)", "(lambda: 2)", "test_outer") == {"test_outer"}
    assert check(functions, "2 * function", "3 * function", "test_doubled") == {"test_doubled"}
    assert check(shapes, '"shape"', '"form"', "test_describe") == {"test_describe"}
    assert check(shapes, "return 9", "return 8", "test_area") == {"test_area"}
    assert check(shapes, "return True", "return False", "test_equal") == {"test_equal"}


def test_an_edit_of_a_value_selects_those_that_can_read_it(recorded: MakeLab) -> None:
    """S1, S2, S3, S26: constants, attributes, overrides, defaults, decorators, annotations."""
    project = recorded(VALUES)
    functions, shapes, consts = (f"src/shop/{n}.py" for n in ("functions", "shapes", "consts"))

    def check(path: str, old: str, new: str, *expected: str) -> set[str]:
        found = project.check(project.edit(path, old, new), *(f"::{name}" for name in expected))
        names = {nodeid.rpartition("::")[2] for nodeid in found}
        assert "test_alone" not in names
        return names

    assert "test_b" not in check(consts, "A = 1\nB", "A = 3\nB", "test_a", "test_derived")
    assert "test_a" not in check(consts, "B = 1", "B = 2", "test_b")
    check(consts, '"a": 1', '"a": 2', "test_by_name")
    assert "test_a" not in check(shapes, "sides = 4", "sides = 5", "test_sides")
    assert "test_a" not in check(shapes, '"red"', '"blue"', "test_colour")
    override = "pass\n    def name(self):\n        return 'square'\n"
    check("src/shop/squares.py", "pass\n", override, "test_describe")
    assert "test_add" not in check(functions, "b=1", "b=2", "test_sub")
    assert "test_sub" not in check(functions, "b: int = 1", "b: int = 2", "test_add")
    check(functions, "b: int = 1", "b: str = 1", "test_annotation")
    check(functions, "@twice\ndef doubled", "def doubled", "test_doubled")
    check(shapes, "    @property\n", "", "test_area")
    check("src/shop/exports.py", '["one"]', '["one", "two"]', "test_exported")


SAID = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["."]
lib.py
    class Colour:
        red = 1
        blue = 1
    class Proxy:
        def __init__(self, inner):
            self._inner = inner
        def __getattr__(self, name):
            return getattr(self._inner, name)
    def _of(x, name):
        return getattr(x, name)
    def red():
        return _of(Colour, "red")
    def served(n=1):
        return n
    def default(f, name):
        return getattr(f, name)
    def keeper():
        kept = {}
        def get():
            if "x" not in kept:
                kept["x"] = make()
            return kept["x"]
        def look():
            return kept["x"] if "x" in kept else get()
        return get, look
    def make():
        return 1
    get, look = keeper()
tests/test_said.py
    from unittest import mock
    import lib
    def test_red():
        assert lib.red() == 1
    def test_blue():
        assert lib._of(lib.Colour, "".join(["bl", "ue"])) == 1
    def test_proxy():
        assert lib.Proxy(lib.Colour).blue == 1
    def test_double():
        assert mock.create_autospec(lib.served)() is not None
    def test_patched():
        with mock.patch("lib.served", autospec=True):
            assert lib.served() is not None
    def test_get():
        assert lib.get() == 1
    def test_look():
        assert lib.look() == 1
tests/test_defaults.py
    import pytest
    import lib
    @pytest.mark.parametrize("name", ["__defaults__"])
    def test_default(name):
        assert lib.default(lib.served, name) == (1,)
"""


def test_who_reads_a_name_that_others_say_is_found(recorded: MakeLab) -> None:
    """A private function's literals, what a proxy is asked for, the signature of a double.

    And what a closure keeps, by whom of those within it is met.
    """
    project = recorded(SAID)

    def check(old: str, new: str, *expected: str) -> set[str]:
        edit = project.edit("lib.py", old, new)
        found = project.check(edit, *(f"::{name}" for name in expected))
        return {nodeid.rpartition("::")[2] for nodeid in found}

    assert "test_get" not in check("red = 1", "red = 2", "test_red")
    assert "test_get" not in check("blue = 1", "blue = 2", "test_blue", "test_proxy")
    assert "test_red" not in check(
        "served(n=1)", "served(n)", "test_default[__defaults__]", "test_double", "test_patched"
    )
    assert check("return 1\nget", "return 2\nget", "test_get", "test_look") == {
        "test_get", "test_look"
    }  # fmt: skip


IDIOMS = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["."]
shop/__init__.py
    from .codes import *
    from .prices import *
    try:
        from .extra import extra
    except ImportError:
        def extra():
            return "none"
    __all__ = ["Codes", "Price", "extra"]
    __locals = locals()
    for __name in __all__:
        setattr(__locals[__name], "__module__", "shop")
shop/codes.py
    from enum import IntEnum
    __all__ = ["Codes"]
    class Codes(IntEnum):
        OK = 1
        BAD = 2
    for code in Codes:
        setattr(Codes, code.name.lower(), int(code))
shop/prices.py
    __all__ = ["Price"]
    EXTRA = 1
    UNIT = 1
    TABLE = {"one": UNIT}
    TABLE.update({"two": UNIT + 1})
    class Price:
        low = 1
        def of(self, name):
            return TABLE[name]
shop/extra.py
    from .prices import EXTRA
    def extra():
        return "some"
tests/test_codes.py
    from shop import Codes
    def test_code():
        assert Codes.ok == 1
    def test_alone():
        assert True
tests/test_prices.py
    import shop
    def test_low():
        assert shop.Price.low == 1
    def test_price():
        assert shop.Price().of("two") == 2
    def test_module():
        assert shop.Price.__module__ == "shop"
    def test_extra():
        assert shop.extra() == "some"
    def test_alone():
        assert True
"""


def test_statements_that_do_more_than_to_bind_names_are_followed(recorded: MakeLab) -> None:
    """Loops over exports and enumerations, filled containers, imports that may fail."""
    project = recorded(IDIOMS)

    def check(path: str, old: str, new: str, *expected: str) -> set[str]:
        edit = project.edit(f"shop/{path}", old, new)
        found = project.check(edit, *(f"::{name}" for name in expected))
        return {nodeid.rpartition("::")[2] for nodeid in found}

    assert "test_alone" not in check("codes.py", "OK = 1", "OK = 3", "test_code")
    assert "test_alone" not in check("prices.py", "low = 1", "low = 2", "test_low")
    assert "test_alone" not in check("prices.py", "UNIT + 1", "UNIT + 2", "test_price")
    assert "test_alone" not in check("prices.py", "UNIT = 1", "UNIT = 2", "test_price")
    check("prices.py", "EXTRA", "MORE", "test_extra")
    check("codes.py", "name.lower", "name.title", "test_code")
    check("__init__.py", '"shop")', '"store")', "test_module")


DATA = """
pyproject.toml
    [tool.pytest.ini_options]
    pythonpath = ["."]
lib.py
    class Limits:
        low = 1
        high = 1
wanted.json
    {"name": "LOW", "of": "Limits"}
other.json
    {"name": "lower", "of": "limit"}
tests/test_wanted.py
    import json, pathlib
    import lib
    def test_wanted():
        wanted = json.loads(pathlib.Path("wanted.json").read_text())
        found = lib
        for name in (wanted["of"], wanted["name"].lower()):
            found = getattr(found, name)
        assert found == 1
tests/test_other.py
    import json, pathlib
    import lib
    def test_other():
        assert json.loads(pathlib.Path("other.json").read_text())["name"] == "lower"
"""


def test_who_reads_data_is_reached_by_what_it_names(recorded: MakeLab) -> None:
    """In other letters, too; and not by what it does not name."""
    project = recorded(DATA)
    found = project.check(project.edit("lib.py", "low = 1", "low = 2"), "::test_wanted")
    assert {nodeid.rpartition("::")[2] for nodeid in found} == {"test_wanted"}
    assert "test_other" not in str(project.check(project.edit("lib.py", "high = 1", "high = 2")))


TWINS = """
pytest.ini
    [pytest]
    pythonpath = .
lib.py
    import functools
    class Box:
        def __init__(self, value=None):
            self._value = value
        @property
        def value(self):
            return self._value
        @value.setter
        def value(self, value):
            self._value = value * 2
        @value.deleter
        def value(self):
            self._value = None
    @functools.singledispatch
    def kind(value, *, mark=""):
        return "any"
    @kind.register
    def _(value: int, *, mark="i"):
        return "int" + mark
    @kind.register
    def _(value: str, *, mark="s"):
        return "str" + mark
    def __getattr__(name):
        if name == "old":
            return "new"
        raise AttributeError(name)
tests/test_twins.py
    import lib
    from lib import Box, kind
    def test_old():
        assert lib.old == "new"
    def test_get():
        assert Box(1).value == 1
    def test_set():
        box = Box()
        box.value = 1
        assert box._value == 2
    def test_delete():
        box = Box(1)
        del box.value
        assert box._value is None
    def test_int():
        assert kind(1) == "inti"
    def test_str():
        assert kind("") == "strs"
"""


def test_functions_of_one_name_are_told_apart(recorded: MakeLab) -> None:
    """A getter from its setter and its deleter, and each that a dispatcher was given.

    Their bodies, their defaults, one more of them, and one less.
    """
    project = recorded(TWINS)

    def check(old: str, new: str, *expected: str) -> set[str]:
        edit = project.edit("lib.py", old, new)
        found = project.check(edit, *(f"::{name}" for name in expected))
        return {nodeid.rpartition("::")[2] for nodeid in found}

    assert check("return self._value", "return 5", "test_get") == {"test_get"}
    assert check("value * 2", "value * 3", "test_set") == {"test_set"}
    assert check("self._value = None", "self._value = 0", "test_delete") == {"test_delete"}
    assert check('"int" + mark', '"INT" + mark', "test_int") == {"test_int"}
    assert check('"str" + mark', '"STR" + mark', "test_str") == {"test_str"}
    check('mark="s"', 'mark="t"', "test_str")
    check("    @value.setter\n", "", "test_get", "test_set")
    more = (
        '@kind.register\ndef _(value: int):\n    return "more"\n@kind.register\ndef _(value: str,'
    )
    check("@kind.register\ndef _(value: str,", more, "test_int")
    less = '@kind.register\ndef _(value: int, *, mark="i"):\n    return "int" + mark\n'
    check(less, "", "test_int")
    check('"int" + mark\n@kind.register\ndef _(value: str, *, mark="s"):\n    return "str"',
          '"str" + mark\n@kind.register\ndef _(value: str, *, mark="s"):\n    return "int"',
          "test_int", "test_str")  # fmt: skip
    # Each import has asked whether the module is a package, and pytest has asked for more.
    assert check('return "new"', 'return "old"', "test_old") == {"test_old"}
    assert check('name == "old"', "name") >= {"test_get", "test_int"}


REGISTRY = """
pytest.ini
    [pytest]
    pythonpath = .
kinds.py
    import functools
    KINDS = []
    def register(cls):
        KINDS.append(cls.__name__)
        return cls
    def checked(function):
        function.limit = limit()
        return function
    def limit():
        return 10
    class Named:
        def __set_name__(self, owner, name):
            self.name = label(name)
    def label(name):
        return name
    class Meta(type):
        def __new__(mcls, name, bases, names):
            names["made"] = stamp()
            return super().__new__(mcls, name, bases, names)
    def stamp():
        return "stamped"
    class Base:
        def __init_subclass__(cls):
            cls.tag = tag(cls)
    def tag(cls):
        return cls.__name__
users.py
    from kinds import Base, Meta, Named, checked, register
    @register
    class User(Base):
        name = Named()
    class Made(metaclass=Meta):
        pass
    @checked
    def action():
        pass
    def plain():
        return 1
tests/test_made.py
    import kinds, users
    def test_registered():
        assert kinds.KINDS == ["User"]
    def test_named():
        assert users.User.__dict__["name"].name == "name"
    def test_made():
        assert users.Made.made == "stamped"
    def test_tag():
        assert users.User.tag == "User"
    def test_limit():
        assert users.action.limit == 10
tests/test_plain.py
    def test_plain():
        assert True
"""


def test_code_that_ran_while_modules_were_imported(recorded: MakeLab) -> None:
    """S36: decorators, `__set_name__`, metaclasses, `__init_subclass__`, and what they call."""
    project = recorded(REGISTRY)

    def check(old: str, new: str, expected: str) -> None:
        found = project.check(project.edit("kinds.py", old, new), f"::{expected}")
        assert not any(nodeid.endswith("::test_plain") for nodeid in found)

    check("cls.__name__)\n    return cls\n", "'x')\n    return cls\n", "test_registered")
    check("return 10", "return 11", "test_limit")
    check("return name", "return name * 2", "test_named")
    check('"stamped"', '"made"', "test_made")
    check("return cls.__name__\n", "return 'x'\n", "test_tag")


SHARED = """
pytest.ini
    [pytest]
    pythonpath = .
lazy.py
    def value():
        return helper()
    def helper():
        return 1
base.py
    LOG = []
    def make():
        return {"rows": 1}
    def close():
        LOG.append("closed")
    def numbers():
        yield one()
        yield two()
    def one():
        return 1
    def two():
        return 2
    def held():
        try:
            yield 1
        except KeyError:
            caught()
        finally:
            cleaned()
    def caught():
        LOG.append("caught")
    def cleaned():
        LOG.append("cleaned")
    async def later():
        return soon()
    def soon():
        return 1
    def in_thread():
        return 1
conftest.py
    import pytest, base
    @pytest.fixture(scope="session")
    def rows():
        return base.make()
    @pytest.fixture(scope="module")
    def opened():
        yield 1
        base.close()
    @pytest.fixture(scope="module")
    def counting():
        return base.numbers()
tests/test_opened.py
    def test_opened_one(opened):
        pass
    def test_opened_two(opened):
        pass
tests/test_shared.py
    import asyncio, sys, threading
    import base
    HELD = []
    def test_first_import():
        import lazy
        assert lazy.value() == 1
    def test_second_import():
        module = sys.modules.get("lazy")
        if module is None:
            import lazy as module
        assert module.value() == 1
    def test_rows_one(rows):
        assert rows == {"rows": 1}
    def test_rows_two(rows):
        assert rows == {"rows": 1}
    def test_number_one(counting):
        assert next(counting) == 1
    def test_number_two(counting):
        assert next(counting) == 2
    def test_hold():
        HELD.append(base.held())
        assert next(HELD[0]) == 1
    def test_thrown():
        generator = base.held()
        next(generator)
        try:
            generator.throw(KeyError())
        except StopIteration:
            pass
        assert base.LOG[-2:] == ["caught", "cleaned"]
    def test_closed():
        generator = base.held()
        next(generator)
        generator.close()
        assert base.LOG[-1] == "cleaned"
    def test_coroutine():
        assert asyncio.run(base.later()) == 1
    def test_cancelled():
        async def main():
            async def waiting():
                try:
                    await asyncio.sleep(60)
                finally:
                    base.cleaned()
            task = asyncio.ensure_future(waiting())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        asyncio.run(main())
        assert base.LOG[-1] == "cleaned"
    def test_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(base.in_thread()))
        thread.start()
        thread.join()
        assert found == [1]
    def test_other():
        pass
"""


def test_what_tests_share_is_credited_to_each(recorded: MakeLab) -> None:
    """S4, S5, S6, S7, S7b: lazy imports, fixtures, finalizers, generators, tasks, threads."""
    project = recorded(SHARED)

    def check(path: str, old: str, new: str, *expected: str, beside: tuple[str, ...] = ()) -> None:
        ends = tuple(f"::{name}" for name in expected)
        found = project.check(project.edit(path, old, new), *ends)
        names = {nodeid.rpartition("::")[2] for nodeid in found}
        assert {*expected, *beside} <= names
        assert "test_other" not in names

    check("lazy.py", "return 1", "return 2", "test_first_import", "test_second_import")
    check("base.py", '"rows": 1', '"rows": 2', "test_rows_one", "test_rows_two")
    broken = 'raise ValueError(LOG.append("closed"))'
    check("base.py", 'LOG.append("closed")', broken, "test_opened_two", beside=("test_opened_one",))
    check("base.py", "    return 2\n", "    return 3\n", "test_number_two")
    check("base.py", 'LOG.append("caught")', "pass", "test_thrown")
    check(
        "base.py", 'LOG.append("cleaned")', "pass", "test_thrown", "test_closed", "test_cancelled"
    )
    soon = "def soon():\n    return "
    check("base.py", f"{soon}1", f"{soon}2", "test_coroutine")
    thread = "def in_thread():\n    return "
    check("base.py", f"{thread}1", f"{thread}2", "test_thread")


MEMO = """
pytest.ini
    [pytest]
    pythonpath = .
memo.py
    import functools
    import deep
    _seen = {}
    _only = None
    @functools.lru_cache
    def cached(n):
        return deep.cached(n)
    @functools.cache
    def unlimited():
        return deep.unlimited()
    def by_hand(n):
        if n not in _seen:
            _seen[n] = deep.by_hand(n)
        return _seen[n]
    def once():
        global _only
        if _only is None:
            _only = deep.once()
        return _only
    class Box:
        def __init__(self):
            self._held = None
        @functools.cached_property
        def value(self):
            return deep.value()
        @property
        def held(self):
            if self._held is None:
                self._held = deep.held()
            return self._held
    def tried(n, _known={}):
        try:
            return _known[n]
        except KeyError:
            _known[n] = deep.tried(n)
            return _known[n]
    BOX = Box()
deep.py
    def cached(n):
        return 1
    def unlimited():
        return 2
    def by_hand(n):
        return 3
    def once():
        return 4
    def value():
        return 5
    def held():
        return 6
    def tried(n):
        return 7
tests/test_memo.py
    import memo
    def test_cached_1():
        assert memo.cached(1) == 1
    def test_cached_2():
        assert memo.cached(1) == 1
    def test_unlimited_1():
        assert memo.unlimited() == 2
    def test_unlimited_2():
        assert memo.unlimited() == 2
    def test_by_hand_1():
        assert memo.by_hand(1) == 3
    def test_by_hand_2():
        assert memo.by_hand(1) == 3
    def test_once_1():
        assert memo.once() == 4
    def test_once_2():
        assert memo.once() == 4
    def test_value_1():
        assert memo.BOX.value == 5
    def test_value_2():
        assert memo.BOX.value == 5
    def test_held_1():
        assert memo.BOX.held == 6
    def test_held_2():
        assert memo.BOX.held == 6
    def test_tried_1():
        assert memo.tried(1) == 7
    def test_tried_2():
        assert memo.tried(1) == 7
    def test_other():
        pass
"""


def test_what_fills_a_cache_is_credited_to_those_that_hit_it(recorded: MakeLab) -> None:
    """S8: caching decorators and hand-made memos; the second test runs nothing of the reach."""
    project = recorded(MEMO)
    for number, name in enumerate(
        ("cached", "unlimited", "by_hand", "once", "value", "held", "tried"), 1
    ):
        edit = project.edit("deep.py", f"return {number}", "return 0")
        found = project.check(edit, f"::test_{name}_1", f"::test_{name}_2")
        assert not any(nodeid.endswith("::test_other") for nodeid in found), name


LAZY = """
pytest.ini
    [pytest]
    pythonpath = .
deep.py
    def missing():
        return 1
    def asked():
        return 2
    def got():
        return 3
    def put():
        return 4
    def hooked():
        return 5
lazy.py
    import abc
    import deep
    def __getattr__(name):
        if name != "put":
            raise AttributeError(name)
        globals()[name] = found = deep.put()
        return found
    class Table(dict):
        def __missing__(self, key):
            self[key] = found = deep.missing()
            return found
    class Asked:
        def __getattr__(self, name):
            found = deep.asked()
            setattr(self, name, found)
            return found
    class Got:
        def __get__(self, instance, owner):
            instance.__dict__["got"] = found = deep.got()
            return found
    class Box:
        got = Got()
    class Hooked(abc.ABC):
        @classmethod
        def __subclasshook__(cls, other):
            return deep.hooked() == 5
    TABLE, ASKED, BOX = Table(), Asked(), Box()
tests/test_lazy.py
    import lazy
    def test_missing_1():
        assert lazy.TABLE["a"] == 1
    def test_missing_2():
        assert lazy.TABLE["a"] == 1
    def test_asked_1():
        assert lazy.ASKED.a == 2
    def test_asked_2():
        assert lazy.ASKED.a == 2
    def test_got_1():
        assert lazy.BOX.got == 3
    def test_got_2():
        assert lazy.BOX.got == 3
    def test_put_1():
        assert lazy.put == 4
    def test_put_2():
        assert lazy.put == 4
    def test_hooked_1():
        assert issubclass(int, lazy.Hooked)
    def test_hooked_2():
        assert issubclass(int, lazy.Hooked)
tests/test_other.py
    def test_other():
        pass
"""


def test_what_is_found_without_a_call_is_credited_to_all_who_may_find_it(recorded: MakeLab) -> None:
    """S8: `__missing__`, a lazy attribute, a descriptor, a lazy name; the second runs nothing."""
    project = recorded(LAZY)
    for number, name in enumerate(("missing", "asked", "got", "put", "hooked"), 1):
        edit = project.edit("deep.py", f"return {number}", "return 0")
        found = project.check(edit, f"::test_{name}_1", f"::test_{name}_2")
        assert not any(nodeid.endswith("::test_other") for nodeid in found), name


BESIDE = """
pytest.ini
    [pytest]
    pythonpath = .
deep.py
    def value():
        return 1
boxes.py
    import functools
    import deep
    class Box:
        @functools.cached_property
        def data(self):
            return deep.value()
    KEPT = Box()
fields.py
    import functools
    import boxes
    class Fields:
        data = 1
    FIELDS = Fields()
    @functools.lru_cache
    def field(name):
        return getattr(FIELDS, name)
    def register(data):
        FIELDS.more = data
    register(FIELDS.data)
app.py
    import fields
    VERSION = "1"
    def version():
        return VERSION
tests/test_boxes.py
    import boxes, fields
    def test_data_1():
        assert boxes.KEPT.data == 1
    def test_data_2():
        assert boxes.KEPT.data == 1
tests/test_fields.py
    import boxes, fields
    def test_field_1():
        assert fields.field("more") == 1
    def test_field_2():
        assert fields.field("more") == 1
"""


def test_what_tests_have_kept_concerns_no_module_that_was_there_before(recorded: MakeLab) -> None:
    """S8: though that mentions the name; nor does an app concern tests that do not import it."""
    project = recorded(BESIDE)
    edit = project.edit("deep.py", "return 1", "return 0")
    found = project.check(edit, "::test_data_1", "::test_data_2")
    assert not any("test_fields" in nodeid for nodeid in found)
    assert project.check(project.edit("app.py", '"1"', '"2"')) == set()


FACTORIES = """
pytest.ini
    [pytest]
    pythonpath = .
deep.py
    def row():
        return 1
    def pair():
        return 2
    def length():
        return 3
    def page():
        return 4
rows.py
    import collections, functools
    import deep
    def _row():
        return deep.row()
    ROWS = collections.defaultdict(_row)
pairs.py
    import collections, functools
    import deep
    PAIRS = collections.defaultdict(lambda: deep.pair())
lengths.py
    import collections, functools
    import deep
    LENGTHS = functools.cache(lambda text: deep.length())
books.py
    import collections, functools
    import deep
    class Book:
        PAGES = collections.defaultdict(lambda: deep.page())
tests/test_factories.py
    import books, lengths, pairs, rows
    def test_row_1():
        assert rows.ROWS["a"] == 1
    def test_row_2():
        assert rows.ROWS["a"] == 1
    def test_pair_1():
        assert pairs.PAIRS["a"] == 2
    def test_pair_2():
        assert pairs.PAIRS["a"] == 2
    def test_length_1():
        assert lengths.LENGTHS("a") == 3
    def test_length_2():
        assert lengths.LENGTHS("a") == 3
    def test_page_1():
        assert books.Book.PAGES["a"] == 4
    def test_page_2():
        assert books.Book.PAGES["a"] == 4
tests/test_other.py
    def test_other():
        pass
"""


def test_what_a_factory_makes_is_credited_to_all_who_may_find_it(recorded: MakeLab) -> None:
    """S8: a function that `defaultdict` calls, or a lambda that a cache does."""
    project = recorded(FACTORIES)
    for number, name in enumerate(("row", "pair", "length", "page"), 1):
        edit = project.edit("deep.py", f"return {number}", "return 0")
        found = project.check(edit, f"::test_{name}_1", f"::test_{name}_2")
        assert not any(nodeid.endswith("::test_other") for nodeid in found), name


TEXT = '''
pytest.ini
    [pytest]
    pythonpath = .
documented.py
    """What it is for."""
lib.py
    import inspect, warnings
    def where():
        return inspect.currentframe().f_lineno
    def fails():
        raise ValueError("no")  # said
    def plain():
        return 1
    def warned():
        warnings.warn("old")
tests/test_text.py
    import inspect, linecache, logging, sys, traceback, warnings
    import pytest
    import documented, lib
    def test_line():
        assert lib.where() == 3
    def test_traceback():
        try:
            lib.fails()
        except ValueError:
            assert "line 5" in traceback.format_exc()
    def test_logged():
        try:
            lib.fails()
        except ValueError:
            record = logging.makeLogRecord({"exc_info": sys.exc_info()})
        assert "line 5" in logging.Formatter().format(record)
    def test_warned():
        with warnings.catch_warnings(record=True) as found:
            lib.warned()
        shown = warnings.formatwarning(
            found[0].message, UserWarning, lib.__file__, found[0].lineno
        )
        assert shown.endswith('lib.py:9: UserWarning: old\\n  warnings.warn("old")\\n')
    def test_source():
        assert "# said" in inspect.getsource(lib.fails)
    def test_linecache():
        assert "def where" in linecache.getline(lib.__file__, 2)
    def test_documented():
        assert documented.__doc__ == "What it is for."
    def test_plain():
        assert lib.plain() == 1
'''


def test_lines_texts_and_docstrings_that_tests_see(recorded: MakeLab) -> None:
    """S27, S28: a blank line or a comment selects those that looked at lines, and no others."""
    project = recorded(TEXT)
    lib = project.root.joinpath("lib.py").read_text()
    shifted = {"lib.py": f"# first\n{lib}"}
    shown = ("::test_traceback", "::test_logged", "::test_warned")
    found = project.check(shifted, "::test_line", "::test_linecache", *shown)
    assert not any(nodeid.endswith("::test_plain") for nodeid in found)
    project.check(project.edit("lib.py", "  # said", ""), "::test_source")
    # Where nothing moves, a traceback depends on what it shows.
    found = project.check(project.edit("lib.py", "return 1", "return 2"), "::test_plain")
    assert not any(nodeid.endswith(("::test_traceback", "::test_logged")) for nodeid in found)
    project.check(project.edit("lib.py", 'warn("old")', 'warn("old")  # shown'), "::test_warned")
    project.check(project.edit("documented.py", "for.", "not for."), "::test_documented")


ENDPOINTS = """
pytest.ini
    [pytest]
    pythonpath = .
main.py
    from fastapi import FastAPI
    app = FastAPI()
    @app.get("/one")
    def one():
        return 1
    @app.get("/two")
    def two():
        return 2
tests/test_main.py
    from fastapi.testclient import TestClient
    from main import app
    def test_one():
        assert TestClient(app).get("/one").json() == 1
    def test_two():
        assert TestClient(app).get("/two").json() == 2
"""


def test_who_asks_an_endpoint_does_not_look_at_its_text(lab: MakeLab) -> None:
    """S27: FastAPI reads sources, for where its errors say that an endpoint stands."""
    project = lab(ENDPOINTS)
    project.check(project.edit("main.py", "return 1", "return 3"), "::test_one")
    main = project.root.joinpath("main.py").read_text()
    project.write({"main.py": f"# first\n{main}"})
    assert project.due() == {}


KEPT_TEXT = """
pytest.ini
    [pytest]
    pythonpath = .
lib.py
    import functools, traceback
    @functools.lru_cache
    def shown():
        try:
            raise ValueError("no")
        except ValueError:
            return traceback.format_exc()
    def other():
        return 1
tests/test_lib.py
    import lib
    def test_first():
        assert "no" in lib.shown()
    def test_second():
        assert "no" in lib.shown()
    def test_other():
        assert lib.other() == 1
"""


def test_what_nobody_had_looked_at_then_is_no_change_since(recorded: MakeLab) -> None:
    """Lines of a source that were looked at on another branch alone count for that one."""
    project = recorded(KEPT_TEXT)
    lib = project.root.joinpath("lib.py").read_text()
    project.write({"lib.py": f"# first\n{lib}"})
    assert project.ran() == {"tests/test_lib.py::test_first", "tests/test_lib.py::test_second"}
    project.write({"lib.py": lib})
    assert project.due() == {}


IMPORTS = """
pytest.ini
    [pytest]
    pythonpath = .
lazy/__init__.py
    def __getattr__(name):
        import json
        return json
tests/test_lazy.py
    import builtins
    import lazy
    def test_lazy(monkeypatch):
        seen = []
        real = builtins.__import__
        def noting(name, globals=None, locals=None, fromlist=(), level=0):
            seen.append(locals)
            return real(name, globals, locals, fromlist, level)
        monkeypatch.setattr(builtins, "__import__", noting)
        lazy.answer
        monkeypatch.undo()
        assert not any(seen)
"""


def test_who_replaces_the_import_function_is_given_what_a_plain_run_gives(
    recorded: MakeLab,
) -> None:
    """A look at a frame's variables has Python 3.12 hand them on with the next import in it."""
    project = recorded(IMPORTS)
    assert project.due() == {}


INHERITED = """
pytest.ini
    [pytest]
    pythonpath = src
src/checks.py
    class Checks:
        limit = 3
        def test_limit(self):
            assert self.limit == 3
    def ready():
        return True
tests/test_queue.py
    from checks import *
    class TestQueue(Checks):
        def test_own(self):
            pass
    def test_ready():
        assert ready()
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    limit = 3\n", "    limit = 3\n    def test_new(self):\n        assert False\n"),
        ("    limit = 3\n", "    limit = 3\n    test_new = lambda self: 1 / 0\n"),
        ("    limit = 3\n", "    limit = 3\n    def setup_method(self):\n        assert False\n"),
        ("    limit = 3\n", "    limit = 3\n    def teardown_class(cls):\n        assert False\n"),
        ("def ready", "def test_new():\n    assert False\ndef ready"),
        ("def ready", "def setup_module():\n    assert False\ndef ready"),
    ],
)
def test_what_pytest_looks_for_by_name_reaches_test_files_from_anywhere(
    recorded: MakeLab, old: str, new: str
) -> None:
    """A test, or what is done around tests, that a base class or a module for all brings."""
    project = recorded(INHERITED)
    project.write(project.edit("src/checks.py", old, new))
    every = {"TestQueue::test_limit", "TestQueue::test_own", "test_ready"}
    assert set(project.due()) == {f"tests/test_queue.py::{one}" for one in every}
    failed = {nodeid for nodeid, word in project.outcomes().items() if word != "PASSED"}
    assert failed
    assert failed <= project.ran(code=1)
