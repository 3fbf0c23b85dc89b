"""Functions that only give a value, or only wrap, and calls of them when a module is imported."""

from __future__ import annotations

import pytest

from devloop.inside import source
from devloop.select.calls import CALL, DECORATOR, FACTORY
from devloop.select.classes import Classes
from devloop.select.outlines import CHANGED, Outline, decode

WRAPS = """
from functools import update_wrapper, wraps
import typing as t
def deco(f):
    name = f.__name__
    def run(*args):
        check(name)
        return f(*args)
    return t.cast(object, update_wrapper(run, f))
def maker(limit):
    def decorate(f):
        @wraps(f)
        def run(*args):
            return f(*args) + limit
        return run
    return decorate
def value(n, m=1):
    if n > m:
        return [n] * m
    return None
"""


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


def kinds(text: str, name: str = "f") -> int:
    """What is known of a function."""
    (found,) = [one for one in outline(text).functions if one.key == name]
    return found.tame


def test_what_wraps_and_what_computes_is_known_to_do_nothing_else() -> None:
    """A decorator, what makes one, and what gives a value."""
    assert kinds(WRAPS, "deco") == CALL | DECORATOR
    assert kinds(WRAPS, "maker") == CALL | FACTORY
    assert kinds(WRAPS, "value") == CALL


@pytest.mark.parametrize(
    "body",
    [
        "REGISTRY.append(g)",
        "REGISTRY[g.__name__] = g",
        "g.marked = True\n    return g",
        "global LAST\n    LAST = g",
        "return g()",
        "def run():\n        return g()\n    run()\n    return run",
        "import helpers\n    return g",
        "print(g)",
        "return unknown(g)",
        "return REGISTRY.setdefault(g, 1)",
        "return inspect.signature(g)",
        "types = g.__annotations__\n    return g",
        "len = g\n    return len(1)",
        "yield g",
        "with g:\n        return 1",
        "def run(x=print(1)):\n        return g()\n    return run",
        "@unknown\n    def run():\n        return g()\n    return run",
    ],
)
def test_what_does_more_is_not(body: str) -> None:
    """It stores, calls what it was given, reads annotations, prints, or nobody knows."""
    assert not kinds(f"import inspect\nREGISTRY = {{}}\ndef f(g):\n    {body}\n")


def test_what_has_called_what_it_was_given_is_a_decorator() -> None:
    """As click's `Context.invoke` does with what it is given first."""
    wraps = "def f(g):\n    def run(x, *a):\n        return {}\n    return run\n"
    assert kinds(wraps.format("x.invoke(g, *a)")) == CALL | DECORATOR
    assert kinds(wraps.format("x.ensure_sync(g)(*a)")) == CALL | DECORATOR
    assert kinds(wraps.format("x.remember(g)")) == CALL
    assert kinds(wraps.format("x.invoke(x, g)")) == CALL


def test_what_wraps_but_never_calls_is_no_decorator() -> None:
    """Who called the wrapper has not run what was decorated."""
    assert kinds("def f(g):\n    def run():\n        return 1\n    return run\n") == CALL
    assert kinds("def f(g): ...\ndef f(g): ...\n") == 0


def anything(others: str, statement: str, third: str = "", *own_names: str) -> bool:
    """Whether a statement may have any effect in a module that has imported from another one."""
    names = "deco, maker, value, Plain, Made, Field, renamed_later"
    own = outline(f"from .other import {names}\n{statement}\n")
    outlines = [own, outline(WRAPS + others), outline(third)]
    classes = Classes(outlines, frozenset(own_names))
    return bool(own.units[-1].effect & CHANGED) or classes.may_do_anything(own.units[-1])


def test_texts_for_people_name_nothing() -> None:
    """What an argument is called tells of click and argparse; a value in such a text is one."""
    (unit,) = outline("X = made('LIMIT', help='the limit of Flask', epilog=f'see {BASE}')").units
    names = outline("X = made('LIMIT', help='the limit of Flask', epilog=f'see {BASE}')").names
    assert {names[index] for index in unit.mentions} >= {"made", "LIMIT", "help", "BASE"}
    assert not {"limit", "Flask"} & {names[index] for index in unit.mentions}


def test_a_name_that_a_third_module_imports_may_be_anothers() -> None:
    """Unless it is known to be one of the project's wherever its module is said in full."""
    called, imported = "@deco\ndef g(): ...", "from pkg.other import deco\n"
    assert anything("", called, imported)
    assert not anything("", called, imported, "deco")
    assert anything("", called, "from pkg.other import value as deco\n", "deco")
    assert anything("", called, f"{imported}deco = print\n", "deco")


def test_a_statement_that_calls_only_such_functions_only_binds() -> None:
    """Whether it is decorated, or computes, or makes an object of a class without `__init__`."""
    plain = "class Base: ...\nclass Plain(Base):\n    limit = 1\n"
    assert not anything("", "@deco\ndef g(): ...")
    assert not anything("", "@maker(3)\ndef g(): ...")
    assert not anything("", "X = value(3)")
    assert not anything(plain, "X = Plain()")
    fills = "class Made:\n    def __init__(self, n=1):\n        self.n = [n, value(n)]\n"
    assert not anything(fills, "X = Made(2)")
    assert not anything(
        f"{fills}class Plain(Made):\n    def __init__(self):\n        super().__init__(3)\n",
        "X = Plain()",
    )


