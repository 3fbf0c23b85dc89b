"""What sources consist of (DESIGN §6); `inside/outline.py` finds it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

CHANGED = 1
MENTIONED = 2
CLASS = 4
HEADLESS = 8
IMPORT = 16
OWN = 32
CHOICE = 64
ATTEMPT = 128
EXPORTS = 256
UNRENAMED = 512
"""The flags of `Unit.effect`; see `inside/skeleton.py`."""
ANY_NAME = "any name"
OWN_NAME = "any name of its module"
ANY_SIGNATURE = "any signature"
ANY_IMPORT = "any import"
BY = "any name by "
"""Stand among the identifiers of what may read a value, or how a function is defined, without
saying whose; see `inside/reflection.py`."""

GONE = "import of "
"""Before a name that a module binds no longer: who imports it fails."""
SIGNATURE = "signature of "
"""Before the name of what has another signature: who is given it may look at that, uncalled."""


class Function(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function of a source.

    Where several functions have one name, that stands for all of them, and the name with a
    number for each (`inside/naming.py`).

    Args:
        key: its qualified name.
        digest: of its own code.
        mentions: indices of the identifiers in it.
        tame: some of the flags of `devloop.select.calls`.
        calls: what has to be tame for that.
    """

    key: str
    digest: str
    mentions: tuple[int, ...]
    tame: int = 0
    calls: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One statement of a module, or of a class.

    Args:
        scope: the qualified name of the class that it stands in; empty for the module.
        binds: names.
        digest: of what it says, function bodies left out.
        mentions: indices of the identifiers in it.
        effect: a union of flags.
        bases: of a class's header: the bases that only the project's sources can tell of.
        wraps: a digest of a function's decorators and its kind; of a class's decorators, if any.
        calls: what it calls of the project; where one of these may do anything, so may this.
        asides: indices of what more it mentions to whoever may do anything.
        documents: a digest of a function's docstring, and of the decorators that may give it
            another one.
    """

    scope: str
    binds: tuple[str, ...]
    digest: str
    mentions: tuple[int, ...]
    effect: int
    bases: tuple[str, ...] = ()
    wraps: str = ""
    calls: tuple[str, ...] = ()
    asides: tuple[int, ...] = ()
    documents: str = ""

    @property
    def qualnames(self) -> list[str]:
        """Of all that it binds."""
        return [f"{self.scope}.{name}" if self.scope else name for name in self.binds]

    @property
    def qualname(self) -> str:
        """Of the class, or the function, that it binds."""
        return self.qualnames[0]

    @property
    def shown(self) -> str:
        """What a person calls it."""
        name = ", ".join(self.binds) or "a statement"
        return f"{self.scope}.{name}" if self.scope else name


class Outline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a source consists of.

    Args:
        names: all identifiers that are mentioned in it, in annotations as well.
        functions: by key.
        units: of its skeleton, in order.
    """

    names: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    units: tuple[Unit, ...] = ()

    def owns(self, names: Collection[str]) -> str:
        """One of some names that the module binds, or may have imported by a star; else nothing."""
        for unit in self.units:
            if not unit.scope and unit.effect & IMPORT and not unit.binds:
                return next(iter(names), "")
            found = next((n for n in unit.binds if n in names and n != "__doc__"), "")
            if found and not unit.scope:
                return found  # `__doc__` is that of whatever was edited
        return ""

    def named(self, key: str) -> list[str]:
        """The keys of the functions of a qualified name: it, and what tells several apart.

        Args:
            key: the name.
        """
        return [one.key for one in self.functions if one.key.partition("#")[0] == key]

    def names_of(self, part: Function | Unit) -> list[str]:
        """The identifiers that a part of it mentions."""
        return [self.names[index] for index in part.mentions]


Outlines = Callable[[Iterable[bytes]], Mapping[bytes, Outline]]
"""Gives the outlines of some fingerprints; those that are not at hand are left out."""

_decode = msgspec.json.Decoder(Outline).decode


def decode(packed: bytes) -> Outline:
    """Unpack an outline.

    Args:
        packed: as the parse worker gives it.

    Raises:
        msgspec.DecodeError, zlib.error: it is something else.
    """
    return _decode(zlib.decompress(packed))
