"""Where the tests of a source are, as an editor holds it: saved or not, whole or half typed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A test in a source.

    Args:
        nodeid: pytest's, without parameters.
        line: of its name, counted from 0.
    """

    nodeid: str
    line: int


def places(path: str, source: str) -> list[Place]:
    """Find what looks like a test.

    It is told by pytest's default names (``test*`` functions, ``Test*`` classes, and what derives
    from a ``TestCase``); who has changed these (``python_functions``) gets lenses for the rest.

    Args:
        path: of the file, as nodeids begin.
        source: its text.

    Returns:
        In the order of the source; nothing where it does not parse.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    return list(_inside(path, tree.body))


def _inside(prefix: str, body: list[ast.stmt]) -> Iterator[Place]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("test"):
                yield Place(f"{prefix}::{node.name}", node.lineno - 1)
        elif isinstance(node, ast.ClassDef) and (
            node.name.startswith("Test") or any(map(_is_test_case, node.bases))
        ):
            yield from _inside(f"{prefix}::{node.name}", node.body)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _inside(prefix, node.body)


def _is_test_case(base: ast.expr) -> bool:
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return name.endswith("TestCase")
