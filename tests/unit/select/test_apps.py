"""Which apps a change restarts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devloop.graph.graph import Graph
from devloop.select.apps import AppTarget, affected_apps, broken
from devloop.select.category import category
from devloop.select.entry import Entry

PROJECT = """
shop/__init__.py
shop/web.py
    from shop import prices
shop/prices.py
shop/other.py
tests/test_web.py
    from shop import web
bad.py
    def (
"""

WEB = AppTarget("web", Entry(True, ("shop/web.py",)), ("templates/**", "*.ini"), "web.env")


@pytest.fixture
def graph(build: Callable[..., Graph]) -> Graph:
    """An app, its module, one beside it, and a test."""
    return build(PROJECT)


def restarted(
    graph: Graph, target: AppTarget, *touched: str, changed: tuple[str, ...] | None = None
) -> tuple[str, tuple[str, ...]] | None:
    """The kind and chain of the reason to restart an app; None where it is left alone."""
    found = affected_apps(
        graph, [target], touched if changed is None else changed, touched, category
    )
    return (found[0].reason.kind, found[0].reason.chain) if found else None


def test_an_edit_within_the_import_closure_restarts_a_python_app(graph: Graph) -> None:
    """By the shortest chain; its own entry is just edited."""
    chain = ("web", "shop/web.py", "shop/prices.py")
    assert restarted(graph, WEB, "shop/prices.py") == ("imports", chain)
    assert restarted(graph, WEB, "shop/web.py") == ("edited", ("web", "shop/web.py"))


def test_what_it_was_seen_to_import_restarts_it_whatever_its_words(graph: Graph) -> None:
    """A name in a configuration file, or in the environment, is none of its words."""
    chain = ("tool", "shop/web.py", "shop/prices.py")
    script = Entry(False, named=("bin/serve",))
    for entry in (Entry(True, ("shop/other.py",)), Entry(True, foreign=True), script):
        for patterns in ((), ("*.ini",)):
            target = AppTarget("tool", entry, patterns)
            assert restarted(graph, target, "shop/prices.py") is None
            target = AppTarget("tool", entry, patterns, imported=frozenset({"shop/web.py"}))
            assert restarted(graph, target, "shop/prices.py") == ("imports", chain)
            reason = ("edited", ("tool", "shop/other.py")) if entry.paths else None
            assert restarted(graph, target, "shop/other.py") == reason


@pytest.mark.parametrize("path", ["shop/other.py", "tests/test_web.py", "data.json", "README.md"])
def test_what_lies_beside_the_closure_does_not(graph: Graph, path: str) -> None:
    """Editing a test, another module or a file that nobody declared leaves the app alone."""
    assert restarted(graph, WEB, path) is None


def test_a_comment_does_not(graph: Graph) -> None:
    """Its bytes are other ones, what it does is the same."""
    assert restarted(graph, WEB, "shop/prices.py", changed=()) is None


def test_its_patterns_and_its_environment_file_do(graph: Graph) -> None:
    """Whatever kind of file it is."""
    assert restarted(graph, WEB, "templates/a/b.html") == ("watch", ("web", "templates/a/b.html"))
    assert restarted(graph, WEB, "conf/x.ini") == ("watch", ("web", "conf/x.ini"))
    assert restarted(graph, WEB, "web.env", changed=()) == ("env-file", ("web", "web.env"))


def test_an_unknown_entry_is_reached_by_every_source_but_tests(graph: Graph) -> None:
    """A restart too many, rather than old code."""
    target = AppTarget("tool", Entry(True))
    assert restarted(graph, target, "shop/other.py") == (
        "unknown-entry", ("tool", "shop/other.py"),
    )  # fmt: skip
    assert restarted(graph, target, "tests/test_web.py") is None
    assert restarted(graph, target, "data.json") is None


def test_what_enters_nothing_of_the_project_restarts_for_its_patterns_only(graph: Graph) -> None:
    """A server of the standard library runs on, whatever is edited."""
    target = AppTarget("http.server", Entry(True, foreign=True), ("site/**",))
    assert restarted(graph, target, "shop/other.py", "data.json") is None
    assert restarted(graph, target, "site/conf.py") == ("watch", ("http.server", "site/conf.py"))


def test_a_launcher_is_reached_by_sources_and_by_data_unless_it_says_what_it_reads(
    graph: Graph,
) -> None:
    """What it starts may be Python or not."""
    target = AppTarget("all", Entry(False, launcher=True))
    assert restarted(graph, target, "shop/other.py") is not None
    assert restarted(graph, target, "data.json") is not None
    assert restarted(graph, target, "tests/test_web.py") is None
    assert restarted(graph, target, "README.md") is None
    declared = AppTarget("all", Entry(False, launcher=True), ("*.py",))
    assert restarted(graph, declared, "shop/other.py") is not None
    declared = AppTarget("all", Entry(False, launcher=True), ("all.sh",))
    assert restarted(graph, declared, "all.sh") is not None
    assert restarted(graph, declared, "shop/other.py") is None
    assert restarted(graph, declared, "data.json") is None


def test_another_program_is_reached_by_data_unless_it_says_what_it_reads(graph: Graph) -> None:
    """Python sources are not its business; files that its command names are."""
    target = AppTarget("node", Entry(False, named=("server.js", "README.md")))
    assert restarted(graph, target, "server.js") is not None
    assert restarted(graph, target, "README.md") is not None
    assert restarted(graph, target, "lib.js") is not None
    assert restarted(graph, target, "shop/web.py") is None
    declared = AppTarget("node", Entry(False, named=("server.js",)), ("server/**",))
    assert restarted(graph, declared, "lib.js") is None
    assert restarted(graph, declared, "server/lib.js") is not None


def test_a_file_that_is_gone_or_new_counts(graph: Graph) -> None:
    """By the name that it had, or will have."""
    gone = graph.with_file("shop/prices.py", None)
    assert restarted(gone, WEB, "shop/prices.py") is not None


def test_sources_that_do_not_compile_are_told(graph: Graph) -> None:
    """Those among the given ones; a path that is gone is not broken."""
    assert broken(graph, ["shop/web.py", "bad.py", "gone.py"]) == ("bad.py",)
