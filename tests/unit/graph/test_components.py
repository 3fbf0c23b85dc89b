"""Digests of what a node reaches."""

from __future__ import annotations

from devloop.graph.components import digest_reached


def digests(graph: dict[str, str], contents: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """The digest of every node of a graph of one-letter nodes."""
    known: dict[str, bytes] = {}
    contents = contents or {}
    for node in graph:
        if node not in known:
            digest_reached(node, graph.__getitem__, lambda n: contents.get(n, b""), known)
    return known


def test_a_component_has_one_digest() -> None:
    """What is in a cycle reaches the same; what leads to it does not."""
    known = digests({"a": "b", "b": "ca", "c": "a", "d": "a", "e": ""})
    assert known["a"] == known["b"] == known["c"]
    assert len({known["a"], known["d"], known["e"]}) == 3


def test_two_cycles_that_share_a_node_are_one_component() -> None:
    """Also where the second is found on the way back from the first."""
    known = digests({"a": "b", "b": "ac", "c": "d", "d": "be", "e": ""})
    assert known["a"] == known["b"] == known["c"] == known["d"] != known["e"]


def test_the_start_does_not_matter() -> None:
    """The digest is the same from whichever node the pass begins."""
    graph = {"a": "bd", "b": "c", "c": "b", "d": "ce", "e": ""}
    backwards = dict(reversed(graph.items()))
    assert digests(graph) == digests(backwards)


def test_content_and_shape_count() -> None:
    """Another content, edge or name below gives another digest; elsewhere it does not."""
    graph = {"a": "b", "b": "c", "c": "", "x": "y", "y": ""}
    plain = digests(graph)
    edited = digests(graph, {"c": b"new"})
    assert [n for n in graph if edited[n] != plain[n]] == ["a", "b", "c"]
    wired = digests({**graph, "y": "c"})
    assert [n for n in graph if wired[n] != plain[n]] == ["x", "y"]
    moved = digests({"a": "ab", "b": "", "c": ""})
    assert moved["a"] != plain["a"]


def test_known_digests_are_not_visited() -> None:
    """What is known already is taken, and its successors are not asked for."""
    known = {"b": b"known"}
    digest_reached("a", {"a": "b"}.__getitem__, lambda n: b"", known)
    assert set(known) == {"a", "b"}
