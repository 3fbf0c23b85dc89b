"""Functions that keep what they have computed, and compute it but once.

A decorator says so by its name; what is found here has none: ``if key not in _memo: _memo[key] =
…``, ``if self._x is None: self._x = …``, a `try` around the look-up, an early return. A test that
meets the kept value runs nothing of what made it, so the recorder is told of these functions.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dis import opmap
from types import CodeType
from typing import Any

_STORES = bytes(opmap[name] for name in ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL"))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def may_keep(code: CodeType) -> bool:
    """Whether a function stores something that may outlive it.

    Args:
        code: its own.
    """
    return bool(code.co_flags & 1) and any(one in _STORES for one in code.co_code[::2])


def keeping(tree: ast.Module, suspects: Collection[str]) -> set[str]:
    """Find the functions that keep what they have computed.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of those of which `may_keep` says so.

    Returns:
        Keys: of functions that look at a place outside of them on some branch, and fill it.
    """
    found = set()
    todo: list[tuple[Any, str]] = [(one, "") for one in tree.body]
    while todo:
        node, prefix = todo.pop()
        if isinstance(node, _FUNCTIONS):
            key = prefix + node.name
            if key in suspects and _keeps(node):
                found.add(key)
            prefix = f"{key}.<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if inner.__class__ is list:
                todo += [(one, prefix) for one in inner]
    return found


def _keeps(function: Any) -> bool:
    nodes = list(_own_nodes(function.body))
    shared: set[str] = set()
    assigned: dict[str, list[ast.AST]] = {}
    asked: list[ast.AST] = []
    for node in nodes:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            shared.update(node.names)
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            asked.append(node.test)
        elif isinstance(node, ast.BoolOp):
            asked.append(node)
        elif isinstance(node, ast.Try):
            asked += node.body if node.handlers else []
        elif isinstance(node, (ast.Assign, ast.NamedExpr)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    # What a local variable was given counts where the variable is asked about.
    asked = [inner for one in asked for inner in ast.walk(one)]
    for node in tuple(asked):
        if isinstance(node, ast.Name):
            for value in assigned.get(node.id, ()):
                asked += ast.walk(value)
    made = assigned.keys() - shared
    looked = {_looked_at(node) for node in asked}
    return any(_filled(node, made, shared) in looked for node in nodes if hasattr(node, "ctx"))


def _own_nodes(body: Iterable[ast.AST]) -> Iterable[Any]:
    """All syntax in a function but that of the functions in it."""
    todo = list(body)
    while todo:
        node = todo.pop()
        if not isinstance(node, _FUNCTIONS):
            yield node
            todo += ast.iter_child_nodes(node)


def _looked_at(node: Any) -> str | None:
    """The place that an expression reads."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    # The name may be a literal: `hasattr(self, "_kept")`.
    text = getattr(node, "value", None)
    return f".{text}" if isinstance(text, str) else None


def _filled(node: Any, made: Collection[str], shared: Collection[str]) -> str:
    """The place outside of a function that it fills; nothing where it does not."""
    if isinstance(node.ctx, ast.Load):
        return ""
    if isinstance(node, ast.Name):
        return node.id if node.id in shared else ""
    if isinstance(node, ast.Subscript):
        node = node.value
        # A container that the function has made is nobody's to keep.
        if isinstance(node, ast.Name):
            return "" if node.id in made else node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else ""
