"""The project's files as they are known now: signatures, contents and the graph of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.loop.observed import Observed
from devloop.loop.texts import Texts
from devloop.loop.toolchain import Toolchain
from devloop.select.category import EXTENSIONS, SOURCES, Category, category
from devloop.watch.signatures import Known
from devloop.watch.walk import RACY


class Codebase:
    """The project's files as they are known now. What they say is read by others.

    Args:
        toolchain: what runs them.
        texts: reads what stands at single lines of them.

    Attributes:
        known: signature and digest of each file.
        contents: a digest of what matters about each file, and about each fact beside them.
        graph: of the sources.
        layout: where modules are imported from.
        collected: what pytest looks for tests in, sorted.
        test_files: those of it that may hold tests, sorted.
        found: what the names of files end with in which only pytest knew of tests, sorted.
        coarse: test files of which it is not known what they say, until they are parsed.
        tracked: the files that git tracks; None outside git.
        muted: files that what runs here writes again and again; they are no reason for anything.
        observed: what tests were seen to look at beside what is watched anyway.
    """

    def __init__(self, toolchain: Toolchain, texts: Texts) -> None:
        self._toolchain = toolchain
        self.texts = texts
        self.known: dict[str, Known] = {}
        self.contents: dict[str, bytes] = {}
        self.layout = Layout()
        self.collected: list[str] = []
        self.graph = Graph.build(self.layout, {})
        self.test_files: tuple[str, ...] = ()
        self.found: tuple[str, ...] = ()
        self.coarse: set[str] = set()
        self.tracked: frozenset[str] | None = None
        self.muted: frozenset[str] = frozenset()
        self.observed = Observed()

    def observe(self, observed: Observed) -> None:
        """Take up what tests were seen to look at.

        Args:
            observed: all of it.
        """
        self.observed = observed
        self.contents.update(self.observed.facts(self.known, self.texts))

    def take_observed(self, found: Mapping[str, Known]) -> None:
        """Take up files that count only because tests were seen to look at them.

        Args:
            found: signature and digest of each.
        """
        facts: dict[str, Facts] = {}
        for path, known in found.items():
            self._take(path, known, None, facts)

    def written_since(self, began: int, paths: Iterable[str]) -> frozenset[str]:
        """The files of the project that somebody else than tests has written of late.

        Args:
            began: from when on, in nanoseconds since the epoch.
            paths: of the files that are in question.
        """
        return frozenset(
            path
            for path in paths
            if (known := self.known.get(path)) is not None
            and path[0] != "/"
            and self.categorise(path) is not Category.BYPRODUCT
            and max(known.signature.mtime_ns, known.signature.ctime_ns) > began - RACY
        )

    def categorise(self, path: str) -> Category:
        """Tell what a path is to selection.

        Args:
            path: relative to the root, or a fact's key.

        Returns:
            Its category.
        """
        if path in self.muted or self._is_written(path):
            return Category.BYPRODUCT
        return category(path, configuration=self._toolchain.configuration, tracked=self.tracked)

    def _is_written(self, path: str) -> bool:
        """Whether tests write a file, and nobody else is known to."""
        return path in self.observed.written and path not in (self.tracked or ())

    def is_parsed(self, path: str) -> bool:
        """Whether it matters what a file says: a source, or a text of examples.

        Args:
            path: relative to the root.
        """
        return path.endswith(SOURCES) or self.layout.is_doctest(path) or self.layout.is_found(path)

    def find(self, holding: Collection[str], files: Collection[str]) -> bool:
        """Take up in which files pytest has found tests; other files of their kind may hold some.

        Args:
            holding: all such files.
            files: all that there are.

        Returns:
            Whether that has made tests of files that were none.
        """
        layout = self.layout
        others = {path for path in holding if not path.endswith(SOURCES)}
        kinds = {_kind(path) for path in others if not layout.is_doctest(path)}
        if kinds.issubset(self.found):
            return False
        self.found = tuple(sorted(kinds.union(self.found)))
        self.lay_out(files)
        return True

    def find_more(self, holding: Collection[str]) -> None:
        """Take up in which files pytest has found tests, once the files have been read.

        Args:
            holding: all such files.
        """
        if not self.find(holding, self.known):
            return
        files = self.graph.files
        news = {path for path in self.collected if path not in files}
        self.coarse |= news
        facts = {path: Facts(self.known[path].digest or b"") for path in news}
        self.graph = Graph.build(self.layout, {**files, **facts})
        self.test_files = self.graph.tests

    def lay_out(self, files: Iterable[str]) -> None:
        """Tell from paths alone where modules are imported from, and which files are tests.

        Args:
            files: all that there are.
        """
        self.layout = self._toolchain.layout(files, self.found)
        self.collected = sorted(path for path in files if self.layout.is_test(path))

    def begin(
        self, stored: Mapping[str, tuple[Known, Facts | None]], texts: Collection[str]
    ) -> None:
        """Take up what is known of the files without reading them, once they are laid out.

        Args:
            stored: those that are as they were when they were read last.
            texts: of the others, those that are no sources and hold examples.
        """
        facts: dict[str, Facts] = {}
        for path, (known, found) in stored.items():
            self._take(path, known, found, facts)
        self.graph = Graph.build(self.layout, facts)
        unread = (path for path in self.collected if path not in facts)
        likely = [path for path in unread if path.endswith(SOURCES) or path in texts]
        self.test_files = tuple(sorted({*self.graph.tests, *likely}))
        self._update_facts()

    def absorb(
        self,
        read: Mapping[str, tuple[Known, Facts | None]],
        gone: Collection[str],
        *,
        stale_layout: bool = False,
    ) -> None:
        """Take up files that were read, and that are gone.

        Args:
            read: for each its signature and digest, and of a source what it says.
            gone: paths.
            stale_layout: the toolchain is another one, so that the roots and the test files may
                be others.
        """
        fresh: dict[str, Facts] = {}
        for path, (known, found) in read.items():
            self._take(path, known, found, fresh)
        for path in gone:
            self.known.pop(path, None)
            self.contents.pop(path, None)
        facts: dict[str, Facts | None] = {**dict.fromkeys(gone), **fresh}
        files = self.graph.files
        news = any(path not in files for path in fresh) or any(path in files for path in gone)
        if news or stale_layout:
            self._relayout(facts)
        else:
            self.graph = self.graph.with_files(facts)
        self.test_files = self.graph.tests
        self._update_facts()

    def _update_facts(self) -> None:
        now = {**self._toolchain.facts(), **self.observed.facts(self.known, self.texts)}
        # What is not installed any more is gone.
        for path in [path for path in self.contents if path[0] == "<" and path not in now]:
            del self.contents[path]
        self.contents.update(now)

    def _relayout(self, facts: Mapping[str, Facts | None]) -> None:
        """Files came or went: the roots and the test files may be others."""
        self.lay_out(self.known)
        if self.layout == self.graph.layout:
            self.graph = self.graph.with_files(facts)
        else:
            files = {**self.graph.files, **facts}
            self.graph = Graph.build(
                self.layout, {path: f for path, f in files.items() if f is not None}
            )

    def _take(self, path: str, known: Known, found: Facts | None, facts: dict[str, Facts]) -> None:
        self.known[path] = known
        if found is None and path.endswith(EXTENSIONS):
            found = Facts(known.digest or b"")
        if found is not None:
            facts[path] = found
            self.contents[path] = found.fingerprint
        elif path in self.observed.files or self.categorise(path) is not Category.BYPRODUCT:
            self.contents[path] = known.digest or repr(known.signature).encode()


def _kind(path: str) -> str:
    """What the names of files of one kind end with."""
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else f"/{name}"
