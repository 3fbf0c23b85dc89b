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
    from .places import FILLING, FUNCTIONS, Function, called, filled, functions_of, looks, target
    from .syntax import children, walk
else:  # where tests run, each file stands alone
    _places, _syntax = sys.modules["_devloop_places"], sys.modules["_devloop_syntax"]
    FILLING, FUNCTIONS, Function = _places.FILLING, _places.FUNCTIONS, _places.Function
    called, filled, functions_of = _places.called, _places.filled, _places.functions_of
    looks, target = _places.looks, _places.target
    children, walk = _syntax.children, _syntax.walk

CLOSED = "!"
"""Stands for a variable of a function around: what is kept there only functions within that can
meet, and they run whenever they do."""
_RUNNING = frozenset(
    "property staticmethod classmethod setter getter deleter abstractmethod override final"
    " contextmanager asynccontextmanager".split()
)
_STORES = bytes(opmap[name] for name in ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL"))
_FILLERS = FILLING | {"setattr", "__setattr__"}
_UNCALLED = frozenset({"__get__", "__getattr__", "__missing__"})
"""Methods that run where somebody has looked in vain; who finds something calls nothing."""
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
        suspects: the keys (`naming`) of those of which `may_keep` says so, and of those that
            may call one; None where nobody has asked.

    Returns:
        Entries: the key of a function that looks at a place outside of it on some branch, and
        fills it; where all such places are on objects that variables of it hold, the names of
        these follow, each after a space (``C.f self``). `CLOSED` follows where all of them are
        variables of a function around it. Else anybody may meet what it keeps; so it is with a
        method that is asked for what is not there, and puts it into what it was given, with
        the `__getattr__` of a module that puts it anywhere, with what a `defaultdict` of the
        module, or of a class, calls, and with a `__subclasshook__`.
    """
    functions = list(functions_of(tree))
    asked = [one for one in functions if suspects is None or one.key in suspects]
    filling = _fillings(asked)
    rebound = {name for one in asked for name in one.shared}
    found = _factories(tree, {one.key for one in functions})
    for one in asked:
        holders = _holders(one, filling, rebound)
        if holders == {CLOSED} and all(map(_is_run, one.syntax.decorator_list)):
            found.add(one.key + CLOSED)
        elif holders:
            anybody = not holders.isdisjoint(("", CLOSED))
            found.add(one.key if anybody else " ".join([one.key, *sorted(holders)]))
    return found


def _factories(tree: ast.Module, functions: Collection[str]) -> set[str]:
    """The keys of what is called for what a container of a module, or of a class in it, lacks.

    And of what a class that is abstract asks once for each other class.
    """
    found = set()
    todo: list[tuple[Any, str]] = [(one, "") for one in tree.body]
    while todo:
        node, prefix = todo.pop()
        if isinstance(node, FUNCTIONS):
            if node.name == "__subclasshook__":
                found.add(f"{prefix}{node.name}")
            continue
        if isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        elif isinstance(node, ast.Call) and node.args and called(node)[0] == "defaultdict":
            if isinstance(node.args[0], ast.Lambda):
                found.add(f"{prefix}<lambda>")
            else:
                name = getattr(node.args[0], "id", "")
                found.update({name, prefix + name}.intersection(functions))
        todo += [(one, prefix) for one in children(node)]
    return found


def _fillings(functions: Iterable[Function]) -> dict[str, set[str]]:
    """The places that functions fill for whoever calls them, by their bare names.

    Those are attributes of their first argument, and what no function holds.
    """
    found: dict[str, set[str]] = {}
    for function in functions:
        name = function.syntax.name
        if name == "__init__":
            continue  # what an object gets while it is made is nobody's yet
        first = {one.arg for one in function.syntax.args.args[:1]}
        for node in function.nodes:
            # A context variable is taken back where the block ends that has called the function.
            place, holder = (None, "") if _sets(node) else filled(node, function.shared)
            of_first = holder in first and place is not None and place.startswith(".")
            if place is not None and (holder not in function.own or of_first):
                found.setdefault(name, set()).add(place)
    return found


def _sets(node: Any) -> bool:
    """Whether some syntax sets what may be a context variable."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "set"


def _holders(
    function: Function, filling: dict[str, set[str]], rebound: Collection[str]
) -> set[str]:
    """The variables that hold what a function fills after it has looked.

    By itself, or by another one of the module that it calls: see `_fillings`. `CLOSED` stands for
    those of a function around it, "" for what no function holds. `rebound` are the variables of
    the module that functions bind.
    """
    syntax, own, assigned = function.syntax, function.own, function.assigned
    looked = looks(function)
    fresh = {"sys"}
    if syntax.args.kwarg:
        fresh.add(syntax.args.kwarg.arg)
    if syntax.name == "__init__" and syntax.args.args:
        fresh.add(syntax.args.args[0].arg)
    found = set()
    settled = {id(call) for node in function.nodes for call in _settled(node, function, rebound)}
    for node in function.nodes:
        if id(node) in settled:
            continue
        place, holder = filled(node, function.shared)
        if syntax.name in _UNCALLED and holder in function.arguments:
            found.add("")
        is_made = _is_made(assigned.get(holder, ()))
        if function.key == "__getattr__" and place is not None and not is_made:
            found.add("")  # `globals()[name] = ...`
        # What an object gets while it is made is nobody's yet, nor are keyword arguments;
        # and who redirects a stream puts it back.
        if place in looked and holder not in fresh and not is_made:
            is_closed = holder not in own and _is_closed(node, function.around)
            found.add(holder if holder in own else CLOSED if is_closed else "")
        if isinstance(node, ast.Call):
            name, on = called(node)
            same = {"", *function.same(on)}
            for place in looked.keys() & filling.get(name, set()):
                if not place.startswith("."):
                    if place not in own:
                        found.add("")
                elif on and on not in fresh and not same.isdisjoint(looked[place]):
                    found.add(on if on in own else "")
    return found


def _settled(node: Any, function: Function, rebound: Collection[str]) -> Iterable[ast.Call]:
    """The calls that put into a container what it lacks and the module has.

    Whoever runs the function finds the same in there then: ``if not logger.handlers:
    logger.addHandler(HANDLER)``, and nothing else in that branch.
    """
    if isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse:
        call = getattr(node.body[0], "value", None)
        if isinstance(call, ast.Call) and target(call) is not None and len(call.args) == 1:
            given = getattr(call.args[0], "id", "")
            bound = (rebound, *(one.own for one in (function, *function.around)))
            if given and not any(given in names for names in bound):
                yield call


def _is_closed(node: Any, around: tuple[Function, ...]) -> bool:
    """Whether the place that is filled is a variable of a function around.

    Or one in a container that such a variable holds, and that is given to nobody.
    """
    whole = isinstance(node, ast.Name)
    name = getattr(node if whole else getattr(node, "value", None), "id", "")
    for outer in reversed(around):
        if any(isinstance(one, (ast.Yield, ast.YieldFrom, ast.Await)) for one in outer.nodes):
            return False  # it goes on later, and meets what is kept
        if any(isinstance(one, ast.Global) and name in one.names for one in walk(outer.syntax)):
            return False
        if any(isinstance(one, ast.Nonlocal) and name in one.names for one in outer.nodes):
            continue
        bound = [one for one in outer.nodes if isinstance(one, ast.Name) and one.id == name]
        if not any(isinstance(one.ctx, ast.Store) for one in bound):
            if name in outer.arguments:
                return whole
            continue
        return whole or not (name in outer.arguments or _is_given(outer.syntax, name))
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
