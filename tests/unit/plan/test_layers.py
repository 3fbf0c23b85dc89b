"""Which modules are held for the next start, and which of that an edit leaves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from devloop.graph.facts import Facts, Import
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.plan.layers import (
    LATELY,
    holdable,
    in_order,
    in_their_order,
    lately_edited,
    leading_to,
    touched,
)

NAMES = ("a", "b", "c", "d", "e", "f")
imported = st.sets(st.sampled_from(NAMES), max_size=3)
projects = st.fixed_dictionaries(dict.fromkeys(NAMES, imported))


def graph_of(project: dict[str, set[str]]) -> Graph:
    """The graph of modules that import each other, one by one."""
    facts = {
        f"{name}.py": Facts(b"", tuple(Import(one) for one in sorted(project[name])))
        for name in project
    }
    return Graph.build(Layout(), facts)


def run(project: dict[str, set[str]], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Import modules as Python does; in what order they begin, and end."""
    begun: list[str] = []
    ended: list[str] = []

    def load(name: str) -> None:
        if name in begun or name not in project:
            return
        begun.append(name)
        for one in sorted(project[name]):
            load(one)
        ended.append(name)

    for name in names:
        load(name)
    return begun, ended


def modules_of(project: dict[str, set[str]], entry: str = "a") -> list[tuple[str, str]]:
    """What a program has imported that begins with one module, in the order of their ends."""
    return [(name, f"{name}.py") for name in run(project, (entry,))[1]]


@settings(deadline=None)
@given(project=projects, edited=st.sets(st.sampled_from(NAMES), max_size=2))
def test_a_layer_holds_nothing_that_can_reach_what_is_worked_on(
    project: dict[str, set[str]], edited: set[str]
) -> None:
    """Importing what is holdable imports nothing that an edit affects, whatever the imports are."""
    graph = graph_of(project)
    paths = {f"{name}.py" for name in edited}
    modules = in_their_order(graph, modules_of(project))
    loaded, _ = run(project, holdable(graph, modules, paths))
    assert graph.affected(paths).keys().isdisjoint(f"{name}.py" for name in loaded)


@settings(deadline=None)
@given(project=projects, data=st.data())
def test_no_start_comes_from_a_layer_that_an_edit_touches(
    project: dict[str, set[str]], data: st.DataObject
) -> None:
    """After any edit of what modules import, an untouched layer is what a new start would import.

    Each module of it is imported by the program as it is after the edit, and none has changed.
    """
    graph = graph_of(project)
    modules = in_their_order(graph, modules_of(project))
    worked_on = data.draw(st.sets(st.sampled_from(NAMES), max_size=2))
    held, _ = run(project, holdable(graph, modules, [f"{name}.py" for name in worked_on]))
    after = {**project, **data.draw(st.dictionaries(st.sampled_from(NAMES[1:]), imported))}
    after["a"] = data.draw(imported)
    changed = {f"{name}.py" for name in NAMES if after[name] != project[name]}
    gone = touched(graph, graph_of(after), changed)
    if gone.isdisjoint(f"{name}.py" for name in held):
        assert {*held} <= {*run(after, ("a",))[0]}
        assert all(after[name] == project[name] for name in held)


@settings(deadline=None)
@given(project=projects)
def test_modules_end_as_they_did(project: dict[str, set[str]]) -> None:
    """Imported one by one in that order, they end in an order in which the program ended them.

    That is so where no cycle is entered twice: of several ways into a cycle one is known.
    """
    graph = graph_of(project)
    modules = modules_of(project)
    names = tuple(name for name, _ in in_their_order(graph, modules))
    assert {*names} == {name for name, _ in modules}
    begun, ended = run(project, names)
    assert {*begun} == {*names}
    acyclic = all(
        f"{name}.py" not in graph.closure([f"{one}.py" for one in project[name] - {name}])
        for name in names
    )
    if acyclic:
        assert ended == [name for name, _ in modules]


def test_of_a_cycle_that_module_comes_first_which_was_begun_first() -> None:
    """It is the one that ends last."""
    project = {"a": {"c"}, "b": {"d"}, "c": {"b", "d"}, "d": {"c"}}
    graph = graph_of(project)
    modules = modules_of(project)
    assert [name for name, _ in modules] == ["d", "b", "c", "a"]
    assert [name for name, _ in in_their_order(graph, modules)] == ["c", "d", "b", "a"]


def test_what_leads_to_a_module_is_its_cycle() -> None:
    """Its other imports come by themselves; one that nobody imports is led to by nothing."""
    project = {"a": {"c"}, "b": set(), "c": {"b", "d"}, "d": {"c"}}
    graph = graph_of(project)
    modules = in_their_order(graph, modules_of(project))
    assert leading_to(graph, modules, "d") == ("c", "d")
    assert leading_to(graph, modules, "c") == ("c",)
    assert leading_to(graph, modules, "b") == ("b",)
    assert leading_to(graph, modules, "f") is None


def test_an_import_that_is_dropped_touches_all_behind_it() -> None:
    """A cold start may import none of it."""
    before = graph_of({"a": {"b"}, "b": {"c"}, "c": set(), "d": set()})
    after = graph_of({"a": set(), "b": {"c"}, "c": set(), "d": set()})
    assert touched(before, after, {"a.py"}) == {"a.py", "b.py", "c.py"}
    assert touched(before, before, {"b.py"}) == {"a.py", "b.py"}


def test_a_module_that_the_graph_does_not_know_is_not_held() -> None:
    """Nobody can tell what it reaches."""
    graph = graph_of({"a": set()})
    assert holdable(graph, [("a", "a.py"), ("x", "elsewhere/x.py")], ()) == ("a",)


def test_the_last_edit_counts_however_long_ago() -> None:
    """Others count for some minutes."""
    edits = {"a.py": 0.0, "b.py": 10.0}
    assert lately_edited(edits, 10.0) == {"a.py", "b.py"}
    assert lately_edited(edits, LATELY + 5.0) == {"b.py"}
    assert lately_edited(edits, LATELY * 9) == {"b.py"}
    assert lately_edited({}, 1.0) == frozenset()


def test_what_lasts_longest_is_computed_first() -> None:
    """What was spoilt last stands on top, and of others what depends on most."""
    sizes = {"x:f": 1, "y:f": 2, "z:f": 9}
    assert in_order(["z:f", "y:f", "x:f"], {}, sizes) == ("x:f", "y:f", "z:f")
    assert in_order(["x:f", "y:f", "z:f"], {"x:f": 5.0}, sizes) == ("y:f", "z:f", "x:f")
    assert in_order(["x:f", "y:f"], {"x:f": 5.0, "y:f": 6.0}, sizes) == ("x:f", "y:f")
