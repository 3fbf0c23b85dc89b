"""PYTEST_DONT_REWRITE: what a library keeps of what the project has made for it.

``if self.stack is None: self.stack = self.build()`` in a library calls a class or function of the
project for the first test, and for no other: that of an application's middleware, of a service of
a container, of a lazy object. All who may meet the keeper depend on it. Which library keeps
something is told by the frames between; whether others can meet it, by whether it outlives the
test.
"""

from __future__ import annotations

import dis
import gc
import sys
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from devloop.inside.record_ground import Ground

    Place = tuple[str, str]

if TYPE_CHECKING or __package__:
    from devloop.inside import record_askers as askers
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Context, Recorder
    from devloop.inside.record_holders import identity
else:  # where tests run, each file stands alone
    askers = sys.modules["_devloop_record_askers"]
    Askers = askers.Askers
    identity = sys.modules["_devloop_record_holders"].identity

LENT = "+"
"""After the key of a function that was called for what a library keeps."""

TRIES = 3
"""How often the garbage is collected to see whether the keeper of one function lives on."""


class _Code:
    """What some code of a library looks at and fills: variables of its module, or attributes.

    Each is said by the variable that has the object, "" for the module, and its name.

    Args:
        code: its own.

    Attributes:
        looks: what it looks at, each with where it does so first.
        fills: what it fills, and where.
        first: the variable of its first argument.
    """

    __slots__ = ("code", "fills", "first", "looks")

    def __init__(self, code: CodeType) -> None:
        self.code = code  # its address must not become another's
        self.first = code.co_varnames[0] if code.co_argcount else None
        self.looks: dict[Place, int] = {}
        self.fills: list[tuple[int, Place]] = []
        holder: str | None = None
        pushed: list[tuple[Place | None, int]] = []
        for one in dis.get_instructions(code):
            place: Place | None = None
            if one.opname == "LOAD_GLOBAL":
                place = "", one.argval
            elif one.opname == "LOAD_ATTR" and holder is not None:
                place = holder, one.argval
            elif one.opname == "STORE_GLOBAL":
                self.fills.append((one.offset, ("", one.argval)))
            elif one.opname == "STORE_ATTR" and holder is not None:
                self.fills.append((one.offset, (holder, one.argval)))
            elif one.opname == "STORE_SUBSCR":
                container = _below(pushed)
                if container is not None:
                    self.fills.append((one.offset, container))
            if place is not None:
                self.looks.setdefault(place, one.offset)
                if code.co_name == "__get__" and place[1] == "__dict__":
                    self.looks[place] = -1  # it is asked for what is not there yet
            pushed.append((place, dis.stack_effect(one.opcode, one.arg, jump=False)))
            holder = None
            if one.opname.startswith(("LOAD_FAST", "LOAD_DEREF")):
                holder = one.argval[-1] if one.argval.__class__ is tuple else one.argval

    def fills_after(self, at: int) -> set[Place]:
        """What it fills behind some instruction."""
        return {place for offset, place in self.fills if offset > at}

    def looks_before(self, at: int) -> set[Place]:
        """What it looks at before some instruction."""
        return {place for place, offset in self.looks.items() if offset < at}


def _below(pushed: list[tuple[Place | None, int]]) -> Place | None:
    """What lies below the top of the stack.

    Args:
        pushed: what each instruction has looked at, and by how much it has made the stack grow.
    """
    above = 1
    for place, growth in reversed(pushed):
        if not above and growth >= 0:
            return place
        above -= growth
        if above < 0:
            return None
    return None


class Lent:
    """Knows what libraries may have kept.

    Args:
        recorder: is told of functions that were called for it.
        ground: tells the project's files.
    """

    def __init__(self, recorder: Recorder, ground: Ground) -> None:
        self._recorder = recorder
        self._kind = Askers(ground).kind
        self._codes: dict[int, _Code] = {}
        self._test: Context | None = None
        self._sure: set[str] = set()
        self._tries: dict[str, int] = {}
        self._kept: list[tuple[list[Any], Context]] = []
        """What leads to keepers, with what was done for them."""

    def keepers(self, frame: Any) -> list[Any]:
        """Find who keeps what comes of a function of the project that begins.

        Args:
            frame: its own.

        Returns:
            What leads to each, None where that lives on for certain.
        """
        found: list[Any] = []
        filled: set[str] = set()
        frame = frame.f_back
        while frame is not None:
            kind = self._kind(frame)
            if kind == askers.OTHER:
                code = frame.f_code
                known = self._codes.get(identity(code))
                if known is None:
                    known = self._codes[identity(code)] = _Code(code)
                at = frame.f_lasti
                fills, looks = known.fills_after(at), known.looks_before(at)
                # It may leave it to another method to fill what it has found empty.
                fills |= {(known.first, name) for name in filled if known.first}
                filled = {name for holder, name in fills if holder == known.first}
                found += [_reference(frame, holder) for holder in {one for one, _ in fills & looks}]
            elif kind != askers.LIBRARY:
                break
            else:
                filled = set()
            frame = frame.f_back
        return found

    def lend(self, keepers: list[Any], context: Context) -> None:
        """Take what was done for keepers.

        Args:
            keepers: what leads to them, as from `keepers`.
            context: what was done.
        """
        self._kept.append((keepers, context))

    def switched(self, context: Context) -> None:
        """Another context is the innermost one: where a test begins, the one before has ended.

        Args:
            context: that one.
        """
        if context.kind != "test" or context is self._test:
            return
        self._test = context
        if self._kept:
            kept, self._kept = self._kept, []
            self._settle(kept)

    def _settle(self, kept: list[tuple[list[Any], Context]]) -> None:
        """Tell of what was done for keepers that have outlived the test."""
        collected = 0
        for keepers, lent in kept:
            name = lent.name
            if name not in self._sure and None not in keepers:
                tries = self._tries.get(name, 0)
                if tries == TRIES or not _any_lives(keepers):
                    continue
                # What a circle holds may be nobody's any more. Most are young: all of the garbage
                # takes some hundred times as long.
                for generation in (1, 2):
                    if collected < generation and gc.isenabled() and _any_lives(keepers):
                        gc.collect(generation)
                        collected = generation
                if not _any_lives(keepers):
                    self._tries[name] = tries + 1
                    continue
            self._sure.add(name)
            one = self._recorder.named("memo", name)
            one.deps |= lent.deps
            one.uses |= lent.uses
            self._recorder.touch(one)


def _any_lives(keepers: list[Any]) -> bool:
    return any(keeper() is not None for keeper in keepers)


def _reference(frame: Any, holder: str) -> Any:
    """What leads to the object that a variable of a frame has; None where that is not known."""
    try:
        return weakref.ref(frame.f_locals[holder])
    except (KeyError, TypeError):
        return None
