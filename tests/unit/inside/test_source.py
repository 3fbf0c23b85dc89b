"""What one Python source says, found by the running interpreter."""

from __future__ import annotations

import ast
import base64
import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devloop.graph.facts import Facts, Import
from devloop.inside import source
from devloop.inside.codes import imports_of
from devloop.inside.examples import source_of_examples

BASE = """
import os
from typing import TYPE_CHECKING

@decorate(1)
class A(Base, key="v"):
    x: int = 1
    def f(self, a, b=2, *c, d, **e):
        '''Doc.'''
        try:
            return [g(i) for i in a if i] + [g(i) for i in a if i]
        except (ValueError, TypeError) as error:
            raise RuntimeError(f"{a!r} {b}") from error
        finally:
            print(a, b)

def g(i):
    if i in {"one", "two", "three"} and i or not i:
        with open(i) as a, open(i) as b:
            return lambda q: q + 1
    for j in range(10):
        while j:
            j -= 1
    else:
        assert j, "no"
    match i:
        case [1, 2]:
            pass
        case {"a": 1, **rest} if rest:
            return rest
"""


def facts(text: str | bytes) -> Facts:
    """The facts, as the other side decodes them."""
    found = source.facts(text.encode() if isinstance(text, str) else text)
    return msgspec.json.decode(msgspec.json.encode(found), type=Facts)


def fingerprint(text: str) -> bytes:
    """The fingerprint of a source that compiles."""
    found = facts(text)
    assert found.problem is None
    return found.fingerprint


@pytest.mark.parametrize(
    "edit",
    [
        ("import os\n", "# a comment\n\n\nimport os  # why\n"),
        ("print(a, b)\n", "print(\n                a,\n                b,\n            )\n"),
        (
            "def f(self, a, b=2, *c, d, **e):",
            "def f(\n        self, a, b=2,\n        *c, d, **e\n    ):",
        ),
        ("@decorate(1)", "@decorate(\n    1\n)"),
        ('class A(Base, key="v"):', 'class A(\n    Base,\n    key="v",\n):'),
        ('{"one", "two", "three"} and', '{\n        "one", "two",\n        "three"} and'),
        (
            "return [g(i) for i in a if i] +",
            "return [\n            g(i) for i in a\n            if i] +",
        ),
        ("with open(i) as a, open(i) as b:", "with open(i) as a, \\\n             open(i) as b:"),
        (
            "(ValueError, TypeError) as",
            "(\n            ValueError,\n            TypeError,\n        ) as",
        ),
        ("for j in range(10):\n", "for j in range(\n        10\n    ):\n\n"),
        ('case {"a": 1, **rest} if rest:', "case {'a': 1,\n              **rest} if rest:"),
        ("        case [1, 2]:\n            pass", "        case [1, 2]: pass"),
        ("import os\nfrom typing", "import os; from typing"),
        ("    x: int = 1\n", "    x: int = (1)\n"),
    ],
    ids=lambda edit: edit[0][:20],
)
def test_comments_and_layout_are_not_in_the_fingerprint(edit: tuple[str, str]) -> None:
    """Whatever a formatter does, the fingerprint stays (S33)."""
    old, new = edit
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) == fingerprint(BASE)


@pytest.mark.parametrize(
    "edit",
    [
        ("@decorate(1)", "@decorate(2)"),
        ("b=2", "b=3"),
        ("x: int", "x: str"),
        ("x: int = 1", "x: int = True"),
        ("Doc.", "Document."),
        ("print(a, b)", "print(b, a)"),
        ("*c, d", "*c, e2"),
        ("j -= 1", "j -= 1.0"),
        ('"no"', '"yes"'),
        ("def g(i)", "def h(i)"),
        ("(ValueError, TypeError)", "(TypeError, ValueError)"),
        ("lambda q: q + 1", "lambda q: q + 2"),
        (
            "            raise RuntimeError",
            "            pass\n        finally:\n            raise RuntimeError",
        ),
    ],
    ids=lambda edit: edit[1][:20],
)
def test_what_runs_is_in_the_fingerprint(edit: tuple[str, str]) -> None:
    """Decorators, defaults, annotations, docstrings and types of constants too (S26, S27)."""
    old, new = edit
    assert old in BASE
    changed = BASE.replace(old, new, 1)
    if "finally" in new:
        changed = changed.replace("        finally:\n            print(a, b)\n", "", 1)
    assert fingerprint(changed) != fingerprint(BASE)


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    """Sets of strings have another order in each process; the fingerprint must not."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); from inside.source import facts;"
        "print(facts(sys.stdin.buffer.read())[0])"
    )
    package = Path(source.__file__).parents[1]
    found = {
        subprocess.run(
            [sys.executable, "-S", "-c", code, str(package)],
            env={"PYTHONHASHSEED": seed},
            input=BASE.encode(),
            capture_output=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert found == {base64.b64encode(fingerprint(BASE))}


def test_imports() -> None:
    """At any depth, absolute, relative and star; under TYPE_CHECKING marked as such."""
    found = facts("""
