"""Functions that read attributes by names which no source spells out."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

GETATTR = frozenset({"getattr", "hasattr"})
COMPUTED = "getattr()"
"""Stands among the identifiers of what calls one of them with a name that is not a literal."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ANONYMOUS: dict[Any, str] = {
    ast.Lambda: "<lambda>",
    ast.GeneratorExp: "<genexpr>",
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
}


def by_computed_names(tree: ast.Module, suspects: Iterable[str]) -> set[str]:
    """Find the functions that call `getattr` with a name that is not a literal, or pass it on.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of the functions that name it.

    Returns:
        Those among them that do.
    """
    keys = frozenset(suspects)
    within = {key[: at + 1] for key in keys for at, sign in enumerate(key) if sign == "."}
    found: set[str] = set()
    # For each node that waits: the key of its function, and what the name of an inner one
    # begins with.
    todo: list[tuple[Any, str, str]] = [(one, "", "") for one in tree.body]
    while todo:
        node, key, prefix = todo.pop()
        kind = node.__class__
        if kind in _FUNCTIONS:
            own = prefix + node.name
            outside = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
            todo += [(one, key, prefix) for one in outside if one is not None]
            if own in keys or f"{own}." in within:
                todo += [(one, own, f"{own}.<locals>.") for one in node.body]
            continue
        if kind is ast.ClassDef:
            prefix += f"{node.name}."
            if not key and prefix not in within:
                continue
        elif kind in _ANONYMOUS and not key:
            key = prefix + _ANONYMOUS[kind]
        elif kind is ast.Name:
            if node.id in GETATTR:
                found.add(key)
            continue
        elif kind is ast.Call and node.func.__class__ is ast.Name and node.func.id in GETATTR:
            if len(node.args) > 1 and node.args[1].__class__ is ast.Constant:
                todo += [(one, key, prefix) for one in node.args]
                continue
            found.add(key)
        for value in node.__dict__.values():
            if value.__class__ is list:
                todo += [(one, key, prefix) for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                todo.append((value, key, prefix))
    return found & keys
