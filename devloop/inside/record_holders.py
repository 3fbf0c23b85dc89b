"""PYTEST_DONT_REWRITE: the objects on which functions keep what they have computed.

``if self._x is None: self._x = make()`` matters to a test that did not run `make` only if another
test has, on the same object. Most objects live in one test. So such a function is noted to have
reached something only when a test meets an object of it that another one has met: all that that
one did, for what of it went into the object is not known.
"""

from __future__ import annotations

import sys
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FrameType
    from typing import Any

    from devloop.inside.record_contexts import Context, Recorder


def _alone() -> int:
    """How many references there are, seen from outside, to what only a variable holds."""
    only: dict[str, int] = {}
    held = sys._getframe().f_locals
    return sys.getrefcount(held["only"]) if not only else 0


# From 3.14 on a variable may borrow what another one holds.
ALONE = _alone() if sys.version_info < (3, 14) else 0

identity: Callable[[object], int] = object.__hash__
"""Tells objects apart by where they are, as `id` does: that has an audit event, which we hear."""


_CONTAINERS = (list, dict)


class _Held:
    """Holds an object that there can be no weak reference to, as one would.

    Args:
        value: the object.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


_only = _Held([])
LET_GO = sys.getrefcount(_only.value)
"""How many references there are, seen from outside, to what only we hold."""


class Holders:
    """Knows who has met which object last.

    Args:
        recorder: is told of functions whose objects several tests have met.

    Attributes:
        held: what we hold ourselves, so that its address does not become another one's.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._met: dict[tuple[Context, int], tuple[Any, Context]] = {}
        self.held: list[tuple[Context, int]] = []

    def release(self) -> None:
        """Let go of what nobody else holds any more."""
        for key in self.held:
            if sys.getrefcount(self._met[key][0].value) <= LET_GO:
                del self._met[key]
        self.held[:] = [key for key in self.held if key in self._met]

    def look(
        self,
        frame: FrameType,
        code: CodeType,
        kept: Context,
        names: tuple[str, ...],
        *,
        returns: bool,
    ) -> None:
        """Look at the objects of a function that is about to end, or to pause.

        Args:
            frame: its own, or of what it has called.
            code: of the function.
            kept: takes what the function has reached.
            names: its variables that hold the objects.
            returns: its variables end with it; a generator that pauses has them later, and an
                exception may keep them.
        """
        while frame.f_code is not code and frame.f_back is not None:
            frame = frame.f_back
        held = frame.f_locals
        for name in names:
            if name in held:
                self._meet(kept, held, name, code if returns else None)

    def _meet(
        self, kept: Context, held: Mapping[str, Any], name: str, ending: CodeType | None
    ) -> None:
        """A test meets an object.

        Args:
            kept: as in `look`.
            held: the variables of the function.
            name: of the one that holds the object.
            ending: the function's code, where its variables end with it.
        """
        now = self._recorder.owner
        key, met = (kept, identity(held[name])), self._met
        ref, before = met.get(key, (None, now))
        if before is now and ref is not None and ref() is held[name]:
            return  # most tests meet their objects again and again
        try:
            again: Any = weakref.ref(held[name], lambda _: met.pop(key, None))
        except TypeError:
            if ending is not None and _is_alone(held, name, ending):
                return  # it ends with the function; its address will be that of another one
            again = ref  # it may be another one of that address, which is on the safe side
            if ref is None and held[name].__class__ in _CONTAINERS and not held[name]:
                again = _Held(held[name])  # nothing else lives on for that
                self.held.append(key)
        if ref is not None and ref() is not held[name]:
            before = now  # the one that was met has gone, and its address is used again
        if before is not now and now in _with_used(before):
            return  # a fixture's finalizer: the test has all that it depends on
        met[key] = again, now
        # Who imports a module has all that its import depends on.
        if before.kind in ("module", "process") or before in _with_used(now):
            return
        for one in _with_used(before):
            kept.deps |= one.deps
        self._recorder.touch(kept)


def _is_alone(held: Mapping[str, Any], name: str, code: CodeType) -> bool:
    """Whether nothing holds an object but the variable of the function that ends."""
    if name in code.co_cellvars or name in code.co_freevars:
        return False
    return sys.getrefcount(held[name]) <= ALONE


def _with_used(context: Context) -> set[Context]:
    """A context and the fixtures that it has used, at any distance."""
    found = {context}
    todo = [context]
    while todo:
        news = todo.pop().uses - found
        found |= news
        todo += news
    return found
