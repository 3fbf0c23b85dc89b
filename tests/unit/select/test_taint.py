"""Whom another value behind some names can reach, in modules made at random."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devloop.inside import source
from devloop.select.classes import Classes
from devloop.select.outlines import Outline, decode
from devloop.select.taint import spread

FEW = 6


@st.composite
def modules(draw: st.DrawFn) -> tuple[list[set[int]], list[set[int]], list[int]]:
    """Values that are made of earlier ones, functions that read some, and in which file each is."""
    made_of = [draw(st.sets(st.integers(0, n - 1), max_size=2)) if n else set() for n in range(FEW)]
    reads = draw(st.lists(st.sets(st.integers(0, FEW - 1), max_size=2), max_size=FEW))
    files = draw(st.lists(st.integers(0, 1), min_size=FEW, max_size=FEW))
    return made_of, reads, files


def outline(text: str) -> Outline:
    """The outline of a source that compiles."""
    packed = source.read(text.encode())[1]
    assert packed
    return decode(packed)


@given(modules(), st.integers(0, FEW - 1))
def test_just_those_are_reached_that_mention_a_name_or_what_is_made_of_it(
    made: tuple[list[set[int]], list[set[int]], list[int]], changed: int
) -> None:
    """Through whatever files, attributes and strings; no statement of these does anything else."""
    made_of, reads, files = made
    texts = ["import b\n", "\n"]
    for number, others in enumerate(made_of):
        # A name of the other file is an attribute there.
        parts = [f"V{n}" if files[n] == files[number] else f"b.V{n}" for n in sorted(others)]
        texts[files[number]] += f"V{number} = ({', '.join([*parts, '0'])},)\n"
    for number, names in enumerate(reads):
        said = [f"'V{n}'" if n % 2 else f"b.V{n}" for n in sorted(names)]
        texts[0] += f"def f{number}():\n    return [{', '.join(said)}]\n"
    outlines = {"a.py": outline(texts[0]), "b.py": outline(texts[1])}
    reached = {changed}
    for number, others in enumerate(made_of):
        if others & reached:
            reached.add(number)
    found = spread({f"V{changed}": ("b.py",)}, outlines, outlines, Classes([*outlines.values()]))
    assert found.names.keys() == {f"V{number}" for number in reached}
    functions = {f"f a.py::f{number}" for number, names in enumerate(reads) if names & reached}
    assert {dep for dep in found.hits if "::f" in dep} == functions
    assert found.wild == {}


def test_a_value_in_a_class_is_a_value_of_the_class() -> None:
    """Whoever mentions the class may come to its attributes without their names (S2)."""
    found = outline(
        "LIMIT = 0\n"
        "class Table:\n"
        "    rows = (LIMIT, 1)\n"
        "def whole():\n"
        "    return list(Table)\n"
        "def other():\n"
        "    return list(Others)\n"
    )
    sources = {"a.py": found}
    taint = spread({"LIMIT": ("a.py",)}, sources, sources, Classes([found]))
    assert {dep for dep in taint.hits if dep[0] == "f"} >= {"f a.py::whole"}
    assert "f a.py::other" not in taint.hits
    assert taint.wild == {}
