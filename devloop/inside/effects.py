"""Which expressions do nothing but give a value when a module is imported.

Only such a statement may be followed by name (`skeleton`): what it binds is all that it does.
Anything that is not known to be so counts as having any effect.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from typing import Any

from . import libraries
from .syntax import children, walk

LIBRARY: frozenset[str] = sys.stdlib_module_names | {"typing_extensions"}

_BUILTINS = frozenset(
    "bool bytearray bytes callable chr classmethod complex dict divmod enumerate float format"
    " frozenset getattr hasattr hash hex int isinstance issubclass len list max memoryview min"
    " object oct ord pow property range repr reversed round set slice sorted staticmethod str sum"
    " super tuple type zip".split()
)
_NONE: frozenset[str] = frozenset()
_SCOPES = frozenset({"locals", "globals"})
"""Builtins that give the names of the module where they are called without arguments."""
_CALLABLES = frozenset(
    "compile getLogger local Lock RLock ContextVar TypeVar ParamSpec TypeVarTuple NewType cast"
    " namedtuple NamedTuple TypedDict Decimal Fraction Path PurePath PurePosixPath timedelta"
    " datetime date time timezone partial attrgetter itemgetter methodcaller MappingProxyType"
    " SimpleNamespace defaultdict OrderedDict Counter deque ChainMap count field auto dedent"
    " isasyncgenfunction isclass iscoroutinefunction isfunction isgeneratorfunction ismethod"
    " escape join getattr Struct UUID WeakKeyDictionary WeakValueDictionary WeakSet".split()
)
"""Of the standard library: they make a value of their arguments."""
_METHODS = frozenset(
    "join split rsplit splitlines strip lstrip rstrip lower upper title format replace encode"
    " decode union intersection difference items keys values copy get".split()
)
_DECORATORS = frozenset(
    "property staticmethod classmethod abstractmethod overload final override dataclass"
    " contextmanager asynccontextmanager wraps lru_cache cache cached_property total_ordering"
    " singledispatch unique no_type_check runtime_checkable setter getter deleter"
    " dataclass_transform".split()
)
_DOCUMENTED = frozenset(
    "property staticmethod classmethod abstractmethod final override contextmanager"
    " asynccontextmanager lru_cache cache cached_property".split()
)
"""Those of them that hand on the docstring of what they are given."""
_BASES = frozenset(
    "object NamedTuple TypedDict Protocol Generic Enum IntEnum StrEnum Flag IntFlag ABC"
    " UserDict UserList UserString OrderedDict defaultdict Counter deque Mapping"
    " MutableMapping Sequence MutableSequence Set MutableSet Iterable Iterator Generator"
    " Callable Hashable Sized Container Collection Awaitable Coroutine AsyncIterator"
    " AsyncIterable AsyncGenerator local Thread JSONEncoder JSONDecoder JSONProvider"
    " IOBase RawIOBase BufferedIOBase TextIOBase TextIOWrapper BytesIO StringIO Formatter"
    " Handler StreamHandler Filter LoggerAdapter Action ArgumentParser HTMLParser"
    " SimpleCookie Morsel Path PurePath AbstractContextManager AbstractAsyncContextManager"
    " ContextDecorator ExitStack AsyncExitStack SimpleNamespace partial".split()
)
"""Of the standard library: to be derived from them has no effect elsewhere."""

_VALUES = (
    ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Subscript,
    ast.Slice, ast.Starred, ast.Attribute, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp, ast.comprehension, ast.keyword, ast.operator, ast.unaryop, ast.boolop,
    ast.cmpop, ast.expr_context, ast.arguments, ast.arg,
)  # fmt: skip


_LITERALS = (
    ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.BinOp, ast.UnaryOp, ast.operator,
    ast.unaryop, ast.expr_context,
)  # fmt: skip
_MARKS = frozenset("parametrize usefixtures skip filterwarnings anyio asyncio".split())
"""Of pytest, and of two plugins that run coroutines. Who reads another mark may make any tests;
and a test that a condition skips has run nothing that could tell of it."""


DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
"""Containers that are spelled out."""


class Effects:
    """What is known of the names that a module uses.

    Args:
        body: the module's statements; what they bind decides whether a name is a builtin, or
            comes from the standard library.
    """

    def __init__(self, body: list[Any]) -> None:
        self._from: dict[str, str | None] = {}
        """For each name that the module binds what it imports under it, a dot before what comes
        from the project; None where it is made otherwise."""
        self._made: dict[str, str] = {}
        """For each name that is bound to what a class of another distribution makes that class."""
        self._displays: set[str] = set()
        """The names that are bound once, to a list, a dictionary or a set that is spelled out."""
        for statement in body:
            self._note(statement)

    def _note(self, statement: Any) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self._bind(alias.asname or alias.name.partition(".")[0], alias.name)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                origin = f"{'' if statement.level else statement.module}.{alias.name}"
                self._bind(alias.asname or alias.name, origin)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind(statement.name, f".{statement.name}")
        elif isinstance(statement, (ast.If, ast.Try)):
            inner = [*statement.body, *statement.orelse]
            if isinstance(statement, ast.Try):
                inner += [one for handler in statement.handlers for one in handler.body]
            for one in inner:
                self._note(one)
        elif isinstance(statement, ast.Assign):
            self._note_made(statement)
            self._bind_all(statement.targets, statement.value)
        elif isinstance(statement, ast.AnnAssign):
            self._bind_all([statement.target], statement.value)
        elif not isinstance(statement, ast.Expr):
            self._bind_targets([statement])

    def _note_made(self, statement: ast.Assign) -> None:
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            origin = self._from.get(value.func.id) if isinstance(value.func, ast.Name) else None
            if origin and target.id not in self._from and len(statement.targets) == 1:
                self._made[target.id] = origin

    def _bind_all(self, targets: list[Any], value: Any) -> None:
        (name, *others) = [getattr(one, "id", "") for one in targets]
        new = name not in self._from
        self._bind_targets(targets)
        if new and not others and isinstance(value, DISPLAYS):
            self._displays.add(name)

    def _bind_targets(self, nodes: list[Any]) -> None:
        for node in nodes:
            if isinstance(node, ast.Name):
                self._bind(node.id, None)
            else:
                for inner in walk(node):
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                        self._bind(inner.id, None)

    def _bind(self, name: str, origin: str | None) -> None:
        if name in self._from:
            self._made.pop(name, None)
            self._displays.discard(name)
            if self._from[name] != origin:
                origin = None  # it has two meanings
        self._from[name] = origin

    def library(self, function: Any, names: frozenset[str], plain: frozenset[str]) -> bool:
        """Whether an expression is one of some well-known names.

        Args:
            function: the expression.
            names: as the standard library has them.
            plain: builtins.
        """
        if isinstance(function, ast.Subscript):
            function = function.value
        if isinstance(function, ast.Name):
            if function.id not in self._from:
                return function.id in plain
            origin = self._from[function.id]
            return origin is not None and self._is_library(origin, names)
        if isinstance(function, ast.Attribute):
            top: Any = function
            while isinstance(top, ast.Attribute):
                top = top.value
            origin = self._from.get(top.id) if isinstance(top, ast.Name) else None
            return (
                function.attr in names
                and origin is not None
                and origin.partition(".")[0] in LIBRARY
            )
        return False

    def _is_library(self, origin: str, names: frozenset[str]) -> bool:
        return origin.partition(".")[0] in LIBRARY and origin.rpartition(".")[2] in names

    def builtin(self, function: Any, *names: str) -> bool:
        """Whether an expression is one of some builtins.

        Args:
            function: the expression.
            *names: of the builtins.
        """
        return isinstance(function, ast.Name) and self.library(function, _NONE, frozenset(names))

    def other(self, function: Any, known: Mapping[str, frozenset[str]]) -> bool:
        """Whether an expression is a well-known name of another distribution.

        Args:
            function: the expression.
            known: names by the top-level package.
        """
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        while isinstance(function, ast.Attribute):
            function = function.value
        origin = self._from.get(function.id) if isinstance(function, ast.Name) else None
        if not origin:
            return False
        top, _, rest = origin.partition(".")
        if isinstance(function, ast.Name) and function.id == name:
            name = rest.rpartition(".")[2]
        return name in known.get(top, ())

    def pure(self, expression: Any, calls: set[str] | None = None) -> bool:
        """Whether to evaluate an expression does nothing but give a value.

        Args:
            expression: of a module's or a class's own code.
            calls: takes up the names of functions and classes of the project that are called,
                of which others know more; None lets them count as having any effect.
        """
        todo = [expression]
        while todo:
            node = todo.pop()
            if node is None or isinstance(node, (str, int)):
                continue
            if isinstance(node, ast.Call):
                if not self._pure_call(node, calls):
                    return False
                todo += [*node.args, *(word.value for word in node.keywords)]
                if isinstance(node.func, ast.Attribute):
                    todo.append(node.func.value)
            elif isinstance(node, ast.Lambda):
                todo += node.args.defaults
                todo += node.args.kw_defaults
            elif isinstance(node, _VALUES):
                todo += children(node)
            else:
                return False
        return True

    def _pure_call(self, node: ast.Call, calls: set[str] | None) -> bool:
        if self.library(node.func, _CALLABLES, _BUILTINS):
            return True
        if not node.args and not node.keywords and self.library(node.func, _NONE, _SCOPES):
            return True
        if self.other(node.func, libraries.VALUES) or self._is_known_method(node.func):
            return True
        if calls is not None and (name := self._own(node.func)):
            calls.add(name)
            return True
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
            return False
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id in self._displays:
            return True
        # A method of a literal, or of what a pure call gave; of a name nobody knows what it is.
        return isinstance(owner, (ast.Constant, ast.JoinedStr, ast.Tuple, ast.List, ast.Dict)) or (
            isinstance(owner, ast.Call) and self._pure_call(owner, calls)
        )

    def _own(self, function: Any) -> str:
        """What the project calls a function, where it is one of the project by its name."""
        if isinstance(function, ast.Name):
            origin = self._from.get(function.id)
            if origin and origin[0] == "." and "*" not in self._from:
                return origin[1:]
        return ""

    def _is_known_method(self, function: Any) -> bool:
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
            return False
        top, _, rest = self._made.get(function.value.id, "").partition(".")
        methods = libraries.METHODS.get(f"{top}.{rest.rpartition('.')[2]}", ())
        return function.attr in methods

    def harmless_decorator(self, decorator: Any, calls: set[str] | None = None) -> bool:
        """Whether a decorator does nothing but make another function, or class, of one.

        Args:
            decorator: the expression after the sign.
            calls: as for `pure`; a sign before the name says that it decorates, parentheses
                after it that what it gives does.
        """
        function = decorator
        if isinstance(decorator, ast.Call):
            given = [*decorator.args, *(word.value for word in decorator.keywords)]
            if not all(self.pure(one, calls) for one in given):
                return False
            function = decorator.func
        if isinstance(function, ast.Attribute) and function.attr in ("setter", "getter", "deleter"):
            return isinstance(function.value, ast.Name)
        if self.library(function, _DECORATORS, _DECORATORS):
            return True
        if self.other(function, libraries.DECORATORS) and not _makes_own(decorator):
            return True
        if calls is not None and (name := self._own(function)):
            calls.add(f"@{name}" if function is decorator else f"@{name}()")
            return True
        return False

    def marks(self, decorator: Any) -> bool:
        """Whether a decorator is a mark of pytest's own, told nothing but literals.

        It is for the test alone that it decorates, and gives the same parameters always.

        Args:
            decorator: the expression after the sign.
        """
        function, given = decorator, []
        if isinstance(decorator, ast.Call):
            function = decorator.func
            given = [*decorator.args, *(word.value for word in decorator.keywords)]
        return (
            isinstance(function, ast.Attribute)
            and function.attr in _MARKS
            and isinstance(function.value, ast.Attribute)
            and function.value.attr == "mark"
            and isinstance(function.value.value, ast.Name)
            and self._from.get(function.value.value.id) == "pytest"
            and all(isinstance(inner, _LITERALS) for one in given for inner in walk(one))
        )

    def keeps_document(self, decorator: Any) -> bool:
        """Whether what a decorator makes of a function has the docstring of that.

        Args:
            decorator: the expression after the sign.
        """
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        return self.library(function, _DOCUMENTED, _DOCUMENTED)

    def harmless_base(self, base: Any) -> bool:
        """Whether to be derived from a class of the standard library has no effect elsewhere.

        Args:
            base: the expression in the header of a class.
        """
        if isinstance(base, ast.Subscript):
            base = base.value
        if isinstance(base, ast.Name) and base.id not in self._from:
            return isinstance(getattr(builtins, base.id, None), type)
        if self.library(base, _BASES, frozenset()) or self.other(base, libraries.BASES):
            return True
        # Exceptions of the standard library are known by their names.
        name = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
        return name.endswith(("Error", "Exception", "Warning")) and self.library(
            base, frozenset({name}), frozenset()
        )


def _makes_own(decorator: Any) -> bool:
    """Whether another distribution's decorator may be told to make an object of any class."""
    return isinstance(decorator, ast.Call) and (
        (
            len(decorator.args) > 1
            and not all(isinstance(one, ast.Constant) for one in decorator.args)
        )
        or any(isinstance(one, ast.Starred) for one in decorator.args)
        or any(word.arg in (None, "cls") for word in decorator.keywords)
    )
