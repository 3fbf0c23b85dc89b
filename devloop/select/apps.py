"""Which apps a change set restarts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from devloop.events import Reason
from devloop.graph.graph import Graph
from devloop.select.category import Category
from devloop.select.entry import Entry
from devloop.select.patterns import matches
from devloop.select.reach import Categorise
from devloop.select.selection import SelectedTarget


class AppTarget(msgspec.Struct, frozen=True):
    """What selection knows of an app.

    Args:
        name: in the configuration.
        entry: where its command enters the project, by its words.
        patterns: its `watch` patterns.
        env_file: relative to the root.
        needs: the steps that it needs.
        imported: the sources that its last start was seen to import, relative to the root.
    """

    name: str
    entry: Entry
    patterns: tuple[str, ...] = ()
    env_file: str | None = None
    needs: tuple[str, ...] = ()
    imported: frozenset[str] = frozenset()

    @property
    def sources(self) -> frozenset[str]:
        """What it runs, as far as that is known: all that these import is run, too."""
        return self.imported.union(self.entry.paths)


def affected_apps(
    graph: Graph,
    targets: Iterable[AppTarget],
    changed: Collection[str],
    touched: Collection[str],
    categorise: Categorise,
) -> tuple[SelectedTarget, ...]:
    """Find the apps that a change set restarts.

    Args:
        graph: as it is after the change.
        targets: the apps.
        changed: paths whose content is another one in what matters (not in comments only).
        touched: paths whose bytes are other ones.
        categorise: tells what a path is to selection.

    Returns:
        The apps in their order, each with its reason. One whose changed sources do not compile
        is not among them: it could only stop a running app.
    """
    selected = []
    for target in targets:
        reason = _reason(graph, target, changed, touched, categorise)
        if reason is not None:
            selected.append(SelectedTarget(target.name, reason))
    return tuple(selected)


def broken(graph: Graph, paths: Iterable[str]) -> tuple[str, ...]:
    """The sources among some paths that do not compile.

    Args:
        graph: as it is now.
        paths: any.

    Returns:
        Those with a problem.
    """
    files = graph.files
    return tuple(path for path in paths if path in files and files[path].problem is not None)


def _reason(
    graph: Graph,
    target: AppTarget,
    changed: Collection[str],
    touched: Collection[str],
    categorise: Categorise,
) -> Reason | None:
    for path in sorted(touched):
        if path == target.env_file:
            return Reason("env-file", (target.name, path))
        if matches(path, target.patterns):
            return Reason("watch", (target.name, path))
    code = [path for path in changed if categorise(path) in (Category.SOURCE, Category.EXTENSION)]
    # What is not Python by its words reads what it is said to read, if anything is said of that.
    if target.entry.python or (target.entry.launcher and not target.patterns):
        reason = _python_reason(graph, target, code)
        if reason is not None or not target.entry.launcher:
            return reason
    elif (reason := _reached(graph, target.name, target.imported, code)) is not None:
        return reason  # a script that is Python by its first line: it was seen to import that
    if target.patterns:
        return None
    # Nothing is said: any file that is not known to be somebody else's restarts it.
    for path in sorted(touched):
        if path in target.entry.named or categorise(path) is Category.DATA:
            return Reason("data", (target.name, path), f"who reads {path} is not known")
    return None


def _reached(graph: Graph, name: str, sources: frozenset[str], code: list[str]) -> Reason | None:
    """Why some of what an app runs is another one."""
    affected = graph.affected(code)
    reached = sources & affected.keys()
    if not reached:
        return None
    nearest = min(reached, key=lambda path: (affected[path].distance, path))
    link = affected[nearest]
    return Reason(link.kind or "edited", (name, *graph.chain(nearest, affected)))


def _python_reason(graph: Graph, target: AppTarget, code: list[str]) -> Reason | None:
    if (reason := _reached(graph, target.name, target.sources, code)) is not None:
        return reason
    if target.entry.foreign or target.entry.paths:
        return None
    for path in sorted(code):
        if not graph.layout.is_test_module(path):
            detail = "where the command enters the project is not known"
            return Reason("unknown-entry", (target.name, path), detail)
    return None
