"""Code that reads names which no source spells out."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from .syntax import walk

GETATTR = frozenset({"getattr", "hasattr"})
ANY_NAME = "any name"
"""Stands among the identifiers of what may read the value behind a name without saying it."""
OWN_NAME = "any name of its module"
"""Stands among those of what may so read the names of its own module."""
ANY_SIGNATURE = "any signature"
"""Stands among those of what may read how any function is defined, without saying its name."""
BY = "any name by "
"""Before the name of a function of the module: that may read any name, as `ANY_NAME` says, unless
no other module mentions the function."""
_COMPUTED = frozenset({ANY_NAME, ANY_SIGNATURE})

_NAMES = frozenset("__subclasses__ __reduce__ __reduce_ex__".split())
_BOTH = frozenset(
    "attrgetter methodcaller getmembers getmembers_static __getattribute__ get_type_hints"
    " __annotations__ get_annotations getfullargspec __defaults__ __kwdefaults__ __code__ __dir__"
    " WRAPPER_ASSIGNMENTS autospec create_autospec".split()
)
_PLAIN_NAMES = frozenset("vars globals fields asdict astuple __dict__".split())
_PLAIN_BOTH = frozenset("dir eval exec signature".split())
PLAIN = _PLAIN_NAMES | _PLAIN_BOTH
"""Words that many objects have as attributes, too; a function of a module is meant, or the names
of a class or a module."""
_OBJECTS = frozenset({("threading", "local"), ("types", "SimpleNamespace")})
"""Where the classes come from whose objects hold but what was set on them."""
_BUILTIN = GETATTR | frozenset("vars dir globals eval exec".split())
_ALL = _NAMES | _BOTH | PLAIN | GETATTR
_WORDS = "|".join(sorted(word for word in _ALL if word[0] != "_"))
_DUNDERS = "|".join(sorted(word for word in _ALL if word[0] == "_"))
_IN_STRING = re.compile(rf"\b(?:{_WORDS})\s*\(|(?:^|[.:])(?:{_WORDS})\s*$|\b(?:{_DUNDERS})\b")
"""In a string they count where it may be code, or names one of them; not as English words."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ANONYMOUS: dict[Any, str] = {
    ast.Lambda: "<lambda>",
    ast.GeneratorExp: "<genexpr>",
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
}


def unsaid(
    names: Iterable[str], strings: Iterable[str] = (), *, plain: bool = True
) -> frozenset[str]:
    """Which names some code may read without saying them.

    Args:
        names: the identifiers in it.
        strings: its constants, which may be code.
        plain: `PLAIN` words count, whatever they are of.

    Returns:
        Some of `ANY_NAME` and `ANY_SIGNATURE`.
    """
    mentioned = frozenset(names)
    both = _BOTH | _PLAIN_BOTH if plain else _BOTH
    if not mentioned.isdisjoint(both) or any(map(_IN_STRING.search, strings)):
        return _COMPUTED
    some = _NAMES | _PLAIN_NAMES if plain else _NAMES
    return frozenset() if mentioned.isdisjoint(some) else frozenset({ANY_NAME})


def renamed(tree: ast.Module) -> set[str]:
    """The names under which a module imports what may read names unsaid."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            words = {alias.asname for alias in node.names if alias.name in _ALL}
            found.update(word for word in words if word)
    return found


class Modules:
    """What the names of a source have to do with modules.

    Args:
        tree: of the source.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.imported = {"builtins", "__builtins__"}
        """Names that an import binds anywhere in it."""
        self.renamed: dict[str, str] = {}
        """What was imported by another name, by that name."""
        stored: list[str] = []
        metaclass = False
        node: Any
        for node in walk(tree):
            kind = node.__class__
            if kind is ast.Name:
                if node.ctx.__class__ is ast.Store:
                    stored.append(node.id)
            elif kind is ast.Import or kind is ast.ImportFrom:
                for alias in node.names:
                    self.imported.add(alias.asname or alias.name.partition(".")[0])
                    if alias.asname:
                        self.renamed[alias.asname] = alias.name
            elif kind is ast.ClassDef:
                metaclass = metaclass or any(map(_is_of_classes, node.bases))
        self._objects = _objects(tree, stored)
        if not metaclass:
            self._objects.add("self")

    def meant(self, node: Any, words: Collection[str]) -> str:
        """The word that a name or an attribute stands for, if it is no object's attribute.

        Args:
            node: the expression.
            words: what is looked for.
        """
        if isinstance(node, ast.Name):
            word = self.renamed.get(node.id, node.id)
            if word not in words:
                return ""
            known = word in _BUILTIN or "*" in self.imported or node.id in self.imported
            return word if known else ""
        if not isinstance(node, ast.Attribute) or node.attr not in words:
            return ""
        if node.attr == "__dict__":
            return "" if getattr(node.value, "id", "") in self._objects else "__dict__"
        top: Any = node.value
        while isinstance(top, ast.Attribute) and top.attr not in self.imported:
            top = top.value
        name = top.attr if isinstance(top, ast.Attribute) else getattr(top, "id", "")
        return node.attr if name in self.imported else ""


