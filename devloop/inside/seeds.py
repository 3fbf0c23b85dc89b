"""Generators of random numbers that imports have left, and what a forked process does with them.

What an import has seeded with nothing in particular gives other numbers in each process, and what
it has seeded with something gives the same ones in each. A fork would have the first go on alike
in all of them; and `random` seeds its own generator after a fork whatever it was seeded with.
"""

from __future__ import annotations

import sys

from .control import private
from .post_import import forget, when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_ref: Any = private("_weakref").ref

_unseeded: dict[int, Any] = {}
"""Weak references to generators of `random` that were seeded with nothing, by their identities."""
_of_numpy: dict[int, Any] = {}
"""Those of numpy, which bear no weak references: what gives their bits, and old generators."""
_sequences: dict[int, Any] = {}
"""What of numpy's such generators, and others spawned from them, are seeded by."""
_drawn: set[int] = set()
"""The seeds that numpy has drawn by chance."""
_state: Any = None
"""Of `random`'s own generator; None where it may be seeded anew."""
_fixed: set[str] = set()
"""The modules whose own generators were seeded with something."""


class Watching:
    """Notes, while it lasts, what generators are made, and how they are seeded."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Watching:
        when_imported("random", self._of_python)
        when_imported("numpy.random", self._of_numpy)
        return self

    def __exit__(self, *_: object) -> None:
        global _state
        forget("random", self._of_python)
        forget("numpy.random", self._of_numpy)
        for undo in reversed(self._undo):
            undo()
        if _drawn:
            _find()
        if "random" in _fixed:
            _state = sys.modules["random"].getstate()

    def _of_python(self, module: ModuleType) -> None:
        random: Any = module
        kind, own = random.Random, random._inst
        real = kind.seed

        def seed(self: Any, a: Any = None, version: int = 2) -> None:
            real(self, a, version)
            _note("random" if self is own else None, self, a)

        self._replace(kind, "seed", seed)
        self._replace(random, "seed", own.seed)

    def _of_numpy(self, module: ModuleType) -> None:
        numpy: Any = module
        real_seed = numpy.seed

        def seed(seed: Any = None) -> None:
            real_seed(seed)
            _note("numpy.random", None, seed)

        self._replace(numpy, "seed", seed)
        bits = sys.modules.get("numpy.random.bit_generator")
        real_draw = getattr(bits, "randbits", None)
        if real_draw is None:
            return  # of numpy before 1.17

        def randbits(count: int) -> int:
            drawn: int = real_draw(count)
            _drawn.add(drawn)
            return drawn

        self._replace(bits, "randbits", randbits)

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        old = vars(owner)[name]
        setattr(owner, name, new)
        self._undo.append(lambda: setattr(owner, name, old))


def _note(module: str | None, generator: Any, seed: Any) -> None:
    """A generator was seeded; one that is a module's own is known by that."""
    if module is not None:
        (_fixed.discard if seed is None else _fixed.add)(module)
    elif seed is None:
        _unseeded[id(generator)] = _ref(generator)
    else:
        _unseeded.pop(id(generator), None)


def _find() -> None:
    """Find the generators of numpy that are left, and were seeded with what was drawn by chance.

    Generators are of types in C, in whose place no others can be put: modules derive from them.
    """
    numpy: Any = sys.modules["numpy.random"]
    bits: Any = sys.modules["numpy.random.bit_generator"]
    kinds = (bits.BitGenerator, numpy.RandomState)
    for one in private("gc").get_objects():
        if type(one) is bits.SeedSequence and _is_drawn(one):
            _sequences[id(one)] = one
        if not issubclass(type(one), kinds) or one is numpy.mtrand._rand:
            continue
        if _is_drawn(_sequence_of(getattr(one, "_bit_generator", one))):
            _of_numpy[id(one)] = one


def _sequence_of(bits: Any) -> Any:
    return getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)


def _is_drawn(sequence: Any) -> bool:
    seed = getattr(sequence, "entropy", None)
    return type(seed) is int and seed in _drawn


def forked() -> None:
    """Give `random` in a forked process the state back that an import has given it."""
    if _state is not None:
        sys.modules["random"].setstate(_state)


def renew() -> None:
    """Seed anew what was seeded with nothing."""
    for ref in _unseeded.values():
        generator = ref()
        if generator is not None:
            generator.seed()
    entropy: dict[int, int] = {}
    for one in _sequences.values():
        if one.entropy not in entropy:
            entropy[one.entropy] = type(one)().entropy
        # Those of one origin stay so. Pickling knows the way to what is read-only else.
        new = type(one)(
            entropy[one.entropy],
            spawn_key=one.spawn_key,
            pool_size=one.pool_size,
            n_children_spawned=one.n_children_spawned,
        )
        one.__setstate__(new.__reduce__()[2])
    for one in _of_numpy.values():
        if (bits := getattr(one, "_bit_generator", None)) is None:
            one.state = type(one)(_sequence_of(one)).state
        else:
            # One that makes two numbers at a time forgets the other.
            one.set_state(type(bits)().state)
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None and "numpy.random" not in _fixed:
        numpy.seed()
