"""Statements of a module that do more than to bind names, and of which it is known what.

``for name in __all__: setattr(locals()[name], "__module__", "pkg")`` says of all that a package
exports that it is its own. ``for one in Codes: setattr(Codes, one.name.lower(), int(one))`` gives
an enumeration more attributes, ``TABLE.update(...)`` fills what the module has made. ``try: from
.extra import main`` with ``except ImportError`` binds one thing or another.
"""

from __future__ import annotations

import ast
from typing import Any

from .effects import DISPLAYS, Effects
from .syntax import walk

_FILLING = frozenset("update append extend add insert setdefault".split())


def exported(statement: ast.For, body: list[Any], effects: Effects) -> set[str] | None:
    """The names of the objects that a loop gives another `__module__`, and does nothing else.

    Args:
        statement: the loop.
        body: all statements of the module.
        effects: what is known of its names.

    Returns:
        None where it may do anything else.
    """
    name = getattr(statement.target, "id", "")
    if not name or statement.orelse or getattr(statement.iter, "id", "") != "__all__":
        return None
    values = _values(body, "__all__")
    if len(values) != 1 or not isinstance(values[0], (ast.List, ast.Tuple)):
        return None
    names = [one.value if isinstance(one, ast.Constant) else None for one in values[0].elts]
    todo = list(statement.body)
    while todo:
        one = todo.pop()
        if isinstance(one, ast.If) and _tells(one.test, name) and not one.orelse:
            todo += one.body
        elif not isinstance(one, ast.Expr) or not _gives_module(one.value, name, body, effects):
            return None
    said = {one for one in names if isinstance(one, str)}
    return said if len(said) == len(names) else None


def filled(statement: Any, body: list[Any], effects: Effects, calls: set[str]) -> str:
    """The name of the container of a module that a statement fills, and does nothing else.

    Args:
        statement: of the module.
        body: all of them.
        effects: what is known of its names.
        calls: as for `Effects.pure`.

    Returns:
        Nothing where it may do anything else.
    """
    if isinstance(statement, ast.Assign):
        place, given = statement.targets[0], [statement.value]
        if len(statement.targets) != 1 or not isinstance(place, ast.Subscript):
            return ""
        holder, given = place.value, [place.slice, *given]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in _FILLING:
            return ""
        holder, given = call.func.value, [*call.args, *(word.value for word in call.keywords)]
    else:
        return ""
    name = holder.id if isinstance(holder, ast.Name) else ""
    values = _values(body, name) if name else []
    made = len(values) == 1 and isinstance(values[0], DISPLAYS)
    return name if made and all(effects.pure(one, calls) for one in given) else ""


def enumerated(statement: ast.For, body: list[Any], effects: Effects) -> str:
    """The enumeration of a module that a loop over it gives more attributes, and nothing else.

    Args:
        statement: the loop.
        body: all statements of the module.
        effects: what is known of its names.

    Returns:
        Its name; nothing where the loop may do anything else.
    """
    name, member = getattr(statement.iter, "id", ""), getattr(statement.target, "id", "")
    classes = [one for one in body if isinstance(one, ast.ClassDef) and one.name == name]
    if not member or statement.orelse or len(classes) != 1:
        return ""
    (made,) = classes
    own = {getattr(one, "name", "") for one in made.body}
    if (
        len(made.bases) != 1
        or not effects.library(made.bases[0], frozenset({"IntEnum"}), frozenset())
        or made.decorator_list
        or made.keywords
        or not own.isdisjoint(("name", "value", "_name_", "_value_", "__int__"))
    ):
        return ""
    for one in statement.body:
        call = one.value if isinstance(one, ast.Expr) else None
        if (
            not isinstance(call, ast.Call)
            or not effects.builtin(call.func, "setattr")
            or call.keywords
            or len(call.args) != 3
            or getattr(call.args[0], "id", "") != name
            or not _is_word(call.args[1], member)
            or not _is_number(call.args[2], member, effects)
        ):
            return ""
    return name


