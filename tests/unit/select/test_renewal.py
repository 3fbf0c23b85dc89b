"""Verdicts that still hold are renewed, so that the revisions they are as of stay few."""

from __future__ import annotations

from devloop.graph.facts import Facts, Import
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.select.category import Category
from devloop.select.records import Ran, Records
from devloop.select.tests import due, renewed

Sources = dict[str, tuple[str, tuple[str, ...]]]

PROJECT: Sources = {
    "a.py": ("1", ()),
    "b.py": ("1", ()),
    "test_a.py": ("1", ("a",)),
    "test_b.py": ("1", ("b",)),
}


def graph_of(sources: Sources) -> Graph:
    """A graph of flat modules, each with its content and what it imports."""
    return Graph.build(
        Layout(),
        {
            path: Facts(content.encode(), tuple(Import(name) for name in imports))
            for path, (content, imports) in sources.items()
        },
    )


def contents_of(sources: Sources) -> dict[str, bytes]:
    """The contents of those modules."""
    return {path: content.encode() for path, (content, _) in sources.items()}


def source(_: str) -> Category:
    """Everything here is a source."""
    return Category.SOURCE


def passed(records: Records, sources: Sources, *paths: str) -> Records:
    """The records after one test in each of these files has passed."""
    ran = Ran(
        {f"{path}::test": (path, "passed", 0.1) for path in paths},
        {path: frozenset({f"{path}::test"}) for path in paths},
    )
    return records.with_learned(records.learn(ran, contents_of(sources), frozenset()))


def test_a_verdict_that_holds_is_as_of_the_last_revision() -> None:
    """After an edit of `a` alone, the verdict of `test_b` holds for the new contents too."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    learned = renewed(graph_of(edited), records, contents_of(edited), source)
    assert learned.collected == (("test_b.py", 2),)
    assert [(v.nodeid, v.revision) for v in learned.verdicts] == [("test_b.py::test", 2)]


def test_what_is_due_is_not_renewed() -> None:
    """A test that the last edit reaches, and that has not run since, stays as of its revision."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ()), "b.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    graph, contents = graph_of(edited), contents_of(edited)
    assert renewed(graph, records, contents, source).collected == ()
    assert [file.path for file in due(graph, records, contents, source).files] == ["test_b.py"]


def test_nothing_is_renewed_on_contents_that_no_run_has_seen() -> None:
    """While the tree differs from the last run's, nothing can be said of it."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    later = {**edited, "new.py": ("1", ())}
    assert renewed(graph_of(later), records, contents_of(later), source).collected == ()
