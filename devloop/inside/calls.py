"""What a module imports by calls, and the modules that its well-known variables name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .statements import BODIES
from .syntax import walk

IMPORTERS = frozenset({"import_module", "__import__", "importorskip", "run_module", "find_spec"})
"""Functions that import the module whose name is their first argument, or look for it."""

LITERAL = (ast.List, ast.Tuple, ast.Set, ast.Starred, ast.BinOp, ast.Add, ast.Load)


class Calls:
    """The calls of `IMPORTERS`.

    Attributes:
        named: module and level (how many dots stand before it), where the name is a literal.
        dynamic: where it is not: the package that the name's literal beginning gives, with
            its leading dots; empty where there is none.
    """

    def __init__(self) -> None:
        self.named: set[tuple[str, int]] = set()
        self.dynamic: set[str] = set()

    def walk(self, tree: ast.Module, renamed: dict[str, str]) -> None:
        """Go through the whole tree.

        Args:
            tree: of the module.
            renamed: what the module imports under another name, by that name.
        """
        functions = IMPORTERS | {new for new, old in renamed.items() if old in IMPORTERS}
        called: set[ast.expr] = set()
        for node in walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in functions:
                called.add(node.func)
                self._call(node)
            elif (
                isinstance(node, (ast.Name, ast.Attribute))
                and isinstance(node.ctx, ast.Load)
                and _name(node) in functions
                and node not in called  # `walk` meets a call before its function
            ):
                self.dynamic.add("")  # it is passed on, and called elsewhere

    def _call(self, node: ast.Call) -> None:
        arguments: dict[str | int, ast.expr] = dict(enumerate(node.args))
        arguments |= {word.arg: word.value for word in node.keywords if word.arg}
        name = arguments.get(0) or arguments.get("name") or arguments.get("modname")
        if _name(node.func) == "__import__":
            level = arguments.get(4) or arguments.get("level")
            start, whole = _beginning(name)
            if isinstance(level, ast.Constant) and isinstance(level.value, int):
                start = "." * level.value + start
            elif level is not None:
                whole, start = False, ""
        else:
            start, whole = _beginning(name)
            if start.startswith("."):
                start, whole = _anchored(start, whole, arguments.get(1) or arguments.get("package"))
        bare = start.lstrip(".")
        if whole:
            self.named.add((bare, len(start) - len(bare)))
            if _name(node.func) == "run_module":
                self.named.add((bare + ".__main__", 0))
        else:
            dots = start[: len(start) - len(bare)]
            self.dynamic.add(dots + bare.rpartition(".")[0])


def assigned(tree: ast.Module, ending: str) -> tuple[set[str], bool]:
    """The strings that the module's top level puts into variables, by assignment or a method.

    Args:
        tree: of the module.
        ending: of the variables' names.

    Returns:
        The strings; and whether nothing but literals is put there.
    """
    strings: set[str] = set()
    complete = True
    for node in _top_level(tree):
        values: list[ast.expr] = []
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(_name(target).endswith(ending) for target in targets):
                values = [node.value]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Attribute) and _name(function.value).endswith(ending):
                values = node.value.args
        for part in (part for value in values for part in walk(value)):
            if isinstance(part, ast.Constant):
                if isinstance(part.value, str):
                    strings.add(part.value)
            elif not isinstance(part, LITERAL):
                complete = False
    return strings, complete


def exported_unbound(tree: ast.Module) -> set[str]:
    """The names in ``__all__`` that the module's top level does not bind.

    A star import imports them as submodules (language reference, *The import statement*).
    """
    bound: set[str] = set()
    for node in _top_level(tree):
        targets: list[ast.expr] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.For)):
            targets = [node.target]
        elif isinstance(node, ast.With):
            targets = [item.optional_vars for item in node.items if item.optional_vars]
        for part in (part for target in targets for part in walk(target)):
            if isinstance(part, ast.Name):
                bound.add(part.id)
    return {name for name in assigned(tree, "__all__")[0] - bound if name.isidentifier()}


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when the module does, functions and classes not entered."""
    todo: list[Any] = [tree.body]
    while todo:
        for node in todo.pop():
            if isinstance(node, ast.stmt):
                yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                todo += [getattr(node, name) for name in BODIES.get(type(node), ())]


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _beginning(node: ast.expr | None) -> tuple[str, bool]:
    """The literal beginning of a string, and whether that is all of it.

    The module's own name counts as nothing before a dot: ``__name__ + ".x"`` is ``.x``.
    """
    parts: list[ast.expr] = [node] if node is not None else []
    text, own = "", False
    whole = bool(parts)
    while parts and whole:
        part = parts.pop()
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            text += part.value
        elif isinstance(part, ast.JoinedStr):
            parts += reversed(part.values)
        elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            parts += [part.right, part.left]
        elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod):
            text, whole = text + _beginning(part.left)[0].partition("%")[0], False
        elif isinstance(part, ast.Call) and _name(part.func) == "format":
            template = part.func.value if isinstance(part.func, ast.Attribute) else None
            text, whole = text + _beginning(template)[0].partition("{")[0], False
        elif not text and not own and _is_own(part):
            own = True
        else:
            whole = False
    if not own:
        return text, whole and bool(text)
    if not text:
        return (".", True) if whole else ("", False)
    return ("." + text.lstrip("."), whole) if text.startswith(".") else ("", False)


def _is_own(node: ast.expr) -> bool:
    if isinstance(node, ast.FormattedValue):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("__name__", "__package__")


def _anchored(start: str, whole: bool, package: ast.expr | None) -> tuple[str, bool]:
    """A relative name, given from which package on."""
    if package is None or _is_own(package):
        return start, whole
    anchor, known = _beginning(package)
    bare = start.lstrip(".")
    parts = anchor.split(".")
    kept = parts[: len(parts) - (len(start) - len(bare)) + 1]
    if not known or not kept or not kept[0]:
        return "", False
    return ".".join([*kept, bare]), whole
