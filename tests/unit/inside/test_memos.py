"""Functions that keep what they have computed, told from the source."""

from __future__ import annotations

import ast
import textwrap

import pytest

from devloop.inside.memos import keeping


def keeps(text: str) -> set[str]:
    """The functions of a source that keep something."""
    tree = ast.parse(textwrap.dedent(text))
    return keeping(tree, {"f", "C.f", "C.__init__", "f.<locals>.g"})


@pytest.mark.parametrize(
    "body",
    [
        "if k not in memo:\n        memo[k] = make(k)\n    return memo[k]",
        "if k in memo:\n        return memo[k]\n    memo[k] = found = make(k)\n    return found",
        "found = memo.get(k)\n    if found is None:\n        found = memo[k] = make(k)",
        "try:\n        return memo[k]\n    except KeyError:\n        memo[k] = make(k)",
        "global kept\n    if kept is None:\n        kept = make(k)\n    return kept",
        "if k._kept is None:\n        k._kept = make(k)\n    return k._kept",
        "if not hasattr(k, '_kept'):\n        k._kept = make(k)\n    return k._kept",
        "k._kept = k._kept or make(k)\n    return k._kept",
        "try:\n        return k._kept\n    except AttributeError:\n        k._kept = make(k)",
        "if k not in k.kept:\n        k.kept[k] = make(k)\n    return k.kept[k]",
        "try:\n        del memo[k]\n    except KeyError:\n        return\n    memo[k] = make(k)",
        "match memo.get(k):\n        case None:\n            memo[k] = make(k)",
        "for found in memo:\n        return found\n    memo.append(make(k))",
        "with suppress(KeyError):\n        return memo[k]\n    memo[k] = make(k)",
        "if not memo:\n        memo.update(make(k))\n    return memo",
        "if not hasattr(k, '_kept'):\n        setattr(k, '_kept', make(k))\n    return k._kept",
        "if not memo:\n        memo.update(k=make(k))\n    return memo",
        "if not memo.handlers:\n        memo.addHandler(make(k))\n    return memo",
        "found = memo.get(1)\n    if not found:\n        memo.put(1, make(k))\n    return memo",
        "return memo.get(1) or memo.update({1: make(k)}) or memo[1]",
        "if '_v' not in vars(k):\n        vars(k)['_v'] = make(k)\n    return k._v",
        "if '_v' not in vars(k):\n        object.__setattr__(k, '_v', make(k))\n    return k._v",
        "try:\n        return memo.get()\n    except LookupError:\n        memo.set(make(k))",
        "try:\n        del m[k]\n        g()\n    except KeyError:\n        pass\n    m[k] = k",
    ],
)
def test_who_looks_at_a_place_and_fills_it_keeps_something(body: str) -> None:
    """However that is written (S8)."""
    found = keeps(f"def f(k):\n    {body}\n")
    anybody = any(word in body for word in ("memo", "global", "m[k]"))
    assert found == ({"f"} if anybody else {"f k"})


@pytest.mark.parametrize(
    "body",
    [
        "k.a = 1\n    if k.b:\n        return 2",
        "own = {}\n    if k not in own:\n        own[k] = 1\n    return own",
        "own = set(k)\n    for one in own:\n        return one\n    own.add(1)",
        "for one in memo:\n        k(one)\n    memo.append(1)",
        "if not memo.is_set():\n        memo.set()",
        "if k:\n        return make(k)\n    return None",
        "k.count += 1",
        "k.a = make(k.a or 1)",
        "own: list[int] = []\n    while own:\n        own[0] = 1",
        "try:\n        sys.stdout.write(k)\n    except OSError:\n        sys.stdout = None",
        "a, b = k\n    return a if b == '' else b",
        "try:\n        del memo[k]\n    except KeyError:\n        pass\n    memo[k] = make(k)",
    ],
)
def test_who_does_not_look_where_it_fills_keeps_nothing(body: str) -> None:
    """Nor does who fills what is its own."""
    assert keeps(f"def f(k):\n    {body}\n") == set()


def test_what_is_found_without_a_call_anybody_may_meet() -> None:
    """A method that is asked for what is not there, and puts it into what it was given."""
    text = """
    class A(dict):
        def __missing__(self, key):
            self[key] = found = make(key)
            return found
    class B:
        def __getattr__(self, name):
            self.__dict__[name] = found = make(name)
            return found
    class C:
        def __get__(self, instance, owner):
            setattr(instance, self.name, make(instance))
    class D:
        def __getattr__(self, name):
            own = {}
            own[name] = make(name)
            return own
    class E(ABC):
        @classmethod
        def __subclasshook__(cls, other):
            return asked(other)
    """
    assert keeping(ast.parse(textwrap.dedent(text)), None) == {
        "A.__missing__", "B.__getattr__", "C.__get__", "E.__subclasshook__",
    }  # fmt: skip


def test_what_a_container_that_lasts_calls_keeps_what_it_makes() -> None:
    """Who finds it calls nothing; a function's own container ends with it (S8)."""
    text = """
    def row(): return make()
    def other(): return make()
    ROWS, LISTS = collections.defaultdict(row), defaultdict(list)
    COUNTS = defaultdict(int)
    class A:
        def page(): return make()
        PAGES = defaultdict(page), defaultdict(lambda: make())
    def f():
        own = defaultdict(lambda: make())
        return own
    """
    assert keeping(ast.parse(textwrap.dedent(text)), None) == {"row", "A.page", "A.<lambda>"}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("globals()[name] = found = make(name)", True),
        ("globals().update({name: make(name)})", True),
        ("global found\n    found = make(name)", True),
        ("module = sys.modules[__name__]\n    setattr(module, name, make(name))", True),
        ("found = {}\n    found[name] = make(name)\n    return found[name]", False),
        ("return make(name)", False),
    ],
)
def test_a_module_that_is_asked_for_what_is_not_there_keeps_what_it_puts_there(
    body: str, kept: bool
) -> None:
    """Who finds it the next time calls nothing (S8)."""
    text = f"def __getattr__(name):\n    {body}\n"
    assert keeping(ast.parse(text), None) == ({"__getattr__"} if kept else set())


