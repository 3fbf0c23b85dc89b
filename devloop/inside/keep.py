"""The results of functions, computed once and inherited by what is forked afterwards.

The project knows nothing of it: in the function's place stands one that gives the kept result
when it is called with the same arguments. Which arguments these are is seen in a run.
"""

from __future__ import annotations

import sys

from .post_import import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Call = tuple[tuple[Any, ...], dict[str, Any]]

LONGEST = 4096
"""Characters of arguments that are remembered."""

MOST = 1_000_000
"""Objects of a result that are looked at; what is beyond leaves nothing open, or it would show."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_SUSPENDED = 0x20 | 0x80 | 0x100 | 0x200
"""Flags of the code of generators and coroutines (`inspect.CO_GENERATOR` and the like)."""

_function = type(lambda: None)


class Refused(Exception):
    """A result can not be kept; the text is the end of a sentence about it."""


def split(target: str) -> tuple[str, str]:
    """The module and the function of ``module:function``.

    Args:
        target: as it is configured.
    """
    module, _, name = target.partition(":")
    return module, name


def compute(target: str, call: str | None, newly: Iterable[str]) -> None:
    """Call a function, and have its result given from now on.

    Args:
        target: ``module:function``; the module is loaded.
        call: its arguments, as `_describe` has written them; None is without any.
        newly: the loaded modules that may have taken the function from there.

    Raises:
        Refused: its result can not be kept.
    """
    function = _find(target)
    arguments: Call = ((), {})
    if call is not None:
        arguments = eval(call, {"__builtins__": {}})  # written by `_describe`, of literals only
    try:
        result = function(*arguments[0], **arguments[1])
    except BaseException as error:
        raise Refused(_failure(error)) from None
    if (what := _alive(result)) is not None:
        raise Refused(f"its result holds {what}")
    if type(function) is _function:
        _substitute(target, function, _giving(function, arguments, result), newly)


def watch(target: str, tell: Callable[[dict[str, Any]], None]) -> None:
    """Tell of the first call of a function, once its module is imported.

    Args:
        target: ``module:function``.
        tell: called with a message, in which ``call`` is None where it was not plain.
    """
    module, _ = split(target)
    # Who has imported it already may have taken the function from there.
    modules = list(sys.modules) if module in sys.modules else (module,)
    when_imported(module, lambda _: _record(target, tell, modules))


def _record(target: str, tell: Callable[[dict[str, Any]], None], modules: Iterable[str]) -> None:
    try:
        function = _find(target)
    except Refused:
        return
    if type(function) is not _function:
        return
    waiting = [True]

    def recording(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            waiting.clear()
            # Whoever has taken it elsewhere meanwhile goes on with one that only calls.
            _substitute(target, recording, function, list(sys.modules))
            tell({"m": "called", "target": target, "call": _describe((args, kwargs))})
        return function(*args, **kwargs)

    _resemble(recording, function)
    _substitute(target, function, recording, modules)


def _find(target: str) -> Any:
    """The function, unless it is of a kind whose result cannot be kept."""
    module, name = split(target)
    if not name.isidentifier():
        raise Refused("it is not written module:function")
    names = vars(sys.modules[module])
    if name not in names:
        raise Refused(f"{module} has no {name}")
    function = names[name]
    inner = function
    while type(inner) is not _function:
        # As `functools.cache` makes them: such a one keeps its result itself.
        inner = getattr(inner, "__wrapped__", None)
        if inner is None or isinstance(function, type):
            raise Refused("it is not a plain function")
    if inner.__code__.co_flags & _SUSPENDED:
        kind = "a generator" if inner.__code__.co_flags & 0x20 else "asynchronous"
        raise Refused(f"it is {kind}")
    return function


def _giving(function: Any, arguments: Call, result: Any) -> Any:
    def kept(*args: Any, **kwargs: Any) -> Any:
        if _same((args, kwargs), arguments):
            return result
        return function(*args, **kwargs)

    _resemble(kept, function)
    return kept


def _resemble(wrapper: Any, function: Any) -> None:
    """Have it look like the function, as `functools.wraps` does, which may not be loaded."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__type_params__"):
        if hasattr(function, name):
            setattr(wrapper, name, getattr(function, name))
    vars(wrapper).update(vars(function))
    if sys.version_info >= (3, 14):
        wrapper.__annotate__ = function.__annotate__
    else:
        wrapper.__annotations__ = function.__annotations__
    wrapper.__wrapped__ = function


