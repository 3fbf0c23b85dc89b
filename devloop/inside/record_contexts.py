"""PYTEST_DONT_REWRITE: who owns what happens while tests run.

What a test depends on is a set of strings (`devloop.select.recorded`). Each that is met is noted
for the innermost of the contexts that are open: the import of a module, a cached function's body,
a fixture, a test, the collection of a file; or the process itself, where nothing else is open.
"""

from __future__ import annotations

import _thread
import os
import sys
from array import array
from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


_BODIES = frozenset({"memo", "lent"})


class Context:
    """Something that owns what happens while it is the innermost one.

    Args:
        kind: ``test``, ``fixture``, ``collection``, ``module``, ``memo``, ``lent`` (a part of one
            of these that others may meet) or ``process``.
        name: a nodeid, a path, a key or a number.

    Attributes:
        deps: the numbers of its dependencies.
        variables: the environment variables that are noted.
        looked: the paths that are noted, as they were given.
        uses: the fixtures that it has used.
        told: those of `deps` that devloop knows of.
        used: how many of `uses` it knows of.
        announced: it knows of this context at all.
        done: nothing will be added to it.
    """

    __slots__ = (
        "announced", "deps", "done", "kind", "looked", "name", "told", "used", "uses", "variables",
    )  # fmt: skip

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.deps: set[int] = set()
        self.looked: set[Any] = set()
        self.variables: set[Any] = set()
        self.uses: set[Context] = set()
        self.told: set[int] = set()
        self.used = 0
        self.announced = False
        self.done = False

    def with_used(self) -> set[Context]:
        """Find the fixtures that it has used, at any distance, and it."""
        found = {self}
        todo = [self]
        while todo:
            news = todo.pop().uses - found
            found |= news
            todo += news
        return found


class AtWork:
    """What a thread does meanwhile is not noted.

    Args:
        within: the threads of which that holds.
    """

    __slots__ = ("_mine", "_within")

    def __init__(self, within: set[int]) -> None:
        self._within = within

    def __enter__(self) -> None:
        mine = _thread.get_ident()
        self._mine = None if mine in self._within else mine
        self._within.add(mine)

    def __exit__(self, *_: object) -> None:
        if self._mine is not None:
            self._within.discard(self._mine)


