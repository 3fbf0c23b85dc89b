"""What files can execute where it is known which of their functions have run.

A string that may name a module leads there who runs the code that holds it, and so does an import
within a function. A file's closure has what any of its functions could lead to; most tests run
few of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph


class Running:
    """The closures of files by the functions that have run.

    Args:
        graph: as it was while they ran.
        always: functions, ``path::key``, whose strings count in any case.
    """

    def __init__(self, graph: Graph, always: Iterable[str] = ()) -> None:
        self._graph = graph
        self._always = frozenset(always)
        self._outer: dict[str, frozenset[str]] = {}
        self._inner: dict[str, Mapping[str, frozenset[str]]] = {}

    def telling(self, paths: Iterable[str]) -> frozenset[str]:
        """What decides on a closure beside the files themselves.

        Args:
            paths: all files that may be in it.

        Returns:
            The functions that lead to more when they run, and the files that hold them.
        """
        found: set[str] = set()
        for path in paths:
            self._targets(path)
            if inner := self._inner[path]:
                found.add(path)
                found.update(f"{path}::{key}" for key in inner)
        return frozenset(found)

    def closure(self, paths: Iterable[str], ran: Collection[str]) -> frozenset[str]:
        """What files can execute.

        Args:
            paths: the files; those that the graph does not hold are left out.
            ran: the functions that have run, ``path::key``, and the files any of whose
                functions may have.

        Returns:
            They themselves and all that they depend on, at any distance.
        """
        found = {path for path in paths if path in self._graph.files}
        todo = list(found)
        while todo:
            path = todo.pop()
            targets = set(self._targets(path))
            for key, named in self._inner[path].items():
                function = f"{path}::{key}"
                if function in ran or path in ran or function in self._always:
                    targets |= named
            news = targets - found
            found |= news
            todo += news
        return frozenset(found)

    def _targets(self, path: str) -> frozenset[str]:
        """What a file leads to, whichever of its functions run."""
        found = self._outer.get(path)
        if found is None:
            facts = self._graph.files[path]
            # Elsewhere than in tests, what is imported late is often kept for whoever comes.
            late = self._graph.layout.is_test_module(path) or path.endswith("conftest.py")
            strings = {text for one in facts.inner for text in one.strings}
            imports = {said for one in facts.inner for said in one.imports if late}
            rest = msgspec.structs.replace(
                facts,
                strings=tuple(text for text in facts.strings if text not in strings),
                imports=tuple(said for said in facts.imports if said not in imports),
            )
            found = self._outer[path] = self._graph.targets(path, rest)
            named = {
                one.key: self._graph.targets(
                    path, Facts(b"", one.imports if late else (), one.strings)
                )
                - found
                for one in facts.inner
            }
            self._inner[path] = {key: some for key, some in named.items() if some}
        return found
