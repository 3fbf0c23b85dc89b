"""Where the files of an import graph stand: importers to the left of what they import.

Layers after Sugiyama, Tagawa and Toda (1981): each file stands one layer behind its farthest
importer, files that import one another in a circle stand together, and in a layer the order
follows the average of a file's neighbours. A layer of many files is broken into several columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

WIDTH, HEIGHT = 168, 22
"""Of a file's box."""
_GAP = 8
"""Between two boxes, one below the other or beside it within a layer."""
_BETWEEN = 96
"""Between two layers: room for the lines."""
_SHAPE = 1.7
"""How much wider than high the whole is to be, about."""
_SWEEPS = 6


def place(nodes: Sequence[str], edges: Collection[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Find a place for each file.

    Args:
        nodes: paths.
        edges: importer and imported, both of `nodes`.

    Returns:
        For each path the upper left corner of its box. The same graph gives the same places.
    """
    imports: dict[str, list[str]] = {node: [] for node in nodes}
    importers: dict[str, list[str]] = {node: [] for node in nodes}
    for importer, imported in edges:
        imports[importer].append(imported)
        importers[imported].append(importer)
    ranks = layers(nodes, imports)
    rows: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for node in sorted(nodes):
        rows[ranks[node]].append(node)
    _untangle(rows, imports, importers)
    return _coordinates(rows)


def layers(nodes: Iterable[str], imports: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The layer of each file, counted from 0, which nobody imports.

    Args:
        nodes: paths.
        imports: for each what it imports.

    Returns:
        For each path a number that is greater than that of every importer outside its circle.
    """
    circles = _circles(nodes, imports)
    of = {node: index for index, circle in enumerate(circles) for node in circle}
    ranks = [0] * len(circles)
    # Tarjan's algorithm gives what is imported first, so importers are met from the end.
    for index in range(len(circles) - 1, -1, -1):
        for node in circles[index]:
            for imported in imports[node]:
                other = of[imported]
                if other != index:
                    ranks[other] = max(ranks[other], ranks[index] + 1)
    return {node: ranks[index] for node, index in of.items()}


def _circles(nodes: Iterable[str], imports: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Strongly connected components, imported ones before importers (Tarjan 1972)."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    inside: set[str] = set()
    for start in nodes:
        if start in number:
            continue
        work = [(start, iter(imports[start]))]
        number[start] = low[start] = len(number)
        stack.append(start)
        inside.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    inside.add(other)
                    work.append((other, iter(imports[other])))
                    break
                if other in inside:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == number[node]:
                    circle = [stack.pop()]
                    while circle[-1] != node:
                        circle.append(stack.pop())
                    inside.difference_update(circle)
                    found.append(circle)
    return found


def _untangle(
    rows: list[list[str]],
    imports: Mapping[str, Sequence[str]],
    importers: Mapping[str, Sequence[str]],
) -> None:
    """Order each layer by the average place of its files' neighbours."""
    at = {node: (index + 0.5) / len(row) for row in rows for index, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        neighbours = importers if sweep % 2 == 0 else imports
        for row in rows if sweep % 2 == 0 else reversed(rows):
            means = {
                node: sum(at[other] for other in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else at[node]
                for node in row
            }
            row.sort(key=lambda node: (means[node], node))
            for index, node in enumerate(row):
                at[node] = (index + 0.5) / len(row)


def _coordinates(rows: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    height = _height(rows)
    found: dict[str, tuple[int, int]] = {}
    x = 0
    for row in rows:
        columns = -(-len(row) // height)
        each = -(-len(row) // columns)
        for index, node in enumerate(row):
            column, line = divmod(index, each)
            count = min(each, len(row) - column * each)
            y = line * (HEIGHT + _GAP) + (height - count) * (HEIGHT + _GAP) // 2
            found[node] = (x + column * (WIDTH + _GAP), y)
        x += columns * (WIDTH + _GAP) - _GAP + _BETWEEN
    return found


def _height(rows: Sequence[Sequence[str]]) -> int:
    """How many files stand below each other at most, for the wanted shape."""
    longest = max((len(row) for row in rows), default=1)
    for height in range(1, longest):
        columns = sum(-(-len(row) // height) for row in rows)
        wide = columns * (WIDTH + _GAP) + len(rows) * (_BETWEEN - _GAP)
        if wide <= _SHAPE * height * (HEIGHT + _GAP):
            return height
    return longest
