"""End a forked process without taking its modules apart.

That would cost it a copy of every page that it shares with its zygote. Python does not promise
that what still exists at the end is finalised (language reference, ``object.__del__``). All that
is promised is done, in the order of ``Py_FinalizeEx``: threads are waited for, exit functions
run, files are flushed; then the C library ends the process as ever, with its own exit functions.
"""

from __future__ import annotations

import atexit
import gc
import io
import sys
import threading
from typing import Any

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def leave(code: int) -> None:
    """End this process; returns only where the C library cannot be called.

    Args:
        code: its exit code.
    """
    libc = sys.modules["_devloop.libc"].libc
    if libc is None:
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    kinds = _Kinds()
    for file in [one for one in gc.get_objects() if kinds[type(one)]]:
        _flush(file)
    for text in (sys.stdout, sys.stderr):
        if text is not None:
            _flush(text)
    libc.exit(code)


class _Kinds(dict[type, bool]):
    """Whether what is of a type is such a file; `isinstance` would ask each proxy, too."""

    def __missing__(self, kind: type) -> bool:
        found = self[kind] = issubclass(kind, _FILES)
        return found


def _flush(file: Any) -> None:
    try:
        if not file.closed:
            file.flush()
    except Exception:
        return  # as its destructor would
