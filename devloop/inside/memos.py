"""Functions that keep what they have computed, and compute it but once.

A decorator says so by its name; what is found here has none: ``if key not in _memo: _memo[key] =
…``, ``if self._x is None: self._x = …``, a `try` around the look-up, an early return. A test that
meets the kept value runs nothing of what made it, so the recorder is told of these functions.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable
from dis import opmap
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from .syntax import children, walk
else:  # where tests run, each file stands alone
    children = sys.modules["_devloop_syntax"].children
    walk = sys.modules["_devloop_syntax"].walk

CLOSED = "!"
"""Stands for a variable of a function around: what is kept there only functions within that can
meet, and they run whenever they do."""
_RUNNING = frozenset(
    "property staticmethod classmethod setter getter deleter abstractmethod override final"
    " contextmanager asynccontextmanager".split()
)
_STORES = bytes(opmap[name] for name in ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL"))
_FILLING = frozenset(
    {"add", "addHandler", "append", "appendleft", "extend", "insert", "put", "set", "setdefault",
     "update", "__setitem__"}
)  # fmt: skip
"""The methods that put what they are given into a container, or a context variable."""
_FILLERS = _FILLING | {"setattr", "__setattr__"}
_UNCALLED = frozenset({"__get__", "__getattr__", "__missing__"})
"""Methods that run where somebody has looked in vain; who finds something calls nothing."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MAKING = frozenset({"bytearray", "defaultdict", "deque", "dict", "list", "set", "sorted"})
_MADE = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)


def stores(code: CodeType) -> bool:
    """Whether a function stores something that may outlive it, by itself.

    Args:
        code: its own.
    """
    return bool(code.co_flags & 1) and any(one in _STORES for one in code.co_code[::2])


def may_keep(code: CodeType) -> bool:
    """Whether a function stores something that may outlive it, by itself or by what it calls.

    Args:
        code: its own.
    """
    return not _FILLERS.isdisjoint(code.co_names) or stores(code)


def keeping(tree: ast.Module, suspects: Collection[str] | None) -> set[str]:
    """Find the functions that keep what they have computed.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of those of which `may_keep` says so; None where nobody
            has asked.

    Returns:
        Entries: the key of a function that looks at a place outside of it on some branch, and
        fills it; where all such places are on objects that variables of it hold, the names of
        these follow, each after a space (``C.f self``). `CLOSED` follows where all of them are
        variables of a function around it. Else anybody may meet what it keeps; so it is with a
        method that is asked for what is not there, and puts it into what it was given, and with
        the `__getattr__` of a module that puts it anywhere.
    """
    found = set()
    filling = _fillings(tree, suspects)
    todo: list[tuple[Any, str, tuple[Any, ...]]] = [(one, "", ()) for one in tree.body]
    while todo:
        node, prefix, around = todo.pop()
        if isinstance(node, _FUNCTIONS):
            key = prefix + node.name
            asked = suspects is None or key in suspects
            holders = _holders(node, around, prefix, filling) if asked else set()
            if holders == {CLOSED} and all(map(_is_run, node.decorator_list)):
                found.add(key + CLOSED)
            elif holders:
                anybody = not holders.isdisjoint(("", CLOSED))
                found.add(key if anybody else " ".join([key, *sorted(holders)]))
            prefix, around = f"{key}.<locals>.", (*around, node)
        elif isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if inner.__class__ is list:
                todo += [(one, prefix, around) for one in inner]
    return found


