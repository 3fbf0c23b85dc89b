"""On what each test of a run depends: what it did itself, and what its modules did before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from devloop.graph.graph import Graph
from devloop.graph.running import Running
from devloop.select.delta import function_of
from devloop.select.numbering import Numbers
from devloop.select.recorded import Deps, Recording
from devloop.select.records import UNRECORDED

_NOTHING: Deps = frozenset()


class _Base(NamedTuple):
    """What each test of a file depends on that runs at some point of a process.

    Args:
        number: of the set.
        path: of the file.
        deps: the dependencies.
        told: what of them decides on the file's closure.
        modules: that closure.
        beside: for more that decides, what it leads to beside these.
    """

    number: int
    path: str
    deps: Deps
    told: frozenset[str]
    modules: frozenset[str]
    beside: dict[frozenset[str], tuple[Deps, frozenset[str]]]


class Evidence:
    """Puts together on what each test of a run depends.

    Args:
        graph: of what it ran on.
        recording: what it recorded; None is nothing.
        numbers: gives numbers.
        memos: the functions that keep results: who meets one runs nothing of it.
    """

    def __init__(
        self, graph: Graph, recording: Recording | None, numbers: Numbers, memos: Iterable[str]
    ) -> None:
        self._graph = graph
        self._recording = recording
        self._numbers = numbers
        kept = [*memos, *(recording.memos if recording is not None else ())]
        self._running = Running(graph, {_function(key) for key in kept})
        self._bases: dict[tuple[str, str, int], _Base] = {}
        self._telling: dict[str, frozenset[str]] = {}
        self._closures: dict[str, frozenset[str]] = {}
        self._functions = recording is not None and any(
            dep[0] == "f" for deps in recording.tests.values() for dep in deps
        )
        """Whether functions could be told apart (Python 3.12 and later)."""
        self._strays: dict[str, set[str]] = {}
        """For each process the modules that tests have imported and no closure explains."""

    def of(self, nodeid: str, path: str) -> tuple[int, int]:
        """The numbers of a test's own set and of its base; to be asked in the tests' order."""
        recording = self._recording
        if recording is None or nodeid not in recording.tests:
            return UNRECORDED, UNRECORDED
        process = recording.ran_in.get(nodeid, "")
        deps = recording.tests[nodeid]
        strays = self._strays.setdefault(process, set())
        base = self._base(path, process, strays)
        more, reached = self._beside(base, deps)
        # What a test imports stays imported: those after it in the process need it no more.
        imported = {dep[2:] for dep in deps if dep[0] in "mp"} - reached
        strays |= imported
        if imported:
            more |= self._of_modules(imported, self._closure(path))
        return self._numbers.set_of(deps | more if more else deps), base.number

    def base(self, path: str) -> int:
        """The number of the set of what the collection of a file depends on."""
        recording = self._recording
        if recording is None:
            return UNRECORDED
        processes = sorted(set(recording.ran_in.values()) or {""})
        return self._base(path, processes[0], set()).number

    def _base(self, path: str, process: str, strays: set[str]) -> _Base:
        assert self._recording is not None
        key = path, process, len(strays)
        found = self._bases.get(key)
        if found is None:
            recording = self._recording
            deps = recording.collections.get(path, _NOTHING)
            deps |= recording.processes.get(process, _NOTHING)
            deps |= {f"w {written}" for written in recording.written}
            deps |= self._of_modules(strays, self._closure(path))
            told, more, modules = self._reached(path, _NOTHING, deps)
            deps |= more
            # What was imported in another way than any that is seen to have led there.
            imported = self._closure(path).intersection(d[2:] for d in deps if d[0] in "mp")
            deps |= self._of_modules(imported - modules, self._closure(path))
            if not self._functions:
                # Who ran what is not known: whatever may have been imported may have run.
                deps |= {f"p {module}" for module in modules}
            number = self._numbers.set_of(deps)
            found = self._bases[key] = _Base(number, path, deps, told, modules, {})
        return found

    def _beside(self, base: _Base, deps: Deps) -> tuple[Deps, frozenset[str]]:
        """What was done while modules were imported that a test leads to by what it ran.

        Args:
            base: what each test of its file depends on.
            deps: its own dependencies.

        Returns:
            What of it is not of the base; and the modules that the test leads to.
        """
        told = self._told(base.path, deps) - base.told
        if not told:
            return _NOTHING, base.modules
        if told not in base.beside:
            _, more, modules = self._reached(base.path, base.told | told, base.deps)
            base.beside[told] = more, modules
        return base.beside[told]

    def _told(self, path: str, deps: Deps) -> frozenset[str]:
        """What of some dependencies decides on the closure of a test file."""
        telling = self._telling.get(path)
        if telling is None:
            telling = self._telling[path] = self._running.telling(self._closure(path))
        if not telling:
            return telling
        ran = {_function(dep[2:]) for dep in deps if dep[0] == "f"}
        return telling & ran.union(dep[2:] for dep in deps if dep[0] in "pt")

    def _reached(
        self, path: str, told: frozenset[str], deps: Deps
    ) -> tuple[frozenset[str], Deps, frozenset[str]]:
        """Follow what was done while modules were imported that some dependencies lead to.

        Args:
            path: of the test file.
            told: what decides on its closure beside them.
            deps: the dependencies.

        Returns:
            All that decides on the closure; what is not of the dependencies; and the modules.
        """
        closure, found = self._closure(path), _NOTHING
        while True:
            told |= self._told(path, deps | found)
            modules = self._running.closure([path], told) if self._functions else closure
            more = self._of_modules(modules, closure) - deps - found
            if not more:
                return told, found, modules
            found |= more

    def _closure(self, path: str) -> frozenset[str]:
        found = self._closures.get(path)
        if found is None:
            found = self._closures[path] = self._graph.closure([path])
        return found

    def _of_modules(self, modules: Iterable[str], explained: frozenset[str]) -> Deps:
        """What was done while modules, and all that they imported, were imported.

        Args:
            modules: their paths.
            explained: those that the graph leads to; the others become dependencies themselves.
        """
        assert self._recording is not None
        recording = self._recording
        found: set[str] = set()
        seen: set[str] = set()
        todo = list(modules)
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            found |= recording.modules.get(path, _NOTHING)
            todo += recording.imports.get(path, _NOTHING)
            if path not in explained:
                found |= {f"m {path}", f"p {path}"}
                todo += self._closure(path)
        return frozenset(found)


def _function(key: str) -> str:
    """A function, without what tells several of one name apart or ends the key of a memo."""
    path, _, name = key.partition("::")
    return f"{path}::{function_of(name.partition('#')[0])}"