import a, b.c as d
from e import f, g as h
from . import i
from ..j.k import *
def function():
    class Inner:
        try:
            import l
        except ImportError:
            import m
        else:
            import n
        finally:
            import o
    async def g():
        async with x:
            async for y in z:
                import p
        match x:
            case 1:
                import q
        while x: import r
        else: import s
""")
    assert {(one.module, one.level, one.names) for one in found.imports} == {
        ("a", 0, ()),
        ("b.c", 0, ()),
        ("e", 0, ("f", "g")),
        ("", 1, ("i",)),
        ("j.k", 2, ("*",)),
        *((name, 0, ()) for name in "lmnopqrs"),
    }
    assert not any(one.typing for one in found.imports)


@pytest.mark.parametrize(
    ("condition", "typing", "running"),
    [
        ("TYPE_CHECKING", "ab", "c"),
        ("typing.TYPE_CHECKING", "ab", "c"),
        ("t.TYPE_CHECKING", "ab", "c"),
        ("TYPE_CHECKING and x", "ab", "c"),
        ("not TYPE_CHECKING", "c", "ab"),
        ("TYPE_CHECKING or x", "", "abc"),
        ("not (TYPE_CHECKING and x)", "", "abc"),
        ("not TYPE_CHECKING and x", "", "abc"),
        ("checking", "", "abc"),
    ],
)
def test_typing(condition: str, typing: str, running: str) -> None:
    """What is under TYPE_CHECKING does not run, what is in its other branch does."""
    found = facts(f"if {condition}:\n import a\n if x:\n  import b\nelse:\n import c\n")
    assert "".join(sorted(one.module for one in found.imports if one.typing)) == typing
    assert "".join(sorted(one.module for one in found.imports if not one.typing)) == running


def test_strings() -> None:
    """Those that may name a module, with a dot or a colon; wherever they stand."""
    found = facts("""
'''a.docstring'''
x = "b.c" ; y = ["d.e:f", ("g:h", {"i.j"})]; z = f(name="k.l", **{"m.n": 1})
w = f"o.p{x}"; v = "no dots"; u = "q"; t = "a..b"; s = "1.2"; r = "http://host.name"; q = ".r.s"
def f(a="t.u"): return a in {"v.w", "x.y"}
""")
    assert " ".join(found.strings) == "a.docstring b.c d.e:f g:h i.j k.l m.n o.p t.u v.w x.y"


def test_annotations_that_are_kept_as_strings_name_no_modules() -> None:
    """PEP 563 makes constants of them; real strings beside them count."""
    found = facts("""
