"""What one Python source says: its fingerprint, its imports, the modules that it names.

The fingerprint is a digest over the compiled code, which holds no comments, after the layout
was evened out in the syntax tree. Imports and calls are read from the tree, which knows what
stands under ``if TYPE_CHECKING``; strings come with the compiled code.
"""

from __future__ import annotations

import ast
import re
from binascii import b2a_base64
from collections.abc import Collection
from hashlib import blake2b
from types import CodeType
from typing import Any

from .calls import IMPORTERS, Calls, assigned, exported_unbound
from .codes import (
    DIGEST_SIZE,
    FRAMES,
    POSITIONS,
    TELLERS,
    Part,
    digest_of,
    imports_of,
    modules_named,
    parts_of,
)
from .doings import Doings
from .examples import PROMPT, imported_by_examples, source_of_examples
from .memos import keeping, may_keep, stores
from .naming import key as key_of
from .outline import functions_of, is_documented, named_apart, outline
from .reflection import meaning
from .statements import Statements

LIMIT = 8 << 20
"""In bytes. Larger sources are not compiled: it takes some hundred times as much memory."""
_KEEPERS = frozenset({"globals", "vars", "locals", "setattr", "__dict__", "modules"})
"""Who names one of these may store something that outlives it, unless a fixture's `setattr`."""
_ATTACHING = re.compile(r"\battach\s+(database\b|['\"]|\S+\s+as\s|\Z)", re.IGNORECASE)
"""How a statement of SQL begins that opens another database (https://sqlite.org/lang_attach.html);
the end is where a formatted string goes on with a value."""


def facts(source: bytes) -> list[Any]:
    """Find the facts of one source.

    Args:
        source: the file's bytes; their encoding is found as Python finds it (PEP 263).

    Returns:
        The fields of `devloop.graph.facts.Facts`, bytes in base64.
    """
    return read(source)[0]


def read(source: bytes) -> tuple[list[Any], bytes]:
    """Find the facts and the outline of one source.

    Args:
        source: the file's bytes.

    Returns:
        As `facts`, and as `outline`; nothing for what does not compile, or has no tree.
    """
    if len(source) > LIMIT:
        message = f"larger than {LIMIT >> 20} MiB: not read, so what it imports is not known"
        return problem(source, message, dynamic=[""]), b""
    try:
        return _compiled(source)
    except SyntaxError as error:
        message = error.msg or type(error).__name__
        return problem(source, message, error.lineno, error.offset), b""
    except RecursionError:
        return problem(source, "too deeply nested for the compiler"), b""
    except MemoryError:
        return problem(source, "too complex for the compiler"), b""
    except (ValueError, OverflowError, LookupError) as error:
        return problem(source, str(error)), b""


def text(content: bytes, digest: str) -> list[Any]:
    """Find the facts of a text that may hold examples for `doctest`.

    Args:
        content: the file's bytes.
        digest: of them, in base64; it is the fingerprint, for in a text each byte counts.

    Returns:
        As `facts`.
    """
    if PROMPT.encode() not in content:
        return [digest]
    shown = content.decode("utf-8", "replace")
    _, imports, strings, dynamic, *_ = facts(source_of_examples(shown).encode())
    return [digest, imports, strings, dynamic, [], [], None, [], [], []]


def problem(
    source: bytes,
    message: str,
    line: int | None = None,
    column: int | None = None,
    dynamic: list[str] | None = None,
) -> list[Any]:
    """The facts of a source that does not compile.

    Args:
        source: the file's bytes.
        message: what is wrong.
        line: counted from 1; 0 and None are unknown.
        column: counted from 1; 0, negative and None are unknown.
        dynamic: what it may import all the same.

    Returns:
        As `facts`.
    """
    digest = b2a_base64(blake2b(source, digest_size=DIGEST_SIZE).digest(), newline=False)
    text = message.encode("utf-8", "backslashreplace").decode()
    where = [text, line or None, column if column and column > 0 else None]
    return [digest.decode(), [], [], dynamic or [], [], [], where]


