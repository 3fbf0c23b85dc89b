"""What holds for every graph, and after any sequence of edits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from devloop.graph.facts import Facts, Import
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout

LAYOUT = Layout(roots=("src", "tests", ""), always=("p.sub", "always"))
PATHS = [
    "a.py",
    "always.py",
    "conftest.py",
    "p/__init__.py",
    "p/a.py",
    "p/sub.py",
    "p/sub/__init__.py",
    "p/sub/deep.py",
    "src/p/b.py",
    "src/p/fast.so",
    "tests/conftest.py",
    "tests/helper.py",
    "tests/in/conftest.py",
    "tests/in/test_deep.py",
    "tests/test_a.py",
    "tests/test_b.py",
]
NAMES = ["a", "p", "p.a", "p.b", "p.sub", "p.sub.deep", "p.fast", "helper", "tests.helper", "no.x"]

imports = st.builds(
    Import,
    module=st.sampled_from([*NAMES, ""]),
    level=st.integers(0, 3),
    names=st.lists(st.sampled_from(["a", "b", "sub", "deep", "*"]), max_size=2).map(tuple),
    typing=st.booleans(),
).filter(lambda one: one.module or (one.level and one.names))
facts = st.builds(
    Facts,
    fingerprint=st.integers(0, 3).map(lambda number: b"%d" % number),
    imports=st.lists(imports, max_size=3).map(tuple),
    strings=st.lists(st.sampled_from(["p.a.f", "p.sub:x", "q.r"]), max_size=1).map(tuple),
    dynamic=st.lists(st.sampled_from(["", "p", "p.sub", ".", "..a"]), max_size=1).map(tuple),
    plugins=st.lists(st.sampled_from(["helper", "p.a"]), max_size=1).map(tuple),
    listed=st.lists(st.sampled_from(["p", "p.sub.apps.Conf"]), max_size=1).map(tuple),
)
trees = st.dictionaries(st.sampled_from(PATHS), facts, max_size=len(PATHS))
edits = st.lists(
    st.dictionaries(st.sampled_from(PATHS), st.none() | facts, min_size=1, max_size=4), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(tree=trees, edits=edits)
def test_edits_lead_to_the_graph_made_from_scratch(
    tree: dict[str, Facts], edits: list[dict[str, Facts | None]]
) -> None:
    """Edges, closures and what is affected are the same, whatever the way there."""
    graph = Graph.build(LAYOUT, tree)
    for edit in edits:
        graph = graph.with_files(edit)
        for path, found in edit.items():
            if found is None:
                tree.pop(path, None)
            else:
                tree[path] = found
    scratch = Graph.build(LAYOUT, tree)
    assert graph.files == scratch.files
    assert graph.tests == scratch.tests
    for path in PATHS:
        assert graph.imports(path) == scratch.imports(path)
        assert graph.importers(path) == scratch.importers(path)
        assert graph.closure([path]) == scratch.closure([path])
        assert graph.affected([path]) == scratch.affected([path])


@settings(max_examples=60, deadline=None)
@given(tree=trees)
def test_affected_is_the_inverse_of_closure(tree: dict[str, Facts]) -> None:
    """A file is affected by exactly the files of its closure."""
    graph = Graph.build(LAYOUT, tree)
    closures = {path: graph.closure([path]) for path in tree}
    for changed in tree:
        affected = graph.affected([changed])
        assert {path for path in tree if changed in closures[path]} == set(affected)


@settings(max_examples=60, deadline=None)
@given(tree=trees, changed=st.sets(st.sampled_from(PATHS), min_size=1, max_size=3))
def test_chains_are_real_edges_and_shortest(tree: dict[str, Facts], changed: set[str]) -> None:
    """Each step of a chain is an edge of the kind that is told, and no way is shorter."""
    graph = Graph.build(LAYOUT, tree)
    affected = graph.affected(changed)
    for path, link in affected.items():
        chain = graph.chain(path, affected)
        assert chain[-1] in changed
        assert len(chain) == link.distance + 1
        if link.via is not None:
            kinds = {edge.importer: edge.kind for edge in graph.importers(link.via)}
            assert kinds[path] == link.kind
            assert link.kind != "typing"
            ways = [e.imported for e in graph.imports(path) if e.kind != "typing"]
            assert link.distance == 1 + min(
                affected[way].distance for way in {*ways, link.via} if way in affected
            )


@settings(max_examples=60, deadline=None)
@given(tree=trees)
def test_both_directions_tell_the_same_edges(tree: dict[str, Facts]) -> None:
    """`imports` and `importers` are two views of one set of edges."""
    graph = Graph.build(LAYOUT, tree)
    forwards = {edge for path in tree for edge in graph.imports(path)}
    backwards = {edge for path in tree for edge in graph.importers(path)}
    assert forwards == backwards


@settings(max_examples=60, deadline=None)
@given(tree=trees, edit=st.dictionaries(st.sampled_from(PATHS), st.none() | facts, min_size=1))
def test_what_runs_changes_only_for_what_an_edit_affects(
    tree: dict[str, Facts], edit: dict[str, Facts | None]
) -> None:
    """Where the content or the edges of a closure are other ones, its file is affected."""
    before = Graph.build(LAYOUT, tree)
    after = before.with_files(edit)
    for path in before.files.keys() & after.files.keys():
        if _what_runs(before, path) != _what_runs(after, path):
            assert path in after.affected(edit)


def _what_runs(graph: Graph, path: str) -> dict[str, tuple[bytes, frozenset[str]]]:
    return {
        one: (
            graph.files[one].fingerprint,
            frozenset(e.imported for e in graph.imports(one) if e.kind != "typing"),
        )
        for one in graph.closure([path])
    }
