"""What the import of a module does to other modules, and what of theirs it looks at.

Told from what stands outside of functions: a decorator registers a route, a class is derived from
a base that lists its classes, a call configures something. Names are followed to the imports that
bind them, also through other names of the module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from .effects import LIBRARY
from .syntax import children

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHANGING = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)
"""What may give a value that is another one later, without another assignment."""
_FIXED = frozenset(
    "getLogger TypeVar ParamSpec TypeVarTuple NewType namedtuple NamedTuple frozenset tuple str int"
    " float bool bytes len Path PurePath compile timedelta datetime date Decimal Fraction"
    " cast".split()
)
"""Calls that do not."""


class Doings:
    """What one module does when it is imported.

    Args:
        tree: of the module.
        rebinds: a function in it assigns to a variable of the module.

    Attributes:
        keeps: there is something in it that others may alter by calling it.
        alters: the imports of whose objects it sets a part, or hands them to a call that it makes
            for what that does.
        calls: those that it calls, derives a class from or decorates with.
        sees: those that it mentions in any other way.
    """

    def __init__(self, tree: ast.Module, *, rebinds: bool) -> None:
        self.keeps = rebinds
        self._origins: dict[str, set[int]] = {}
        self._imports: list[list[Any]] = []
        self._stars: set[int] = set()
        self._alters: set[int] = set()
        self._calls: set[int] = set()
        self._sees: set[int] = set()
        self._walk(tree)

    def told(self) -> list[Any]:
        """The fields of `devloop.graph.facts.Doings`."""
        calls = self._calls - self._alters
        sees = self._sees - self._alters - calls
        return [
            self.keeps,
            *([self._imports[i] for i in sorted(some)] for some in (self._alters, calls, sees)),
        ]

    def _walk(self, tree: ast.Module) -> None:
        for node in _running(tree):
            kind = type(node)
            if kind is ast.Import or kind is ast.ImportFrom:
                self._bind(node)
            elif kind is ast.Name and isinstance(node.ctx, ast.Load):
                self._sees |= self._of(node.id)
            elif kind is ast.Call:
                self._calls |= self._named(node.func)
            elif kind is ast.Expr and isinstance(node.value, ast.Call):
                self._alters |= self._named(node.value)
            elif kind is ast.Assign or kind is ast.AnnAssign or kind is ast.AugAssign:
                self._assign(node)
            elif kind is ast.Delete:
                for target in node.targets:
                    self._alters |= self._named(getattr(target, "value", None))
            elif kind is ast.ClassDef:
                self._class(node)
            elif isinstance(node, _FUNCTIONS):
                self._decorate(node)

    def _bind(self, node: Any) -> None:
        taken = (
            [
                (alias.asname or alias.name.partition(".")[0], alias.name, 0, [])
                for alias in node.names
            ]
            if isinstance(node, ast.Import)
            else [
                (alias.asname or alias.name, node.module or "", node.level, [alias.name])
                for alias in node.names
            ]
        )
        for name, module, level, names in taken:
            if not level and module.partition(".")[0] in LIBRARY:
                continue
            self._imports.append([module, level, names, False])
            own = self._stars if name == "*" else self._origins.setdefault(name, set())
            own.add(len(self._imports) - 1)

    def _of(self, name: str) -> set[int]:
        return self._origins.get(name, self._stars)

    def _named(self, node: Any) -> set[int]:
        found: set[int] = set()
        for one in _running(node) if node is not None else ():
            if isinstance(one, ast.Name):
                found |= self._of(one.id)
        return found

    def _assign(self, node: Any) -> None:
        value = self._named(node.value)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for one in _running(target):
                if isinstance(one, (ast.Attribute, ast.Subscript)):
                    self._alters |= self._named(one.value)
                elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                    if isinstance(node, ast.AugAssign):
                        self._alters |= self._of(one.id)
                    if value:
                        self._origins.setdefault(one.id, set()).update(value)
        self.keeps = self.keeps or (
            node.value is not None and any(map(_changes, _running(node.value)))
        )

    def _class(self, node: ast.ClassDef) -> None:
        above = [*node.bases, *(keyword.value for keyword in node.keywords)]
        for one in above:
            self._calls |= self._named(one)
        self._decorate(node)
        self.keeps = self.keeps or bool(above)
        if named := set().union(*map(self._named, above)) if above else set():
            self._origins.setdefault(node.name, set()).update(named)

    def _decorate(self, node: Any) -> None:
        for one in node.decorator_list:
            self._calls |= self._named(one.func if isinstance(one, ast.Call) else one)


def _running(node: ast.AST) -> Iterator[Any]:
    """A node and what of it runs at the import, in the order of the source."""
    todo: list[Any] = [node]
    while todo:
        one = todo.pop()
        yield one
        inner: Iterable[Any]
        if isinstance(one, _FUNCTIONS):
            inner = [*one.decorator_list, *one.args.defaults, *filter(None, one.args.kw_defaults)]
        elif isinstance(one, ast.Lambda):
            inner = []
        elif isinstance(one, ast.AnnAssign):
            inner = [one.target, *([one.value] if one.value is not None else [])]
        else:
            inner = children(one)
        todo.extend(reversed([*inner]))


def _changes(node: Any) -> bool:
    if not isinstance(node, ast.Call):
        return isinstance(node, _CHANGING)
    function = node.func
    return getattr(function, "attr", getattr(function, "id", None)) not in _FIXED
