"""Whether a module's `__getattr__` refuses to give what has a private name.

Each `from module import name` asks for `__path__`, to learn whether the module is a package, and
pytest asks whatever it meets for `__wrapped__`, `__test__` and more. So such a function runs in
every process, whatever the tests do. Where it does no more then than to compare the name with
others and to raise AttributeError, an edit that leaves it so has no effect on that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .effects import LIBRARY, Effects
from .naming import GETATTR
from .syntax import children, walk


def refusal(tree: ast.Module, effects: Effects) -> str | None:
    """With what a module's `__getattr__` refuses to give what has a private name.

    Args:
        tree: of the module.
        effects: what is known of its names.

    Returns:
        What it raises, as text; None where it may do anything else.
    """
    found = [one for one in _own(tree) if getattr(one, "name", None) == GETATTR]
    if len(found) != 1 or found[0] not in tree.body or not isinstance(found[0], ast.FunctionDef):
        return None
    function = found[0]
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if len(every) != 1 or arguments.vararg or arguments.kwarg or function.decorator_list:
        return None
    name = every[0].arg
    if any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in walk(function)):
        return None  # to call it runs nothing
    *before, last = function.body
    if not all(_passes(one, name) for one in before) or not isinstance(last, ast.Raise):
        return None
    raised = last.exc
    if last.cause is not None or not isinstance(raised, ast.Call) or raised.keywords:
        return None
    error = ast.Name("AttributeError", ast.Load())
    if ast.dump(raised.func) != ast.dump(error) or not effects.harmless_base(error):
        return None
    said = {"__name__", name}
    for one in raised.args:
        for inner in walk(one):
            if isinstance(inner, ast.Name) and inner.id in said:
                continue
            if not isinstance(inner, (ast.JoinedStr, ast.FormattedValue, ast.Constant, ast.Load)):
                return None
    return ast.dump(raised)


def _own(tree: ast.Module) -> Iterator[ast.AST]:
    """The syntax of a module's own statements, without what is in functions and classes."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            todo += children(node)


def _passes(statement: Any, name: str) -> bool:
    """Whether a statement does nothing where the name that is asked for is a private one."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Import):
        return {alias.name.partition(".")[0] for alias in statement.names} <= LIBRARY and not any(
            name in (alias.asname, alias.name.partition(".")[0]) for alias in statement.names
        )
    return (
        isinstance(statement, ast.If)
        and _is_another(statement.test, name)
        and all(_passes(one, name) for one in statement.orelse)
    )


def _is_another(test: Any, name: str) -> bool:
    """Whether an expression is true of some names only, of which none is private."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    if not isinstance(test.left, ast.Name) or test.left.id != name:
        return False
    (other,) = test.comparators
    if isinstance(test.ops[0], ast.Eq):
        names = [other]
    elif isinstance(test.ops[0], ast.In) and isinstance(other, (ast.Tuple, ast.List, ast.Set)):
        names = other.elts
    else:
        return False
    return all(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value[:1] != "_"
        for one in names
    )
