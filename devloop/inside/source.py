"""What one Python source says: its fingerprint, its imports, the modules that it names.

The fingerprint is a digest over the compiled code, which holds no comments, after the layout
was evened out in the syntax tree. Imports and calls are read from the tree, which knows what
stands under ``if TYPE_CHECKING``; strings come with the compiled code.
"""

from __future__ import annotations

import ast
from binascii import b2a_base64
from hashlib import blake2b
from types import CodeType
from typing import Any

from .calls import IMPORTERS, Calls, assigned, exported_unbound
from .codes import DIGEST_SIZE, FRAMES, POSITIONS, digest_of, imports_of, modules_named, parts_of
from .examples import PROMPT, imported_by_examples, source_of_examples
from .memos import keeping, may_keep
from .outline import functions_of, named_apart, outline
from .reflection import meaning
from .statements import Statements

LIMIT = 8 << 20
"""In bytes. Larger sources are not compiled: it takes some hundred times as much memory."""


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
        statements.imports = imports_of(code)
        calls.dynamic.add("")
        parts, found = parts_of(code), b""
    else:
        parts = parts_of(code)
        functions = functions_of(parts)
        found = outline(tree, functions)
        suspects = {k for k, own in functions.items() if any(may_keep(p.code) for p in own)}
        memos = keeping(tree, suspects) if suspects else memos
        named = {
            key: {name for part in own for name in part.code.co_names}
            for key, own in functions.items()
        }
        positions = {key for key, own in named.items() if not own.isdisjoint(POSITIONS)}
        framed = [key for key, own in named.items() if not own.isdisjoint(FRAMES)]
        if framed:
            positions |= named_apart(named, meaning(tree, framed, FRAMES))
        names = {name for part in parts for name in part.code.co_names}
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
    facts = [
        b2a_base64(digest_of(parts), newline=False).decode(),
        statements.imports + [[module, level, [], False] for module, level in sorted(calls.named)],
        modules_named(texts, source, words="" in calls.dynamic),
        sorted(calls.dynamic),
        sorted(plugins),
        sorted(listed),
        None,
        sorted(memos),
        sorted(positions),
        imported_by_examples(shown) if shown else None,
    ]
    return facts, found
