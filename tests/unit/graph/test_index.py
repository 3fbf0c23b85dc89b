"""An index from names to paths."""

from __future__ import annotations

from devloop.graph.index import changed, collect


def test_collect() -> None:
    """Each name has all its paths, in their order."""
    assert collect([("a", ["x", "y"]), ("b", ["x"]), ("c", [])]) == {"x": ("a", "b"), "y": ("a",)}


def test_changed() -> None:
    """Names come and go; one without a path is left out; the index before stays."""
    index = collect([("a", ["x", "y"]), ("b", ["x"])])
    after = changed(index, {"a": ["x", "y"], "0": []}, {"a": ["z"], "0": ["x"]})
    assert after == {"x": ("0", "b"), "z": ("a",)}
    assert index == {"x": ("a", "b"), "y": ("a",)}


def test_nothing_changed() -> None:
    """The same index is given back, so that an edit costs no copy."""
    index = collect([("a", ["x"])])
    assert changed(index, {"a": ["x"]}, {"a": ["x", "x"]}) is index
