"""What a set of changed contents can reach, and by which chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from devloop.events import Reason
from devloop.graph.graph import Graph, Link
from devloop.select.category import OBSERVED, Category, about, called

Categorise = Callable[[str], Category]

_WHOLE = {
    Category.CONFIGURATION: ("configuration", "pytest's configuration changed: {}"),
    Category.DATA: ("data", "who reads {} is not known"),
    Category.FACT: ("environment", "changed: {}"),
}


class Reach:
    """What a set of changed contents can reach.

    Args:
        graph: as it is after the change.
        changed: paths and facts whose content is another one.
        categorise: tells what a path is to selection.
        everything: why all is reached, whatever has changed.
    """

    def __init__(
        self,
        graph: Graph,
        changed: Iterable[str],
        categorise: Categorise,
        *,
        everything: Reason | None = None,
    ) -> None:
        self._graph = graph
        self.changed = frozenset(changed)
        self.everything = everything
        code, others = [], []
        for path in sorted(self.changed):
            kind = categorise(path)
            if kind in (Category.SOURCE, Category.EXTENSION):
                code.append(path)
                continue
            if path in graph.files:
                code.append(path)  # a text that is a test
            if path[0] != "/" and not any(about(path, one) is not None for one in OBSERVED):
                others.append(path)
                if kind in _WHOLE and self.everything is None:
                    word, sentence = _WHOLE[kind]
                    self.everything = Reason(word, (path,), sentence.format(called(path)))
        self._affected: Mapping[str, Link] = graph.affected(code)
        self._readers: dict[str, str] = {}
        if others and self.everything is None:
            self._find_readers(others)

    def _find_readers(self, documents: list[str]) -> None:
        # A document has no importer. But a source that names it in a string reads it, as a
        # test of a README's examples does.
        names = {path.rpartition("/")[2]: path for path in documents}
        readers = {
            path: names[text]
            for path, facts in self._graph.files.items()
            for text in facts.strings
            if text in names
        }
        if readers:
            self._readers = readers
            self._read_by = self._graph.affected(readers)

    def distance(self, path: str) -> int:
        """How far a file is from the nearest change, in imports.

        Args:
            path: a source.

        Returns:
            0 for a changed file itself; a large number where only `everything` reaches it.
        """
        link = self._affected.get(path)
        return link.distance if link is not None else 1_000_000

    def reason(self, path: str) -> Reason | None:
        """Why the change reaches a file.

        Args:
            path: a source.

        Returns:
            The reason with its chain, or None where the change does not reach it.
        """
        link = self._affected.get(path)
        if link is not None:
            if link.via is None:
                return Reason("edited", (path,))
            return Reason(link.kind or "imports", self._graph.chain(path, self._affected))
        if self.everything is not None:
            chain = self.everything.chain
            return Reason(self.everything.kind, (path, *chain), self.everything.detail)
        if self._readers and path in self._read_by:
            chain = self._graph.chain(path, self._read_by)
            return Reason("string", (*chain, self._readers[chain[-1]]))
        return None
