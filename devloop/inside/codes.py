"""What compiled code says: a digest that sees no positions, and the strings in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from types import CodeType
from typing import Any

DIGEST_SIZE = 16
IS_FUNCTION = 0x1
"""CO_OPTIMIZED: not set for the bodies of modules and classes."""

POSITIONS = frozenset(
    "f_lineno tb_lineno co_firstlineno co_positions co_lines getframeinfo getinnerframes"
    " getouterframes walk_tb walk_stack extract_tb extract_stack stacklevel findCaller".split()
)
"""Who names one of these may say at which line some code stands. Who shows what stands there, a
traceback say, is heard when it asks for the line."""
TELLERS = frozenset(
    {"inspect", "logging", "loguru", "pytest", "structlog", "traceback", "warnings"}
)
"""The modules whose objects tell by `lineno` where code stands; where nobody imports one of them,
that is of nodes and tokens of some language."""
FRAMES = frozenset({"stack", "trace"})
"""So may who means `inspect`'s functions by these; many objects have attributes of these names."""

DOTTED = re.compile(r"[^\W\d]\w*(?:(?:\.[^\W\d]\w*)+(?::[^\W\d][\w.]*)?|:[^\W\d][\w.]*)")
WORD = re.compile(r"[^\W\d]\w*")
LONGEST = 200
"""Longer strings name no module; in characters."""


class Part:
    """One code object of a module.

    Attributes:
        code: it.
        outer: the code object in which it stands; None for the module's.
        digest: the same for the same instructions, names and constants, whatever their
            positions, the file and the process.
        strings: its constants.
        qualname: its qualified name, empty for the module.
    """

    __slots__ = ("code", "digest", "outer", "qualname", "strings")

    def __init__(self, code: CodeType, outer: Part | None) -> None:
        self.code = code
        self.outer = outer
        self.digest = b""
        self.strings: list[str] = []
        self.qualname = ""
        if outer is not None:
            before = outer.qualname
            if before:
                before += ".<locals>." if outer.code.co_flags & IS_FUNCTION else "."
            # Before 3.11 code does not know its qualified name.
            self.qualname = getattr(code, "co_qualname", before + code.co_name)


def parts_of(code: CodeType) -> list[Part]:
    """Digest a module's code, and all code in it.

    Args:
        code: of a module.

    Returns:
        The module's own code first, and every other one after the one in which it stands.
    """
    found: list[Part] = []
    todo = [Part(code, None)]
    while todo:
        own = todo.pop()
        found.append(own)
        part, strings = own.code, own.strings
        instructions = part.co_code
        words = [
            f"{len(instructions)} {part.co_flags} {part.co_argcount}"
            f" {part.co_posonlyargcount} {part.co_kwonlyargcount} {part.co_name}",
            " ".join(part.co_names),
            " ".join(part.co_varnames),
            " ".join(part.co_freevars),
            " ".join(part.co_cellvars),
        ]
        for constant in part.co_consts:
            kind = type(constant)
            if kind is CodeType:
                todo.append(Part(constant, own))
                words.append("code")
            elif kind is str:
                strings.append(constant)
                words.append(repr(constant))
            elif kind is tuple or kind is frozenset:
                words.append(_canonical(constant, strings))
            else:
                words.append(repr(constant))
        text = "\n".join(words).encode()
        hashed = blake2b(b"%d " % len(text), digest_size=DIGEST_SIZE)
        hashed.update(text)
        hashed.update(instructions)
        # Which instructions a handler covers (3.11+); before, instructions said so.
        hashed.update(getattr(part, "co_exceptiontable", b""))
        own.digest = hashed.digest()
    return found


def digest_of(parts: Iterable[Part], size: int = DIGEST_SIZE) -> bytes:
    """One digest of several parts.

    Args:
        parts: in their order.
        size: in bytes.
    """
    hashed = blake2b(digest_size=size)
    for part in parts:
        hashed.update(part.digest)
    return hashed.digest()


def _canonical(constant: Any, strings: list[str]) -> str:
    """Write a constant without the order of its sets, which differs from process to process."""
    kind = type(constant)
    if kind is tuple or kind is frozenset:
        items = [_canonical(item, strings) for item in constant]
        return f"{kind.__name__}({','.join(items if kind is tuple else sorted(items))})"
    if kind is str:
        strings.append(constant)
    return repr(constant)


def imports_of(code: CodeType) -> list[list[Any]]:
    """The import statements in a module's code, for sources that have no tree.

    Args:
        code: of a module.

    Returns:
        The fields of `devloop.graph.facts.Import`, one for each.
    """
    from dis import get_instructions

    found: list[list[Any]] = []
    todo = [code]
    while todo:
        part = todo.pop()
        todo += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
        before: list[Any] = [None, None]
        for instruction in get_instructions(part):
            if instruction.opname == "IMPORT_NAME":
                level, names = before
                found.append([instruction.argval, level or 0, list(names or ()), False])
            if instruction.opname.startswith("LOAD_"):
                before = [before[1], instruction.argval]
    return found


def modules_named(strings: Iterable[str], source: bytes, *, words: bool) -> list[str]:
    """Choose the strings that may name modules.

    Args:
        strings: of a module's code.
        source: what it was compiled from.
        words: also strings without a dot or colon.

    Returns:
        Strings like ``a.b``, ``a.b:c`` and ``a:b``, sorted.
    """
    found = {
        text
        for text in strings
        if len(text) <= LONGEST
        and ("." in text or ":" in text or words)
        and (DOTTED.fullmatch(text) or (words and WORD.fullmatch(text)))
    }
    if b"annotations" in source:
        found = {text for text in found if not _is_annotation(text.encode(), source)}
    return sorted(found)


def _is_annotation(text: bytes, source: bytes) -> bool:
    """Whether a constant was written without quotes, as PEP 563 makes them."""
    if b'"' + text + b'"' in source or b"'" + text + b"'" in source:
        return False
    return text in source
