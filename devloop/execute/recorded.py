"""What the recorders of a run's processes tell: from their messages to a `Recording`."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from devloop.execute.distributions import providers
from devloop.execute.interpreter import Interpreter
from devloop.select.recorded import Deps, Recording


class _Context(msgspec.Struct):
    """Something that owned what happened; see `devloop.inside.record_contexts`."""

    deps: set[str] = msgspec.field(default_factory=set)
    uses: set[str] = msgspec.field(default_factory=set)
    done: bool = False


class Recorded:
    """Takes the recorders' messages of one run.

    Args:
        interpreter: runs the tests.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._strings: dict[str, list[str]] = {}
        self._contexts: dict[tuple[str, str], _Context] = {}
        self._processes: dict[str, _Context] = {}
        self._ran_in: dict[str, str] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Take a message.

        Args:
            message: of one process: the strings that are new, and for each context what it has
                got: kind, name, dependencies, the fixtures that it uses, and whether that is all.
        """
        process = message["in"]
        strings = self._strings.setdefault(process, [])
        strings += map(sys.intern, message["new"])
        for kind, name, deps, uses, done in message["of"]:
            if kind == "process":
                context = self._processes.setdefault(process, _Context())
            else:
                context = self._contexts.setdefault((kind, name), _Context())
            context.deps.update(strings[number] for number in unpacked(deps))
            context.uses.update(uses)
            context.done = done
            if kind == "test":
                self._ran_in[name] = process

    def recording(self, nodeid: Callable[[str], str]) -> Recording:
        """What was recorded, now that the run has ended.

        Args:
            nodeid: makes the nodeid of an outcome of one that was recorded.

        Returns:
            All of it; without the tests of which a fixture was not torn down, because the run was
            broken off: nobody knows what that would have done.
        """
        written = {
            dep[2:]
            for context in (*self._contexts.values(), *self._processes.values())
            for dep in context.deps
            if dep[0] == "w"
        }
        found: dict[str, dict[str, Deps]] = {"test": {}, "collection": {}, "module": {}, "memo": {}}
        for (kind, name), context in self._contexts.items():
            if kind in ("fixture", "lent"):
                continue
            deps = self._reached(context)
            if deps is not None and (kind != "test" or context.done):
                found[kind][nodeid(name) if kind == "test" else name] = deps
        tests = found["test"]
        return Recording(
            tests=tests,
            collections=found["collection"],
            processes={
                process: self._reached(context) or frozenset()
                for process, context in self._processes.items()
            },
            ran_in={
                test: process
                for name, process in self._ran_in.items()
                if (test := nodeid(name)) in tests
            },
            modules=found["module"],
            imports={
                path: frozenset(imported)
                for path, deps in found["module"].items()
                if (imported := [dep[2:] for dep in deps if dep[0] in "mp"])
            },
            memos=found["memo"],
            written=frozenset(written),
        )

    def _reached(self, context: _Context) -> Deps | None:
        """What a context and the fixtures that it uses depend on; None where not all is known."""
        contexts, known = [context], {*context.uses}
        for one in contexts:
            for name in one.uses if one is context else one.uses - known:
                used = self._contexts.get(("fixture", name))
                if used is None or not used.done:
                    return None
                known.add(name)
                contexts.append(used)
        return frozenset(self._named(dep for one in contexts for dep in one.deps if dep[0] != "w"))

    def _named(self, deps: Iterable[str]) -> Iterator[str]:
        """With distributions in the place of the modules by which they were known there."""
        for dep in deps:
            if dep[0] != "d":
                yield dep
                continue
            names = providers(self._interpreter.sites, self._interpreter.stamp)
            for name in names.get(dep[2:], ()):
                yield f"d {name}"


def unpacked(text: str) -> Iterable[int]:
    """The numbers that `devloop.inside.record_contexts.packed` has packed.

    Args:
        text: what it gave.
    """
    numbers = array("I", b64decode(text))
    if sys.byteorder != "little":
        numbers.byteswap()
    return numbers
