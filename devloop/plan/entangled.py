"""Which modules cannot be held because of what comes before them.

What is held is imported before what is not, whatever the order in the command. That makes no
difference to most modules. It does where both register something at one place, or where the one
looks at what the other one has set: routes of one app, tables of one base, a list of plugins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from devloop.graph.graph import Graph


def entangled(
    graph: Graph,
    modules: Sequence[tuple[str, str]],
    avoid: Collection[str],
    first: Iterable[str] = (),
) -> frozenset[str]:
    """The modules whose import may come to something else before the import of others.

    Args:
        graph: as it is now.
        modules: what the command has imported, as `in_their_order` gives them.
        avoid: paths that are not held, nor what can reach them.
        first: more paths that are not held, wherever the command imports them.

    Returns:
        Paths; none that `avoid` rules out.
    """
    found: set[str] = set()
    while True:
        away = graph.affected([*avoid, *found])
        last = max((i for i, (_, path) in enumerate(modules) if path not in away), default=-1)
        before = _Before(graph)
        for path in first:
            before.add(path)
        news = set()
        for _, path in modules[: last + 1]:
            if path in away:
                before.add(path)
            elif path in graph.files and before.matters_to(path):
                news.add(path)
                before.add(path)
        if not news:
            return frozenset(found)
        found |= news


def reordered(before: Graph, after: Graph, changed: Iterable[str], held: Collection[str]) -> bool:
    """Whether an edit may have changed the order in which some modules are imported.

    Args:
        before: the graph before the change.
        after: the graph with it.
        changed: paths.
        held: the paths of the modules.
    """
    for path in changed:
        old, new = (_held_imports(graph, path, held) for graph in (before, after))
        if [one for one in old if one in new] != new:
            return True
    return False


def _held_imports(graph: Graph, path: str, held: Collection[str]) -> list[str]:
    facts = graph.files.get(path)
    named = (graph.named(path, [one])[0] for one in (facts.imports if facts else ()))
    return list(dict.fromkeys(one for some in named for one in sorted(some) if one in held))


class _Doings(NamedTuple):
    """Those of a module, as `devloop.graph.facts.Doings` has them.

    Args:
        altered: files; `called` and `seen`, too.
        configured: packages from elsewhere that it alters.
        used: all of these that it mentions.
    """

    altered: frozenset[str]
    called: frozenset[str]
    seen: frozenset[str]
    configured: frozenset[str]
    used: frozenset[str]


class _Before:
    """What modules that are not held have done and seen, up to some place in the order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._altered: set[str] = set()
        self._called: set[str] = set()
        """Files, with all that these can execute; `_seen` as well."""

        self._seen: set[str] = set()
        self._configured: set[str] = set()
        """Packages from elsewhere; `_used` as well."""

        self._used: set[str] = set()
        self._readers: Collection[str] | None = ()
        """What can look at something that was altered; None where that is to be found anew."""

        self._writers: Collection[str] | None = ()
        """What can alter something that was seen."""

    def add(self, path: str) -> None:
        """One more of them.

        Args:
            path: of it.
        """
        if path not in self._graph.files:
            return
        one = self._doings(path)
        self._configured |= one.configured
        self._used |= one.used
        called = one.altered | one.called
        if not called <= self._called or not one.altered <= self._altered:
            self._altered |= one.altered
            self._called |= self._graph.closure(called - self._called)
            self._readers = None
        seen = called | one.seen
        if not seen <= self._seen:
            self._seen |= self._graph.closure(seen - self._seen)
            self._writers = None

    def matters_to(self, path: str) -> bool:
        """Whether it makes a difference that another module is imported after them.

        Args:
            path: of that.
        """
        if self._readers is None:
            self._readers = self._graph.affected({*self._altered, *self._keeping(self._called)})
        if self._writers is None:
            self._writers = self._graph.affected(self._keeping(self._seen))
        one = self._doings(path)
        called = one.altered | one.called
        return not (
            called.isdisjoint(self._readers)
            and one.seen.isdisjoint(self._readers)
            and called.isdisjoint(self._writers)
            and one.altered.isdisjoint(self._seen)
            and one.used.isdisjoint(self._configured)
            and one.configured.isdisjoint(self._used)
        )

    def _keeping(self, paths: Iterable[str]) -> list[str]:
        return [path for path in paths if self._graph.files[path].doings.keeps]

    def _doings(self, path: str) -> _Doings:
        graph, doings = self._graph, self._graph.files[path].doings
        altered, configured = graph.named(path, doings.alters)
        called, used = graph.named(path, doings.calls)
        seen, mentioned = graph.named(path, doings.sees)
        return _Doings(altered, called, seen, configured, configured | used | mentioned)
