"""From a traceback's text to the place in the project that it is about."""

from __future__ import annotations

import re
from typing import NamedTuple

_PYTHON = re.compile(r'^\s*File "(?P<path>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
_PYTEST = re.compile(r"^(?P<path>(?:[A-Za-z]:)?[^\s:][^:\n]*):(?P<line>\d+):(?: |$)", re.MULTILINE)
_FOREIGN = re.compile(
    r"(^|/)(site-packages|dist-packages|\.venv|\.tox|\.nox|node_modules)/|^<|^\.\./"
)


class Place(NamedTuple):
    """A line of a file of the project.

    Args:
        path: relative to the root.
        line: counted from 1.
    """

    path: str
    line: int


def in_project(path: str, root: str) -> str | None:
    """Tell whether a path of a traceback is the project's own.

    Args:
        path: absolute, or relative to the root.
        root: absolute.

    Returns:
        The path relative to the root, with forward slashes; None for what others wrote.
    """
    path = path.replace("\\", "/")
    head = root.replace("\\", "/").rstrip("/") + "/"
    path = path.removeprefix(head)
    if path.startswith("/") or path[1:3] == ":/" or _FOREIGN.search(path):
        return None
    return path.removeprefix("./")


def last_place(text: str, root: str) -> Place | None:
    """Find the innermost frame of the project in what a program printed.

    Args:
        text: may hold a traceback of Python's or pytest's form.
        root: absolute.

    Returns:
        The last place, or None where there is none.
    """
    found = [
        (match.start(), match) for pattern in (_PYTHON, _PYTEST) for match in pattern.finditer(text)
    ]
    for _, match in sorted(found, key=lambda pair: pair[0], reverse=True):
        path = in_project(match["path"], root)
        if path is not None:
            return Place(path, int(match["line"]))
    return None


def last_message(text: str) -> str | None:
    """The line that says what was wrong: the last one of a traceback.

    Args:
        text: may hold a traceback of Python's or pytest's form.

    Returns:
        The first ``E`` line of pytest's last exception, else the first line after the frames of
        Python's last traceback, else None.
    """
    message, before = None, ""
    for line in text.splitlines():
        if line.startswith("E  ") and not before.startswith("E "):
            message = line[1:].strip()
        before = line
    if message is not None:
        return message
    start = text.rfind("Traceback (most recent call last):")
    if start < 0:
        return None
    for line in text[start:].splitlines()[1:]:
        if line and not line[0].isspace() and line[0] != "+":
            return line.strip()
    return None
