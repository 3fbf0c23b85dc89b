"""Names that a call of `getattr` is given, and that are spelled out all the same.

A method `__getattr__` that hands on the name that it was asked for reads what its asker names: who
does that by a literal says so himself, and who computes it counts as one who does. A private
function whose module alone calls it, with literals, reads just these.
"""

from __future__ import annotations

import ast
from typing import Any

from .reflection import BY, GETATTR
from .syntax import children, walk

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ASKED = frozenset({"__getattr__", "__getattribute__"})


def spoken(tree: ast.Module) -> tuple[set[int], dict[str, set[str]]]:
    """Find such calls.

    Args:
        tree: of the module.

    Returns:
        Which nodes they are, by `id`; and for each private function the names that it reads so,
        with what says that it does as long as no other module mentions it (`BY`).
    """
    calls: set[int] = set()
    literals: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            method: Any
            for method in node.body:
                if _is_asked(method):
                    calls.update(map(id, _reading(method, method.args.args[1].arg)))
        elif isinstance(node, ast.FunctionDef) and _is_private(node.name):
            for at, argument in enumerate(node.args.args):
                found = _reading(node, argument.arg)
                said = _literals(tree, node, at) if found else None
                if said is not None:
                    calls.update(map(id, found))
                    literals.setdefault(node.name, {BY + node.name}).update(said)
    return calls, literals


def _is_asked(node: Any) -> bool:
    """Whether a statement of a class says what an object gives that has no such attribute."""
    return (
        isinstance(node, ast.FunctionDef)
        and node.name in _ASKED
        and not node.decorator_list
        and len(node.args.args) == 2
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _reading(function: ast.FunctionDef, name: str) -> list[ast.Call]:
    """The calls of `getattr` with a parameter that keeps what it was given, as the name."""
    found = []
    todo: list[Any] = [*function.body]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            return []
        if isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            return []
        if name in (getattr(node, "name", None), getattr(node, "rest", None)):
            return []  # an import, a definition, a handler or a pattern binds it anew
        if isinstance(node, ast.alias) and name in (node.asname, node.name.partition(".")[0]):
            return []
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            if any(isinstance(one, ast.Nonlocal) and name in one.names for one in walk(node)):
                return []
            continue
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in GETATTR
            and len(node.args) > 1
            and isinstance(node.args[1], ast.Name)
            and node.args[1].id == name
        ):
            found.append(node)
        todo += children(node)
    return found


def _literals(tree: ast.Module, function: ast.FunctionDef, at: int) -> set[str] | None:
    """What a function is given for a parameter by all who mention it; None where nobody knows."""
    name, arguments = function.name, function.args
    parameter = arguments.args[at].arg
    if (
        function.decorator_list
        or arguments.posonlyargs
        or at >= len(arguments.args) - len(arguments.defaults)
    ):
        return None
    found: set[str] = set()
    called: set[int] = set()
    for node in walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
            called.add(id(node.func))
            given = [word.value for word in node.keywords if word.arg == parameter]
            if not given and len(node.args) > at:
                given = node.args[at : at + 1]
            if any(isinstance(one, ast.Starred) for one in node.args) or len(given) != 1:
                return None
            (one,) = given
            if not isinstance(one, ast.Constant) or not isinstance(one.value, str):
                return None
            found.add(one.value)
        elif node is not function and _says(node, name):
            return None
    names = [one for one in walk(tree) if isinstance(one, ast.Name) and one.id == name]
    return found if all(id(one) in called for one in names) else None


def _says(node: Any, name: str) -> bool:
    """Whether a name is said otherwise than as that of a variable."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and name in node.value
    return name in (getattr(node, word, None) for word in ("attr", "name", "asname"))
