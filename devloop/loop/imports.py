"""What `graph` answers: what imports what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from devloop.config.load import Loaded
from devloop.errors import UsageError
from devloop.graph.graph import Graph
from devloop.loop.asking import answer, opened
from devloop.loop.project import Project
from devloop.report import tables
from devloop.report.pages import delivery
from devloop.report.pages import imports as pages
from devloop.select.category import EXTENSIONS, SOURCES


def graph(loaded: Loaded, *, path: str | None, form: Literal["tree", "dot", "json", "html"]) -> int:
    """Print what imports what.

    Args:
        loaded: the configuration.
        path: this file alone; None is the whole project. A page shows the project all the same,
            and looks at this file first.
        form: how.

    Returns:
        The exit code.

    Raises:
        UsageError: there is no such source.
    """
    with opened(loaded) as project:
        known = project.graph
        if path is not None and path not in known.files:
            raise UsageError(
                f"{path} is not a Python source of this project",
                hint="Sources are watched, not ignored, and end in .py; see `devloop graph`.",
            )
        if form == "html":
            delivery.deliver(_page(project, path), loaded.root, "graph.html", sys.stdout)
            return 0
        if form == "tree":
            shown = _forest(known) if path is None else _trees(known, path)
        else:
            paths = sorted(known.files) if path is None else [path]
            edges = {edge for one in paths for edge in known.imports(one)}
            if path is not None:
                edges.update(known.importers(path))
            shown = {
                "v": 1,
                "nodes": sorted(
                    {*paths, *(end for e in edges for end in (e.importer, e.imported))}
                ),
                "edges": sorted(edges),
            }
    if form == "dot":
        sys.stdout.write(tables.dot(shown["nodes"], msgspec.to_builtins(shown["edges"])))
    else:
        answer(shown, "json" if form == "json" else "text", tables.graph)
    return 0


def _page(project: Project, focus: str | None) -> str:
    """The whole graph for a browser."""
    known = project.graph

    def kind(path: str) -> str:
        if known.files[path].problem is not None:
            return "broken"
        if project.layout.is_test_module(path) or not path.endswith(SOURCES + EXTENSIONS):
            return "test"
        return "conftest" if path.endswith("conftest.py") else "source"

    return pages.render(
        {path: kind(path) for path in known.files},
        [(e.importer, e.imported, e.kind) for path in known.files for e in known.imports(path)],
        project.root.name,
        focus,
    )


def _trees(graph: Graph, path: str) -> dict[str, Any]:
    """What a file imports and what imports it, all the way."""
    return {
        "path": path,
        "imports": _branch(path, lambda one: [(e.imported, e.kind) for e in graph.imports(one)]),
        "importers": _branch(
            path, lambda one: [(e.importer, e.kind) for e in graph.importers(one)]
        ),
    }


def _forest(graph: Graph) -> dict[str, Any]:
    """All sources, from those that nothing imports."""
    tops = [path for path in sorted(graph.files) if not graph.importers(path)]
    within = {path for top in tops for path in graph.closure([top])}
    # What only imports itself in a circle has no top: its first file stands for it.
    for path in sorted(graph.files):
        if path not in within:
            tops.append(path)
            within.update(graph.closure([path]))
    seen: set[str] = set()
    nodes = [
        {
            "path": top,
            "children": _branch(
                top, lambda one: [(e.imported, e.kind) for e in graph.imports(one)], seen
            ),
        }
        for top in tops
    ]
    return {"path": ".", "imports": nodes, "importers": []}


def _branch(
    top: str, step: Callable[[str], list[tuple[str, str]]], seen: set[str] | None = None
) -> list[dict[str, Any]]:
    """A tree in which each file's branches are shown once."""
    seen = {top} if seen is None else seen
    found: list[dict[str, Any]] = []
    waiting = [(top, found)]
    while waiting:
        path, children = waiting.pop()
        for name, kind in sorted(step(path)):
            node: dict[str, Any] = {"path": name, "kind": kind, "children": []}
            if name in seen:
                node["repeated"] = bool(step(name))
            else:
                seen.add(name)
                waiting.append((name, node["children"]))
            children.append(node)
    return found
