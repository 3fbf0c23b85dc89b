"""Functions that do nothing but give a value, or wrap what they are given.

A statement that calls such a function when its module is imported, or is decorated by one, only
binds. Whether the functions called in turn are such ones, selection finds out, which knows all
sources (`devloop.select.calls`).
"""

from __future__ import annotations

import ast
from typing import Any

from .effects import Effects
from .libraries import CALLERS
from .reflection import unsaid
from .syntax import walk

CALL = 1
"""To call it gives a value, and does nothing else."""
DECORATOR = 2
"""So does to decorate with it; what comes of that calls what was decorated."""
FACTORY = 4
"""To call it gives a decorator that is one of these."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_STATEMENTS = (ast.FunctionDef, ast.Assign, ast.AnnAssign, ast.Return, ast.If, ast.Pass)


def tame(body: list[Any], effects: Effects) -> dict[str, tuple[int, list[str]]]:
    """Find these functions.

    Args:
        body: the statements of a module; those of its own level are looked at, and how objects
            of its classes are made.
        effects: what is known of its names.

    Returns:
        For each such function some of the flags, and the functions of the project (as in
        `Effects.pure`) that have to be such ones, too.
    """
    found: dict[str, tuple[int, list[str]]] = {}
    names = [one.name for one in body if isinstance(one, _FUNCTIONS)]
    for node in body:
        if isinstance(node, ast.FunctionDef) and names.count(node.name) == 1 and _may_be(node):
            kinds, calls = _kinds(node, effects)
            if kinds:
                found[node.name] = kinds, sorted(calls)
        elif isinstance(node, ast.ClassDef):
            inits = [one for one in node.body if getattr(one, "name", "") == "__init__"]
            if len(inits) == 1 and isinstance(inits[0], ast.FunctionDef):
                init = _Body(inits[0], effects, frozenset(), fills=True)
                if init.tame and not inits[0].decorator_list:
                    found[f"{node.name}.__init__"] = CALL, sorted(init.calls)
    return found


def _may_be(node: ast.FunctionDef) -> bool:
    """Whether a look at a function's own statements does not rule it out; most are, quickly."""
    return all(
        isinstance(one.value, ast.Constant)
        if isinstance(one, ast.Expr)
        else isinstance(one, _STATEMENTS)
        for one in node.body
    )


def _kinds(node: ast.FunctionDef, effects: Effects) -> tuple[int, set[str]]:
    outer = _Body(node, effects, frozenset())
    if not outer.tame:
        return 0, set()
    kinds = CALL
    calls = set(outer.calls)
    if outer.passes_on():
        kinds |= DECORATOR
    makers = [_Body(one, effects, outer.own) for one in outer.nested.values()]
    if makers and all(one.tame and one.passes_on() for one in makers):
        kinds |= FACTORY
        for one in makers:
            calls |= one.calls
    return kinds, calls


class _Body:
    """The body of one function, as it runs when the function is called.

    Args:
        node: the function.
        effects: what is known of the module's names.
        around: the names that functions around it bind.
        fills: it may set attributes of what it is given first.

    Attributes:
        tame: whether it does nothing but give a value.
        calls: what it calls of the project.
        nested: the functions that it makes.
        own: the names that it and the functions around it bind.
    """

    def __init__(
        self,
        node: ast.FunctionDef,
        effects: Effects,
        around: frozenset[str],
        *,
        fills: bool = False,
    ) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        self._first = every[0].arg if every else ""
        self._filled = self._first if fills else None
        self._effects = effects
        self.calls: set[str] = set()
        self.nested = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
        stored = {
            one.id
            for one in walk(node)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        self.own = around.union(stored, self.nested, (one.arg for one in every))
        names = [one.id for one in walk(node) if isinstance(one, ast.Name)]
        names += [one.attr for one in walk(node) if isinstance(one, ast.Attribute)]
        self.tame = not unsaid(names) and all(map(self._statement, node.body))

    def passes_on(self) -> bool:
        """Whether what it gives calls what it was given first, or has it called."""
        for one in self.nested.values():
            for call in walk(one):
                if not isinstance(call, ast.Call):
                    continue
                called: Any = call.func
                if isinstance(called, ast.Attribute) and called.attr in CALLERS and call.args:
                    called = call.args[0]
                if isinstance(called, ast.Name) and called.id == self._first:
                    return True
        return False

    def _statement(self, node: Any) -> bool:
        if isinstance(node, ast.FunctionDef):
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            return all(map(self._effects.harmless_decorator, node.decorator_list)) and all(
                map(self._gives, defaults)
            )
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return all(map(self._is_target, targets)) and self._gives(node.value)
        if isinstance(node, ast.Return):
            return self._gives(node.value)
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant) or self._fills_bases(node.value)
        if isinstance(node, ast.If):
            return self._gives(node.test) and all(map(self._statement, [*node.body, *node.orelse]))
        return isinstance(node, ast.Pass)

    def _is_target(self, target: Any) -> bool:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            return target.value.id == self._filled
        return isinstance(target, ast.Name)

    def _fills_bases(self, node: Any) -> bool:
        """Whether an expression is `super().__init__(...)`."""
        return (
            self._filled is not None
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "__init__"
            and isinstance(node.func.value, ast.Call)
            and isinstance(node.func.value.func, ast.Name)
            and node.func.value.func.id == "super"
            and not node.func.value.args
            and all(map(self._gives, [*node.args, *(word.value for word in node.keywords)]))
        )

    def _gives(self, expression: Any) -> bool:
        """Whether an expression gives a value, and does nothing else."""
        for node in walk(expression) if expression is not None else ():
            if isinstance(node, ast.Call) and not self._may_be_called(node):
                return False
        return self._effects.pure(self._plain(expression), self.calls)

    def _may_be_called(self, node: ast.Call) -> bool:
        """Whether what a call names is no variable, which may hold any function."""
        top: Any = node.func
        while isinstance(top, ast.Attribute):
            top = top.value
        return not (isinstance(top, ast.Name) and top.id in self.own)

    def _plain(self, expression: Any) -> Any:
        """Put the wrapper in the place of what copies a function's name onto it."""
        if isinstance(expression, ast.Call) and expression.args:
            if self._is_update(expression):
                return expression.args[0]
            if self._effects.library(expression.func, frozenset({"cast"}), frozenset()):
                return self._plain(expression.args[-1])
        return expression

    def _is_update(self, node: ast.Call) -> bool:
        wrapper = node.args[0]
        return (
            self._effects.library(node.func, frozenset({"update_wrapper"}), frozenset())
            and isinstance(wrapper, ast.Name)
            and wrapper.id in self.nested
            and all(isinstance(one, ast.Name) for one in node.args)
            and not node.keywords
        )
