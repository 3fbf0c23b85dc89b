"""What a run has recorded: on what each of its tests was seen to depend (DESIGN §6, *Recording*).

A *dependency* is one string: a letter for its kind, a space, and what it is about. Paths are
relative to the root, or absolute outside of it.

=========================  ========================================================
``f path::qualname``       a function of the project ran
``m path``                 a module of the project was imported
``a path``                 that was amid a test
``p path``                 a file whose functions could not be told apart ran
``t path``                 the text of a source was looked at; ``t path:line``: that line of it
``r path``                 another file was read
``e path``                 something was looked for, and was there
``x path``                 something was looked for, and was not there
``l folder``               a folder was listed
``i name``                 an import of that module failed
``v NAME``                 an environment variable was read; ``v *``: all of them
``d name``                 a distribution was used
``o reason``               something was done that cannot be observed: the test is *opaque*
``b module``               code ran that uses one whose own code, in C, may read any file
=========================  ========================================================
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

Deps = frozenset[str]
_TABLES = ("tests", "collections", "processes", "modules", "memos")
"""The fields of `Recording` that hold dependencies."""


def line_of(text: str) -> tuple[str, int]:
    """Take apart what a dependency of kind ``t`` is about.

    Args:
        text: a path, or a path and a line.

    Returns:
        The path and the line, which is counted from 1; 0 where all of the text was looked at.
    """
    path, _, line = text.rpartition(":")
    return (path, int(line)) if line.isdecimal() else (text, 0)


class Recording(msgspec.Struct, frozen=True):
    """What one run has recorded; `Ran` has the outcomes.

    What a test depends on is put together from this and the graph: its own dependencies (its
    fixtures' included), those of its file's collection and of its process, and those of each
    module that its file's closure or a run-time import reaches.

    Args:
        tests: the dependencies of each test that ended, by nodeid.
        collections: those of each test file's collection, by path.
        processes: those of each process outside of tests, imports and collections, by its name.
        ran_in: the name of each test's process, by nodeid, in the order in which they ended.
        modules: what ran and was read while a module was imported, by its path.
        imports: which module imported which at run time, by the importer's path; the children's
            paths.
        memos: what the body of a cached function reached, by its key ``path::qualname``.
        written: files of the project that were opened for writing.
    """

    tests: Mapping[str, Deps]
    collections: Mapping[str, Deps] = {}
    processes: Mapping[str, Deps] = {}
    ran_in: Mapping[str, str] = {}
    modules: Mapping[str, Deps] = {}
    imports: Mapping[str, frozenset[str]] = {}
    memos: Mapping[str, Deps] = {}
    written: frozenset[str] = frozenset()

    def all_deps(self) -> Iterator[Deps]:
        """The dependencies of everything that has some of its own."""
        for name in _TABLES:
            yield from getattr(self, name).values()

    def with_texts(self, positions: Callable[[str], Collection[str]]) -> Recording:
        """Add the text of all that ran beside a function that looks at where code stands.

        Args:
            positions: the keys of such functions in a source, by its path.
        """

        def texts(_: str, deps: Deps) -> Deps:
            functions = [dep[2:].partition("::") for dep in deps if dep[0] == "f"]
            if not any(key in positions(path) for path, _, key in functions):
                return deps
            return deps | {f"t {path}" for path, _, _ in functions}

        return self._with(texts)

    def with_readers(self, readers: Callable[[str], Collection[str]]) -> Recording:
        """Add the modules in C that may have read any file, of which nothing tells.

        Args:
            readers: those that a source imports, by its path.
        """
        known = functools.cache(readers)

        def unseen(name: str, deps: Deps) -> Deps:
            # A module's, and a file's, own code is told by their names.
            paths = {dep[2:].partition("::")[0] for dep in deps if dep[0] in "fp"} | {name}
            found = {f"b {module}" for path in paths for module in known(path)}
            return deps | found if found else deps

        return self._with(unseen)

    def _with(self, add: Callable[[str, Deps], Deps]) -> Recording:
        tables = {name: getattr(self, name).items() for name in _TABLES}
        changed = {n: {key: add(key, deps) for key, deps in some} for n, some in tables.items()}
        return msgspec.structs.replace(self, **changed)
