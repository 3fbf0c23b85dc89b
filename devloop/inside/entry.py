"""Run a command as the interpreter itself would have run it (``pymain_run_python`` in main.c)."""

from __future__ import annotations

import builtins
import os
import sys

from . import orders

# ruff: noqa: PTH109, PTH123

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

SOURCE_LINES = 400
"""Characters that are kept of a line of source, in what is told of an exception."""

MOST_FRAMES = 60
"""Frames that are told of: of a recursion the first and the last."""


class Entry:
    """A command that is ready to run.

    Args:
        kind: ``"module"`` or ``"script"``.
        target: the module's name, or the script's path as it was given.

    Attributes:
        function: called with `arguments`, it runs the command. There must be no frame of ours
            between it and the one that ends.
        arguments: of that.
    """

    def __init__(self, kind: str, target: str) -> None:
        self.function: Callable[..., object]
        self.arguments: tuple[Any, ...]
        self._main: Any = sys.modules["__main__"]
        self._script = kind == "script"
        if self._script:
            self._prepare_script(target)
        else:
            import runpy

            self.function = runpy._run_module_as_main  # type: ignore[attr-defined, unused-ignore]
            self.arguments = (target,)

    def _prepare_script(self, path: str) -> None:
        from _frozen_importlib_external import SourceFileLoader

        file = absolute(path)
        names = vars(self._main)
        names["__file__"] = file
        names["__cached__"] = None
        names["__loader__"] = SourceFileLoader("__main__", file)
        with open(path, "rb") as opened:
            source = opened.read()
        try:
            code = compile(source, file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            if not _is_text(source):
                raise Unfit(f"{path} is not text") from error
            self.function, self.arguments = _throw, (error.with_traceback(None),)
        else:
            self.function, self.arguments = exec, (code, names)

    def ended(self) -> None:
        """The command has ended without an exception."""
        if self._script:
            self._forget()
        else:
            _leave_unflushed()

    def exits(self) -> None:
        """The command has ended by SystemExit."""
        if not self._script:
            _leave_unflushed()

    def failed(self, error: BaseException) -> None:
        """The command ends with an exception, which the interpreter is about to show.

        Args:
            error: it; the first frame of its traceback is ours.
        """
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        if not isinstance(error, KeyboardInterrupt):
            orders.send(describe(error, trace))
        hook = getattr(sys, "excepthook", None)

        def show(kind: type[BaseException], value: BaseException, _: TracebackType | None) -> None:
            sys.last_traceback = value.__traceback__ = trace
            if hook is None:
                del sys.excepthook
            else:
                sys.excepthook = hook
            _show(hook, kind, value, trace)
            self._forget()

        sys.excepthook = show
        if not self._script:
            _leave_unflushed()

    def _forget(self) -> None:
        if self._script:
            # As _PyRun_SimpleFile does, before anything else is ended.
            vars(self._main).pop("__file__", None)
            vars(self._main).pop("__cached__", None)


class Unfit(Exception):
    """Only the interpreter itself can run that; the message says why."""


class _Unflushed:
    """Stands in for `sys.stdout` while it must not be flushed, until that is asked for."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def flush(self) -> None:
        sys.stdout = self._real
        if sys.is_finalizing():
            self._real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _leave_unflushed() -> None:
    """Keep the interpreter from flushing at the end of a script: a module's end does not."""
    if sys.stdout is not None:
        sys.stdout = _Unflushed(sys.stdout)


def _show(
    hook: Callable[..., object] | None,
    kind: type[BaseException],
    value: BaseException,
    trace: TracebackType | None,
) -> None:
    """Call the hook for exceptions as the interpreter does (``_PyErr_PrintEx``)."""
    if hook is None:
        _complain("sys.excepthook is missing\n")
        sys.__excepthook__(kind, value, trace)
        return
    try:
        hook(kind, value, trace)
    except SystemExit:
        raise
    except BaseException as error:
        _complain("Error in sys.excepthook:\n")
        inner = error.__traceback__.tb_next if error.__traceback__ is not None else None
        sys.__excepthook__(type(error), error.with_traceback(inner), inner)
        _complain("\nOriginal exception was:\n")
        sys.__excepthook__(kind, value, trace)


def _complain(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)


def _is_text(source: bytes) -> bool:
    """Whether a parser that is given a string would say the same as one that reads a file."""
    try:
        return b"\0" not in source and bool(source.decode("utf-8") or True)
    except UnicodeDecodeError:
        return False


def _throw(error: BaseException) -> None:
    raise error


def put_main() -> None:
    """Make ``__main__`` anew, as the interpreter does (``add_main_module`` in pylifecycle.c)."""
    from _frozen_importlib import BuiltinImporter

    main: Any = type(sys)("__main__")
    names = vars(main)
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    names["__builtins__"] = builtins
    names["__loader__"] = BuiltinImporter
    sys.modules["__main__"] = main


def absolute(path: str) -> str:
    """A script's path as the interpreter makes it absolute (``_Py_abspath`` in fileutils.c).

    Args:
        path: as it was given.
    """
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"


def describe(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    """What devloop is told of an exception.

    Args:
        error: it.
        trace: where it came from.
    """
    import traceback

    summary = traceback.TracebackException(type(error), error, trace)
    stack = list(summary.stack)
    if len(stack) > MOST_FRAMES:
        stack = stack[: MOST_FRAMES // 2] + stack[-MOST_FRAMES // 2 :]
    frames = [
        {
            "file": frame.filename,
            "line": frame.lineno,
            "function": frame.name,
            "source": (frame.line or "")[:SOURCE_LINES],
        }
        for frame in stack
    ]
    if isinstance(error, SyntaxError) and error.filename:
        source = (error.text or "").strip()[:SOURCE_LINES]
        where = {"file": error.filename, "line": error.lineno, "function": None, "source": source}
        frames.append(where)
    text = "".join(summary.format())
    message = "".join(summary.format_exception_only()).strip()
    return {
        "m": "failed",
        "type": type(error).__name__,
        "message": message,
        "frames": frames,
        "text": text,
    }
