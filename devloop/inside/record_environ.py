"""PYTEST_DONT_REWRITE: the environment variables that are read through `os.environ`."""

from __future__ import annotations

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from devloop.inside import record_askers as askers
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Recorder
    from devloop.inside.volatile import NAMES, PREFIXES, is_volatile
else:
    askers = sys.modules["_devloop_record_askers"]
    NAMES = sys.modules["_devloop_volatile"].NAMES
    PREFIXES = sys.modules["_devloop_volatile"].PREFIXES
    is_volatile = sys.modules["_devloop_volatile"].is_volatile

_METHODS = ("__getitem__", "__iter__", "copy", "__len__", "__repr__")

UNHEARD = (
    "TZ", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONOPTIMIZE",
    "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTEST_ADDOPTS", "PYTEST_PLUGINS",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What the C library, OpenSSL, the interpreter and pytest read for all tests, and not through us.

PYTHONHASHSEED is left out: tox gives each run another one.
"""

COPIERS = (f"{os.sep}unittest{os.sep}mock.py",)
"""The files of the standard library that copy the environment only to restore it."""


class Environ:
    """Notes what is read.

    Args:
        recorder: takes it.
        asked: tells who reads.
        given: the environment that the run was started with: what has another value was set by
            the tests.
    """

    def __init__(self, recorder: Recorder, asked: Askers, given: Mapping[str, str]) -> None:
        self._recorder = recorder
        self._asked = asked
        kept: Any = os.environ  # as which it keeps names and values
        self._key = kept.encodekey
        self._given = {self._key(name): kept.encodevalue(value) for name, value in given.items()}
        self._counted = {
            (self._key(name), kept.encodevalue(value)): name
            for name, value in given.items()
            if not is_volatile(name)
        }

    def wrap(self) -> Callable[[], None]:
        """Begin. All that a mapping can do comes down to these methods.

        Returns:
            Ends it, unless another one has begun meanwhile.
        """
        kind: Any = type(os.environ)
        methods = {name: vars(kind)[name] for name in _METHODS}
        get, every, copy, length, shown = methods.values()

        recorder = self._recorder

        def getitem(environ: Any, key: Any) -> Any:
            __tracebackhide__ = True
            # Each is told of, also where all were asked for: what is not is taken for a new one.
            if key not in recorder.top.variables:
                self._read(key, environ)
            return get(environ, key)

        def iterate(environ: Any) -> Iterator[Any]:
            self._read("*", environ)
            return iter(every(environ))

        def copied(environ: Any) -> Any:
            self._read_all(environ)
            return copy(environ)

        def represent(environ: Any) -> str:
            self._read_all(environ)
            return str(shown(environ))

        def size(environ: Any) -> int:
            self._read("*", environ)
            return int(length(environ))

        for name, method in zip(_METHODS, (getitem, iterate, copied, size, represent), strict=True):
            setattr(kind, name, method)

        def unwrap() -> None:
            for name, method in methods.items():
                setattr(kind, name, method)

        return unwrap

    def _read(self, key: Any, environ: Any) -> bool:
        """A variable is read; ``*`` is all names.

        Returns:
            Whether that is noted now, for the first time in the innermost context.
        """
        if key in NAMES:
            return False
        recorder = self._recorder
        try:
            if key in recorder.top.variables or recorder.broken:
                return False
            if _thread.get_ident() in recorder.within:
                return False
            name = key if key.__class__ is str else os.fsdecode(key)
            if name.startswith(PREFIXES):
                return False
            if name != "*" and self._is_set_here(name, environ):
                return False
            who, through, _ = self._asked.who()
            if who == askers.RUNNER:
                return False
            if name == "*" and any(one.f_code.co_filename.endswith(COPIERS) for one in through):
                return False
            recorder.top.variables.add(key)
            recorder.add(f"v {name}")
            return True
        except (TypeError, UnicodeError):
            return False  # no name of a variable: the mapping says so
        except Exception as error:
            recorder.broke(error)
            return False

    def _read_all(self, environ: Any) -> None:
        """Every variable is read: who does so is found out once, and not for each of them."""
        if not self._read("*", environ):
            return
        recorder, counted = self._recorder, self._counted
        noted = recorder.top.variables
        for variable in environ._data.items() & counted.keys():
            name = counted[variable]
            if name not in noted:
                noted.add(name)
                recorder.add(f"v {name}")

    def _is_set_here(self, name: str, environ: Any) -> bool:
        """Whether the tests themselves have set a variable, or taken it away."""
        key = self._key(name)
        return bool(environ._data.get(key) != self._given.get(key))
