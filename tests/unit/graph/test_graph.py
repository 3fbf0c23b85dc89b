"""Which files a file can execute: each kind of edge, and what a change affects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devloop.graph.facts import Facts, Import, SourceProblem
from devloop.graph.graph import Edge, Graph, Link
from devloop.graph.layout import Layout

Build = Callable[..., Graph]
FactsOf = Callable[[str], Facts]


def imported(graph: Graph, path: str) -> dict[str, str]:
    """The kinds of a file's edges, by what it depends on."""
    return {edge.imported: edge.kind for edge in graph.imports(path)}


def affected_tests(graph: Graph, *changed: str) -> set[str]:
    """The tests that changes affect."""
    return set(graph.tests) & set(graph.affected(changed))


@pytest.mark.parametrize(
    "statement",
    [
        "import pkg.sub.mod",
        "from pkg.sub import mod",
        "from pkg.sub.mod import name",
        "from pkg.sub.mod import *",
        "import pkg.sub.mod as other",
        "def f():\n        import pkg.sub.mod",
        "try:\n        import pkg.sub.mod\n    except ImportError:\n        pass",
        'importlib.import_module("pkg.sub.mod")',
        'pytest.importorskip("pkg.sub.mod")',
        '__import__("pkg.sub.mod")',
    ],
)
def test_an_import_executes_the_module_and_its_packages(build: Build, statement: str) -> None:
    """However it is written, the module and every package above it run (S9)."""
    graph = build(f"""
pkg/__init__.py
pkg/sub/__init__.py
pkg/sub/mod.py
pkg/sub/other.py
user.py
    {statement}
""")
    assert imported(graph, "user.py") == {
        "pkg/__init__.py": "imports",
        "pkg/sub/__init__.py": "imports",
        "pkg/sub/mod.py": "imports",
    }


def test_relative_imports(build: Build) -> None:
    """Dots are resolved from the importing file's own package."""
    graph = build("""
pkg/__init__.py
    from . import a
pkg/a.py
pkg/sub/__init__.py
    from .b import name
pkg/sub/b.py
    from .. import a
    from ..a import name
    from .... import beyond
""")
    assert imported(graph, "pkg/__init__.py") == {"pkg/a.py": "imports"}
    assert imported(graph, "pkg/sub/__init__.py") == {
        "pkg/__init__.py": "imports",
        "pkg/sub/b.py": "imports",
    }
    assert imported(graph, "pkg/sub/b.py") == {
        "pkg/__init__.py": "imports",
        "pkg/a.py": "imports",
        "pkg/sub/__init__.py": "package",
    }


def test_a_module_runs_its_own_packages(build: Build) -> None:
    """Whatever it says: Python imports them first."""
    graph = build("""
pkg/__init__.py
pkg/sub/__init__.py
pkg/sub/mod.py
""")
    assert imported(graph, "pkg/sub/mod.py") == {
        "pkg/__init__.py": "package",
        "pkg/sub/__init__.py": "package",
    }


def test_namespace_packages(build: Build) -> None:
    """A folder without `__init__.py` is a package too."""
    graph = build("""
space/one/mod.py
    import space.two.mod
space/two/mod.py
user.py
    from space.one import mod
""")
    assert imported(graph, "space/one/mod.py") == {"space/two/mod.py": "imports"}
    assert imported(graph, "user.py") == {"space/one/mod.py": "imports"}


def test_a_src_layout_and_the_tests_beside_it(build: Build) -> None:
    """Tests import the package by its name, and their helpers from their own folder."""
    graph = build("""
src/pkg/__init__.py
src/pkg/mod.py
tests/helpers.py
tests/test_mod.py
    from pkg.mod import f
    import helpers
""")
    assert imported(graph, "tests/test_mod.py") == {
        "src/pkg/__init__.py": "imports",
        "src/pkg/mod.py": "imports",
        "tests/helpers.py": "imports",
    }


def test_typing_imports_never_run(build: Build) -> None:
    """They are edges to be shown, which neither closure nor affected follows."""
    graph = build("""
a.py
b.py
c.py
user.py
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        import a
        import c
    else:
        import b
    import c
""")
    assert imported(graph, "user.py") == {"a.py": "typing", "b.py": "imports", "c.py": "imports"}
    assert graph.importers("a.py") == (Edge("user.py", "a.py", "typing"),)
    assert graph.closure(["user.py"]) == {"user.py", "b.py", "c.py"}
    assert "user.py" not in graph.affected(["a.py"])
    assert "user.py" in graph.affected(["b.py"])


