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
_MADE = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)


def may_keep(code: CodeType) -> bool:
    """Whether a function stores something that may outlive it.

    Args:
        code: its own.
    """
    return bool(code.co_flags & 1) and any(one in _STORES for one in code.co_code[::2])


def keeping(tree: ast.Module, suspects: Collection[str] | None) -> set[str]:
    """Find the functions that keep what they have computed.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of those of which `may_keep` says so; None where nobody
            has asked.

    Returns:
        Entries: the key of a function that looks at a place outside of it on some branch, and
        fills it; where all such places are on objects that variables of it hold, the names of
        these follow, each after a space (``C.f self``). Else anybody may meet what it keeps.
    """
    found = set()
    todo: list[tuple[Any, str]] = [(one, "") for one in tree.body]
    while todo:
        node, prefix = todo.pop()
        if isinstance(node, _FUNCTIONS):
            key = prefix + node.name
            holders = _holders(node) if suspects is None or key in suspects else set()
            if holders:
                found.add(key if "" in holders else " ".join([key, *sorted(holders)]))
            prefix = f"{key}.<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if inner.__class__ is list:
                todo += [(one, prefix) for one in inner]
    return found


def _holders(function: Any) -> set[str]:
    """The variables that hold what a function fills after it has looked; "" stands for no one's."""
    nodes = list(_own_nodes(function.body))
    shared: set[str] = set()
    assigned: dict[str, list[ast.AST]] = {}
    asked: list[ast.AST] = []
    for node in nodes:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            shared.update(node.names)
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            asked.append(node.test)
        elif isinstance(node, ast.Try):
            asked += node.body if node.handlers else []
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value:
            if isinstance(node.value, ast.BoolOp):
                asked.append(node.value)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    # What a local variable was given counts where the variable is asked about.
    asked = [inner for one in asked for inner in ast.walk(one)]
    for node in tuple(asked):
        if isinstance(node, ast.Name):
            for value in assigned.get(node.id, ()):
                asked += ast.walk(value)
    looked = {_looked_at(node) for node in asked} - {None}
    own = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            own.add(node.name)
    own -= shared
    fresh = {"sys"}
    if function.args.kwarg:
        fresh.add(function.args.kwarg.arg)
    if function.name == "__init__" and function.args.args:
        fresh.add(function.args.args[0].arg)
    found = set()
    for node in nodes:
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            place, holder = _filled(node, shared)
            # What an object gets while it is made is nobody's yet, nor are keyword arguments;
            # and who redirects a stream puts it back.
            kept = place in looked and holder not in fresh
            if kept and not _is_made(assigned.get(holder, ())):
                found.add(holder if holder in own else "")
    return found


def _is_made(values: Collection[ast.AST]) -> bool:
    """Whether a variable holds what the function itself has made, which is nobody's to keep."""
    return bool(values) and all(isinstance(value, _MADE) for value in values)


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


def _filled(node: Any, shared: Collection[str]) -> tuple[str | None, str]:
    """The place outside of a function that it fills, and the variable from which that is reached.

    The place is None where it fills a variable of its own; the variable is "" for a place that is
    reached from none.
    """
    if isinstance(node, ast.Name):
        return (node.id, "") if node.id in shared else (None, "")
    if isinstance(node, ast.Subscript):
        node = node.value
    place = node.id if isinstance(node, ast.Name) else f".{getattr(node, 'attr', '')}"
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return place, node.id if isinstance(node, ast.Name) else ""
