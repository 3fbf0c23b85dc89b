"""The graph: which files a file can execute, and which files can execute it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from sys import intern

import msgspec

from devloop.graph import names
from devloop.graph.facts import Facts, Import
from devloop.graph.index import Index, changed, collect, starting_with
from devloop.graph.layout import SOURCES, Layout

Paths = tuple[str, ...]

KEPT = 8
"""Of how many changes a graph keeps what they affect: one change is asked about several times."""


class Edge(msgspec.Struct, frozen=True, order=True):
    """One file depends on another.

    Args:
        importer: the path that depends.
        imported: the path that it depends on.
        kind: ``imports``, ``package`` (of the importer, or above it), ``conftest``, ``plugin``
            (named in ``pytest_plugins``), ``always`` (needed by every test), ``listed`` (in
            Django's ``INSTALLED_APPS``), ``string``, ``dynamic`` (imported by a name that is
            not a literal) or ``typing`` (never runs).
    """

    importer: str
    imported: str
    kind: str


class Link(msgspec.Struct, frozen=True):
    """How a file is affected.

    Args:
        via: the next path on the shortest way to a changed one; None for a changed one.
        kind: of the edge to it.
        distance: edges to the nearest changed path.
    """

    via: str | None = None
    kind: str | None = None
    distance: int = 0


class Graph:
    """Which files a file can execute, and which files can execute it; an immutable value.

    Make it with `Graph.build`, and the next one with `with_files`.

    Attributes:
        layout: of the project.
        files: the facts by path.
        tests: the test files, sorted.
    """

    __slots__ = (
        "_affected",
        "_always",
        "_conftests",
        "_modules",
        "_sorted_names",
        "_sorted_paths",
        "_typed_by",
        "_wanted_by",
        "_wants",
        "files",
        "layout",
        "tests",
    )

    def __init__(
        self,
        layout: Layout,
        files: Mapping[str, Facts],
        wants: dict[str, names.Wants],
        modules: Index,
        wanted_by: Index,
        typed_by: Index,
        tests: Paths,
        conftests: Paths,
    ) -> None:
        self.layout = layout
        self.files = files
        self.tests = tests
        self._wants = wants
        self._modules = modules
        self._wanted_by = wanted_by
        self._typed_by = typed_by
        self._conftests = conftests
        self._always = names.wanted_always(layout)
        self._sorted_names: list[str] | None = None
        self._sorted_paths: list[str] | None = None
        self._affected: dict[frozenset[str], Mapping[str, Link]] = {}

    @staticmethod
    def build(layout: Layout, files: Mapping[str, Facts]) -> Graph:
        """Assemble a graph.

        Args:
            layout: of the project.
            files: the facts of its sources, and of its extension modules (which have a
                fingerprint only), by path.
        """
        files = {intern(path): files[path] for path in sorted(files)}
        wants = {path: names.wanted(path, facts, layout) for path, facts in files.items()}
        return Graph(
            layout,
            files,
            wants,
            collect((path, layout.module_names(path)) for path in files),
            collect((path, one.running) for path, one in wants.items()),
            collect((path, one.typing) for path, one in wants.items()),
            tuple(path for path, facts in files.items() if _is_test(path, facts, layout)),
            tuple(path for path in files if _is_conftest(path)),
        )

    def with_file(self, path: str, facts: Facts | None) -> Graph:
        """The graph in which one file is another one.

        Args:
            path: of the file.
            facts: None where it is gone.
        """
        return self.with_files({path: facts})

    def with_files(self, facts: Mapping[str, Facts | None]) -> Graph:
        """The graph in which some files are other ones.

        Args:
            facts: by path; None for a file that is gone.

        Returns:
            A new graph, or this one where nothing differs.
        """
        news = {
            intern(path): found for path, found in facts.items() if self.files.get(path) != found
        }
        if not news:
            return self
        files, wants = dict(self.files), self._wants.copy()
        before: dict[str, names.Wants] = {}
        after: dict[str, names.Wants] = {}
        names_before: dict[str, Paths] = {}
        names_after: dict[str, Paths] = {}
        for path, found in news.items():
            before[path] = wants.get(path, _NOTHING)
            if found is None:
                after[path] = _NOTHING
                del files[path], wants[path]
            else:
                after[path] = wants[path] = names.wanted(path, found, self.layout)
                files[path] = found
            if (found is None) != (path not in self.files):
                own = self.layout.module_names(path)
                names_before[path], names_after[path] = ((), own) if found else (own, ())
        tests = {
            path for path, found in news.items() if found and _is_test(path, found, self.layout)
        }
        graph = Graph(
            self.layout,
            files,
            wants,
            changed(self._modules, names_before, names_after),
            changed(
                self._wanted_by,
                {path: one.running for path, one in before.items()},
                {path: one.running for path, one in after.items()},
            ),
            changed(
                self._typed_by,
                {path: one.typing for path, one in before.items()},
                {path: one.typing for path, one in after.items()},
            ),
            _with(self.tests, [path for path in news if self.layout.is_test(path)], tests),
            _with(self._conftests, filter(_is_conftest, names_after), files),
        )
        if not names_after:
            graph._sorted_names, graph._sorted_paths = self._sorted_names, self._sorted_paths
        return graph

    def module_paths(self, name: str) -> Paths:
        """The files that a module could be.

        Args:
            name: dotted.

        Returns:
            Sorted; several where one shadows another.
        """
        return self._modules.get(name, ())

    def missing(self, paths: Iterable[str]) -> frozenset[str]:
        """Where modules would lie that some files want and no file of the graph has.

        A file that is ignored, as a generated ``_version.py`` is, may well be there.

        Args:
            paths: the files that want them; those that are not in the graph are passed over.

        Returns:
            Paths without their suffixes: ``pkg/_version`` may be ``pkg/_version.py``, a package
            or an extension module.
        """
        wanted = {name for path in paths for name in self._wants.get(path, _NOTHING).names}
        found = set()
        for name in wanted.difference(self._modules):
            if not name.replace(".", "").isidentifier():
                continue
            package, _, last = name.rpartition(".")
            for above in self._modules.get(package, ()) if package else ():
                if above.endswith("/__init__.py"):
                    found.add(above.removesuffix("__init__.py") + last)
            if package not in self._modules:  # there is none, it is a namespace or missing itself
                stem = name.replace(".", "/")
                found.update(f"{root}/{stem}" if root else stem for root in self.layout.roots)
        return frozenset(found)

    def imports(self, path: str) -> tuple[Edge, ...]:
        """What a file depends on.

        Args:
            path: of the file; the result is empty where there is none.

        Returns:
            Edges, sorted, one for each file.
        """
        kinds = self._kinds_of_targets(path)
        return tuple(
            Edge(path, target, names.KINDS[kind]) for target, kind in sorted(kinds.items())
        )

    def importers(self, path: str) -> tuple[Edge, ...]:
        """What depends on a file.

        Args:
            path: of the file; it need not exist.

        Returns:
            Edges, sorted, one for each file.
        """
        own = frozenset(names.had(path, self.layout.module_names(path)))
        found = set(self._direct_importers(path, own))
        found.update(one for name in own for one in self._typed_by.get(name, ()))
        found.discard(path)
        return tuple(
            Edge(one, path, names.KINDS[self._kind(one, path, own)]) for one in sorted(found)
        )

    def is_plugin(self, path: str) -> bool:
        """Whether pytest, or every test, loads a file whatever it is imported by.

        Args:
            path: of the file.
        """
        return any(edge.kind in ("plugin", "always") for edge in self.importers(path))

    def closure(self, paths: Iterable[str]) -> frozenset[str]:
        """What files can execute.

        Args:
            paths: the files; those that the graph does not hold are left out.

        Returns:
            They themselves and all that they depend on, at any distance.
        """
        found = {path for path in paths if path in self.files}
        todo = list(found)
        while todo:
            news = self._targets(todo.pop()) - found
            found |= news
            todo += news
        return frozenset(found)

    def affected(self, changed: Iterable[str]) -> Mapping[str, Link]:
        """What changed paths affect.

        Args:
            changed: the paths; also of deleted files, and of new ones that the graph does not
                hold yet.

        Returns:
            The changed paths themselves and every file whose closure holds one, nearest first,
            each with its link on the shortest way to a change.
        """
        paths = frozenset(changed)
        found = self._affected.get(paths)
        if found is None:
            if len(self._affected) >= KEPT:
                self._affected.clear()
            found = self._affected[paths] = self._find_affected(paths)
        return found

    def _find_affected(self, changed: frozenset[str]) -> Mapping[str, Link]:
        found = {path: Link() for path in sorted(changed)}
        done: set[str] = set()
        level, distance = list(found), 0
        while level:
            distance += 1
            above: list[str] = []
            for path in level:
                own = frozenset(names.had(path, self.layout.module_names(path)))
                for importer in self._direct_importers(path, sorted(own - done)):
                    if importer not in found:
                        kind = names.KINDS[self._kind(importer, path, own)]
                        found[importer] = Link(path, kind, distance)
                        above.append(importer)
                done |= own
            level = above
        return found

    def chain(self, path: str, affected: Mapping[str, Link]) -> Paths:
        """The way from an affected file to the change.

        Args:
            path: a key of `affected`.
            affected: from the method of this name.

        Returns:
            Paths, from `path` to the changed one; each depends on the next.
        """
        found = [path]
        while (via := affected[found[-1]].via) is not None:
            found.append(via)
        return tuple(found)

    def targets(self, path: str, facts: Facts) -> frozenset[str]:
        """What a file could execute directly if it said something else.

        Args:
            path: of the file.
            facts: what it would say.
        """
        return frozenset(self._targets(path, names.wanted(path, facts, self.layout)))

    def named(self, path: str, imports: Iterable[Import]) -> tuple[frozenset[str], frozenset[str]]:
        """What some imports in a file are of.

        Args:
            path: of the file.
            imports: they.

        Returns:
            The files of the modules that they name, without the packages above these; and the
            top-level packages, from elsewhere, of the others.
        """
        found: set[str] = set()
        elsewhere: set[str] = set()
        own = self.layout.module_names(path)
        for one in imports:
            names_of_one = names.imported(path, one, own)
            name = next((name for name in reversed(names_of_one) if name in self._modules), None)
            if name is not None:
                found.update(self._modules[name])
            elif not one.level:
                elsewhere.add(names_of_one[0])
        return frozenset(found), frozenset(elsewhere)

    def _targets(self, path: str, wants: names.Wants | None = None) -> set[str]:
        """What a file can execute directly."""
        found: set[str] = set()
        modules = self._modules
        for name in (self._wants[path] if wants is None else wants).running:
            if name in modules:
                found.update(modules[name])
            elif name[0] == "/" or name[-1] == "*":
                found.update(self._resolve(name))
        found.update(target for _, target in self._by_place(path))
        found.discard(path)
        return found

    def _kinds_of_targets(self, path: str) -> dict[str, int]:
        if path not in self._wants:
            return {}
        found: dict[str, int] = {}
        for name, kind in self._wants[path].items():
            for target in self._resolve(name):
                found[target] = min(kind, found.get(target, kind))
        for kind, target in self._by_place(path):
            found[target] = min(kind, found.get(target, kind))
        found.pop(path, None)
        return found

    def _by_place(self, path: str) -> Iterator[tuple[int, str]]:
        """What a file depends on for being a test or a conftest, whatever it says."""
        is_test = self.layout.is_test(path)
        if is_test or _is_conftest(path):
            for conftest in self.layout.conftests(path):
                if conftest in self.files:
                    yield names.CONFTEST, conftest
            # Whether the folders above are packages decides on the folder that pytest puts on
            # sys.path, and so on the names of all that lies below.
            for package in _packages(path):
                if package in self.files:
                    yield names.PACKAGE, package
        if is_test:
            for name in self._always:
                for target in self._modules.get(name, ()):
                    yield names.ALWAYS, target

    def _direct_importers(self, path: str, own: Iterable[str]) -> Iterator[str]:
        """Who depends on a path, through some of its names or by its place; some twice."""
        always = False
        for name in own:
            yield from self._wanted_by.get(name, ())
            always = always or name in self._always
        if always:
            yield from self.tests
        folder, slash, name = path.rpartition("/")
        if name in ("conftest.py", "__init__.py"):
            below = folder + slash
            yield from starting_with(below, self.tests)
            yield from starting_with(below, self._conftests)

    def _kind(self, importer: str, imported: str, own: frozenset[str]) -> int:
        """The kind of an edge; it is known to be there, or would be if the file were."""
        pairs = self._wants[importer].items()
        kinds = [next((kind for name, kind in pairs if name in own), names.TYPING)]
        is_test = self.layout.is_test(importer)
        if is_test and not own.isdisjoint(self._always):
            kinds.append(names.ALWAYS)
        if (is_test or _is_conftest(importer)) and imported in self.layout.conftests(importer):
            kinds.append(names.CONFTEST)
        if (is_test or _is_conftest(importer)) and imported in _packages(importer):
            kinds.append(names.PACKAGE)
        return min(kinds)

    def _resolve(self, name: str) -> Iterable[str]:
        """The files that have a wanted name."""
        if name[0] == "/":
            if self._sorted_paths is None:
                self._sorted_paths = sorted(self.files)
            return starting_with(name[1:] + "/" if name != "/" else "", self._sorted_paths)
        if name[-1] != "*":
            return self._modules.get(name, ())
        if self._sorted_names is None:
            self._sorted_names = sorted(self._modules)
        inner = starting_with(name[:-1], self._sorted_names)
        return [path for one in (name[:-2], *inner) for path in self._modules.get(one, ())]


_NOTHING = names.Wants()


def _is_test(path: str, facts: Facts, layout: Layout) -> bool:
    """Whether pytest has something to do with a file: a text without examples is just a text."""
    shows = path.endswith(SOURCES) or facts.examples is not None
    return layout.is_test(path) and (shows or layout.is_found(path))


def _is_conftest(path: str) -> bool:
    return path.endswith("conftest.py") and path.rpartition("/")[2] == "conftest.py"


def _packages(path: str) -> Iterator[str]:
    """The ``__init__.py`` of each folder above a file, whether there is such a file or not."""
    folder = path.rpartition("/")[0]
    while folder:
        yield f"{folder}/__init__.py"
        folder = folder.rpartition("/")[0]
    yield "__init__.py"


def _with(before: Paths, news: Iterable[str], there: Container[str]) -> Paths:
    """Sorted paths, with some that came or went."""
    touched = set(news)
    came = {path for path in touched if path in there}
    known = touched.intersection(before)
    if came == known:
        return before
    return tuple(sorted({*before, *came} - (touched - came)))
