"""What a source consists of: its functions and its own statements, each with what it mentions.

Two outlines of one path tell what was edited between them (`devloop.select.outlines`). Each is
packed, because there is one for every content of every file that some test has passed on.
"""

from __future__ import annotations

import ast
import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .codes import IS_FUNCTION, Part, digest_of
from .naming import GETATTR as MODULE_GETATTR
from .naming import REFUSAL, twins
from .naming import key as key_of
from .reflection import GETATTR, PLAIN, by_computed_names, renamed, unsaid
from .refusals import refusal
from .skeleton import IDENTIFIER, LONGEST, Skeleton
from .spoken import spoken
from .tame import tame

_HAS_DOCSTRING = 0x4000000
"""In the flags of a code object, since Python 3.13."""
_DIGEST = 8
"""The bytes of a function's digest; it is compared with those of the same function only."""


def functions_of(parts: Sequence[Part]) -> dict[str, list[Part]]:
    """The functions of a module.

    Args:
        parts: its code objects, its own first.

    Returns:
        For each key (`naming`) its code; where several functions have one key, also for the key
        and the number of each, a sign between.
    """
    found: dict[str, list[Part]] = {}
    several = {id(code): number for code, number in twins(parts[0].code)}
    for part in parts:
        key = key_of(part.qualname, part.code.co_flags) if part.outer is not None else None
        if key is not None:
            found.setdefault(key, []).append(part)
            if id(part.code) in several:
                found.setdefault(f"{key}#{several[id(part.code)]}", []).append(part)
    return found


def named_apart(functions: Iterable[str], keys: Collection[str]) -> set[str]:
    """Those of some functions that bear one of some keys, or one of them and a number.

    Args:
        functions: as in `functions_of`.
        keys: without numbers.
    """
    return {one for one in functions if one.partition("#")[0] in keys}


def outline(tree: ast.Module, functions: Mapping[str, Iterable[Part]]) -> bytes:
    """Find what a source consists of.

    Args:
        tree: of the module.
        functions: by key.

    Returns:
        Compressed JSON: a list of identifiers; for each function its key, digest and the
        identifiers' indices, and what `tame` knows of it; for each unit of the skeleton its
        scope, names, digest, indices, effect, bases, decorators, calls, further indices and a
        digest of the docstring. See
        `devloop.select.outlines.Outline`.
    """
    flags = {
        key: " ".join(str(p.code.co_flags & ~_HAS_DOCSTRING) for p in own if p.qualname == key)
        for key, own in functions.items()
    }
    mentions = {key: _mentions(own) for key, own in functions.items()}
    words = GETATTR.union(PLAIN, renamed(tree))
    suspects = [key for key, names in mentions.items() if not names.isdisjoint(words)]
    if suspects:
        calls, literals = spoken(tree)
        computed = by_computed_names(tree, suspects, calls)
        for key, read in (*computed.items(), *literals.items()):
            for one in named_apart(mentions, {key}):
                mentions[one] |= read
    skeleton = Skeleton(tree, flags)
    digests = {key: digest_of(own, _DIGEST).hex() for key, own in functions.items()}
    if MODULE_GETATTR in functions:
        refused = refusal(tree, skeleton.effects)
        whole = digests[MODULE_GETATTR], mentions[MODULE_GETATTR]
        digests[REFUSAL], mentions[REFUSAL] = (refused, set()) if refused is not None else whole
    units, tamed = skeleton.units, tame(tree.body, skeleton.effects)
    names = sorted(
        {
            name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
            for some in (*mentions.values(), *(unit.said for unit in units))
            for name in some
        }
    )
    index = {name: number for number, name in enumerate(names)}
    found: list[Any] = [
        names,
        [
            [
                key,
                digest,
                sorted(index[n] for n in mentions[key]),
                *tamed.get(key, ()),
            ]
            for key, digest in sorted(digests.items())
        ],
        [
            [
                u.scope,
                u.binds,
                u.digest.hex(),
                sorted(index[n] for n in u.mentions),
                u.effect,
                u.bases,
                u.wraps,
                u.calls,
                sorted(index[n] for n in u.asides),
                u.documents,
            ]
            for u in units
        ],
    ]
    return zlib.compress(json.dumps(found, separators=(",", ":")).encode("ascii"), 1)


def _mentions(parts: Iterable[Part]) -> set[str]:
    """The identifiers in some code: names, attributes, keywords, and those within strings."""
    found: set[str] = set()
    for part in parts:
        strings = part.strings[1:] if part.strings and is_documented(part) else part.strings
        strings = [text for text in strings if len(text) <= LONGEST]
        found.update(part.code.co_names)
        found |= unsaid(part.code.co_names, strings, plain=False)
        for text in strings:
            found.update(IDENTIFIER.findall(text))
    return found


def is_documented(part: Part) -> bool:
    """Whether the first of a part's strings is its docstring."""
    code = part.code
    if code.co_flags & _HAS_DOCSTRING:
        return True
    # Before 3.13 the first constant of a function is its docstring, or None.
    return (
        not hasattr(code, "co_branches")
        and code.co_flags & IS_FUNCTION != 0
        and not code.co_name.startswith("<")
        and bool(code.co_consts)
        and isinstance(code.co_consts[0], str)
    )