def test_strings_that_name_modules(build: Build) -> None:
    """`mock.patch("pkg.mod.fn")` where nothing else imports `pkg.mod` (S22)."""
    graph = build("""
pkg/__init__.py
pkg/mod.py
pkg/other.py
app.py
tests/test_mod.py
    def test(): mock.patch("pkg.mod.fn"); serve("app:create"); log("pkg.nothing", "no.such")
""")
    assert imported(graph, "tests/test_mod.py") == {
        "app.py": "string",
        "pkg/__init__.py": "string",
        "pkg/mod.py": "string",
    }
    assert affected_tests(graph, "pkg/mod.py") == {"tests/test_mod.py"}


def test_a_string_names_a_module_that_comes_later(build: Build, facts_of: FactsOf) -> None:
    """The edge is there as soon as the module is."""
    graph = build("""
tests/test_mod.py
    NAME = "later.mod.fn"
""")
    assert affected_tests(graph, "later/mod.py") == {"tests/test_mod.py"}
    graph = graph.with_file("later/mod.py", facts_of(""))
    assert imported(graph, "tests/test_mod.py") == {"later/mod.py": "string"}


def test_names_made_at_run_time(build: Build, facts_of: FactsOf) -> None:
    """`import_module(f"plugins.{n}")` reaches the whole package, new files included (S12)."""
    graph = build("""
plugins/__init__.py
plugins/a.py
plugins/deep/c.py
other.py
host.py
    import importlib
    def load(n): return importlib.import_module(f"plugins.{n}")
tests/test_host.py
    import host
""")
    assert imported(graph, "host.py") == {
        "plugins/__init__.py": "dynamic",
        "plugins/a.py": "dynamic",
        "plugins/deep/c.py": "dynamic",
    }
    assert affected_tests(graph, "plugins/a.py") == {"tests/test_host.py"}
    assert affected_tests(graph, "plugins/b.py") == {"tests/test_host.py"}
    graph = graph.with_file("plugins/b.py", facts_of(""))
    assert imported(graph, "host.py")["plugins/b.py"] == "dynamic"


@pytest.mark.parametrize(
    "call",
    [
        'import_module("." + n, package=__name__)',
        'import_module(f"{__name__}.{n}")',
        'import_module(__package__ + "." + n)',
        'import_module(f".{n}", "pkg.plugins")',
        'import_module("pkg.plugins.%s" % n)',
        'import_module("pkg.plugins.{}".format(n))',
        '__import__("pkg.plugins." + n)',
    ],
)
def test_the_literal_beginning_of_a_name_limits_what_is_reached(build: Build, call: str) -> None:
    """It says which package the name is in, absolute or relative."""
    graph = build(f"""
pkg/__init__.py
pkg/other.py
pkg/plugins/__init__.py
    from importlib import import_module
    def load(n): return {call}
pkg/plugins/a.py
""")
    targets = set(imported(graph, "pkg/plugins/__init__.py"))
    assert targets == {"pkg/__init__.py", "pkg/plugins/a.py"}


def test_a_name_of_which_nothing_is_known(build: Build) -> None:
    """It may be any module of the same top-level package, or of those that are imported."""
    graph = build("""
pkg/__init__.py
pkg/sub/load.py
    from importlib import import_module
    def load(name): return import_module(name)
pkg/mod.py
lib/__init__.py
lib/mod.py
tests/test_all.py
    import pkgutil, importlib, lib
    for module in pkgutil.walk_packages(lib.__path__, "lib."):
        importlib.import_module(module.name)
    importlib.import_module("single")
tests/helper.py
single.py
""")
    assert set(imported(graph, "pkg/sub/load.py")) == {"pkg/__init__.py", "pkg/mod.py"}
    assert imported(graph, "tests/test_all.py") == {
        "lib/__init__.py": "imports",
        "lib/mod.py": "dynamic",
        "single.py": "imports",
        "tests/helper.py": "dynamic",
    }


def test_submodules_that_a_star_import_takes(build: Build) -> None:
    """Names in `__all__` that nothing binds are submodules, and are imported."""
    graph = build("""
pkg/__init__.py
    from pkg.a import x
    __all__ = ["x", "a", "b"]
pkg/a.py
pkg/b.py
pkg/c.py
""")
    assert set(imported(graph, "pkg/__init__.py")) == {"pkg/a.py", "pkg/b.py"}