from __future__ import annotations
def f(a: models.User, b: "quoted.Name") -> views.View: g("real.string", "con." "catenated")
x: other.Thing = 1
""")
    assert found.strings == ("con.catenated", "real.string")


@pytest.mark.parametrize(
    ("code", "dynamic"),
    [
        ("import_module(name)", ("",)),
        ("importlib.import_module(name)", ("",)),
        ("__import__(name)", ("",)),
        ("map(import_module, names)", ("",)),
        ("from importlib import import_module as im; im(name)", ("",)),
        ('import_module(f"a.b.{n}")', ("a.b",)),
        ('import_module(f"a.b_{n}")', ("a",)),
        ('import_module(f"a{n}")', ("",)),
        ('import_module("a." + n)', ("a",)),
        ('import_module("a.%s.b" % n)', ("a",)),
        ('import_module("a.{}".format(n))', ("a",)),
        ('import_module("a." "{n}".format(n=n))', ("a",)),
        ('import_module("." + n, __package__)', (".",)),
        ('import_module("..b." + n, package=__package__)', ("..b",)),
        ('import_module("." + n, "a.b")', ("a.b",)),
        ('import_module(".." + n, "a.b")', ("a",)),
        ('import_module("." + n, package)', ("",)),
        ('import_module(__name__ + ".x." + n)', (".x",)),
        ('import_module(f"{__name__}_x")', ("",)),
        ("import_module(*args)", ("",)),
        ("import_module()", ("",)),
        ("x.y(1)", ()),
    ],
)
def test_dynamic_imports(code: str, dynamic: tuple[str, ...]) -> None:
    """A name that is no literal is cut to the package that its beginning gives."""
    assert facts(code).dynamic == dynamic


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('import_module("a.b")', Import("a.b")),
        ('import_module(name="a")', Import("a")),
        ('importorskip("a")', Import("a")),
        ('find_spec("a")', Import("a")),
        ('__import__("a")', Import("a")),
        ('import_module(".b", "a")', Import("a.b")),
        ('import_module(".b", __package__)', Import("b", 1)),
        ('import_module("..b", package=__name__)', Import("b", 2)),
        ('runpy.run_module("a")', Import("a.__main__")),
    ],
)
def test_imports_by_calls_with_literals(code: str, expected: Import) -> None:
    """They are imports like any other."""
    found = facts(code)
    assert expected in found.imports
    assert found.dynamic == ()


def test_words_count_beside_an_unknown_name() -> None:
    """Where anything may be imported, a single word may be the module."""
    assert facts('import_module(x); y = "word"').strings == ("word",)
    assert facts('y = "word"').strings == ()


@pytest.mark.parametrize(
    ("code", "plugins", "dynamic"),
    [
        ('pytest_plugins = "a"', ("a",), ()),
        ('pytest_plugins = ["a.b", "c"]', ("a.b", "c"), ()),
        ('pytest_plugins: tuple = ("a",) + ("b",)', ("a", "b"), ()),
        ('pytest_plugins = []\npytest_plugins.append("a")', ("a",), ()),
        ('pytest_plugins = ["a"]\nif x:\n    pytest_plugins += ["b"]', ("a", "b"), ()),
        ('pytest_plugins = [f"a.{n}" for n in x]', ("a.",), ("",)),
        ("pytest_plugins = find()", (), ("",)),
        ('def f():\n    pytest_plugins = "a"', (), ()),
    ],
)
def test_plugins(code: str, plugins: tuple[str, ...], dynamic: tuple[str, ...]) -> None:
    """What `pytest_plugins` names; where it is computed, anything."""
    found = facts(code)
    assert found.plugins == plugins
    assert found.dynamic == dynamic


def test_listed() -> None:
    """Django's apps, and the lists that they are made of by custom."""
    found = facts('OWN_APPS = ["a"]\nINSTALLED_APPS = ["b.apps.B", *OWN_APPS]\nOTHER = ["c"]')
    assert found.listed == ("a", "b.apps.B")
    assert facts('OWN_APPS = ["a"]').listed == ()


def test_exported_names_that_nothing_binds() -> None:
    """They are submodules."""
    found = facts("""
from a import b, c as d
import e.f
def g(): h = 1
class I: pass
j, (k, *l) = x
for m in x:
    if m: n: int = 1
with x as o: pass
__all__ = ["b", "c", "d", "e", "g", "h", "I", "j", "k", "l", "m", "n", "o", "sub", "not a name"]
""")
    assert Import("", 1, ("c", "h", "sub")) in found.imports


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\n\ndef f(:\n", 3),
        ("class A:\n    x = 1\n    return 1\n", 3),
        ("x = (\n    1,\n    await y,\n)\n\ndef f():\n    nonlocal x\n", None),
        ("if x:\npass\n", 2),
        ("x = 1\x00", None),
        ("# -*- coding: no-such-codec -*-\n", None),
        (b"x = '\xff'\n", None),
        ("x = '''\n", 1),
    ],
)
def test_a_source_that_does_not_compile(text: str | bytes, line: int | None) -> None:
    """It gives a problem with the interpreter's message, at the line of the source."""
    found = facts(text)
    assert found.problem is not None
    assert found.problem.message
    if line is not None:
        assert found.problem.line == line
    assert found.imports == ()


