"""Which modules of the project are held for the next start, and which of that an edit leaves.

A *layer* holds modules that a command has imported. What it holds includes all that these have
imported, so it is as a start would make it while none of them has changed. Modules that are
being worked on are left out, and with them all that can reach them, import cycles as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from devloop.graph.graph import Graph

LATELY = 600.0
"""Seconds for which a file counts as being worked on. The last edit does however long ago."""


def lately_edited(edits: Mapping[str, float], now: float) -> frozenset[str]:
    """The files that are being worked on.

    Args:
        edits: when each was edited last, in seconds.
        now: on the same clock.
    """
    last = max(edits.values(), default=now)
    return frozenset(path for path, when in edits.items() if now - when <= LATELY or when == last)


def holdable(
    graph: Graph, modules: Iterable[tuple[str, str]], avoid: Iterable[str]
) -> tuple[str, ...]:
    """The modules that a layer may hold.

    Args:
        graph: as it is now.
        modules: what the command has imported, as `in_their_order` gives them.
        avoid: paths that must not be held, nor what can reach them: what is being worked on, what
            cannot be held, and the command's own script.

    Returns:
        Names, in order. A module that the graph does not know is none of them.
    """
    affected = graph.affected(avoid)
    return tuple(name for name, path in modules if path in graph.files and path not in affected)


def in_their_order(graph: Graph, modules: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Modules in an order in which their imports come to what they came to in the command.

    Args:
        graph: as it is now.
        modules: names and paths, each in the place where its import had ended.

    Returns:
        The same, each after what it imports. Of a cycle the one comes first that was imported
        first: the last to end.
    """
    listed = list(modules)
    places = {path: place for place, (_, path) in enumerate(listed)}
    cycles = _cycles({path: _imported(graph, path, places) for path in places})
    first = {path: max(cycle, key=places.__getitem__) for cycle in cycles for path in cycle}
    order: dict[str, None] = {}
    for _, path in listed:
        order.setdefault(first[path])
        order.setdefault(path)
    return tuple(listed[places[path]] for path in order)


def leading_to(
    graph: Graph, modules: Sequence[tuple[str, str]], module: str
) -> tuple[str, ...] | None:
    """What is imported for one module to be imported as the command does it.

    Args:
        graph: as it is now.
        modules: what the command has imported, as `in_their_order` gives them.
        module: the name of the one.

    Returns:
        Names, the last of which is its own; None where the command does not import it.
    """
    names = [name for name, _ in modules]
    if module not in names:
        return None
    before = modules[: names.index(module) + 1]
    own = before[-1][1]
    needed = graph.closure([own])
    return tuple(
        name
        for name, path in before
        if path in needed and (path == own or own in graph.closure([path]))
    )


def _imported(graph: Graph, path: str, places: Mapping[str, int]) -> list[str]:
    return [edge.imported for edge in graph.imports(path) if edge.imported in places]


def _cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The strongly connected components (Tarjan, 1972)."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: dict[str, None] = {}
    for root in edges:
        todo = [(root, iter(edges[root]))] if root not in number else []
        while todo:
            node, rest = todo[-1]
            if node not in number:
                number[node] = low[node] = len(number)
                stack[node] = None
            for one in rest:
                if one not in number:
                    todo.append((one, iter(edges[one])))
                    break
                if one in stack:
                    low[node] = min(low[node], number[one])
            else:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[node])
                if low[node] == number[node]:
                    cycle = [node]
                    while (last := stack.popitem()[0]) != node:
                        cycle.append(last)
                    found.append(cycle)
    return found


def touched(before: Graph, after: Graph, changed: Collection[str]) -> frozenset[str]:
    """The files of which no layer may hold any, once some have changed.

    Args:
        before: the graph before the change.
        after: the graph with it.
        changed: paths.

    Returns:
        What the change affects; and all that a changed file has imported and no longer does,
        because a cold start might not import it at all.
    """
    dropped: set[str] = set()
    for path in changed:
        gone = {edge.imported for edge in before.imports(path)}
        dropped |= gone.difference(edge.imported for edge in after.imports(path))
    affected = {*before.affected(changed), *after.affected(changed)}
    return frozenset({*affected, *before.closure(dropped), *after.closure(dropped)})


def in_order(
    targets: Iterable[str], spoilt: Mapping[str, float], sizes: Mapping[str, int]
) -> tuple[str, ...]:
    """The functions whose results are kept, those first whose results last longest.

    Each is computed in a layer above the one before it, and lost with that.

    Args:
        targets: ``module:function``.
        spoilt: when a change has made a result worthless last.
        sizes: the number of files that each depends on.
    """
    return tuple(sorted(targets, key=lambda one: (spoilt.get(one, -1.0), sizes.get(one, 0))))