def _fillings(tree: ast.Module, suspects: Collection[str] | None) -> dict[str, set[str]]:
    """The places that functions of a module fill for whoever calls them, by their bare names.

    Those are attributes of their first argument, and what no function holds.
    """
    found: dict[str, set[str]] = {}
    names = None if suspects is None else {key.rpartition(".")[2] for key in suspects}
    for node in walk(tree):
        if not isinstance(node, _FUNCTIONS) or node.name == "__init__":
            continue  # what an object gets while it is made is nobody's yet
        if names is None or node.name in names:
            nodes = list(_own_nodes(node.body))
            shared, own = _variables(node, nodes)
            first = {one.arg for one in node.args.args[:1]}
            # A context variable is taken back where the block ends that has called the function.
            places = [_filled(one, shared) for one in nodes if not _sets(one)]
            found.setdefault(node.name, set()).update(
                place
                for place, holder in places
                if place is not None
                and (holder not in own or (holder in first and place.startswith(".")))
            )
    return {name: places for name, places in found.items() if places}


def _sets(node: Any) -> bool:
    """Whether some syntax sets what may be a context variable."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "set"


def _variables(function: Any, nodes: Iterable[Any]) -> tuple[set[str], set[str]]:
    """The variables of others that a function binds, and those that are its own."""
    shared: set[str] = set()
    own = {one.arg for one in walk(function.args) if isinstance(one, ast.arg)}
    for node in nodes:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            shared.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            own.add(node.name)
    return shared, own - shared


def _holders(
    function: Any, around: tuple[Any, ...], prefix: str, filling: dict[str, set[str]]
) -> set[str]:
    """The variables that hold what a function fills after it has looked.

    By itself, or by another one of the module that it calls: see `_fillings`. `CLOSED` stands for
    those of a function around it, "" for what no function holds.
    """
    of_module = function.name == "__getattr__" and not prefix
    nodes = list(_own_nodes(function.body))
    shared, own = _variables(function, nodes)
    assigned: dict[str, list[ast.AST]] = {}
    asked: list[ast.AST] = []
    for node in nodes:
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
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value:
            if isinstance(node.value, ast.BoolOp):
                asked.append(node.value)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    # What a local variable was given counts where the variable is asked about.
    asked = [inner for one in asked for inner in walk(one)]
    for node in tuple(asked):
        if isinstance(node, ast.Name):
            for value in assigned.get(node.id, ()):
                asked += walk(value)
    looked = {_looked_at(node) for node in asked} - {None}
    arguments = {one.arg for one in walk(function.args) if isinstance(one, ast.arg)}
    fresh = {"sys"}
    if function.args.kwarg:
        fresh.add(function.args.kwarg.arg)
    if function.name == "__init__" and function.args.args:
        fresh.add(function.args.args[0].arg)
    found = set()
    for node in nodes:
        place, holder = _filled(node, shared)
        if function.name in _UNCALLED and holder in arguments:
            found.add("")
        if of_module and place is not None and not _is_made(assigned.get(holder, ())):
            found.add("")  # `globals()[name] = ...`
        # What an object gets while it is made is nobody's yet, nor are keyword arguments;
        # and who redirects a stream puts it back.
        kept = place in looked and holder not in fresh
        if kept and not _is_made(assigned.get(holder, ())):
            is_closed = holder not in own and _is_closed(node, around)
            found.add(holder if holder in own else CLOSED if is_closed else "")
        if filling and isinstance(node, ast.Call):
            called = node.func
            on = getattr(getattr(called, "value", None), "id", "")
            for place in filling.get(getattr(called, "attr", getattr(called, "id", "")), ()):
                of_object = place.startswith(".")
                if place in looked and (on and on not in fresh if of_object else place not in own):
                    found.add(on if of_object and on in own else "")
    return found


def _is_closed(node: Any, around: tuple[Any, ...]) -> bool:
    """Whether the place that is filled is a variable of a function around.

    Or one in a container that such a variable holds, and that is given to nobody.
    """
    whole = isinstance(node, ast.Name)
    name = getattr(node if whole else getattr(node, "value", None), "id", "")
    for outer in reversed(around):
        nodes = list(_own_nodes(outer.body))
        if any(isinstance(one, (ast.Yield, ast.YieldFrom, ast.Await)) for one in nodes):
            return False  # it goes on later, and meets what is kept
        arguments = [one for one in walk(outer.args) if isinstance(one, ast.arg)]
        if any(isinstance(one, ast.Global) and name in one.names for one in walk(outer)):
            return False
        if any(isinstance(one, ast.Nonlocal) and name in one.names for one in nodes):
            continue
        bound = [one for one in nodes if isinstance(one, ast.Name) and one.id == name]
        if not any(isinstance(one.ctx, ast.Store) for one in bound):
            if any(one.arg == name for one in arguments):
                return whole
            continue
        given = any(one.arg == name for one in arguments) or _is_given(outer, name)
        return whole or not given
    return False


def _is_given(function: Any, name: str) -> bool:
    """Whether some code hands on what a variable holds, or gives it what it has from elsewhere."""
    used: set[int] = set()
    for node in walk(function):
        if isinstance(node, (ast.Subscript, ast.Attribute)):
            used.add(id(node.value))
        elif isinstance(node, ast.Compare):
            used.update(map(id, node.comparators))
        elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
            used.add(id(node.test))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(
            node.value, (*_MADE, ast.Call)
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            used.update(map(id, targets))
    return any(
        isinstance(node, ast.Name) and node.id == name and id(node) not in used
        for node in walk(function)
    )


def _only_deletes(attempt: ast.Try) -> bool:
    """Whether an attempt ends with a deletion, and nothing depends on whether that has failed."""
    return (
        isinstance(attempt.body[-1], ast.Delete)
        and not attempt.orelse
        and all(isinstance(one, ast.Pass) for handler in attempt.handlers for one in handler.body)
    )


def _is_run(decorator: Any) -> bool:
    """Whether what a decorator gives runs the function each time that it is used."""
    name = decorator.id if isinstance(decorator, ast.Name) else getattr(decorator, "attr", "")
    return name in _RUNNING


def _is_made(values: Collection[ast.AST]) -> bool:
    """Whether a variable holds what the function itself has made, which is nobody's to keep."""
    return bool(values) and all(
        isinstance(value, _MADE) or getattr(getattr(value, "func", None), "id", "") in _MAKING
        for value in values
    )