def test_methods_and_inner_functions_are_told_apart() -> None:
    """What an inner function keeps, the outer one does not."""
    body = "if self._x is None:\n            self._x = 1"
    assert keeps(f"class C:\n    def f(self):\n        {body}\n") == {"C.f self"}
    inner = "def f():\n    def g(self):\n        if self._x is None:\n            self._x = 1\n"
    assert keeps(inner) == {"f.<locals>.g self"}


@pytest.mark.parametrize(
    ("filler", "body", "kept"),
    [
        ("def load():\n    memo['x'] = make()", "if 'x' not in memo:\n        load()", "f"),
        ("def load():\n    global kept\n    kept = make()", "return kept or load()", "f"),
        ("class A:\n    def load(self):\n        self.x = make()", "k.x or k.load()", "f k"),
        ("class A:\n    def load(self):\n        self.x.append(1)", "k.x or k.load()", "f k"),
        ("class A:\n    def load(self):\n        self.x = make()", "k.x or k.y.load()", ""),
        ("class A:\n    def load(self):\n        self.x = make()", "k.z or k.load()", ""),
        ("class A:\n    def load(self):\n        self.x = make()", "k.x or m.load()", ""),
        ("class A:\n    def load(self):\n        self.x = make()", "o = k; o.x or k.load()", "f k"),
        ("class A:\n    def load(self):\n        self.x = make()", "o = k; k.x or o.load()", "f o"),
        ("class A:\n    def load(self):\n        self.x = make()", "o = k.x; o or k.load()", "f k"),
        ("def load():\n    memo['x'] = make()", "load()\n    return memo['x']", ""),
        ("def load():\n    own = make()\n    own['x'] = 1", "own = k\n    own or load()", ""),
        ("def load():\n    memo.set(make())", "if not memo.get():\n        load()", ""),
    ],
)
def test_who_has_another_function_fill_what_it_looks_at_keeps_something(
    filler: str, body: str, kept: str
) -> None:
    """``if self._x is None: self._load()`` and the like (S8)."""
    text = f"{filler}\ndef f(k):\n    {body}\n"
    assert keeping(ast.parse(text), None) == ({kept} if kept else set())


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("if not k.handlers:\n        k.addHandler(HANDLER)", ""),
        ("if HANDLER not in k.handlers:\n        k.handlers.append(HANDLER)", ""),
        ("if not k.handlers:\n        k.addHandler(make())", "f k"),
        ("h = make()\n    if not k.handlers:\n        k.handlers.append(h)", "f k"),
        ("if not k.handlers:\n        k.handlers.append(REBOUND)", "f k"),
        ("if not k.handlers:\n        k.handlers.append(HANDLER)\n        make(k)", "f k"),
        ("if not k.handlers:\n        k.x = 1\n    else:\n        k.handlers.append(H)", "f k"),
    ],
)
def test_who_puts_what_lasts_where_it_lacks_keeps_nothing(body: str, kept: str) -> None:
    """The next one would have put it there as well, where nothing else depends on that (S8)."""
    text = f"def other():\n    global REBOUND\n    REBOUND = 1\ndef f(k):\n    {body}\n"
    assert keeping(ast.parse(text), None) == ({kept} if kept else set())


def test_what_an_object_gets_while_it_is_made_is_not_kept() -> None:
    """Nobody has met it before."""
    body = "self.x = None\n        if self.x is None:\n            self.x = 1"
    assert keeps(f"class C:\n    def __init__(self):\n        {body}\n") == set()


def test_what_is_reached_from_a_variable_names_it() -> None:
    """A local one, too: whether its object outlives a test is seen when the test runs."""
    body = "d = k.state()\n    if d.x is None:\n        d.x = 1"
    assert keeps(f"def f(k):\n    {body}\n") == {"f d"}


CLOSURE = """
def f(make):
    memo = {}
    def g(k):
        if k not in memo:
            memo[k] = make(k)
        return memo[k]
    return g
"""
NONLOCAL = """
def f(kept, make):
    def g():
        nonlocal kept
        if kept is None:
            kept = make()
        return kept
    return g
"""


def test_what_is_kept_in_a_variable_of_a_function_around_only_those_within_meet() -> None:
    """A sign says so: they run whenever they look at it."""
    assert keeps(CLOSURE) == {"f.<locals>.g!"}
    assert keeps(NONLOCAL) == {"f.<locals>.g!"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return g", "return g, memo"),
        ("return g", "g.memo = memo\n    return g"),
        ("memo = {}", "memo = make.memo"),
        ("memo = {}", "pass"),
        ("(make):\n    memo = {}", "(make, memo):\n    pass"),
        ("memo = {}", "global memo\n    memo = {}"),
        ("    return g", "    yield g"),
        ("    def g", "    @kept\n    def g"),
    ],
)
def test_what_others_may_meet_is_not_closed(old: str, new: str) -> None:
    """It is given to someone, or comes from elsewhere; or who asks need not run the function."""
    assert old in CLOSURE
    assert not any(key.endswith("!") for key in keeps(CLOSURE.replace(old, new)))
