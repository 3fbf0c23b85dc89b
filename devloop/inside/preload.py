"""Import modules ahead of time, and notice what must not be held while a process forks.

A fork has only the thread that forked, shares open descriptors with its parent, and is nobody's
parent: a module that has started a thread or a process, or has opened something, would work in
none of the commands that inherit it. It is named, and devloop leaves it out.
"""

from __future__ import annotations

import os
import sys

from . import seeds, titles
from .control import private
from .noting import Noting
from .state import State, settled
from .variables import WHEN_LOADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any

_clock: Any = private("time").monotonic


class Environment:
    """Notes, while it lasts, what is read from `os.environ`, and what is written.

    All that a mapping can do comes down to the methods that are wrapped here.

    Attributes:
        read: names of variables; None where all were looked at.
        written: the values that were set; None for one that was taken away.
    """

    def __init__(self) -> None:
        self.read: set[str] | None = set()
        self.written: dict[str, str | None] = {}
        self._lately: set[str] | None = set()

    def __enter__(self) -> Environment:
        kind = type(os.environ)
        self._methods = {name: vars(kind)[name] for name in _METHODS}
        get, put, drop = (self._methods[name] for name in _METHODS[:3])

        def getitem(environ: Any, key: Any) -> Any:
            self._read(key)
            return get(environ, key)

        def setitem(environ: Any, key: Any, value: Any) -> None:
            put(environ, key, value)
            self.written[os.fsdecode(key)] = os.fsdecode(value)

        def delitem(environ: Any, key: Any) -> None:
            drop(environ, key)
            self.written[os.fsdecode(key)] = None

        def every(environ: Any) -> Iterator[Any]:
            self.read = self._lately = None
            return iter(self._methods["__iter__"](environ))

        def copy(environ: Any) -> dict[Any, Any]:
            self.read = self._lately = None
            return dict(self._methods["copy"](environ))

        for name, method in zip(_METHODS, (getitem, setitem, delitem, every, copy)):  # noqa: B905
            setattr(kind, name, method)
        return self

    def __exit__(self, *_: object) -> None:
        kind: Any = type(os.environ)
        for name, method in self._methods.items():
            setattr(kind, name, method)

    def _read(self, key: Any) -> None:
        for names in (self.read, self._lately):
            if names is not None and isinstance(key, (str, bytes)):
                names.add(os.fsdecode(key))

    def misled(self, altered: Collection[str], news: Collection[str]) -> str | None:
        """Whether something that was read since the last call may be otherwise in the command.

        Args:
            altered: the variables that the command itself sets, or takes away.
            news: the modules that were imported since then.

        Returns:
            The end of a sentence about the import; None where nothing may.
        """
        lately, self._lately = self._lately, set()
        # What an import has set so itself, it sets in any process.
        for name in sorted({*altered}.difference(self.written)):
            in_c = name.startswith(WHEN_LOADED) and any(map(_is_compiled, map(file_of, news)))
            if in_c or lately is None or name in lately:
                return f"reads ${name}, which the command sets"
        return None


_METHODS = ("__getitem__", "__setitem__", "__delitem__", "__iter__", "copy")


READ: set[str] = set()
"""The variables that imports have read, in this process and in those it is forked from; ``*``
where they have looked at all."""


