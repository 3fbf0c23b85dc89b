"""Where files stand in the picture of the imports."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from devloop.report.pages.layout import HEIGHT, WIDTH, layers, place

nodes = st.integers(1, 40).map(lambda count: [f"n{index}" for index in range(count)])
graphs = nodes.flatmap(
    lambda names: st.tuples(
        st.just(names),
        st.sets(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=80),
    )
)


@given(graphs)
def test_no_two_files_overlap(graph: tuple[list[str], set[tuple[str, str]]]) -> None:
    """Each has a place of its own; the same graph gives the same places."""
    names, edges = graph
    places = place(names, edges)
    assert set(places) == set(names)
    assert place(list(reversed(names)), edges) == places
    corners = sorted(places.values())
    assert len(set(corners)) == len(corners)
    for (x1, y1), (x2, y2) in pairwise(corners):
        assert x2 >= x1 + WIDTH or (x1 == x2 and y2 >= y1 + HEIGHT)


@given(graphs)
def test_importers_stand_to_the_left(graph: tuple[list[str], set[tuple[str, str]]]) -> None:
    """Of all that they import, but for those that import them in turn."""
    names, edges = graph
    imports: dict[str, list[str]] = {name: [] for name in names}
    for importer, imported in edges:
        imports[importer].append(imported)

    def reached(start: str) -> set[str]:
        found, todo = {start}, [start]
        while todo:
            news = set(imports[todo.pop()]) - found
            found |= news
            todo += news
        return found

    ranks = layers(names, imports)
    closures = {name: reached(name) for name in names}
    for importer, imported in edges:
        if importer in closures[imported]:
            assert ranks[importer] == ranks[imported]
        else:
            assert ranks[importer] < ranks[imported]
    inner = {b for a, b in edges if a not in closures[b]}
    assert all(ranks[name] == 0 for name in names if not closures[name] & inner)


def test_a_long_chain_is_no_depth_of_calls() -> None:
    """Ten thousand files that import one another in a row are laid out."""
    names = [f"n{index}" for index in range(10_000)]
    found = layers(names, {a: [b] for a, b in pairwise(names)} | {names[-1]: []})
    assert found["n9999"] == 9999


def test_many_files_of_one_layer_stand_in_several_columns() -> None:
    """So the picture is not a thousand times as high as wide."""
    names = [f"tests/test_{index}.py" for index in range(1000)]
    places = place([*names, "app.py"], [(name, "app.py") for name in names])
    width = max(x for x, _ in places.values()) + WIDTH
    height = max(y for _, y in places.values()) + HEIGHT
    assert 1 < width / height < 4


def test_nothing_is_laid_out_as_nothing() -> None:
    """A project without sources has a page as well."""
    assert place([], []) == {}