def test_a_chain_of_reexports(build: Build) -> None:
    """`pkg → pkg._impl → pkg._core`: an edit at the end reaches the test, with the chain (S10)."""
    graph = build("""
pkg/__init__.py
    from pkg._impl import f
pkg/_impl.py
    from pkg._core import f
pkg/_core.py
tests/test_pkg.py
    import pkg
""")
    affected = graph.affected(["pkg/_core.py"])
    chain = ("tests/test_pkg.py", "pkg/__init__.py", "pkg/_impl.py", "pkg/_core.py")
    assert graph.chain("tests/test_pkg.py", affected) == chain
    assert affected["tests/test_pkg.py"] == Link("pkg/__init__.py", "imports", 3)


def test_a_star_import(build: Build) -> None:
    """A new name in `helpers` may shadow another import (S11)."""
    graph = build("""
helpers.py
other.py
tests/test_star.py
    from other import *
    from helpers import *
""")
    assert affected_tests(graph, "helpers.py") == {"tests/test_star.py"}


def test_a_module_that_shadows_the_standard_library(build: Build, facts_of: FactsOf) -> None:
    """A new `json.py` reaches every file that imports json, before and after it is read (S13)."""
    graph = build("""
conv.py
    import json
tests/test_conv.py
    import conv
tests/test_other.py
""")
    assert affected_tests(graph, "json.py") == {"tests/test_conv.py"}
    assert affected_tests(graph, "tests/json.py") == {"tests/test_conv.py"}
    new = graph.with_file("tests/json.py", facts_of(""))
    assert affected_tests(new, "tests/json.py") == {"tests/test_conv.py"}


def test_a_package_that_shadows_a_module(build: Build, facts_of: FactsOf) -> None:
    """Who imports `mod` reaches both files that have the name."""
    graph = build("""
mod.py
user.py
    import mod
""")
    assert "user.py" in graph.affected(["mod/__init__.py"])
    graph = graph.with_file("mod/__init__.py", facts_of(""))
    assert set(imported(graph, "user.py")) == {"mod.py", "mod/__init__.py"}
    assert graph.module_paths("mod") == ("mod.py", "mod/__init__.py")


def test_a_nested_conftest_comes_and_goes(build: Build, facts_of: FactsOf) -> None:
    """It reaches all tests below it, deep ones too, whether it is added or deleted (S14)."""
    graph = build("""
conftest.py
tests/test_top.py
tests/unit/test_a.py
tests/unit/deep/test_b.py
tests/unit/deep/conftest.py
tests/unitary/test_c.py
""")
    conftest = "tests/unit/conftest.py"
    below = {"tests/unit/test_a.py", "tests/unit/deep/test_b.py"}
    assert affected_tests(graph, conftest) == below
    new = graph.with_file(conftest, facts_of(""))
    assert affected_tests(new, conftest) == below
    assert imported(new, "tests/unit/deep/test_b.py") == {
        "conftest.py": "conftest",
        conftest: "conftest",
        "tests/unit/deep/conftest.py": "conftest",
    }
    assert imported(new, "tests/unit/deep/conftest.py") == {
        "conftest.py": "conftest",
        conftest: "conftest",
    }
    gone = new.with_file(conftest, None)
    assert affected_tests(gone, conftest) == below
    assert affected_tests(graph, "conftest.py") == set(graph.tests)


def test_what_a_conftest_imports(build: Build) -> None:
    """Fixtures run the code of their modules: an edit there reaches the tests."""
    graph = build("""
tests/conftest.py
    import database
database.py
tests/test_a.py
""")
    affected = graph.affected(["database.py"])
    assert graph.chain("tests/test_a.py", affected) == (
        "tests/test_a.py",
        "tests/conftest.py",
        "database.py",
    )
    assert affected["tests/test_a.py"].kind == "conftest"


def test_pytest_plugins(build: Build) -> None:
    """The modules that `pytest_plugins` names run for the tests, single words too (S15)."""
    graph = build("""
conftest.py
    pytest_plugins = ["tests.fixtures.db", "plain"]
plain.py
tests/fixtures/db.py
tests/test_a.py
""")
    assert imported(graph, "conftest.py") == {
        "plain.py": "plugin",
        "tests/fixtures/db.py": "plugin",
    }
    assert affected_tests(graph, "tests/fixtures/db.py") == {"tests/test_a.py"}


def test_modules_that_every_test_needs(build: Build, facts_of: FactsOf) -> None:
    """A plugin of an editable install, or Django's settings, need no import (S15, S23)."""
    text = """
shop/__init__.py
shop/settings.py
    import shop.secrets
shop/secrets.py
tests/test_a.py
"""
    graph = build(text, always=["shop.settings", "shop.plugin"])
    assert imported(graph, "tests/test_a.py") == {
        "shop/__init__.py": "always",
        "shop/settings.py": "always",
    }
    assert affected_tests(graph, "shop/secrets.py") == {"tests/test_a.py"}
    assert affected_tests(graph, "shop/plugin.py") == {"tests/test_a.py"}
    assert graph.affected(["shop/settings.py"])["tests/test_a.py"].kind == "always"
    assert affected_tests(build(text), "shop/settings.py") == set()


