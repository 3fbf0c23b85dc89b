"""Whom another value behind a name reaches."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from devloop.inside import source
from devloop.select.classes import Classes
from devloop.select.edits import Edit, compare
from devloop.select.outlines import ANY_NAME, Outline, decode
from devloop.select.taint import Taint, spread


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


def reached(sources: Mapping[str, str], old: str, new: str) -> Taint | str:
    """Whom the replacement of one text by another in ``a.py`` reaches.

    Returns:
        The names and functions; what a person calls the statement that may have any effect where
        the edit itself has one.
    """
    assert sources["a.py"].count(old) == 1
    before = outline(sources["a.py"])
    now = {path: outline(text) for path, text in sources.items()}
    now["a.py"] = outline(sources["a.py"].replace(old, new))
    classes = Classes([before, *now.values()])
    edit = compare(before, now["a.py"], classes)
    if edit.wild is not None:
        return edit.wild
    names = {name: (said,) for name, said in edit.names.items()}
    return spread(names, now, now, classes)


def hits(sources: Mapping[str, str], old: str, new: str) -> set[str]:
    """The functions that are reached, where nothing may have any effect."""
    found = reached(sources, old, new)
    assert isinstance(found, Taint)
    assert not found.wild, found.wild
    there = {f"{path}::{f.key}" for path, text in sources.items() for f in outline(text).functions}
    return {dep[2:] for dep in found.hits} & there


def test_a_long_string_that_looks_like_code_is_a_value_only() -> None:
    """It runs nothing where it is bound; who reads it may."""
    others = {"b.py": "import a\nSCRIPT = 'eval $(x) dir(y)'\ndef shows():\n    return SCRIPT\n"}
    sources = {"a.py": "LIMIT = 1\ndef reads():\n    return LIMIT\ndef other(): ...\n", **others}
    assert hits(sources, "= 1", "= 2") == {"a.py::reads", "b.py::shows"}


def test_a_statement_that_reads_any_name_hands_it_on_to_what_it_binds() -> None:
    """Or to everything, where it may do anything else."""
    sources = {
        "a.py": "LIMIT = 1\n",
        "b.py": "import a\nALL = a.__dict__\ndef shows():\n    return ALL\ndef other(): ...\n",
    }
    assert hits(sources, "= 1", "= 2") == {"b.py::shows"}
    called = {**sources, "b.py": "import a\nprint(vars(a))\n"}
    found = reached(called, "= 1", "= 2")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"b.py"}


def test_globals_are_those_of_the_module_that_asks() -> None:
    """Also what it has imported, by a star maybe; what is handed the function may ask elsewhere."""

    def found(text: str) -> bool:
        sources = {"a.py": "LIMIT = 1\n", "b.py": f"{text}\n"}
        return "b.py::reads" in hits(sources, "= 1", "= 2")

    reads = "def reads(name):\n    return globals()[name]"
    assert not found(f"import a\n{reads}")
    served = {"a.py": "def f(n=1): ...\n", "b.py": f'"""Says so."""\nimport a\n{reads}\n'}
    assert hits(served, "=1", "=2") == set()
    assert not found("import a\ndef reads(name):\n    return vars()[name]")
    assert found(f"from a import LIMIT\n{reads}")
    assert found(f"from a import *\n{reads}")
    assert found("import a\ndef reads(name):\n    return run(globals)")
    assert found("import a\ndef reads(name):\n    return vars(name)")


def test_what_a_private_function_is_given_as_a_literal_is_all_that_it_reads() -> None:
    """Unless another module mentions the function, which may give it any name."""
    text = "class A:\n    limit = 1\n    other = 1\n"
    text += "def _reads(x, name):\n    return getattr(x, name)\n"
    text += "def of(x):\n    return _reads(x, 'limit')\n"
    sources = {"a.py": text, "b.py": "import a\ndef uses(x):\n    return a.of(x)\n"}
    assert "a.py::_reads" in hits(sources, "limit = 1", "limit = 2")
    assert hits(sources, "other = 1", "other = 2") == set()
    more = {**sources, "c.py": "import a\ndef uses(x):\n    return a._reads(x, x.name)\n"}
    assert hits(more, "other = 1", "other = 2") == {"a.py::_reads"}


def test_the_variable_of_a_comprehension_is_nobody_elses() -> None:
    """A name of the module that is bound beside it is."""
    text = "LIMIT = 1\nALL = [c for c in (LIMIT,)]\n"
    uses = "import a\ndef uses(c):\n    return c.c\ndef reads():\n    return a.ALL\n"
    assert hits({"a.py": text, "b.py": uses}, "= 1", "= 2") == {"b.py::reads"}
    kept = "LIMIT = 1\nALL, c = [c for c in (LIMIT,)], LIMIT\n"
    assert hits({"a.py": kept, "b.py": uses}, "= 1", "= 2") == {"b.py::reads", "b.py::uses"}


def test_what_imports_a_name_that_is_gone_cannot_be_imported() -> None:
    """Whatever else it holds; another value of the name breaks nothing."""
    sources = {
        "a.py": "LIMIT = 1\nOTHER = 1\n",
        "b.py": "from a import LIMIT\ndef one():\n    return 1\n",
        "c.py": "import a\ndef two():\n    return a.OTHER\n",
    }
    found = reached(sources, "LIMIT = 1", "LIMITS = 1")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"b.py"}
    assert hits(sources, "LIMIT = 1", "LIMIT = 2") == set()


def test_an_import_of_several_names_hands_on_each_as_it_is() -> None:
    """Under another name as that."""
    uses = "def one():\n    return LIMIT\ndef two():\n    return OTHER\n"
    sources = {"a.py": "LIMIT = 1\nOTHER = 1\n", "b.py": f"from a import LIMIT, OTHER\n{uses}"}
    assert hits(sources, "LIMIT = 1", "LIMIT = 2") == {"b.py::one"}
    renamed = f"from a import LIMIT as OTHER\n{uses}"
    both = {"b.py::one", "b.py::two"}
    assert hits({**sources, "b.py": renamed}, "LIMIT = 1", "LIMIT = 2") == both
    swapped = f"from a import LIMIT as OTHER, OTHER as LIMIT\n{uses}"
    assert hits({**sources, "b.py": swapped}, "LIMIT = 1", "LIMIT = 2") == both


def test_who_asks_a_proxy_says_the_name() -> None:
    """The proxy reads what it is asked for."""
    text = "LIMIT = 1\nclass Proxy:\n    def __getattr__(self, name):\n"
    text += "        return getattr(self._inner, name)\n"
    sources = {"a.py": text, "b.py": "import a\ndef uses(x):\n    return a.Proxy(x).LIMIT\n"}
    assert hits(sources, "= 1", "= 2") == {"b.py::uses"}


def test_another_default_is_not_read_by_who_reads_values_only() -> None:
    """But by who looks at how functions are defined."""
    sources = {
        "a.py": "def served(n=1):\n    return n\n",
        "b.py": "import a\ndef values():\n    return vars(a)\n"
        "def defaults():\n    return a.f.__defaults__\n",
    }
    found = reached(sources, "=1", "=2")
    assert isinstance(found, Taint)
    assert {dep[2:] for dep in found.hits} == {"b.py::defaults"}
    assert ANY_NAME not in found.names


METHODS = """
from abc import abstractmethod
class Plain:
    @property
    def area(self):
        return 1
    def other(self):
        return 2