def _own_nodes(body: Iterable[ast.AST]) -> Iterable[Any]:
    """All syntax in a function but that of the functions in it."""
    todo = list(body)
    while todo:
        node = todo.pop()
        if not isinstance(node, _FUNCTIONS):
            yield node
            todo += children(node)


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


def _suppresses(item: ast.withitem) -> bool:
    """Whether a ``with`` goes on where its body has looked in vain (`contextlib.suppress`)."""
    function = getattr(item.context_expr, "func", None)
    return getattr(function, "id", getattr(function, "attr", "")) == "suppress"


def _filled(node: Any, shared: Collection[str]) -> tuple[str | None, str]:
    """The place outside of a function that it fills, and the variable from which that is reached.

    The place is None where it fills a variable of its own, or nothing; the variable is "" for a
    place that is reached from none.
    """
    at = _target(node)
    if at is None:
        return None, ""
    if isinstance(at, ast.Call) and getattr(at.func, "id", "") == "vars" and at.args:
        at = ast.Attribute(at.args[0], "__dict__")
    if isinstance(node, ast.Name):
        return (node.id, "") if node.id in shared else (None, "")
    place = at.id if isinstance(at, ast.Name) else f".{getattr(at, 'attr', '')}"
    while isinstance(at, (ast.Attribute, ast.Subscript)):
        at = at.value
    return place, at.id if isinstance(at, ast.Name) else ""


def _target(node: Any) -> Any:
    """What some syntax fills: a variable, an attribute, a container; None where it fills nothing.

    What is in a tuple or the like is looked at by itself.
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
        return function.value if name in _FILLING else None
    # `object.__setattr__(self, "_kept", …)` is what a frozen class does.
    if name in ("setattr", "__setattr__") and len(node.args) > 1 + (name != "setattr"):
        return ast.Attribute(node.args[0], getattr(node.args[1], "value", ""))
    return None