def test_django_apps(build: Build, facts_of: FactsOf) -> None:
    """A listed app is imported whole: its models, and a migration that is new (S23)."""
    graph = build(
        """
shop/__init__.py
shop/settings.py
    OWN_APPS = ["cart", "deep.stock.apps.StockConfig"]
    INSTALLED_APPS = ["django.contrib.auth"] + OWN_APPS
cart/__init__.py
cart/models.py
deep/stock/apps.py
deep/stock/models.py
deep/other.py
tests/test_a.py
""",
        always=["shop.settings"],
    )
    assert imported(graph, "shop/settings.py") == {
        "cart/__init__.py": "listed",
        "cart/models.py": "listed",
        "deep/stock/apps.py": "listed",
        "deep/stock/models.py": "listed",
        "shop/__init__.py": "package",
    }
    assert affected_tests(graph, "cart/models.py") == {"tests/test_a.py"}
    assert affected_tests(graph, "cart/migrations/0002_more.py") == {"tests/test_a.py"}
    assert affected_tests(graph, "deep/other.py") == set()


def test_a_rename(build: Build, facts_of: FactsOf) -> None:
    """Importers of the old name and of the new one are affected (S29)."""
    graph = build("""
a.py
uses_a.py
    import a
uses_b.py
    try:
        import b
    except ImportError:
        b = None
""")
    renamed = graph.with_files({"a.py": None, "b.py": facts_of("")})
    assert set(renamed.affected(["a.py", "b.py"])) == {"a.py", "b.py", "uses_a.py", "uses_b.py"}
    assert imported(renamed, "uses_a.py") == {}
    assert imported(renamed, "uses_b.py") == {"b.py": "imports"}


def test_a_deleted_package(build: Build) -> None:
    """Who imports something below it is affected by its end."""
    graph = build("""
pkg/__init__.py
pkg/mod.py
user.py
    from pkg.mod import x
""")
    gone = graph.with_file("pkg/__init__.py", None)
    assert "user.py" in gone.affected(["pkg/__init__.py"])


def test_a_syntax_error_and_its_mending(build: Build, facts_of: FactsOf) -> None:
    """The importers are affected both times: their edges are by name (S31)."""
    graph = build("""
mod.py
user.py
    import mod
""")
    broken = graph.with_file("mod.py", facts_of("def f(:"))
    assert broken.files["mod.py"].problem is not None
    assert "user.py" in broken.affected(["mod.py"])
    mended = broken.with_file("mod.py", facts_of(""))
    assert "user.py" in mended.affected(["mod.py"])


def test_comments_and_layout_change_nothing(build: Build, facts_of: FactsOf) -> None:
    """An edit that a module cannot notice gives the same graph (S33)."""
    graph = build("""
mod.py
    def f(a, b):
        return g(a, b)
""")
    again = graph.with_file("mod.py", facts_of("# why\ndef f(a,\n      b):\n\n  return g(a,b)\n\n"))
    assert again is graph
    assert graph.with_file("mod.py", facts_of("def f(a, b):\n return g(b, a)")) is not graph


def test_extension_modules(build: Build) -> None:
    """A `.so` is imported by its name; of its facts only the fingerprint is known."""
    so = "pkg/fast.cpython-311-x86_64-linux-gnu.so"
    graph = build("""
pkg/__init__.py
user.py
    from pkg.fast import run
""").with_file(so, Facts(b"first"))
    assert imported(graph, "user.py") == {"pkg/__init__.py": "imports", so: "imports"}
    rebuilt = graph.with_file(so, Facts(b"second"))
    assert "user.py" in rebuilt.affected([so])


def test_cycles_have_an_end(build: Build) -> None:
    """Modules that import each other have one closure, and one distance each."""
    graph = build("""
a.py
    import b
b.py
    import c
c.py
    import a
d.py
    import a
""")
    assert graph.closure(["a.py"]) == {"a.py", "b.py", "c.py"}
    assert {path: link.distance for path, link in graph.affected(["c.py"]).items()} == {
        "c.py": 0,
        "b.py": 1,
        "a.py": 2,
        "d.py": 3,
    }