@pytest.mark.parametrize(
    ("others", "statement"),
    [
        ("", "@maker\ndef g(): ..."),
        ("", "@value(3)\ndef g(): ..."),
        ("", "@deco(3)\ndef g(): ..."),
        ("", "@value\ndef g(): ..."),
        ("", "X = value(print(3))"),
        ("", "X = absent(3)"),
        ("", "X = renamed_later(3)"),
        ("deco = register(deco)", "@deco\ndef g(): ..."),
        ("from elsewhere import deco", "@deco\ndef g(): ..."),
        ("from .own import value as deco", "@deco\ndef g(): ..."),
        ("if value(1):\n    def deco(f): ...", "@deco\ndef g(): ..."),
        ("class Made:\n    def __init__(self): register(self)", "X = Made()"),
        ("class Made:\n    def __init__(self): self.n = register(self)", "X = Made()"),
        ("class Made:\n    def __init__(self, o): o.made = self", "X = Made(deco)"),
        ("class Made:\n    def __init__(self): self.start()", "X = Made()"),
        ("class Made:\n    @deco\n    def __init__(self): self.n = 1", "X = Made()"),
        (
            "class Base:\n    def __init__(self): start()\n"
            "class Made(Base):\n    def __init__(self): super().__init__()",
            "X = Made()",
        ),
        (
            "class Made:\n    def __init__(self): self.n = 1\n    @n.setter\n    def n(self): ...",
            "X = Made()",
        ),
        (
            "class Made:\n    def __init__(self): self.n = 1\n    def __setattr__(self): ...",
            "X = Made()",
        ),
        ("class Base:\n    def __new__(cls): ...\nclass Made(Base): ...", "X = Made()"),
        ("class Made(metaclass=Meta): ...", "X = Made()"),
        ("class Made(Unknown): ...", "X = Made()"),
        ("@register\nclass Made: ...", "X = Made()"),
        ("class Field:\n    def __set_name__(self, o, n): ...", "class X:\n    field = Field()"),
        ("def value(n): register(n)", "X = value(3)"),
    ],
)
def test_any_doubt_of_what_a_name_stands_for_lets_it_do_anything(
    others: str, statement: str
) -> None:
    """All that has the name has to be harmless, and what that calls in turn."""
    assert anything(others, statement)


def test_what_a_function_calls_in_turn_has_to_be_harmless_too() -> None:
    """To any depth."""
    deep = "def inner(n):\n    return {}\ndef renamed_later(n):\n    return inner(n)\n"
    assert not anything(deep.format("n + 1"), "X = renamed_later(3)")
    assert anything(deep.format("start(n)"), "X = renamed_later(3)")


def other(imports: str, statement: str) -> bool:
    """Whether a statement that uses another distribution may have any effect."""
    found = outline(f"{imports}\n{statement}\n")
    return bool(found.units[-1].effect & CHANGED)


def test_a_mark_with_literals_is_for_the_test_that_it_decorates() -> None:
    """A condition, a mark of others, what is computed, or what decorates a class may do more."""
    known = "import pytest"
    assert not other(known, "@pytest.mark.parametrize('a', [(1, 'b.c'), -2])\ndef test(a): ...")
    assert not other(known, "@pytest.mark.anyio\n@pytest.mark.usefixtures('a')\ndef test(): ...")
    assert other(known, "@pytest.mark.parametrize('a', [LIMIT])\ndef test(a): ...")
    assert other(known, "@pytest.mark.parametrize('a', [f'{LIMIT}'])\ndef test(a): ...")
    assert other(known, "@pytest.mark.parametrize('a', 'b c'.split())\ndef test(a): ...")
    assert other(known, "@pytest.mark.parametrize('a', [*'bc'])\ndef test(a): ...")
    assert other(known, "@pytest.mark.skipif('LIMIT')\ndef test(): ...")
    assert other(known, "@pytest.mark.slow\ndef test(): ...")
    assert other(known, "@pytest.mark.parametrize('a', [1])\nclass Test: ...")
    assert other("from own import pytest", "@pytest.mark.parametrize('a', [1])\ndef test(a): ...")
    assert other("import pytest\npytest = own", "@pytest.mark.anyio\ndef test(): ...")


def test_other_distributions_are_known_by_name() -> None:
    """Where the name was imported from them, and no class of one's own is to be made."""
    assert not other("import click", "@click.option('--debug', is_flag=True)\ndef f(): ...")
    assert not other("from blinker import Namespace\nown = Namespace()", "X = own.signal('x')")
    assert not other("from werkzeug.local import LocalProxy as P", "X = P(print, 'x')")
    assert other("import click", "@click.command(cls=Own)\ndef f(): ...")
    assert other("import click", "@click.command('name', Own)\ndef f(): ...")
    assert other("import click", "@click.command(**options)\ndef f(): ...")
    assert other("from own import click", "@click.option('--debug')\ndef f(): ...")
    assert other("from blinker import Namespace\nown = Namespace()", "X = own.connect('x')")
    assert other("from blinker import Namespace\nown = Namespace()\nown = 1", "X = own.signal(1)")
    assert other("from own import LocalProxy", "X = LocalProxy(print, 'x')")
    assert other("import pytest", "@pytest.mark.skipif(FLAG)\ndef test(): ...")
