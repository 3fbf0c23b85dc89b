"""Statements of a module of which it is known what more they do than to bind names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from devloop.inside import source
from devloop.select.classes import Classes
from devloop.select.edits import compare
from devloop.select.outlines import Outline, decode
from devloop.select.taint import spread

LIB = """
class Codes:
    limit = 1
LIMIT = 1
def used(n=LIMIT):
    return n
"""
PACKAGE = """
from .lib import *
__all__ = ["Codes", "used"]
__locals = locals()
for __name in __all__:
    if not __name.startswith("__"):
        setattr(__locals[__name], "__module__", "pkg")
"""
NUMBERS = """
from enum import IntEnum
class Codes(IntEnum):
    OK = 1
for code in Codes:
    setattr(Codes, code._name_.lower(), int(code))
"""
FILLED = """
from .lib import LIMIT
TABLE: dict[str, int] = {"a": 1}
TABLE.update({"b": LIMIT})
TABLE["c"] = LIMIT
ALL = list(TABLE.keys())
def reads():
    return TABLE
def other():
    return 1
"""
ATTEMPT = """
try:
    from .lib import Codes, used
except ImportError:
    def used():
        return 1
def calls():
    return used()
def other():
    return 1
"""


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


def reached(sources: Mapping[str, str], path: str, old: str, new: str) -> set[str] | str:
    """The functions that an edit reaches; what may have any effect, where something may."""
    assert sources[path].count(old) == 1
    before = outline(sources[path])
    now = {one: outline(text) for one, text in sources.items()}
    now[path] = outline(sources[path].replace(old, new))
    classes = Classes([before, *now.values()])
    edit = compare(before, now[path], classes)
    if edit.wild is not None:
        return edit.wild
    found = spread({name: (said,) for name, said in edit.names.items()}, now, now, classes)
    there = {f"{one}::{f.key}" for one, text in sources.items() for f in outline(text).functions}
    return next(iter(found.wild.values()), "") or {dep[2:] for dep in found.hits} & there


def test_what_a_package_says_of_its_exports_hangs_on_no_value_in_them() -> None:
    """But on which objects they are, where others than classes and functions are."""
    sources = {"lib.py": LIB, "pkg.py": PACKAGE}
    assert reached(sources, "lib.py", "limit = 1", "limit = 2") == set()
    assert reached(sources, "lib.py", "n=LIMIT", "n=2") == set()
    exported = {**sources, "pkg.py": PACKAGE.replace('"used"', '"used", "LIMIT"')}
    assert reached(exported, "lib.py", "limit = 1", "limit = 2") == set()
    assert reached(exported, "lib.py", "LIMIT = 1", "LIMIT = 2") == "__name"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("__locals = locals()", "__locals = made()"),
        ("__locals = locals()", "__locals = locals()\n__locals = {}"),
        ('"__module__"', '"__doc__"'),
        ('"pkg"', "Codes.limit"),
        ("in __all__", "in list(__all__)"),
        ("__name.startswith", "Codes.startswith"),
        ('"used"]', "Codes.limit]"),
        ("setattr(__", "go(__"),
        ("__locals = locals()", "from .lib import setattr\n__locals = locals()"),
        ("        setattr", "        go()\n        setattr"),
        ("__locals[__name],", "__locals[Codes.limit],"),
    ],
)
def test_another_loop_over_the_exports_may_do_anything(old: str, new: str) -> None:
    """So may one that says something else of them."""
    assert PACKAGE.count(old) == 1
    sources = {"lib.py": LIB, "pkg.py": PACKAGE.replace(old, new)}
    assert isinstance(reached(sources, "lib.py", "limit = 1", "limit = 2"), str)


def test_more_attributes_of_an_enumeration_are_read_by_its_name() -> None:
    """An edit of the loop itself may have any effect."""
    uses = (
        "from .numbers import Codes\ndef low():\n    return Codes.ok\ndef other():\n    return 1\n"
    )
    sources = {"numbers.py": NUMBERS, "b.py": uses}
    assert reached(sources, "numbers.py", "OK = 1", "OK = 2") == {"b.py::low"}
    assert reached(sources, "numbers.py", "lower", "upper") == "code"


def test_the_variable_of_such_a_loop_is_read_where_the_module_shows_it() -> None:
    """A module that says what it exports hides it, unless it uses it itself."""
    uses = "from .numbers import *\ndef reads():\n    return code\n"

    def found(text: str) -> bool:
        sources = {"numbers.py": text, "b.py": uses}
        return "b.py::reads" in reached(sources, "numbers.py", "OK = 1", "OK = 2")

    assert found(NUMBERS)
    assert not found(f"__all__ = ['Codes']{NUMBERS}")
    assert found(f"__all__ = ['Codes', 'code']{NUMBERS}")
    assert found(f"__all__ = ['Codes']{NUMBERS}def last():\n    return code\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("in Codes:", "in Codes.made():"),
        ("setattr(Codes,", "setattr(print,"),
        ("int(code)", "go(code)"),
        ("._name_.lower", ".other.lower"),
        ("(IntEnum)", "(Base)"),
        ("(IntEnum)", "(Base, IntEnum)"),
        ("    OK = 1", "    OK = 1\n    def __int__(self):\n        return go()"),
        ("int(code))", "int(code)); go()"),
    ],
)
def test_another_loop_over_a_class_may_do_anything(old: str, new: str) -> None:
    """Where it calls something, or gives attributes to others."""
    assert NUMBERS.count(old) == 1
    sources = {"numbers.py": NUMBERS.replace(old, new)}
    assert isinstance(reached(sources, "numbers.py", "OK = 1", "OK = 2"), str)


def test_what_fills_a_container_of_the_module_gives_it_another_value() -> None:
    """And nothing else; who reads the container is reached."""
    sources = {"lib.py": LIB, "a.py": FILLED}
    assert reached(sources, "lib.py", "LIMIT = 1", "LIMIT = 2") == {"a.py::reads", "lib.py::used"}
    assert reached(sources, "a.py", '"c"', '"d"') == {"a.py::reads"}
    assert reached(sources, "a.py", '{"b": LIMIT}', '{"b": 1}') == {"a.py::reads"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"a": 1}', "made()"),
        ('{"a": 1}', '{"a": 1}\nTABLE = made()'),
        (".update", ".go"),
        ('{"b": LIMIT}', "go(LIMIT)"),
        ("TABLE.update", "OTHER.update"),
    ],
)
def test_what_fills_another_object_may_do_anything(old: str, new: str) -> None:
    """Nobody knows what that is."""
    sources = {"lib.py": LIB, "a.py": FILLED.replace(old, new, 1)}
    assert isinstance(reached(sources, "lib.py", "LIMIT = 1", "LIMIT = 2"), str)


def test_an_import_that_may_fail_is_followed_by_what_it_binds() -> None:
    """Whether it fails hangs on which names there are; an edit of it may have any effect."""
    sources = {"lib.py": LIB, "a.py": ATTEMPT}
    found = reached(sources, "lib.py", "limit = 1", "limit = 2")
    assert found == {"a.py::used", "a.py::calls"}
    for old, new in (("LIMIT = 1", "LIMITED = 1"), ("class Codes", "class Code")):
        assert reached(sources, "lib.py", old, new) == "Codes, used"
    assert reached(sources, "a.py", "import Codes, used", "import used") == "Codes, used"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("except ImportError:", "except Exception:"),
        ("except ImportError:", "except:"),
        ("def calls", "else:\n    go()\ndef calls"),
        ("def calls", "finally:\n    go()\ndef calls"),
        ("    from .lib", "    go()\n    from .lib"),
        ("    def used", "    go()\n    def used"),
    ],
)
def test_another_attempt_may_do_anything(old: str, new: str) -> None:
    """As it did before."""
    sources = {"lib.py": LIB, "a.py": ATTEMPT.replace(old, new, 1)}
    sources["lib.py"] += "class used:\n    limit = 1\n"
    edit = ("class used:\n    limit = 1", "class used:\n    limit = 2")
    assert isinstance(reached(sources, "lib.py", *edit), str)