def _compiled(source: bytes) -> tuple[list[Any], bytes]:
    statements, calls = Statements(), Calls()
    storing: set[str] = set()
    plugins: set[str] = set()
    listed: set[str] = set()
    memos: set[str] = set()
    positions: set[str] = set()
    try:
        tree: Any = compile(source, "source", "exec", ast.PyCF_ONLY_AST, True, 0)
        statements.walk(tree.body)
        code: CodeType = compile(tree, "source", "exec", 0, True, 0)
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        # The source's own error has the right position. There may be none, for a tree may be
        # less deep than a source; then everything in it counts as running.
        code = compile(source, "source", "exec", 0, True, 0)
        statements.imports, statements.functions = imports_of(code), []
        calls.dynamic.add("")
        parts, found = parts_of(code), b""
        done: list[Any] = []
    else:
        parts = parts_of(code)
        functions = functions_of(parts)
        found = outline(tree, functions)
        done = Doings(tree, rebinds=b"global " in source).told()
        suspects = {k for k, own in functions.items() if any(may_keep(p.code) for p in own)}
        fillers = {key.rpartition(".")[2] for key in suspects}
        callers = {
            key
            for key, own in functions.items()
            if fillers and any(not fillers.isdisjoint(part.code.co_names) for part in own)
        }
        names = {name for part in parts for name in part.code.co_names}
        if suspects or "defaultdict" in names or b"__subclasshook__" in source:
            memos = keeping(tree, suspects | callers)
        storing = {k for k in suspects if any(stores(part.code) for part in functions[k])}
        named = {
            key: {name for part in own for name in part.code.co_names}
            for key, own in functions.items()
        }
        looks = POSITIONS
        if not TELLERS.isdisjoint(name.partition(".")[0] for name in names):
            looks |= {"lineno"}
        positions = {key for key, own in named.items() if not own.isdisjoint(looks)}
        framed = [key for key, own in named.items() if not own.isdisjoint(FRAMES)]
        if framed:
            positions |= named_apart(named, meaning(tree, framed, FRAMES))
        if not names.isdisjoint(IMPORTERS):
            calls.walk(tree, statements.renamed)
        if "pytest_plugins" in names:
            plugins, complete = assigned(tree, "pytest_plugins")
            if not complete:
                calls.dynamic.add("")
        if "INSTALLED_APPS" in names:
            listed = assigned(tree, "_APPS")[0]
        if "__all__" in names and (missing := exported_unbound(tree)):
            statements.imports.append(["", 1, sorted(missing), False])
    texts = [text for part in parts for text in part.strings]
    shown = [text for text in texts if PROMPT in text] if PROMPT.encode() in source else []
    strings = modules_named(texts, source, words="" in calls.dynamic)
    called = [[module, level, [], False] for module, level in sorted(calls.named)]
    facts = [
        b2a_base64(digest_of(parts), newline=False).decode(),
        statements.imports + called,
        strings,
        sorted(calls.dynamic),
        sorted(plugins),
        sorted(listed),
        None,
        sorted(memos),
        sorted(positions),
        imported_by_examples(shown) if shown else None,
        _inner(parts, strings, statements.imports + called, statements.functions, storing),
        any(map(_ATTACHING.search, texts)),
        done,
    ]
    return facts, found


def _inner(
    parts: list[Part],
    strings: Collection[str],
    imports: list[list[Any]],
    functions: list[str],
    keeping: Collection[str],
) -> list[list[Any]]:
    """Find what leads to other modules, and stands in functions alone.

    Args:
        parts: the code objects of a module.
        strings: those that may name modules.
        imports: all of the module.
        functions: in which each of the first ones of these stands; nothing for the module.
        keeping: the functions that store something which may outlive them.

    Returns:
        The fields of `devloop.graph.facts.Inner`, one for each function.
    """
    importing = {key for key in functions if key}
    if not strings and not importing:
        return []
    outer: set[str] = set()
    said: dict[str, set[str]] = {}
    kept = set(keeping)
    for part in parts:
        key = key_of(part.qualname, part.code.co_flags) if part.outer is not None else None
        if key is None or key.rpartition(".")[2][0] == "<":
            outer.update(part.strings)  # a lambda of the module may be anybody's
            continue
        documented = bool(part.strings) and is_documented(part)
        outer.update(part.strings[:documented])  # it can be had without running the function
        said.setdefault(key, set()).update(part.strings[documented:])
        if key in importing and _may_hand_on(part, key):
            kept.add(key)
    wanted = set(strings) - outer
    places = [*functions, *[""] * (len(imports) - len(functions))]
    texts = list(map(repr, imports))
    outside = {text for text, key in zip(texts, places, strict=True) if not key or key in kept}
    inside: dict[str, list[Any]] = {}
    for text, key, one in zip(texts, places, imports, strict=True):
        if text not in outside:
            inside.setdefault(key, []).append(one)
    found = [
        [key, sorted(wanted & said.get(key, set())), inside.get(key, [])]
        for key in sorted(said.keys() | inside.keys())
    ]
    return [one for one in found if one[1] or one[2]]


def _may_hand_on(part: Part, key: str) -> bool:
    """Whether a function may put what it imports into a variable that is not its own."""
    code = part.code
    if part.qualname == key and code.co_freevars:
        return True
    words = _KEEPERS.intersection(code.co_names)
    if words != {"setattr"}:
        return bool(words)
    from dis import get_instructions

    return any(i.opname == "LOAD_GLOBAL" and i.argval == "setattr" for i in get_instructions(code))
