"""Digests of all that can be reached from a node, in one pass over a directed graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b

DIGEST_SIZE = 16


def digest_reached(
    start: str,
    targets: Callable[[str], Iterable[str]],
    content: Callable[[str], bytes],
    known: dict[str, bytes],
) -> None:
    """Digest what a node reaches: its content and the shape of the graph below it.

    A Merkle hash over the strongly connected components, which Tarjan's algorithm finds in the
    order in which it is needed, here without recursion. Each node is visited once over all
    calls with one `known`.

    Args:
        start: a node that is not in `known`.
        targets: a node's successors.
        content: a node's own digest.
        known: digests by node; those of all nodes reached are added. The members of a
            component reach the same, and have one digest.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    successors: dict[str, list[str]] = {}
    path: list[str] = []
    todo = [(start, 0)]
    while todo:
        node, position = todo.pop()
        if position == 0:
            order[node] = lowest[node] = len(order)
            successors[node] = sorted(targets(node))
            path.append(node)
        below = successors[node]
        while position < len(below):
            target = below[position]
            position += 1
            if target in known:
                continue
            if target not in order:
                todo += [(node, position), (target, 0)]
                break
            lowest[node] = min(lowest[node], order[target])
        else:
            if lowest[node] == order[node]:
                members = path[path.index(node) :] if path[-1] != node else [node]
                del path[-len(members) :]
                digest = _digest(sorted(members), successors, content, known)
                for member in members:
                    known[member] = digest
                    del successors[member]
            if todo:
                above = todo[-1][0]
                lowest[above] = min(lowest[above], lowest[node])


def _digest(
    members: list[str],
    successors: dict[str, list[str]],
    content: Callable[[str], bytes],
    known: dict[str, bytes],
) -> bytes:
    hashed = blake2b(digest_size=DIGEST_SIZE)
    for member in members:
        parts = [member.encode("utf-8", "surrogatepass"), content(member)]
        for target in successors[member]:
            # A member of the same component has no digest yet: its name is its place in it.
            parts += [target.encode("utf-8", "surrogatepass"), known.get(target, b"")]
        hashed.update(b"%d " % len(parts))
        for part in parts:
            hashed.update(b"%d " % len(part))
            hashed.update(part)
    return hashed.digest()
