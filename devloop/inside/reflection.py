"""Code that reads names which no source spells out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

GETATTR = frozenset({"getattr", "hasattr"})
ANY_NAME = "any name"
"""Stands among the identifiers of what may read the value behind a name without saying it."""
ANY_SIGNATURE = "any signature"
"""Stands among those of what may read how any function is defined, without saying its name."""
_COMPUTED = frozenset({ANY_NAME, ANY_SIGNATURE})

_NAMES = frozenset(
    "vars dir globals __dict__ __subclasses__ fields asdict astuple __reduce__"
    " __reduce_ex__".split()
)
_BOTH = frozenset(
    "eval exec attrgetter methodcaller getmembers getmembers_static __getattribute__"
    " get_type_hints __annotations__ get_annotations signature getfullargspec __defaults__"
    " __kwdefaults__ __code__".split()
)
_WORDS = "|".join(sorted(word for word in _NAMES | _BOTH | GETATTR if word[0] != "_"))
_DUNDERS = "|".join(sorted(word for word in _NAMES | _BOTH if word[0] == "_"))
_IN_STRING = re.compile(rf"\b(?:{_WORDS})\s*\(|(?:^|[.:])(?:{_WORDS})\s*$|\b(?:{_DUNDERS})\b")
"""In a string they count where it may be code, or names one of them; not as English words."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ANONYMOUS: dict[Any, str] = {
    ast.Lambda: "<lambda>",
    ast.GeneratorExp: "<genexpr>",
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
}


def unsaid(names: Iterable[str], strings: Iterable[str] = ()) -> frozenset[str]:
    """Which names some code may read without saying them.

    Args:
        names: the identifiers in it.
        strings: its constants, which may be code.

    Returns:
        Some of `ANY_NAME` and `ANY_SIGNATURE`.
    """
    mentioned = frozenset(names)
    if not mentioned.isdisjoint(_BOTH) or any(map(_IN_STRING.search, strings)):
        return _COMPUTED
    return frozenset() if mentioned.isdisjoint(_NAMES) else frozenset({ANY_NAME})


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