def _substitute(target: str, old: Any, new: Any, modules: Iterable[str]) -> None:
    """Put a function in another's place: in its module, and where it was taken from there."""
    for name in {split(target)[0], *modules}:
        module = sys.modules.get(name)
        # One of another type may be loaded by nothing more than a look at it.
        names = vars(module) if type(module) is type(sys) else {}
        for key in [key for key, value in list(names.items()) if value is old]:
            names[key] = new


def _same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal; ``True`` and ``1`` are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        # In their order, too: a function may look at it.
        return _same(list(one.items()), list(other.items()))
    return isinstance(one, (*_PLAIN, set)) and one == other


def _describe(call: Call) -> str | None:
    """Arguments as source text, where they are plain literals."""
    if not _is_plain(call):
        return None
    text = repr(call)
    return text if len(text) <= LONGEST else None


def _is_plain(value: Any) -> bool:
    if type(value) is float:
        return value - value == 0  # neither infinite nor none at all: these are no literals
    if type(value) in (tuple, list, set):
        return (type(value) is not set or bool(value)) and all(map(_is_plain, value))
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(one) for key, one in value.items())
    return type(value) in _PLAIN and type(value) is not complex


def _failure(error: BaseException) -> str:
    text = str(error).partition("\n")[0]
    return f"it fails with {type(error).__name__}" + (f": {text}" if text else "")


def _alive(result: Any) -> str | None:
    """What a result holds that would not live on in another process, as a noun."""
    from .control import private

    get_referents = private("gc").get_referents
    seen: set[int] = set()
    todo = [result]
    while todo and len(seen) < MOST:
        value = todo.pop()
        kind = type(value)
        if kind in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if issubclass(kind, (type, type(sys))):
            continue
        if (what := _living(value, kind)) is not None:
            return what
        if kind is _function:
            # Its globals are not the result's.
            todo += [value.__closure__, value.__defaults__, value.__kwdefaults__, vars(value)]
        else:
            todo += get_referents(value)
    return None


def _living(value: Any, kind: type) -> str | None:
    for one in kind.__mro__:
        name = f"{one.__module__}.{one.__name__}"
        if (what := _LIVING.get(name)) is not None:
            return what
        if name == "_io._IOBase":
            return None if value.closed or not _has_descriptor(value) else "an open file"
        if name in ("_thread.lock", "_thread.RLock"):
            return "a lock that is held" if "<locked " in repr(value) else None
    return None


def _has_descriptor(file: Any) -> bool:
    """Whether it is a file of its own; a logger's way to standard error is not."""
    try:
        return int(file.fileno()) > 2
    except (OSError, AttributeError, TypeError):
        return False


_LIVING = {
    "builtins.generator": "a generator",
    "builtins.coroutine": "a coroutine",
    "builtins.async_generator": "an asynchronous generator",
    "builtins.frame": "a running function",
    "threading.Thread": "a thread",
    "_socket.socket": "a socket",
    "asyncio.events.AbstractEventLoop": "an event loop",
    "_asyncio.Future": "a future",
    "asyncio.futures.Future": "a future",
    "concurrent.futures._base.Executor": "an executor",
    "subprocess.Popen": "a process",
    "sqlite3.Connection": "a connection to a database",
    "mmap.mmap": "a file that is mapped into memory",
}
