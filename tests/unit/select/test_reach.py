"""What a set of changed contents reaches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from devloop.graph.graph import Graph
from devloop.select.category import category, fact
from devloop.select.reach import Reach

PROJECT = """
lib.py
deep.py
middle.py
    import deep
test_lib.py
    import lib
test_deep.py
    import middle
test_readme.py
    README = "README.md"
test_alone.py
"""

TESTS = ("test_alone.py", "test_deep.py", "test_lib.py", "test_readme.py")


@pytest.fixture
def reach(build: Callable[..., Graph]) -> Callable[..., Reach]:
    """What some changes reach, in a project with a pytest.ini."""
    graph = build(PROJECT)
    return lambda *changed: Reach(
        graph, changed, partial(category, configuration=frozenset({"pytest.ini"}))
    )


def test_a_source_reaches_its_importers(reach: Callable[..., Reach]) -> None:
    """At any distance, with the chain from the test to the change."""
    found = reach("deep.py")
    reason = found.reason("test_deep.py")
    assert reason is not None
    assert (reason.kind, reason.chain) == ("imports", ("test_deep.py", "middle.py", "deep.py"))
    assert found.distance("test_deep.py") == 2
    assert found.reason("test_lib.py") is None
    assert found.everything is None


def test_an_edited_test_reaches_itself(reach: Callable[..., Reach]) -> None:
    """At no distance."""
    found = reach("test_lib.py")
    reason = found.reason("test_lib.py")
    assert reason is not None
    assert (reason.kind, reason.chain) == ("edited", ("test_lib.py",))
    assert found.distance("test_lib.py") == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pytest.ini", "configuration"),
        ("data.json", "data"),
        (fact("a distribution"), "environment"),
    ],
)
def test_some_changes_reach_every_test(reach: Callable[..., Reach], path: str, kind: str) -> None:
    """Settings of pytest, data that nobody is known to read, and what is installed."""
    found = reach(path)
    assert found.everything is not None
    for test in TESTS:
        reason = found.reason(test)
        assert reason is not None
        assert (reason.kind, reason.chain) == (kind, (test, path))
        assert reason.detail


def test_the_nearer_reason_is_the_one_that_is_told(reach: Callable[..., Reach]) -> None:
    """A chain of imports says more than that everything is due."""
    found = reach("lib.py", "data.json")
    reason = found.reason("test_lib.py")
    assert reason is not None
    assert reason.kind == "imports"
    assert found.distance("test_lib.py") < found.distance("test_alone.py")


def test_a_document_reaches_those_that_name_it(reach: Callable[..., Reach]) -> None:
    """A test of a README's examples has its name in a string."""
    found = reach("docs/README.md")
    reason = found.reason("test_readme.py")
    assert reason is not None
    assert (reason.kind, reason.chain) == ("string", ("test_readme.py", "docs/README.md"))
    assert found.reason("test_lib.py") is None


def test_a_byproduct_reaches_nobody(reach: Callable[..., Reach]) -> None:
    """Logs, databases and the like are written by what runs."""
    found = reach("app.log")
    assert all(found.reason(test) is None for test in TESTS)


def test_what_is_gone_or_new_reaches_those_that_want_its_name(reach: Callable[..., Reach]) -> None:
    """Also a module that shadows another one."""
    assert reach("lib/__init__.py").reason("test_lib.py") is not None
    assert reach("conftest.py").reason("test_alone.py") is not None
    assert reach("unwanted.py").reason("test_alone.py") is None