def test_sources_with_problems_differ_by_their_bytes() -> None:
    """Each edit of one counts, for nothing is known of it."""
    assert facts("def f(:").fingerprint == facts("def f(:").fingerprint
    assert facts("def f(:").fingerprint != facts("def f(: # x").fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + ")" * 500,
        "-" * 200_000 + "1",
        "x = " + "+".join(["1"] * 100_000),
        "x" + ".a" * 100_000,
        "[" * 5000,
        "if x:\n " + "pass\n" * 100_000,
        "9 ** 9 ** 9",
        "x = " + "1" * 10_000,
    ],
    ids=["parentheses", "minus", "plus", "attributes", "open", "long", "power", "digits"],
)
def test_what_overtaxes_a_compiler_ends_in_facts(text: str) -> None:
    """Whatever the interpreter makes of it, the finder neither fails nor hangs."""
    assert len(facts(text).fingerprint) == 16


def test_a_tree_too_deep_still_gives_imports() -> None:
    """A source may compile whose tree is too deep; then its code tells what it imports."""
    deep = "import a.b\nfrom ..c import d\nx = " + "-" * 3000 + "1\n"
    direct = imports_of(compile("import a.b\nfrom ..c import d", "x", "exec"))
    assert direct == [["a.b", 0, [], False], ["c", 2, ["d"], False]]
    found = facts(deep)
    if found.problem is None:
        assert {one.module for one in found.imports} == {"a.b", "c"}


def test_a_gigantic_source_is_not_compiled() -> None:
    """It has a problem, and may import anything of its package."""
    found = facts(b"#" * (source.LIMIT + 1))
    assert found.problem is not None
    assert found.problem.message.startswith("larger than 8 MiB")
    assert found.dynamic == ("",)


def test_a_source_that_is_not_utf8() -> None:
    """It is decoded as its first lines say."""
    found = facts("# coding: latin-1\nimport a\nx = '\xe9'\n".encode("latin-1"))
    assert found.problem is None
    assert found.imports == (Import("a"),)
    assert facts(b"\xef\xbb\xbfimport a\n").imports == (Import("a"),)


def test_an_empty_source() -> None:
    """It says nothing, and that is no problem."""
    found = facts("")
    assert found == Facts(found.fingerprint)


def test_problem_messages_can_be_sent() -> None:
    """Whatever bytes the source holds."""
    message: Any = source.problem(b"", "bad \udc80")[-1][0]
    assert message == "bad \\udc80"


def test_functions_that_keep_results_or_look_at_positions_are_named() -> None:
    """Selection has to know of them before they run (S8, S28)."""
    found = facts(
        """
def memo(k):
    if k not in seen:
        seen[k] = make(k)
    return seen[k]

def where():
    return inspect.currentframe().f_lineno
"""
    )
    assert found.memos == ("memo",)
    assert found.positions == ("where",)


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("import warnings\ndef f(found): return found[0].lineno", True),
        ("from logging.handlers import X\ndef f(record): return record.lineno", True),
        ("def f(error):\n  import traceback as t\n  return t.extract_tb(error)[0].lineno", True),
        ("import ast\ndef f(node):\n  node.lineno = 1\n  node.end_lineno = node.lineno", False),
        ("def f(lexer): return lexer.token.lineno", False),
    ],
)
def test_the_line_of_a_node_is_not_where_code_stands(text: str, *, looks: bool) -> None:
    """Who compiles something has lines of its own (S28)."""
    assert facts(text).positions == (("f",) if looks else ())


@pytest.mark.parametrize(
    ("text", "attaches"),
    [
        ("db.execute('ATTACH DATABASE ? AS other', [path])", True),
        ("SQL = \"select 1; attach 'o.db' as o\"", True),
        ("db.execute(f\"attach '{path}' as other\")", True),
        ("db.execute(f'attach {path!r} as other')", True),
        ("SQL = '''\nattach\n  :path as other\n'''", True),
        ("def attach(file): mail.attach(file)", False),
        ("print('attach the file')", False),
        ("print('detach database other')", False),
    ],
)
def test_statements_of_sql_that_attach_another_database_are_seen(
    text: str, *, attaches: bool
) -> None:
    """No audit event tells which file they open (S20)."""
    assert facts(text).attaches == attaches


