"""What stands in a value's place to show who uses it: whatever is done with it fails.

It is copied into the environment of a project, and so imports nothing of ours.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

_USES = """
    abs add and aenter aexit aiter anext await bool bytes call ceil complex contains delitem
    dir divmod enter eq exit float floor floordiv format fspath ge getattribute getitem gt hash
    iadd iand ifloordiv ilshift imatmul imod imul index instancecheck int invert ior ipow irshift
    isub iter itruediv ixor le len length_hint lshift lt matmul missing mod mul ne neg next or
    pos pow radd rand rdivmod repr reversed rfloordiv rlshift rmatmul rmod rmul ror round rpow
    rrshift rshift rsub rtruediv rxor setattr setitem str sub subclasscheck truediv trunc
    xor
""".split()


class SpoiltError(Exception):
    """A spoilt value was used."""


def _refuse(*_arguments: Any, **_named: Any) -> NoReturn:
    raise SpoiltError


VALUE: Any = type("Spoilt", (), {f"__{use}__": _refuse for use in _USES})()
"""Whatever is done with it fails, but for a look at which object it is."""


def spoil(decorated: Any) -> Any:
    """Decorate with something whose result cannot be called, but is there.

    Args:
        decorated: a function, a class, or whatever another decorator has made of one.
    """
    if isinstance(decorated, type):
        decorated.__init__ = _refuse  # type: ignore[misc]
        return decorated
    if isinstance(decorated, property | classmethod | staticmethod | functools.cached_property):
        return property(_refuse)
    return functools.wraps(decorated)(lambda *_arguments, **_named: _refuse())