"""
USERS = """
import a
def makes():
    return a.Plain()
def reads(shape):
    return shape.area
def defaults(shape):
    return shape.other.__defaults__
"""


def test_another_decorator_reaches_who_mentions_the_method() -> None:
    """Who calls it without a mention has run it; who only makes objects is not reached."""
    sources = {"a.py": METHODS, "b.py": USERS}
    assert hits(sources, "    @property\n", "") == {"b.py::reads", "b.py::defaults"}


def test_a_class_that_becomes_abstract_reaches_who_makes_its_objects() -> None:
    """Though nothing there mentions the method."""
    sources = {"a.py": METHODS, "b.py": USERS}
    assert "b.py::makes" in hits(sources, "    @property\n", "    @property\n    @abstractmethod\n")


def test_a_decorator_of_the_project_that_only_wraps_is_followed_by_name() -> None:
    """One that registers what it is given may do anything."""
    wraps = "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def run(*a):\n"
    wraps += "        return f(*a)\n    return run\n"
    text = "from .b import deco\n@deco\ndef top():\n    return 1\ndef uses():\n    return top()\n"
    sources = {"a.py": text, "b.py": wraps, "c.py": "def other():\n    return 1\n"}
    assert hits(sources, "@deco\n", "") == {"a.py::uses"}
    registers = {**sources, "b.py": "def deco(f):\n    LIST.append(f)\n    return f\n"}
    assert reached(registers, "@deco\n", "") == "top"


def test_a_value_that_a_harmless_call_makes_is_handed_on() -> None:
    """From its arguments to what it is bound to; of another call nobody knows where it goes."""
    text = (
        "from .b import double\nLIMIT = 1\nTWICE = double(LIMIT)\ndef uses():\n    return TWICE\n"
    )
    sources = {"a.py": text, "b.py": "def double(n):\n    return n * 2\n"}
    assert hits(sources, "LIMIT = 1", "LIMIT = 2") == {"a.py::uses"}
    stored = {**sources, "b.py": "def double(n):\n    ALL.append(n)\n"}
    found = reached(stored, "LIMIT = 1", "LIMIT = 2")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"a.py"}


def test_an_annotation_counts_for_who_may_read_it() -> None:
    """A decorator that is not known may; one that only wraps does not."""
    text = "from .b import deco\nT = 1\n@deco\ndef top(x: T):\n    return 1\n"
    wraps = "def deco(f):\n    def run(*a):\n        return f(*a)\n    return run\n"
    assert hits({"a.py": text, "b.py": wraps}, "T = 1", "T = 2") == set()
    found = reached({"a.py": text, "b.py": "from x import deco\n"}, "T = 1", "T = 2")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"a.py"}


CHOICE = {
    "a.py": (
        "import sys\n"
        "LIMIT = 1\n"
        "FAST = sys.platform == 'win32'\n"
        "if FAST:\n"
        "    import msvcrt\n"
        "    NAME = 1\n"
        "elif LIMIT:\n"
        "    NAME, OTHER = 2, 3\n"
        "else:\n"
        "    NAME = OTHER = LIMIT\n"
        "    def read(n=LIMIT):\n"
        "        return n\n"
        "def named(): return NAME\n"
        "def raw(): return msvcrt\n"
        "def other(): return OTHER\n"
        "def apart(): return [0]\n"
    ),
    "b.py": "import a\ndef reads(): return a.read()\ndef none(): return 0\n",
}
ALL_CHOSEN = {"a.py::named", "a.py::raw", "a.py::other", "b.py::reads"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if FAST", "if not FAST"),
        ("NAME = 1\n", "NAME = 9\n"),
        ("2, 3", "2, 4"),
        ("elif LIMIT", "elif FAST"),
        ("(n=LIMIT)", "(n=2)"),
        ("        return n\n", "        yield n\n"),
        ("        return n\n", "        'Says so.'\n        return n\n"),
    ],
)
def test_an_if_around_statements_that_only_bind_is_what_they_bind(old: str, new: str) -> None:
    """An edit of its condition, or of any branch, reaches who mentions one of the names."""
    assert hits(CHOICE, old, new) >= ALL_CHOSEN
    assert hits(CHOICE, old, new).isdisjoint({"a.py::apart", "b.py::none"})
    before, now = outline(CHOICE["a.py"]), outline(CHOICE["a.py"].replace(old, new))
    assert "read" in compare(before, now, Classes([before, now])).functions


def test_a_value_that_an_if_reads_is_handed_on_to_what_it_binds() -> None:
    """Also to those who run a function in it that may be served by another default."""
    for old, new in (("LIMIT = 1", "LIMIT = 2"), ("'win32'", "'linux'")):
        found = hits(CHOICE, old, new)
        assert found >= ALL_CHOSEN | {"a.py::read"}
        assert found.isdisjoint({"a.py::apart", "b.py::none"})


def test_the_body_of_a_function_in_an_if_is_its_own() -> None:
    """As anywhere else."""
    after = CHOICE["a.py"].replace("        return n\n", "        return 2 * n\n")
    before, now = outline(CHOICE["a.py"]), outline(after)
    edit = compare(before, now, Classes([before, now]))
    assert edit == Edit(frozenset({"read"}))


@pytest.mark.parametrize(
    "more",
    [
        "print()", "import b", "class A: pass", "__all__ = ['NAME']", "NAME.x = 1", "del LIMIT",
        "TABLE[0] = 1", "@found\n    def g(): pass", "def g(n=found()): pass",
        "def __dir__(): pass",
        "NAME = found()", "for NAME in (): pass", "'text'",
    ],
)  # fmt: skip
def test_an_if_around_anything_else_may_have_any_effect(more: str) -> None:
    """In whichever branch it stands."""
    text = CHOICE["a.py"].replace("    NAME = 1\n", f"    NAME = 1\n    {more}\n")
    text = f"from c import found\n{text}"
    sources = {**CHOICE, "a.py": text, "c.py": "def found(n=1):\n    print()\n"}
    assert isinstance(reached(sources, "NAME, OTHER = 2", "NAME, OTHER = 5"), str)
    taint = reached({**sources, "a.py": f"{text}SEEN = 1\n"}, "LIMIT = 1", "LIMIT = 2")
    assert isinstance(taint, Taint)
    assert "a.py" in taint.wild


def test_who_is_given_a_function_may_look_at_its_signature() -> None:
    """As a library does that makes a query's parameters of it; who calls it has run it."""
    function = "def pager(limit: Annotated[int, at_most(100)]):\n    return limit\n"
    sources = {
        "a.py": function,
        "b.py": "from a import pager\nimport web\nDEP = web.depends(pager)\n",
        "c.py": "from a import pager as other\nimport web\nweb.add(other)\n",
        "d.py": "from a import pager\nALL = [pager]\n",
        "e.py": "import d, web\nfor one in d.ALL:\n    web.add(one)\n",
        "f.py": "from a import pager\ndef calls():\n    return pager(1)\n",
    }
    found = reached(sources, "100", "200")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"b.py", "c.py", "e.py"}
    assert "f f.py::calls" not in found.hits
    made = {
        "a.py": f"class Pager:\n    {function.replace('pager(', '__init__(self, ')}",
        "b.py": "from a import Pager\nimport web\nDEP = web.depends(Pager)\n",
    }
    made["a.py"] = made["a.py"].replace("\n    return", "\n        return")
    found = reached(made, "100", "200")
    assert isinstance(found, Taint)
    assert set(found.wild) == {"b.py"}
