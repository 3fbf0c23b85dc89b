"""One pass over a module's statements: it finds the imports, and evens out the layout.

Code that is compiled from the tree afterwards is the same however the source was laid out.
Without that a third of all files that a formatter touches would seem changed: the compiler
keeps a no-op where a line number would be lost otherwise, it copies short exits for each
line, and class bodies hold their first line since 3.13.
"""

from __future__ import annotations

import ast
from typing import Any

BODIES = {
    ast.FunctionDef: ("body",),
    ast.AsyncFunctionDef: ("body",),
    ast.ClassDef: ("body",),
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.With: ("body",),
    ast.AsyncWith: ("body",),
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.ExceptHandler: ("body",),
    ast.Match: ("cases",),
    ast.match_case: ("body",),
}
if hasattr(ast, "TryStar"):
    BODIES[ast.TryStar] = BODIES[ast.Try]
OWN_LINES = 1 << 24
"""Lines from here on are given to statements that share one; sources are shorter."""


class Statements:
    """One pass over all statements, at any depth: it finds the imports and evens out the lines.

    Attributes:
        imports: the fields of `devloop.graph.facts.Import`, one for each.
        functions: for each of these the key (`naming`) of the function in which it stands, or
            nothing.
        renamed: what ``from … import`` takes under another name, by that name.
    """

    def __init__(self) -> None:
        self.imports: list[list[Any]] = []
        self.functions: list[str] = []
        self.renamed: dict[str, str] = {}
        self._own = OWN_LINES

    def walk(self, body: list[Any]) -> None:
        """Go through a module's statements; their positions are changed."""
        todo: list[tuple[list[Any], int, bool, str, str]] = [(body, 0, False, "", "")]
        while todo:
            statements, above, typing, function, prefix = todo.pop()
            for statement in statements:
                kind = type(statement)
                bodies = BODIES.get(kind)
                if bodies is None:
                    line, end = statement.lineno, statement.end_lineno
                    if kind is ast.ImportFrom or kind is ast.Import:
                        self._import(statement, typing)
                        new = len(self.imports) - len(self.functions)
                        self.functions += [function] * new
                    if line == above:
                        self._own += 1
                        _onto_line(self._own, [statement])
                    elif line != end:
                        _onto_line(line, [statement])
                    above = end
                    continue
                line = self._header(statement, kind, bodies)
                under = over = typing
                if kind is ast.If and has_type_checking(statement.test):
                    negated = isinstance(statement.test, ast.UnaryOp)
                    under, over = typing or not negated, typing or negated
                own, below = function, prefix
                if kind is ast.ClassDef:
                    below = f"{prefix}{statement.name}."
                elif kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
                    own = prefix + statement.name
                    below = f"{own}.<locals>."
                for name in bodies:
                    inner = getattr(statement, name)
                    if inner:
                        typed = under if name == "body" else over
                        todo.append((inner, line, typed, own, below))
                above = line

    def _header(self, statement: Any, kind: type[ast.AST], bodies: tuple[str, ...]) -> int:
        """Bring what stands before the first body onto one line, and tell which."""
        start = statement.pattern if kind is ast.match_case else statement
        line: int = start.lineno
        first = getattr(statement, bodies[0])[0]
        below: int = first.pattern.lineno if kind is ast.Match else first.lineno
        if kind is ast.ClassDef:
            if statement.lineno != statement.end_lineno:
                statement.lineno = 1
            _onto_line(1, _fields(statement, bodies))
        elif below - line > 1 or getattr(statement, "decorator_list", None):
            _onto_line(line, _fields(statement, bodies))
        return line

    def _import(self, statement: Any, typing: bool) -> None:
        if isinstance(statement, ast.Import):
            self.imports += [[alias.name, 0, [], typing] for alias in statement.names]
            return
        names = [alias.name for alias in statement.names]
        self.imports.append([statement.module or "", statement.level, names, typing])
        for alias in statement.names:
            if alias.asname:
                self.renamed[alias.asname] = alias.name


def _fields(node: ast.AST, without: tuple[str, ...]) -> list[Any]:
    found: list[Any] = []
    for name, value in node.__dict__.items():
        if name not in without:
            found += value if isinstance(value, list) else [value]
    return found


def _onto_line(line: int, nodes: list[Any]) -> None:
    for column, node in enumerate(nodes):
        if not isinstance(node, ast.AST):
            continue
        values = node.__dict__
        if "lineno" in values:
            node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
            # Each its own: the compiler merges equal lambdas at one place (3.11+).
            node.col_offset = node.end_col_offset = column  # type: ignore[attr-defined]
        for value in values.values():
            if value.__class__ is list:
                nodes += value
            elif isinstance(value, ast.AST):
                nodes.append(value)


def has_type_checking(test: ast.expr) -> bool:
    """Whether a condition is false at run time, or its negation is.

    Args:
        test: of an ``if``.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(not isinstance(v, ast.UnaryOp) and has_type_checking(v) for v in test.values)
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
