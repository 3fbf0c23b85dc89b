"""Verdicts that still hold are renewed, so that the revisions they are as of stay few."""

from __future__ import annotations

from devloop.graph.facts import Facts, Import
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.select.category import Category
from devloop.select.delta import Present
from devloop.select.learning import learn
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


def present(sources: Sources, records: Records) -> Present:
    """What selection knows, where no source has an outline."""
    return Present(graph_of(sources), records, contents_of(sources), source, lambda _: {})


def passed(records: Records, sources: Sources, *paths: str) -> Records:
    """The records after one test in each of these files has passed."""
    ran = Ran(
        {f"{path}::test": (path, "passed", 0.1) for path in paths},
        {path: frozenset({f"{path}::test"}) for path in paths},
    )
    return records.with_learned(learn(present(sources, records), ran, frozenset()))


def test_a_verdict_that_holds_is_as_of_the_last_revision() -> None:
    """After an edit of `a` alone, the verdict of `test_b` holds for the new contents too."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    learned = renewed(present(edited, records))
    assert learned.collected == (("test_b.py", 2),)
    (verdict,) = learned.verdicts
    assert verdict.nodeid == "test_b.py::test"
    assert [one.revision for one in verdict.passes] == [2]
    assert verdict.revision == 1, "it ran on no later one"


def test_what_is_due_is_not_renewed() -> None:
    """A test that the last edit reaches, and that has not run since, stays as of its revision."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ()), "b.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    assert renewed(present(edited, records)).collected == ()
    assert [file.path for file in due(present(edited, records)).files] == ["test_b.py"]


def test_nothing_is_renewed_on_contents_that_no_run_has_seen() -> None:
    """While the tree differs from the last run's, nothing can be said of it."""
    records = passed(Records(), PROJECT, "test_a.py", "test_b.py")
    edited = {**PROJECT, "a.py": ("2", ())}
    records = passed(records, edited, "test_a.py")
    later = {**edited, "new.py": ("1", ())}
    assert renewed(present(later, records)).collected == ()
