"""PYTEST_DONT_REWRITE: the objects on which functions keep what they have computed.

``if self._x is None: self._x = make()`` matters to a test that did not run `make` only if another
test has, on the same object. Most objects live in one test. So such a function is noted to have
reached something only when a test meets an object of it that another one has met: all that that
one did, for what of it went into the object is not known.
"""

from __future__ import annotations

import gc
import sys
import weakref
from types import BuiltinFunctionType, FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType
    from typing import Any

    from devloop.inside.record_contexts import Context, Recorder

    Met = dict[int, tuple[Any, Context]]


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

_PLAIN = (type(None), bool, int, float, complex, str, bytes, BuiltinFunctionType)
_DESCENDED = (list, dict, tuple, set, frozenset)
_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the class is written in Python, or may be."""

MOST = 64
"""Objects that hang on one that is held for good, at most."""

ROOM = 200
"""Objects that are held for good, at most."""


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


UNMET: tuple[Any, Any] = None, None


class Holders:
    """Knows who has met which object last.

    Args:
        recorder: is told of functions whose objects several tests have met.

    Attributes:
        held: what we hold ourselves, so that its address does not become another one's.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._met: dict[Context, Met] = {}
        self.held: list[tuple[Met, int]] = []
        self._room = ROOM

    def release(self) -> None:
        """Let go of what nobody else holds any more, and of what may be missed if it lives on.

        What a circle holds dies at some time or other, and its address is used again: where that
        can be had for nothing, it is held for good.
        """
        again = []
        for met, key in self.held:
            if sys.getrefcount(met[key][0].value) <= LET_GO:
                del met[key]
            elif met[key][0].value.__class__ in _CONTAINERS:
                again.append((met, key))
            elif self._room and _ends_unseen(met[key][0].value):
                self._room -= 1
            else:
                met[key] = None, met[key][1]
        self.held[:] = again

    def met(self, kept: Context) -> Met:
        """Who has met which object of a function last.

        Args:
            kept: takes what the function has reached.

        Returns:
            By the objects' identities, what leads to the object, and the context.
        """
        return self._met.setdefault(kept, {})

    def look(
        self,
        held: Mapping[str, Any],
        kept: Context,
        met: Met,
        names: tuple[str, ...],
        ending: CodeType | None,
    ) -> None:
        """Look at the objects of a function that is about to end, or to pause.

        Args:
            held: its variables.
            kept: takes what the function has reached.
            met: of that (see `met`).
            names: its variables that hold the objects.
            ending: its code, where its variables end with it; a generator that pauses has them
                later, and an exception may keep them.
        """
        now = self._recorder.owner
        for name in names:
            # No variable of ours may hold the object: see `_is_alone`.
            if name in held:
                ref, before = met.get(identity(held[name]), UNMET)
                # Most tests meet their objects again and again.
                if before is not now or ref is None or ref() is not held[name]:
                    self._meet(kept, met, held, name, ending)

    def _meet(
        self, kept: Context, met: Met, held: Mapping[str, Any], name: str, ending: CodeType | None
    ) -> None:
        """A test meets an object that it has not met last.

        Args:
            kept: as in `look`.
            met: as in `look`.
            held: as in `look`.
            name: of the variable that holds the object.
            ending: as in `look`.
        """
        now = self._recorder.owner
        key = identity(held[name])
        ref, before = met.get(key, (None, now))
        try:
            again: Any = weakref.ref(held[name], lambda _: met.pop(key, None))
        except TypeError:
            if ending is not None and _is_alone(held, name, ending):
                return  # it ends with the function; its address will be that of another one
            again = ref  # it may be another one of that address, which is on the safe side
            # Nothing else lives on for that.
            if ref is None and (
                not held[name]
                if held[name].__class__ in _CONTAINERS
                else self._room and _ends_unseen(held[name])
            ):
                again = _Held(held[name])
                self.held.append((met, key))
        if ref is not None and ref() is not held[name]:
            before = now  # the one that was met has gone, and its address is used again
        if before is not now and now in before.with_used():
            return  # a fixture's finalizer: the test has all that it depends on
        met[key] = again, now
        # Who runs the function has imported its module, and has all that this depends on; another
        # module that has met the object may be one that only other tests import.
        path = kept.name.rpartition("::")[0]
        if before.kind == "process" or before.name == path or before in now.with_used():
            return
        for one in before.with_used():
            kept.deps |= one.deps
        self._recorder.touch(kept)


def _is_alone(held: Mapping[str, Any], name: str, code: CodeType) -> bool:
    """Whether nothing holds an object but the variable of the function that ends."""
    if name in code.co_cellvars or name in code.co_freevars:
        return False
    return sys.getrefcount(held[name]) <= ALONE


def _ends_unseen(value: Any) -> bool:
    """Whether nobody could tell that an object lives on: it has no finalizer, and nothing it holds.

    Args:
        value: an object that there can be no weak reference to.
    """
    seen: set[int] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind in _PLAIN or issubclass(kind, (type, ModuleType)) or identity(one) in seen:
            continue
        seen.add(identity(one))
        if len(seen) > MOST:
            return False
        if kind is FunctionType:
            if one.__closure__:
                return False
            continue  # what else it holds lasts as long as its module
        if kind not in _DESCENDED and (
            not kind.__flags__ & _HEAP_TYPE
            or hasattr(kind, "__del__")
            or weakref.getweakrefcount(one)
        ):
            return False
        todo += gc.get_referents(one)
    return True