def meaning(tree: ast.Module, suspects: Collection[str], words: Collection[str]) -> set[str]:
    """Find the functions that mean a module's function by some words.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of the functions that have one of the words.
        words: the words.

    Returns:
        Those among them that do.
    """
    modules = Modules(tree)
    return {key for key, node in _inner(tree, suspects) if modules.meant(node, words)}


def by_computed_names(
    tree: ast.Module, suspects: Collection[str], spoken: Collection[int] = ()
) -> dict[str, set[str]]:
    """Find what functions may read without saying it, by what they call.

    Args:
        tree: of the module.
        suspects: the keys (`naming`) of the functions that name `getattr`, or a `PLAIN` word,
            or what may have been renamed so.
        spoken: calls of `getattr` with names that are said elsewhere (`spoken`), by `id`.

    Returns:
        For those among them that call `getattr` with a name that is not a literal, or pass it
        on, or mean a function by one of the words: some of `ANY_NAME`, `OWN_NAME` and
        `ANY_SIGNATURE`.
    """
    modules = Modules(tree)
    found: dict[str, set[str]] = {}
    spelling: set[str] = set()
    for key, node in _inner(tree, suspects, spoken):
        if modules.meant(node, GETATTR):
            # Who wants a signature so says the name of it elsewhere, or makes it of parts here.
            found.setdefault(key, set()).add(ANY_NAME)
        elif word := modules.meant(node, _ALL):
            found.setdefault(key, set()).update(unsaid((word,)))
        elif node.__class__ is ast.Call and _is_of_scope(node) == "globals":
            found.setdefault(key, set()).add(OWN_NAME)
        elif node.__class__ is ast.Constant and _is_part_of_dunder(node.value):
            spelling.add(key)
    for key in spelling:
        if ANY_NAME in found.get(key, ()):
            found[key].add(ANY_SIGNATURE)
    return found


def _is_part_of_dunder(value: object) -> bool:
    """Whether a constant may become a name such as `__defaults__` when something is added."""
    if not isinstance(value, str) or not (value.startswith("_") or value.endswith("_")):
        return False
    if not value.strip("_"):
        return True
    whole = value.startswith("__") and value.endswith("__") and value.isidentifier()
    return "__" in value and not whole


def _inner(
    tree: ast.Module, suspects: Collection[str], spoken: Collection[int] = ()
) -> Iterator[tuple[str, Any]]:
    """Go through what some functions consist of.

    Args:
        tree: of the module.
        suspects: the keys of the functions.
        spoken: calls that count as such with a literal, by `id`.

    Yields:
        Each node with the key of its function; what a call of `getattr` with a literal calls is
        left out, and so is what one of `globals` or `vars` without arguments does.
    """
    keys = frozenset(suspects)
    within = {key[: at + 1] for key in keys for at, sign in enumerate(key) if sign == "."}
    # For each node that waits: the key of its function, and what the name of an inner one
    # begins with.
    todo: list[tuple[Any, str, str]] = [(one, "", "") for one in tree.body]
    while todo:
        node, key, prefix = todo.pop()
        kind = node.__class__
        if key in keys:
            yield key, node
        if kind in _FUNCTIONS:
            own = prefix + node.name
            outside = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
            todo += [(one, key, prefix) for one in outside if one is not None]
            if own in keys or f"{own}." in within:
                todo += [(one, own, f"{own}.<locals>.") for one in node.body]
            continue
        if kind is ast.ClassDef:
            prefix += f"{node.name}."
            if not key and prefix not in within:
                continue
        elif kind in _ANONYMOUS and not key:
            key = prefix + _ANONYMOUS[kind]
        elif kind is ast.Call and (id(node) in spoken or _says_the_name(node)):
            todo += [(one, key, prefix) for one in node.args]
            continue
        elif kind is ast.Call and _is_of_scope(node):
            continue
        for value in node.__dict__.values():
            if value.__class__ is list:
                todo += [(one, key, prefix) for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                todo.append((value, key, prefix))


def _says_the_name(node: Any) -> bool:
    """Whether a call is one of `getattr` with a literal."""
    named = node.func.__class__ is ast.Name and node.func.id in GETATTR
    return named and len(node.args) > 1 and node.args[1].__class__ is ast.Constant


def _is_of_scope(node: Any) -> str:
    """What a call without arguments names that gives the names of a module or a function."""
    name = node.func.id if node.func.__class__ is ast.Name else ""
    return name if name in ("globals", "vars") and not node.args and not node.keywords else ""


def _objects(tree: ast.Module, stored: list[str]) -> set[str]:
    """The names that a module binds once, to an object that holds but what was set on it."""
    named = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module, alias.name) in _OBJECTS
    }
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
        and stored.count(target.id) == 1
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id in named
    }


def _is_of_classes(base: Any) -> bool:
    """Whether a class with such a base may be one of classes, to which `self` is a class."""
    name = getattr(base, "id", getattr(base, "attr", "type"))
    return name == "type" or name.endswith(("Meta", "Type", "Metaclass"))