def test_closure_and_affected_of_paths_that_are_not_there(build: Build) -> None:
    """A closure holds what there is; an absent path affects who wants it, and is named."""
    graph = build("""
a.py
    import gone
""")
    assert graph.closure(["gone.py"]) == frozenset()
    assert set(graph.affected(["gone.py", "notes.txt"])) == {"gone.py", "notes.txt", "a.py"}
    assert graph.imports("gone.py") == ()
    assert graph.importers("gone.py") == (Edge("a.py", "gone.py", "imports"),)


def test_a_chain_of_ten_thousand_imports() -> None:
    """No recursion limit is met."""
    count = 10_000
    from devloop.graph.facts import Import

    files = {f"m{i}.py": Facts(b"%d" % i, imports=(Import(f"m{i + 1}"),)) for i in range(count)}
    graph = Graph.build(Layout(), files)
    assert len(graph.closure(["m0.py"])) == count
    assert graph.affected([f"m{count - 1}.py"])["m0.py"].distance == count - 1


def test_graphs_are_values(build: Build, facts_of: FactsOf) -> None:
    """Making the next graph leaves the one before as it was."""
    graph = build("""
a.py
    import b
b.py
""")
    kept = (graph.imports("a.py"), graph.importers("b.py"))
    graph.with_files({"b.py": None, "a.py": facts_of("import c"), "c.py": facts_of("")})
    assert (graph.imports("a.py"), graph.importers("b.py")) == kept
    assert graph.with_file("missing.py", None) is graph


def test_a_problem_is_part_of_the_facts() -> None:
    """A file that cannot be compiled stands in the graph with its problem."""
    problem = SourceProblem("invalid syntax", 3, 1)
    graph = Graph.build(Layout(), {"bad.py": Facts(b"x", problem=problem)})
    assert graph.files["bad.py"].problem == problem


@pytest.mark.parametrize("roots", [None, ("src",)])
def test_a_folder_that_becomes_a_package_or_ceases_to_be_one(
    build: Build, facts_of: FactsOf, roots: tuple[str, ...] | None
) -> None:
    """It decides on what pytest puts on sys.path: all tests below may find other modules."""
    project = """
src/shop/__init__.py
tests/__init__.py
tests/helpers.py
tests/test_it.py
    from tests.helpers import x
tests/unit/test_other.py
test_top.py
"""
    whole = build(project, roots=roots)
    without = build(project.replace("tests/__init__.py\n", ""), roots=roots)
    for graph in (whole, without):
        affected = graph.affected(["tests/__init__.py"])
        assert affected.keys() >= {"tests/test_it.py", "tests/unit/test_other.py"}
        assert affected["tests/unit/test_other.py"].kind == "package"
        assert "test_top.py" not in affected


def test_a_text_is_a_test_while_it_holds_examples() -> None:
    """They may come and go, and what they import affects it; so does a conftest.py above it."""
    layout = Layout(doctest_globs=("*.md",))
    files = {"lib.py": Facts(b"1"), "conftest.py": Facts(b"2"), "a.md": Facts(b"3")}
    graph = Graph.build(layout, files)
    assert graph.tests == ()
    graph = graph.with_file("a.md", Facts(b"4", (Import("lib"),), examples=()))
    assert graph.tests == ("a.md",)
    assert affected_tests(graph, "lib.py") == affected_tests(graph, "conftest.py") == {"a.md"}
    assert Graph.build(layout, graph.files).tests == ("a.md",)
    assert graph.with_file("a.md", Facts(b"5")).tests == ()
    assert graph.with_file("a.md", None).tests == ()


def test_what_examples_import_counts_where_they_are_run() -> None:
    """With `--doctest-modules` only; each module is a test then."""
    files = {
        "lib.py": Facts(b"1"),
        "shown.py": Facts(b"2", examples=(Import("lib"),)),
    }
    graph = Graph.build(Layout(doctest_modules=True), files)
    assert graph.tests == ("lib.py", "shown.py")
    assert affected_tests(graph, "lib.py") == {"lib.py", "shown.py"}
    graph = Graph.build(Layout(), files)
    assert graph.tests == ()
    assert graph.imports("shown.py") == ()


def test_a_file_that_a_plugin_collects_is_a_test() -> None:
    """Whatever it holds, for only the plugin can tell; conftest.py files above it affect it."""
    files = {"a.case": Facts(b"1"), "conftest.py": Facts(b"2")}
    graph = Graph.build(Layout(found=(".case",)), files)
    assert graph.tests == ("a.case",)
    assert affected_tests(graph, "conftest.py") == {"a.case"}