def text(content: str | bytes) -> Facts:
    """The facts of a text, as the other side decodes them."""
    found = source.text(content.encode() if isinstance(content, str) else content, "AAAA")
    return msgspec.json.decode(msgspec.json.encode(found), type=Facts)


def test_the_examples_of_a_text_are_its_source() -> None:
    """What each of them imports counts, also beside others that do not compile."""
    found = text(
        """
Prose may import nothing: import prose

    >>> from __future__ import annotations
    >>> import a.b
    >>> def f():
    ...     from c import d
    ...
    ...     return d
    >>> 1 +
    SyntaxError: import e
    >>> with patch("f.g"): import_module("h")
\t>>> import i
"""
    )
    assert found.problem is None
    assert {one.module for one in found.imports} == {"a.b", "c", "h", "i"}
    assert found.strings == ("f.g",)
    assert found.examples == ()


def test_a_text_without_examples_says_nothing() -> None:
    """And whatever its encoding, each byte counts."""
    assert text("import a\n").examples is None
    assert text("import a\n").imports == ()
    assert text(b"\xff\n>>> import b\n").imports == (Import("b"),)
    assert text("import a\n").fingerprint == b"\0\0\0"


def test_what_docstrings_import_in_examples_is_told_apart() -> None:
    """It runs only where pytest runs them."""
    found = facts(
        """
import a
def f():
    '''
    >>> import b
    >>> 1 / 0
    '''
class C:
    "   >>> from c import d"
"""
    )
    assert [one.module for one in found.imports] == ["a"]
    assert {one.module for one in found.examples or ()} == {"b", "c"}
    assert facts("'>>> 1'").examples == ()
    assert facts("import a").examples is None


@pytest.mark.parametrize(
    "shown",
    [
        ">>> import a\n>>> import b\n",
        "  >>> for x in y:\n  ...     import a\n  1\n",
        "x >>> import a\n",
        ">>> if 1:\n...   import a\n... else:\n...   import b\n...\n2\n",
        "\t>>> import a\n\t>>> import b\n",
        ">>> s = '''\n... import a\n... '''\n",
        "1\n>>> import a # doctest: +SKIP\n",
        ">>>\n>>> import a\n",
    ],
)
def test_examples_are_found_where_doctest_finds_them(shown: str) -> None:
    """The standard library's own parser is the oracle."""
    examples = doctest.DocTestParser().get_examples(shown)
    found = ast.parse(source_of_examples(shown))
    assert ast.dump(found) == ast.dump(ast.parse("".join(one.source for one in examples)))


def test_what_stands_in_functions_alone_is_told() -> None:
    """Strings that may name modules, and imports, by the function that has to run for them."""
    found = facts(
        """
import both
NAME, call = "out.er", lambda: "lamb.da"
def f(a="de.fault"):
    "doc.string"
    import both, one
    from two import x
    class C:
        import three
        def g(self): import four; return "in.ner"
    return "out.er", "own.string"
class D:
    import five
    def h(self): import six
"""
    )
    assert {one.key: (one.strings, [i.module for i in one.imports]) for one in found.inner} == {
        "f": (("own.string",), ["one", "two", "three"]),
        "f.<locals>.C.g": (("in.ner",), ["four"]),
        "D.h": ((), ["six"]),
    }


@pytest.mark.parametrize(
    "body",
    [
        "global m; import m",
        "import m; self.m = m",
        "import m; kept['m'] = m",
        "import m; globals()['m'] = m",
        "import m; setattr(self, 'm', m)",
        "import m; self.__dict__.update(m=m)",
        "import m; sys.modules['n'] = m",
        "import_module('m'); import m",
    ],
)
def test_a_function_that_may_keep_what_it_imports_is_not_alone(body: str) -> None:
    """Whoever comes later may meet it, and runs nothing of the function."""
    assert facts(f"def f(self):\n    {body}").inner == ()


def test_a_function_within_another_one_may_hand_on_what_it_imports() -> None:
    """By a variable of that one; who only asks a fixture to set something does not."""
    found = facts("""
def f():
    m = None
    def g():
        nonlocal m
        import m
def h(patch):
    import n
    patch.setattr(n, "a", 1)
""")
    assert [one.key for one in found.inner] == ["h"]
