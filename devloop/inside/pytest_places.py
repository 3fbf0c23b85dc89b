"""PYTEST_DONT_REWRITE: where a failure is, in the project's own code."""

from __future__ import annotations

import io
import linecache
import os
import re
import sys
from types import FrameType, TracebackType
from typing import Any

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: str) -> str:
    """Take colours out of a text: pytest colours assertions' diffs where it thinks it may."""
    return ESCAPES.sub("", text)


def traceback_text(report: Any) -> str:
    """Pytest's own text of a failure, without colours.

    Args:
        report: of a test or of a collection.

    Returns:
        What `longreprtext` gives, but with the indentation of its first line, and without the
        line that xdist puts before it.
    """
    told = report.longrepr
    if not hasattr(told, "toterminal"):
        return plain(str(told))
    try:
        from _pytest._io import TerminalWriter
    except ImportError:
        return plain(report.longreprtext)
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = False
    told.toterminal(writer)
    return plain(file.getvalue().strip("\n").rstrip())


class Places:
    """Finds the line that a person looks at first.

    Args:
        root: the project's, absolute.
    """

    def __init__(self, root: str) -> None:
        self._root = root.rstrip(os.sep) + os.sep
        # An environment inside the project is not the project's code.
        prefix = sys.prefix.rstrip(os.sep) + os.sep
        self._foreign = prefix if prefix.startswith(self._root) and prefix != self._root else None

    def relative(self, path: str) -> str:
        """The path as devloop writes it.

        Args:
            path: absolute.

        Returns:
            Relative to the root where it is inside it, with forward slashes.
        """
        if path.startswith(self._root):
            path = path[len(self._root) :]
        elif path + os.sep == self._root:
            return "."
        return path.replace(os.sep, "/") if os.sep != "/" else path

    def of(self, error: BaseException) -> dict[str, Any]:
        """Where an exception comes from.

        Args:
            error: as it was raised; for pytest's own errors of collection, their cause counts.

        Returns:
            ``path``, ``line`` and ``column``, without a path where no frame is the project's own;
            and ``message``, in one line.
        """
        # CollectError and ConftestImportFailure carry a text; the fault is what they were
        # raised from.
        while type(error).__name__ in {"CollectError", "ConftestImportFailure"}:
            if error.__cause__ is None:
                break
            error = error.__cause__
        place: dict[str, Any] = {"message": summary(error)}
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            place["path"] = self.relative(os.path.abspath(error.filename))  # noqa: PTH100
            place["line"] = error.lineno
            place["column"] = error.offset or None
            return place
        found = self._innermost(error.__traceback__)
        if found is not None:
            place["path"], place["line"] = self.relative(found[0]), found[1]
            if place["message"] == "AssertionError":
                # A plain assert outside tests and plugins says nothing; its line does.
                place["message"] = linecache.getline(*found).strip() or "AssertionError"
        return place

    def _innermost(self, traceback: TracebackType | None) -> tuple[str, int] | None:
        shown = hidden = None
        while traceback is not None:
            frame = traceback.tb_frame
            path = os.path.abspath(frame.f_code.co_filename)  # noqa: PTH100
            if self.own(path):
                hidden = (path, traceback.tb_lineno)
                if not _hides(frame):
                    shown = hidden
            traceback = traceback.tb_next
        return shown or hidden

    def own(self, path: str) -> bool:
        """Whether a file is the project's.

        Args:
            path: absolute.
        """
        return (
            path.startswith(self._root)
            and not (self._foreign and path.startswith(self._foreign))
            and f"{os.sep}site-packages{os.sep}" not in path
        )


def _hides(frame: FrameType) -> bool:
    """Whether pytest leaves the frame out of its tracebacks."""
    value = frame.f_locals.get("__tracebackhide__", frame.f_globals.get("__tracebackhide__"))
    return bool(value)


def summary(error: BaseException) -> str:
    """One line that says what happened.

    Args:
        error: whose text may have many lines, or none, or fail.

    Returns:
        ``assert 1 == 2``, or ``TypeError: …``.
    """
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{name}: {error.msg}"
    try:
        text = plain(str(error)).strip()
    except Exception:
        text = "its text cannot be had"
    first = text.partition("\n")[0].strip()
    if isinstance(error, AssertionError) and first.startswith("assert "):
        return first
    return f"{name}: {first}" if first else name