def unseen(statement: ast.For, body: list[Any]) -> set[str]:
    """The variable of a loop, where its module neither uses nor exports it.

    Args:
        statement: the loop.
        body: all statements of the module.
    """
    name = getattr(statement.target, "id", "")
    exports = [one for one in body if isinstance(one, ast.Assign) and _is_exports(one)]
    others = (node for one in body if one is not statement for node in walk(one))
    said = any(
        name in (getattr(node, "id", ""), getattr(node, "value", ""), getattr(node, "name", ""))
        for node in others
    )
    return {name} if exports and not said else set()


def _is_exports(statement: ast.Assign) -> bool:
    return any(getattr(target, "id", "") == "__all__" for target in statement.targets)


def _is_word(node: Any, member: str) -> bool:
    """Whether an expression is the name of a member of an enumeration, in some letters."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        given = node.args or node.keywords
        return node.func.attr in ("lower", "upper", "title") and (
            not given and _is_word(node.func.value, member)
        )
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("name", "_name_")
        and getattr(node.value, "id", "") == member
    )


def _is_number(node: Any, member: str, effects: Effects) -> bool:
    """Whether an expression is a member of an enumeration of integers, or its number."""
    if isinstance(node, ast.Call) and effects.builtin(node.func, "int"):
        return (
            not node.keywords and len(node.args) == 1 and _is_number(node.args[0], member, effects)
        )
    if isinstance(node, ast.Attribute):
        node = node.value if node.attr in ("value", "_value_") else None
    return isinstance(node, ast.Name) and node.id == member


def _values(body: list[Any], name: str) -> list[Any]:
    """What a name is bound to in a module; nothing where that is done otherwise than plainly."""
    values = [
        one.value
        for one in body
        if (
            isinstance(one, ast.Assign)
            and [getattr(target, "id", "") for target in one.targets] == [name]
        )
        or (isinstance(one, ast.AnnAssign) and getattr(one.target, "id", "") == name)
    ]
    said = [
        node
        for one in body
        for node in walk(one)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    ]
    return values if len(said) == len(values) else []


def _tells(test: Any, name: str) -> bool:
    """Whether an expression says how a string begins or ends."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return (
        isinstance(test, ast.Call)
        and isinstance(test.func, ast.Attribute)
        and test.func.attr in ("startswith", "endswith")
        and getattr(test.func.value, "id", "") == name
        and not test.keywords
        and all(isinstance(one, ast.Constant) for one in test.args)
    )


def _gives_module(call: Any, name: str, body: list[Any], effects: Effects) -> bool:
    """Whether an expression is ``setattr(locals()[name], "__module__", "pkg")``."""
    if not isinstance(call, ast.Call) or not effects.builtin(call.func, "setattr"):
        return False
    if call.keywords or len(call.args) != 3:
        return False
    owner, attribute, value = call.args
    if getattr(attribute, "value", "") != "__module__" or not isinstance(value, ast.Constant):
        return False
    if not isinstance(owner, ast.Subscript) or getattr(owner.slice, "id", "") != name:
        return False
    scope = owner.value
    scopes = _values(body, scope.id) if isinstance(scope, ast.Name) else [scope]
    return len(scopes) == 1 and all(
        isinstance(one, ast.Call)
        and effects.builtin(one.func, "locals", "globals")
        and not (one.args or one.keywords)
        for one in scopes
    )


def attempted(statement: ast.Try, effects: Effects) -> list[Any] | None:
    """What stands in the place of imports that may fail.

    Args:
        statement: an attempt to import something.
        effects: what is known of the module's names.

    Returns:
        The statements for the case that it fails; None where it attempts anything else, or minds
        other errors.
    """
    if statement.orelse or statement.finalbody:
        return None
    if not all(
        isinstance(one, (ast.Import, ast.ImportFrom))
        and all(alias.name != "*" for alias in one.names)
        for one in statement.body
    ):
        return None
    if not all(
        effects.builtin(handler.type, "ImportError", "ModuleNotFoundError")
        for handler in statement.handlers
    ):
        return None
    return [one for handler in statement.handlers for one in handler.body]