class Loading:
    """Imports a list of modules.

    Args:
        tell: called with the name of each, before it is imported.
        check: find out what is unsafe. Nothing more is imported after the first such module,
            because what it has started would be taken for others'.
        trace: note which modules import which, which files are read, and how long each takes,
            and import the rest all the same. What is hooked up for that is of no use to a command,
            so this process must not become one.
        altered: the environment variables that the command itself sets, or takes away.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        *,
        check: bool,
        trace: bool,
        altered: Collection[str],
    ) -> None:
        self._tell = tell
        self._check = check
        self._trace = trace
        self._altered = altered
        self._failed: dict[str, str] = {}
        self._unsafe: dict[str, str] = {}
        self._suspects: list[str] = []
        self._edges: dict[str, set[str]] = {}
        self._times: dict[str, float] = {}

    def run(self, modules: list[str], places: Iterable[str] = ()) -> dict[str, Any]:
        """Import them, as far as that goes.

        Args:
            modules: dotted names, in order.
            places: paths where it matters whether something is there.

        Returns:
            The answer to devloop.
        """
        loaded = set(sys.modules)
        noting = Noting()
        with Environment() as environment, seeds.Watching(), titles.Watching():
            if self._trace:
                self._hook()
                with noting:
                    for path in places:
                        noting.looked_for(path, only=True)
                    self._import_all(modules, environment)
            else:
                self._import_all(modules, environment)
        READ.update(("*",) if environment.read is None else environment.read)
        return {
            "m": "preloaded",
            "loaded": [[name, file_of(name)] for name in list(sys.modules) if name not in loaded],
            "failed": self._failed,
            "unsafe": self._unsafe,
            "suspects": self._suspects,
            "env": None if environment.read is None else sorted(environment.read),
            "written": environment.written,
            "edges": {name: sorted(found) for name, found in self._edges.items()},
            **_noted(noting),
            "times": self._times,
        }

    def _import_all(self, modules: list[str], environment: Environment) -> None:
        before = State() if self._check else None
        for name in modules:
            if name in sys.modules:
                continue
            loaded = set(sys.modules)
            self._tell(name)
            began = _clock()
            if (reason := failure(name)) is not None:
                self._failed[name] = reason
            if self._trace:
                self._times[name] = _clock() - began
            if self._unsafe:
                continue
            news = [name for name in list(sys.modules) if name not in loaded]
            fault = environment.misled(self._altered, news)
            if reason is not None:
                fault = None  # nothing is held that has seen it
            if before is not None:
                after = settled(before)
                fault = after.unsafe(before) or fault
                before = after
            if fault is not None:
                self._unsafe[name] = fault
                self._suspects = news
                if not self._trace:
                    return

    def _hook(self) -> None:
        import builtins

        real = builtins.__import__

        def noting(
            name: str,
            globals: Any = None,  # noqa: A002 - the names that it is called with
            locals: Any = None,  # noqa: A002
            fromlist: Any = (),
            level: int = 0,
        ) -> Any:
            found = real(name, globals, locals, fromlist, level)
            importer = (globals or {}).get("__name__")
            if isinstance(importer, str):
                base = _absolute_name(name, globals, level)
                names = {base, *(f"{base}.{part}" for part in fromlist or ())}
                self._edges.setdefault(importer, set()).update(names)
            return found

        builtins.__import__ = noting


_INSTALLED = ".dist-info" + os.sep
"""Where what is installed is described: an install makes such a folder anew, which shows."""


def _noted(noting: Noting) -> dict[str, Any]:
    """What was noted, without modules, which are known by their names, and what was made there."""
    made = noting.made
    below = tuple(path + os.sep for path in made)

    def others(known: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
        for key, value in known.items():
            path = key if isinstance(key, str) else key[0]
            if path not in made and not path.startswith(below) and _INSTALLED not in path:
                yield key, value

    files, folders = others(noting.files), others(noting.folders)
    return {
        "files": [[path, sign] for path, sign in files if not (sign and path.endswith(".py"))],
        "there": [[*key, seen] for key, seen in others(noting.there)],
        "folders": [[path, *known] for path, known in folders if not known[1]],
    }


_LIBRARY = os.path.dirname(os.__file__) + "/lib-dynload/"  # noqa: PTH120


def _absolute_name(name: str, names: dict[str, Any], level: int) -> str:
    if not level:
        return name
    package = names.get("__package__") or ""
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _is_compiled(file: str | None) -> bool:
    return file is not None and file.endswith(".so") and not file.startswith(_LIBRARY)


def failure(name: str) -> str | None:
    """Import one module.

    Args:
        name: dotted.

    Returns:
        Why that fails, in one line; None where it does not.
    """
    try:
        __import__(name)
    except BaseException as error:
        text = str(error).partition("\n")[0]
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    return None


def file_of(name: str) -> str | None:
    """The file of a loaded module, where it has one."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None  # noqa: PTH100
