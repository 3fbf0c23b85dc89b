"""Which expressions do nothing but give a value when a module is imported.

Only such a statement may be followed by name (`skeleton`): what it binds is all that it does.
Anything that is not known to be so counts as having any effect.
"""

from __future__ import annotations

import ast
import builtins
import sys
from typing import Any

LIBRARY: frozenset[str] = sys.stdlib_module_names | {"typing_extensions"}

_BUILTINS = frozenset(
    "bool bytearray bytes chr classmethod complex dict divmod enumerate float format frozenset"
    " hash hex int isinstance issubclass len list max memoryview min object oct ord pow property"
    " range repr reversed round set slice sorted staticmethod str sum super tuple type zip".split()
)
_CALLABLES = frozenset(
    "compile getLogger local Lock RLock ContextVar TypeVar ParamSpec TypeVarTuple NewType cast"
    " namedtuple NamedTuple TypedDict Decimal Fraction Path PurePath PurePosixPath timedelta"
    " datetime date time timezone partial attrgetter itemgetter methodcaller MappingProxyType"
    " SimpleNamespace defaultdict OrderedDict Counter deque ChainMap count field auto dedent"
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


class Effects:
    """What is known of the names that a module uses.

    Args:
        body: the module's statements; what they bind decides whether a name is a builtin, or
            comes from the standard library.
    """

    def __init__(self, body: list[Any]) -> None:
        self._from: dict[str, str | None] = {}
        """For each name that the module binds what it imports under it; None where it is made."""
        for statement in body:
            self._note(statement)

    def _note(self, statement: Any) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self._bind(alias.asname or alias.name.partition(".")[0], alias.name)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                origin = f"{statement.module}.{alias.name}" if not statement.level else None
                self._bind(alias.asname or alias.name, origin)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind(statement.name, None)
        elif isinstance(statement, (ast.If, ast.Try)):
            inner = [*statement.body, *statement.orelse]
            if isinstance(statement, ast.Try):
                inner += [one for handler in statement.handlers for one in handler.body]
            for one in inner:
                self._note(one)
        elif isinstance(statement, ast.Assign):
            self._bind_targets(statement.targets)
        elif isinstance(statement, ast.AnnAssign):
            self._bind_targets([statement.target])
        elif not isinstance(statement, ast.Expr):
            self._bind_targets([statement])

    def _bind_targets(self, nodes: list[Any]) -> None:
        for node in nodes:
            if isinstance(node, ast.Name):
                self._bind(node.id, None)
            else:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                        self._bind(inner.id, None)

    def _bind(self, name: str, origin: str | None) -> None:
        if name in self._from and self._from[name] != origin:
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

    def pure(self, expression: Any) -> bool:
        """Whether to evaluate an expression does nothing but give a value.

        Args:
            expression: of a module's or a class's own code.
        """
        todo = [expression]
        while todo:
            node = todo.pop()
            if node is None or isinstance(node, (str, int)):
                continue
            if isinstance(node, ast.Call):
                if not self._pure_call(node):
                    return False
                todo += [*node.args, *(word.value for word in node.keywords)]
                if isinstance(node.func, ast.Attribute):
                    todo.append(node.func.value)
            elif isinstance(node, ast.Lambda):
                todo += node.args.defaults
                todo += node.args.kw_defaults
            elif isinstance(node, _VALUES):
                todo += ast.iter_child_nodes(node)
            else:
                return False
        return True

    def _pure_call(self, node: ast.Call) -> bool:
        if self.library(node.func, _CALLABLES, _BUILTINS):
            return True
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
            return False
        owner = node.func.value
        # A method of a literal, or of what a pure call gave; of a name nobody knows what it is.
        return isinstance(owner, (ast.Constant, ast.JoinedStr, ast.Tuple, ast.List, ast.Dict)) or (
            isinstance(owner, ast.Call) and self._pure_call(owner)
        )

    def harmless_decorator(self, decorator: Any) -> bool:
        """Whether a decorator does nothing but make another function, or class, of one.

        Args:
            decorator: the expression after the sign.
        """
        function = decorator
        if isinstance(decorator, ast.Call):
            if not all(map(self.pure, [*decorator.args, *(w.value for w in decorator.keywords)])):
                return False
            function = decorator.func
        if isinstance(function, ast.Attribute) and function.attr in ("setter", "getter", "deleter"):
            return isinstance(function.value, ast.Name)
        return self.library(function, _DECORATORS, _DECORATORS)

    def harmless_base(self, base: Any) -> bool:
        """Whether to be derived from a class of the standard library has no effect elsewhere.

        Args:
            base: the expression in the header of a class.
        """
        if isinstance(base, ast.Subscript):
            base = base.value
        if isinstance(base, ast.Name) and base.id not in self._from:
            return isinstance(getattr(builtins, base.id, None), type)
        if self.library(base, _BASES, frozenset()):
            return True
        # Exceptions of the standard library are known by their names.
        name = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
        return name.endswith(("Error", "Exception", "Warning")) and self.library(
            base, frozenset({name}), frozenset()
        )
