"""What code is called: the same name from its source and while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.inside import naming

KEYS = f"""
import json, sys
sys.path.insert(0, {str(Path(naming.__file__).parent)!r})
import naming
codes = naming.codes_in(compile(sys.stdin.read(), "source", "exec"))
print(json.dumps([[key, code.co_firstlineno] for key, code in codes]))
"""

EXAMPLE = """
class A:
    x = lambda: 1
    def m(self): return lambda: (i for i in ())
    class B:
        def n(self): pass
def f():
    class K:
        q = lambda: 1
        def m(self): pass
    def g(): return lambda: 1
    return K, g
y = lambda: (lambda: 2)
"""


def keys_of(source: str) -> list[str | None]:
    """The keys of all code in a source, in order."""
    return [key for key, _ in naming.codes_in(compile(dedent(source), "source", "exec"))]


def test_code_without_a_name_belongs_to_the_function_that_it_stands_in() -> None:
    """Lambdas, generator expressions and bodies of classes have the key of that function."""
    assert keys_of(EXAMPLE) == [
        None, None, "A.<lambda>", "A.m", "A.m", "A.m", None, "A.B.n",
        "f", "f", "f", "f.<locals>.K.m", "f.<locals>.g", "f.<locals>.g",
        "<lambda>", "<lambda>",
    ]  # fmt: skip


def test_functions_of_one_name_have_one_key() -> None:
    """A property's getter and setter, and what is defined anew, are told together."""
    source = """
    class A:
        @property
        def p(self): ...
        @p.setter
        def p(self, value): ...
    """
    assert keys_of(source) == [None, None, "A.p", "A.p"]


def numbered(source: str) -> list[tuple[str, int, str]]:
    """The functions of a source of which several have one key: it, the number, a constant."""
    module = compile(dedent(source), "source", "exec")
    several = {id(code): number for code, number in naming.twins(module)}
    return sorted(
        (key, several[id(code)], str(next((c for c in code.co_consts if c), "")))
        for key, code in naming.codes_in(module)
        if key is not None and id(code) in several
    )


def test_functions_of_one_name_are_told_apart_by_a_number() -> None:
    """With what stands in them; in the order of their lines, wherever in the file they stand."""
    source = """
    class A:
        @property
        def p(self):
            return "one"
        def other(self):
            return "only"
        @p.setter
        def p(self, value):
            keep = lambda: "two"
    if A:
        def f():
            def inner(): return "a"
            return inner
    else:
        def f():
            def inner(): return "b"
            return inner
    """
    found = [(key, number) for key, number, _ in numbered(source)]
    assert found == [
        ("A.p", 1), ("A.p", 2), ("A.p", 2), ("f", 1), ("f", 2),
        ("f.<locals>.inner", 1), ("f.<locals>.inner", 2),
    ]  # fmt: skip
    words = {(key, number): word for key, number, word in numbered(source)}
    assert words["A.p", 1] == "one"
    assert words["f.<locals>.inner", 1] == "a"
    assert words["f.<locals>.inner", 2] == "b"
    assert numbered("x = lambda: 1\ny = lambda: 2\ndef f(): pass\n") == []


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_every_python_gives_the_same_keys(interpreter: Callable[[str], str], version: str) -> None:
    """Before 3.11 code does not know its qualified name; its place says the same."""
    done = subprocess.run(
        [interpreter(version), "-c", KEYS],
        input=EXAMPLE,
        capture_output=True,
        text=True,
        check=True,
    )
    mine = naming.codes_in(compile(EXAMPLE, "source", "exec"))
    assert json.loads(done.stdout) == [[key, code.co_firstlineno] for key, code in mine]


Tree = list[tuple[str, "Tree"]]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["def", "async def", "class", "lambda"]), inner), max_size=3
    ),
    max_leaves=8,
)


class Program:
    """The source of a tree of definitions that runs all of them, and what is expected of it."""

    def __init__(self, tree: Tree) -> None:
        self.keys: dict[str, str | None] = {}
        self._count = 0
        self.source = self._body(tree, "", None, in_class=False) or "pass"

    def _body(self, tree: Tree, prefix: str, owner: str | None, *, in_class: bool) -> str:
        lines = []
        for kind, inner in tree:
            self._count += 1
            name = f"n{self._count}"
            key: str | None
            if kind == "lambda":
                key = owner if owner is not None else f"{prefix}<lambda>"
                lines.append(f"{name} = lambda: ran({name!r})")
                lines.append(f"{name}()")
            elif kind == "class":
                key = owner
                body = self._body(inner, f"{prefix}{name}.", owner, in_class=True)
                lines.append(f"class {name}:\n" + indent(f"ran({name!r})\n{body}", "    "))
            else:
                key = prefix + name
                body = self._body(inner, f"{key}.<locals>.", key, in_class=False)
                lines.append(f"{kind} {name}():\n" + indent(f"ran({name!r})\n{body}", "    "))
                lines.append(f"run({name}())" if kind == "async def" else f"{name}()")
            self.keys[name] = key
        return "\n".join(lines)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="functions are told apart from 3.11 on")
@given(trees)
def test_what_runs_has_the_key_of_what_is_written(tree: Tree) -> None:
    """Whatever is nested in whatever: running code, its source and its place in it agree."""
    program = Program(tree)
    code = compile(program.source, "source", "exec")
    seen: dict[str, str | None] = {}

    def ran(name: str) -> None:
        seen[name] = naming.key_of(sys._getframe(1).f_code)

    def run(coroutine: object) -> None:
        with pytest.raises(StopIteration):
            coroutine.send(None)  # type: ignore[attr-defined]

    exec(code, {"ran": ran, "run": run, "__name__": "source"})
    assert seen == program.keys
    assert set(seen.values()) <= {key for key, _ in naming.codes_in(code)}
