"""What a module's own code consists of, statement by statement, without function bodies.

A *unit* is one statement of the module, or of a class outside of functions: which names it
binds, a digest, which identifiers it mentions, and whether binding is all that it does. From
these selection tells whom an edit of a constant, a class attribute or a default can reach
(DESIGN §6, *Selection*, "refined by name").
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from .effects import LIBRARY, Effects
from .idioms import attempted, enumerated, exported, filled, unseen
from .reflection import ANY_NAME, ANY_SIGNATURE, GETATTR, unsaid
from .statements import has_type_checking
from .syntax import walk

IDENTIFIER = re.compile(r"[^\W\d]\w*")
LONGEST = 10_000
"""Longer strings are data and name nothing; in characters."""

CHANGED = 1
"""An edit of the unit may have any effect."""
MENTIONED = 2
"""That another value stands behind a name that it mentions may have any effect."""
CLASS = 4
"""It is the header of a class; what its statements do depends on its bases."""
HEADLESS = 8
"""The statement came or went with any effect, though an edit of it has none but what it binds."""

IMPORT = 16
"""It is an import: it reads what it mentions, and does nothing with it."""
OWN = 32
"""An import of the project's own names, under these names."""

CHOICE = 64
"""It is an `if` around statements that only bind: which of them do, is all that it decides."""

ATTEMPT = 128
"""It is an import that may fail, with what stands in its place then: which of the two it is, names
that come and go elsewhere decide."""
EXPORTS = 256
"""It says of the objects behind the names that it mentions in which module they are."""

UNRENAMED = 512
"""It is an import that binds names as they are: another value behind one is none behind another."""