class Recorder:
    """Keeps what is met apart by its owner.

    Args:
        process: a name for this process among those of the run.

    Attributes:
        top: the innermost context.
        process: the outermost one.
        switched: called with each context that becomes the innermost one.
        flat: everything has one owner: this is not the process that pytest runs in.
        made: paths that this process has made: what it reads there is its own.
        rewritten: paths of what was there before, and who has written it anew: what that one
            reads there is its own.
        within: the threads in which we are at work: what they do meanwhile is ours.
    """

    def __init__(self, process: str) -> None:
        self.process = Context("process", process)
        self.top = self.process
        self.switched: Callable[[Context], None] = lambda _: None
        self.made: set[str] = set()
        self.rewritten: dict[str, Context] = {}
        self.within: set[int] = set()
        self.broken = False
        self.flat = False
        self._stack = [self.process]
        self._numbers: dict[str, int] = {}
        self._strings: list[str] = []
        self._first_untold = 0
        self._touched: dict[Context, None] = {}
        self._named: dict[tuple[str, str], Context] = {}

    def number(self, dep: str) -> int:
        """The number that stands for a dependency.

        Args:
            dep: the string.
        """
        number = self._numbers.get(dep)
        if number is None:
            number = len(self._strings)
            self._strings.append(dep)
            self._numbers[dep] = number
        return number

    def string(self, number: int) -> str:
        """The dependency that a number stands for.

        Args:
            number: as from `number`.
        """
        return self._strings[number]

    def add(self, dep: str) -> None:
        """Note a dependency of the innermost context.

        Args:
            dep: the string.
        """
        self.top.deps.add(self.number(dep))

    def add_to_process(self, dep: str) -> None:
        """Note a dependency of all tests of this process.

        Args:
            dep: the string.
        """
        self.process.deps.add(self.number(dep))

    def named(self, kind: str, name: str) -> Context:
        """The context of that name, the same one each time.

        Args:
            kind: as of `Context`.
            name: as of `Context`.
        """
        context = self._named.get((kind, name))
        if context is None:
            context = self._named[kind, name] = Context(kind, name)
        return context

    def enter(self, context: Context) -> None:
        """Make a context the innermost one.

        Args:
            context: it; may be entered again later.
        """
        if self.flat:
            return
        self._stack.append(context)
        self._touched[context] = None
        self.top = context
        self.switched(context)

    def leave(self, context: Context) -> None:
        """Close a context, and what was opened within it and not closed.

        Args:
            context: it; nothing is done where it is not open.
        """
        for at in range(len(self._stack) - 1, 0, -1):
            if self._stack[at] is context:
                for depth in range(len(self._stack) - 1, at - 1, -1):
                    self._settle(self._stack[depth], self._stack[depth - 1])
                del self._stack[at:]
                self.top = self._stack[-1]
                self.switched(self.top)
                return

    def flatten(self, deps: set[int]) -> None:
        """From here on everything has one owner.

        Args:
            deps: takes it.
        """
        one = Context("process", self.process.name)
        one.deps = deps
        self.top = self.process = one
        self._stack, self.flat = [one], True
        self.switched(one)

    def at_work(self) -> AtWork:
        """While this lasts, what this thread does is ours, and not noted."""
        return AtWork(self.within)

    def touch(self, context: Context) -> None:
        """Have a context told of with the next news.

        Args:
            context: it.
        """
        self._touched[context] = None

    def is_open(self, context: Context) -> bool:
        """Whether a context is entered."""
        return context in self._stack

    @property
    def is_amid_tests(self) -> bool:
        """Whether a test runs, or a fixture."""
        return any(one.kind in ("test", "fixture") for one in self._stack)

    @property
    def owner(self) -> Context:
        """The innermost context that is not a body of which the result is kept."""
        if self.top.kind not in _BODIES:
            return self.top  # most are such
        return next(one for one in reversed(self._stack) if one.kind not in _BODIES)

    def broke(self, error: BaseException) -> None:
        """The recorder has failed: nothing that runs from here on is known for certain.

        Args:
            error: of what.
        """
        if not self.broken:
            self.broken = True
            self.add_to_process(f"o the recorder failed: {type(error).__name__}: {error}")

    def _settle(self, context: Context, below: Context) -> None:
        if context.kind == "lent":  # who has called for it has done it
            below.deps |= context.deps
            below.uses |= context.uses - {below}
        if context.kind != "memo":  # which is entered again and again
            context.looked.clear()
            context.variables.clear()

    def news(self) -> dict[str, Any] | None:
        """What is to be told since the last call.

        Returns:
            A message; None where there is nothing.
        """
        self._touched[self.process] = None
        told = []
        for context in self._touched:
            fresh = context.deps - context.told
            if (
                context.announced
                and not fresh
                and not context.done
                and context.used == len(context.uses)
            ):
                continue
            context.announced = True
            context.told |= fresh
            context.used = len(context.uses)
            told.append(
                [
                    context.kind,
                    context.name,
                    packed(self._own_excluded(fresh)),
                    [used.name for used in context.uses],
                    context.done,
                ]
            )
        self._touched = dict.fromkeys(self._stack)
        if not told:
            return None
        strings = self._strings[self._first_untold :]
        self._first_untold = len(self._strings)
        return {"m": "recorded", "in": self.process.name, "new": strings, "of": told}

    def _own_excluded(self, deps: Iterable[int]) -> list[int]:
        """Without what was looked for in vain and then made by this process itself."""
        if not self.made:
            return sorted(deps)
        strings, made = self._strings, self.made
        return [n for n in sorted(deps) if strings[n][0] != "x" or strings[n][2:] not in made]

    def finish(self, context: Context) -> None:
        """Nothing will be added to a context. What only it has used becomes its own.

        Args:
            context: it.
        """
        context.done = True
        self._touched[context] = None
        todo = list(context.uses)
        while todo:
            used = todo.pop()
            if used.done and not used.announced:
                context.uses.discard(used)
                context.deps |= used.deps
                todo += used.uses - context.uses
                context.uses |= used.uses
                self._touched.pop(used, None)


def packed(numbers: Iterable[int]) -> str:
    """Numbers as text: four bytes each, in base64; packing must not slow down the tests.

    Args:
        numbers: of dependencies.
    """
    data = array("I", numbers)
    if sys.byteorder != "little":
        data.byteswap()
    return b2a_base64(data.tobytes(), newline=False).decode("ascii")


class Written(set[int]):
    """Numbers that are written to a file at once, each as its string: a process may be killed.

    Args:
        fd: the file's descriptor, opened to append.
        recorder: knows the strings.
    """

    def __init__(self, fd: int, recorder: Recorder) -> None:
        super().__init__()
        self._fd = fd
        self._strings = recorder._strings

    def add(self, number: int) -> None:
        """Add one."""
        if number not in self:
            super().add(number)
            line = self._strings[number].replace("\n", " ") + "\n"
            os.write(self._fd, line.encode("utf-8", "surrogateescape"))
