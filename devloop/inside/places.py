"""What the functions of a module look at, and which places outside of them they fill.

A place is a variable of the module or of a function around, by its name, or an attribute, by its
name after a dot, whatever holds it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .syntax import children, walk
else:  # where tests run, each file stands alone
    children = sys.modules["_devloop_syntax"].children
    walk = sys.modules["_devloop_syntax"].walk

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FILLING = frozenset(
    {"add", "addHandler", "append", "appendleft", "extend", "insert", "put", "set", "setdefault",
     "update", "__setitem__"}
)  # fmt: skip
"""The methods that put what they are given into a container, or a context variable."""


class Function:
    """A function of a module; what is found in it is found but once.

    Args:
        syntax: its own.
        key: see `naming`.
        around: the functions around it, outermost first.
    """

    def __init__(self, syntax: Any, key: str, around: tuple[Function, ...]) -> None:
        self.syntax = syntax
        self.key = key
        self.around = around

    @cached_property
    def nodes(self) -> list[Any]:
        """All syntax in it but that of the functions in it."""
        found = []
        todo = list(self.syntax.body)
        while todo:
            node = todo.pop()
            if not isinstance(node, FUNCTIONS):
                found.append(node)
                todo += children(node)
        return found

    @cached_property
    def arguments(self) -> set[str]:
        """The names of its arguments."""
        return {one.arg for one in walk(self.syntax.args) if isinstance(one, ast.arg)}

    @cached_property
    def shared(self) -> set[str]:
        """The variables of others that it binds."""
        binding = (ast.Global, ast.Nonlocal)
        return {name for one in self.nodes if isinstance(one, binding) for name in one.names}

    @cached_property
    def own(self) -> set[str]:
        """The variables that are its own, its arguments among them."""
        found = set(self.arguments)
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                found.add(node.name)
        return found - self.shared

    @cached_property
    def assigned(self) -> dict[str, list[Any]]:
        """What its variables are given."""
        found: dict[str, list[Any]] = {}
        for node in self.nodes:
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
        return found

    def same(self, name: str) -> set[str]:
        """The variables that may hold what one holds, as far as that was given to it by name.

        Args:
            name: of that one, which is among them.
        """
        given = self.assigned.get(name, ())
        return {name, *(value.id for value in given if isinstance(value, ast.Name))}


def functions_of(tree: ast.Module) -> Iterator[Function]:
    """The functions of a module, those in others and in classes too.

    Args:
        tree: of the module.
    """
    todo: list[tuple[Any, str, tuple[Function, ...]]] = [(one, "", ()) for one in tree.body]
    while todo:
        node, prefix, around = todo.pop()
        if isinstance(node, FUNCTIONS):
            function = Function(node, prefix + node.name, around)
            yield function
            prefix, around = f"{function.key}.<locals>.", (*around, function)
        elif isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if inner.__class__ is list:
                todo += [(one, prefix, around) for one in inner]


def looks(function: Function) -> dict[str, set[str]]:
    """The places that a function looks at before it decides something.

    Args:
        function: which.

    Returns:
        For each the variables from which it is reached; "" stands for some that is not known.
    """
    asked: list[ast.AST] = []
    for node in function.nodes:
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            asked.append(node.test)
        elif isinstance(node, ast.Match):
            asked.append(node.subject)
        elif isinstance(node, (ast.Return, ast.Expr)) and isinstance(node.value, ast.BoolOp):
            asked.append(node.value)  # `return _kept or _make()`
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            # Whatever is there first may be what was kept.
            asked += [node.iter] if any(isinstance(n, ast.Return) for n in walk(node)) else []
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            asked += node.body if any(map(_suppresses, node.items)) else []
        elif isinstance(node, ast.Try):
            # After an attempt to delete something it is gone, and was there or not.
            tried = node.body[:-1] if _only_deletes(node) else node.body
            asked += tried if node.handlers else []
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and isinstance(
            node.value, ast.BoolOp
        ):
            asked.append(node.value)
    asked = [inner for one in asked for inner in walk(one)]
    # What a local variable was given counts where the variable is asked about.
    for node in tuple(asked):
        if isinstance(node, ast.Name):
            for value in function.assigned.get(node.id, ()):
                asked += walk(value)
    found: dict[str, set[str]] = {}
    for node in asked:
        place = _looked_at(node)
        if place is not None:
            found.setdefault(place, set()).update(function.same(_root(node)))
    return found


def called(call: ast.Call) -> tuple[str, str]:
    """What is called.

    Args:
        call: how.

    Returns:
        Its name, and the variable whose method it is; each is "" where there is none.
    """
    function = call.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name, getattr(getattr(function, "value", None), "id", "")


def filled(node: Any, shared: Collection[str]) -> tuple[str | None, str]:
    """The place outside of a function that some syntax in it fills.

    Args:
        node: the syntax.
        shared: the variables of others that the function binds.

    Returns:
        The place, None where it fills a variable of its own, or nothing; and the variable from
        which that is reached, "" where it is reached from none.
    """
    at = target(node)
    if at is None:
        return None, ""
    if isinstance(at, ast.Call) and getattr(at.func, "id", "") == "vars" and at.args:
        at = ast.Attribute(at.args[0], "__dict__")
    if isinstance(node, ast.Name):
        return (node.id, "") if node.id in shared else (None, "")
    place = at.id if isinstance(at, ast.Name) else f".{getattr(at, 'attr', '')}"
    return place, _root(at)


def target(node: Any) -> Any:
    """What some syntax fills.

    Args:
        node: the syntax; what is in a tuple or the like is looked at by itself.

    Returns:
        A variable, an attribute or a container; None where it fills nothing.
    """
    if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
        if isinstance(node, ast.Subscript):
            return node.value
        return node if isinstance(node, (ast.Name, ast.Attribute)) else None
    if not isinstance(node, ast.Call) or not (node.args or node.keywords):
        return None
    function = node.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    if isinstance(function, ast.Attribute) and name != "__setattr__":
        return function.value if name in FILLING else None
    # `object.__setattr__(self, "_kept", …)` is what a frozen class does.
    if name in ("setattr", "__setattr__") and len(node.args) > 1 + (name != "setattr"):
        return ast.Attribute(node.args[0], getattr(node.args[1], "value", ""))
    return None


def _looked_at(node: Any) -> str | None:
    """The place that an expression reads."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "vars":
        return ".__dict__"
    # The name may be a literal: `hasattr(self, "_kept")`.
    text = getattr(node, "value", None)
    return f".{text}" if isinstance(text, str) else None


def _root(node: Any) -> str:
    """The variable from which an expression reaches what it reads; "" where that is not known."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _only_deletes(attempt: ast.Try) -> bool:
    """Whether an attempt ends with a deletion, and nothing depends on whether that has failed."""
    return (
        isinstance(attempt.body[-1], ast.Delete)
        and not attempt.orelse
        and all(isinstance(one, ast.Pass) for handler in attempt.handlers for one in handler.body)
    )


def _suppresses(item: ast.withitem) -> bool:
    """Whether a ``with`` goes on where its body has looked in vain (`contextlib.suppress`)."""
    function = getattr(item.context_expr, "func", None)
    return getattr(function, "id", getattr(function, "attr", "")) == "suppress"