ANY_IMPORT = "any import"
"""Stands among the identifiers of what depends on whether others bind what it imports."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_PROSE = frozenset({"help", "short_help", "epilog"})
"""What arguments are called that are texts for people (argparse, click, typer): a word in one is
no name of anything."""
_OPAQUE_NAMES = frozenset({"__all__", "__path__", "__getattr__", "__dir__"})
_SKIPPED = frozenset({"ctx", "type_comment", "kind"})


class Unit:
    """One statement.

    Attributes:
        scope: the qualified name of the class that it stands in; empty for the module.
        binds: names.
        digest: of what it says.
        mentions: identifiers.
        effect: a union of the flags of this module.
        bases: of a class's header: the last names of the bases that only the project can know.
        wraps: a digest of a function's decorators, its kind, and the docstring that one of them may
            take; of a class's decorators, if any.
        documents: a digest of a function's docstring, and of the decorators that may give it
            another one.
        said: all identifiers in it, in annotations as well.
        calls: what it calls of the project (`Effects.pure`); where one of these may do anything,
            so may this.
        asides: what more it mentions to whoever may do anything.
    """

    __slots__ = (
        "asides", "bases", "binds", "calls", "digest", "documents", "effect", "mentions", "said",
        "scope", "wraps",
    )  # fmt: skip

    def __init__(
        self, scope: str, binds: Iterable[str], said: _Said, effect: int, bases: Iterable[str] = ()
    ) -> None:
        self.scope = scope
        self.binds = sorted(binds)
        self.digest = said.digest()
        self.mentions = said.mentions
        self.said = said.all
        self.effect = effect
        self.bases = sorted(bases)
        self.wraps = ""
        self.documents = ""
        self.calls: list[str] = []
        self.asides: set[str] = set()


class _Said:
    """What some syntax says, without the bodies of functions in it."""

    def __init__(self, nodes: Iterable[Any], extra: str = "") -> None:
        self.mentions: set[str] = set()
        self.stored: set[str] = set()
        self._inner: set[int] = set()
        self._spelled: set[str] = set()
        words = [extra]
        todo = list(nodes)
        todo.reverse()
        while todo:
            node = todo.pop()
            kind = node.__class__
            if isinstance(node, ast.AST):
                self._note(kind, node)
                words.append(kind.__name__)
                skipped = ("body",) if kind in _FUNCTIONS or kind is ast.Lambda else ()
                todo += [
                    getattr(node, name, None)
                    for name in reversed(node._fields)
                    if name not in _SKIPPED and name not in skipped
                ]
            elif kind is list:
                words.append(f"[{len(node)}")
                todo += reversed(node)
            else:
                words.append(repr(node))
        self.mentions |= self._spelled | unsaid(self._spelled)
        self.all = self.mentions
        self._words = words

    def _note(self, kind: type, node: Any) -> None:
        """Note what is bound and mentioned."""
        if kind is ast.Name:
            if node.id == "locals":
                self.mentions.add(ANY_NAME)
            if id(node) not in self._inner:
                (self.stored if isinstance(node.ctx, ast.Store) else self._spelled).add(node.id)
        elif kind is ast.comprehension:
            self._inner.update(map(id, walk(node.target)))  # nobody else sees these
        elif kind is ast.Attribute:
            self._spelled.add(node.attr)
        elif kind is ast.Constant:
            if id(node) in self._inner:
                return
            if isinstance(node.value, str) and len(node.value) <= LONGEST:
                self.mentions.update(IDENTIFIER.findall(node.value), unsaid((), [node.value]))
        elif kind is ast.keyword and node.arg:
            self.mentions.add(node.arg)
            self._spelled.add(node.arg)
            if node.arg in _PROSE:
                self._inner.add(id(node.value))
        elif kind is ast.alias:
            self.mentions.update(node.name.split("."))
            self.stored.add(node.asname or node.name.partition(".")[0])
        elif kind is ast.Call and _reads_computed_name(node):
            self.mentions.update((ANY_NAME, ANY_SIGNATURE))
        elif kind is ast.MatchClass:
            self.mentions.update(node.kwd_attrs)
        elif kind in _FUNCTIONS or kind is ast.ClassDef:
            self.stored.add(node.name)

    def digest(self) -> bytes:
        text = " ".join(self._words).encode("utf-8", "backslashreplace")
        return blake2b(text, digest_size=8).digest()


class Skeleton:
    """The units of a module.

    Args:
        tree: of the module.
        flags: for each function outside of functions, by its qualified name, what its code
            object says of its kind (generator, coroutine); a decorator may look at that.

    Attributes:
        units: in order.
        effects: what is known of the module's names.
    """

    def __init__(self, tree: ast.Module, flags: Mapping[str, str]) -> None:
        self.units: list[Unit] = []
        self.effects = Effects(tree.body)
        self._tree = tree
        self._flags = flags
        self._body("", tree.body, annotated=False)

    def _body(self, scope: str, body: list[Any], *, annotated: bool) -> None:
        """Go through statements.

        Args:
            scope: the qualified name of their class.
            body: they.
            annotated: what stands around them may act on annotations.
        """
        for index, statement in enumerate(body):
            if isinstance(statement, _FUNCTIONS):
                self._function(scope, statement)
            elif isinstance(statement, ast.ClassDef):
                self._class(scope, statement)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                if not index and isinstance(statement.value.value, str):
                    self._add(scope, {"__doc__"}, _Said([], repr(statement.value.value)), 0)
            elif isinstance(statement, ast.Pass):
                continue
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                said = _Said([statement])
                effect = IMPORT if _is_of_library(statement) else IMPORT | CHANGED
                if getattr(statement, "level", 0) and not any(a.asname for a in statement.names):
                    effect |= OWN
                if isinstance(statement, ast.ImportFrom) and all(
                    alias.asname in (None, alias.name) for alias in statement.names
                ):
                    effect |= UNRENAMED
                self._add(scope, said.stored - {"*"}, said, effect)
            elif not scope and self._filled(statement):
                continue
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self._assignment(scope, statement, annotated)
            elif isinstance(statement, ast.If) and not has_type_checking(statement.test):
                self._choice(scope, statement, [statement])
            elif isinstance(statement, ast.Try) and (
                (instead := attempted(statement, self.effects)) is not None
            ):
                self._choice(scope, statement, instead)
            elif isinstance(statement, ast.For) and (
                (names := exported(statement, self._tree.body, self.effects)) is not None
            ):
                said = _Said([statement])
                unit = self._add(scope, said.stored, said, CHANGED | EXPORTS)
                unit.mentions, unit.said = names, unit.said | names
            elif not (
                isinstance(statement, ast.If)
                and not statement.orelse
                and has_type_checking(statement.test)
                and not isinstance(statement.test, ast.UnaryOp)
            ):
                said = _Said([statement])
                self._add(scope, said.stored, said, CHANGED | MENTIONED)

    def _add(
        self, scope: str, binds: Iterable[str], said: _Said, effect: int, bases: Iterable[str] = ()
    ) -> Unit:
        self.units.append(Unit(scope, binds, said, effect, bases))
        return self.units[-1]

    def _filled(self, statement: Any) -> bool:
        """Take up a statement of the module that fills a container, or an enumeration, of it."""
        calls: set[str] = set()
        body, effect = self._tree.body, 0
        if isinstance(statement, ast.For):
            name, effect = enumerated(statement, body, self.effects), CHANGED
        else:
            name = filled(statement, body, self.effects, calls)
        if not name:
            return False
        said = _Said([statement])
        # The attributes of an enumeration are its own; who reads one has it by its name.
        binds = said.stored - unseen(statement, body) if effect else {name}
        unit = self._add("", binds, said, effect)
        unit.calls = sorted(calls)
        if effect:
            unit.mentions = {name}
        return True

    def _choice(self, scope: str, statement: Any, branches: list[Any]) -> None:
        """Take up an `if`, or an attempt to import something, as one unit.

        Args:
            scope: the qualified name of its class.
            statement: it.
            branches: the statements of which some run.
        """
        words: list[str] = []
        attempts = isinstance(statement, ast.Try)
        parts: list[Any] = [*statement.body] if attempts else []
        calls: set[str] = set()
        todo = [*branches]
        known = not scope  # what a class is made of, others may act on
        while todo and known:
            one = todo.pop()
            if isinstance(one, ast.If):
                parts.append(one.test)
                known = self.effects.pure(one.test, calls)
                todo += [*one.body, *one.orelse]
            elif isinstance(one, _FUNCTIONS):
                own, binding = _document(one), [*_defaults(one), *one.decorator_list]
                words.append(f"{self._flags.get(_within(scope, one.name), '')} {own}")
                parts += binding
                known = self._is_harmless(one, calls) and not _is_dunder(one.name)
            elif isinstance(one, (ast.Assign, ast.AnnAssign)):
                parts.append(one.value)
                known = _is_plain(one) and self.effects.pure(one.value, calls)
            elif isinstance(one, (ast.Import, ast.ImportFrom)):
                known = _is_of_library(one)
            else:
                known = isinstance(one, ast.Pass)
        said = _Said([statement], " ".join(words))
        if any(map(_is_dunder, said.stored)):
            known = False
        effect = CHOICE | ATTEMPT | CHANGED if attempts else CHOICE
        unit = self._add(scope, said.stored, said, effect if known else CHANGED | MENTIONED)
        if known:
            unit.asides = said.mentions if calls else set()
            said = _Said(parts)
            unit.mentions, unit.calls = said.mentions, sorted(calls)
            if attempts:
                unit.mentions = unit.mentions | {ANY_IMPORT}
                unit.said = unit.said | {ANY_IMPORT}

    def _assignment(self, scope: str, statement: Any, annotated: bool) -> None:
        said = _Said([statement])
        effect = 0
        calls: set[str] = set()
        if not _is_plain(statement) or not self.effects.pure(statement.value, calls):
            effect = CHANGED | MENTIONED
        elif not said.stored.isdisjoint(_OPAQUE_NAMES) or (
            scope and any(_is_dunder(name) for name in said.stored)
        ):
            effect = CHANGED
        if isinstance(statement, ast.AnnAssign) and not annotated:
            said.mentions = _Said([statement.value]).mentions
        self._add(scope, said.stored, said, effect).calls = sorted(calls)

    def _function(self, scope: str, statement: Any) -> None:
        name, document = _within(scope, statement.name), _document(statement)
        parts = [statement.args, statement.decorator_list, statement.returns]
        parts.append(getattr(statement, "type_params", None))
        said = _Said(parts, f"{statement.name} {self._flags.get(name, '')} {document}")
        calls, asides = set[str](), set[str]()
        known = self._is_harmless(statement, calls)
        effect = 0 if known else CHANGED | MENTIONED
        if known:
            # An annotation says nothing to who only calls the function.
            asides = said.mentions if calls else asides
            said.mentions = _Said([*_defaults(statement), *statement.decorator_list]).mentions
        if _is_dunder(statement.name):
            effect |= HEADLESS
        if not scope and statement.name in _OPAQUE_NAMES:
            effect |= CHANGED
        unit = self._add(scope, {statement.name}, said, effect)
        others = [one for one in statement.decorator_list if not self.effects.keeps_document(one)]
        # What makes something else of a function, as a command, may have taken its docstring.
        taken = f" {document}" if others else ""
        wraps = _Said(statement.decorator_list, self._flags.get(name, "") + taken)
        unit.wraps = wraps.digest().hex()
        unit.documents = _Said(others, document).digest().hex()
        if known:
            unit.calls, unit.asides = sorted(calls), asides

    def _is_harmless(self, function: Any, calls: set[str]) -> bool:
        """Whether to define a function does nothing but bind it."""
        effects = self.effects
        return all(
            effects.harmless_decorator(one, calls) or effects.marks(one)
            for one in function.decorator_list
        ) and all(effects.pure(one, calls) for one in _defaults(function))

    def _class(self, scope: str, statement: Any) -> None:
        effects = self.effects
        parts = [statement.bases, statement.keywords, statement.decorator_list]
        parts.append(getattr(statement, "type_params", None))
        said = _Said(parts, statement.name)
        known = not any(
            word.arg is None or word.arg in ("metaclass",) or not effects.pure(word.value)
            for word in statement.keywords
        ) and all(map(effects.harmless_decorator, statement.decorator_list))
        bases = set()
        for base in statement.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            if effects.harmless_base(inner):
                continue
            if isinstance(inner, (ast.Name, ast.Attribute)):
                bases.add(inner.id if isinstance(inner, ast.Name) else inner.attr)
            else:
                known = False
        effect = CLASS if known else CLASS | CHANGED | MENTIONED
        unit = self._add(scope, {statement.name}, said, effect, bases)
        if statement.decorator_list:
            unit.wraps = _Said(statement.decorator_list).digest().hex()
        inner = _within(scope, statement.name)
        self._body(inner, statement.body, annotated=bool(bases) or bool(effect & CHANGED))


def _within(scope: str, name: str) -> str:
    """The qualified name of what a class, or the module, binds."""
    return f"{scope}.{name}" if scope else name


def _document(function: Any) -> str:
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return repr(first.value.value) if isinstance(first.value.value, str) else ""
    return ""


def _defaults(function: Any) -> list[Any]:
    return [*function.args.defaults, *function.args.kw_defaults]


def _is_plain(assignment: Any) -> bool:
    """Whether all that an assignment does with its value is to bind it to names."""
    given = isinstance(assignment, ast.Assign)
    return all(
        isinstance(one, ast.Name)
        or (
            isinstance(one, (ast.Tuple, ast.List))
            and all(isinstance(inner, ast.Name) for inner in one.elts)
        )
        for one in (assignment.targets if given else [assignment.target])
    )


def _is_of_library(statement: Any) -> bool:
    """Whether all that is imported comes from the standard library, and is named."""
    if isinstance(statement, ast.Import):
        modules = [alias.name for alias in statement.names]
    elif statement.level or any(alias.name == "*" for alias in statement.names):
        return False
    else:
        modules = [statement.module]
    tops = {module.partition(".")[0] for module in modules}
    return tops <= LIBRARY and "__future__" not in tops


def _reads_computed_name(node: ast.Call) -> bool:
    literal = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    return isinstance(node.func, ast.Name) and node.func.id in GETATTR and not literal


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
