"""What files can execute, by the functions that have run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devloop.graph.graph import Graph
from devloop.graph.running import Running

PROJECT = """
early.py
late.py
    import deep
deep.py
named.py
lib.py
    def reads():
        return "named.value"
test_it.py
    import early, lib
    def test_one():
        import late
    def test_two():
        pass
"""


@pytest.fixture
def graph(build: Callable[..., Graph]) -> Graph:
    """One function of a test imports, one of a library names a module."""
    return build(PROJECT)


@pytest.mark.parametrize(
    ("ran", "found"),
    [
        ([], ""),
        (["test_it.py::test_two"], ""),
        (["test_it.py::test_one"], "late deep"),
        (["test_it.py"], "late deep"),
        (["lib.py::reads"], "named"),
        (["lib.py::reads", "test_it.py::test_one"], "late deep named"),
    ],
)
def test_a_function_leads_on_where_it_has_run(graph: Graph, ran: list[str], found: str) -> None:
    """What the file itself imports is there in any case."""
    more = {f"{name}.py" for name in found.split()}
    assert (
        Running(graph).closure(["test_it.py"], ran) == {"test_it.py", "early.py", "lib.py"} | more
    )


def test_what_a_function_has_kept_is_met_without_running_it(graph: Graph) -> None:
    """So its strings and imports count for everybody."""
    running = Running(graph, ["lib.py::reads"])
    assert "named.py" in running.closure(["test_it.py"], ())


def test_it_is_told_which_functions_decide(graph: Graph) -> None:
    """And in which files they are, for one whose functions cannot be told apart."""
    running = Running(graph)
    closure = graph.closure(["test_it.py"])
    assert running.telling(closure) == {
        "lib.py",
        "lib.py::reads",
        "test_it.py",
        "test_it.py::test_one",
    }
    assert running.telling(["early.py"]) == set()


def test_elsewhere_than_in_tests_a_late_import_counts_for_all(build: Callable[..., Graph]) -> None:
    """A library often keeps what it imports late, for whoever comes then."""
    graph = build("""
lib.py
    def load():
        import late
late.py
test_it.py
    import lib
""")
    assert "late.py" in Running(graph).closure(["test_it.py"], ())


@pytest.mark.parametrize("more", ["import late", "def f(): import late; sys.late = late"])
def test_what_also_stands_elsewhere_counts_for_all(build: Callable[..., Graph], more: str) -> None:
    """In the module itself, or in a function that keeps what it imports."""
    graph = build(f"""
late.py
test_it.py
    {more}
    def test_one():
        import late
""")
    assert "late.py" in Running(graph).closure(["test_it.py"], ())
