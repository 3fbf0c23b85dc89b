"""From what a step prints to the problems that it names."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from devloop.events import Severity


class Problem(msgspec.Struct, frozen=True):
    """A problem that a step has printed.

    Args:
        path: as printed.
        line: counted from 1; None where none was printed.
        column: likewise.
        severity: None where none was printed.
        message: one line.
    """

    path: str
    line: int | None
    column: int | None
    severity: Severity | None
    message: str


_FIELDS = {
    "f": r"(?P<file>\S(?:.*?\S)??)",
    "l": r"(?P<line>\d+)",
    "c": r"(?P<column>\d+)",
    "m": r"(?P<message>\S.*)",
    "%": "%",
}
_SEVERITY = re.compile(
    r"(?P<word>(?:fatal )?error|warning|note|info(?:rmation)?)(?::\s*|\s+(?=[A-Z]+\d))", re.I
)
_NO_PROBLEM = ("note", "info", "information")

# Each tool's one-line form, and the head and place of its form of several lines.
_RUFF_CODE = r"(?:[A-Z]+\d+|[a-z]+(?:-[a-z]+)*:)"
_TOOLS: dict[str, tuple[str, ...]] = {
    "ruff": (
        rf"(?P<file>\S.*?):(?P<line>\d+):(?P<column>\d+): (?P<message>{_RUFF_CODE} .+)",
        r"(?P<word>error): Failed to (?:parse|format) (?P<file>.+?)"
        r"(?::(?P<line>\d+):(?P<column>\d+))?: (?P<message>.+)",
        r"(?P<message>Would reformat): (?P<file>.+)",
    ),
    "mypy": (
        r"(?P<file>\S.*?):(?:(?P<line>\d+):(?:(?P<column>\d+):)?(?:\d+:\d+:)?)? "
        r"(?P<word>error|warning|note): (?P<message>.+)",
    ),
    "pyright": (
        r"\s*(?P<file>\S.*?):(?P<line>\d+):(?P<column>\d+) - "
        r"(?P<word>error|warning|information): (?P<message>.+)",
    ),
    "ty": (
        r"(?P<file>\S.*?):(?P<line>\d+):(?P<column>\d+): "
        r"(?P<word>error|warning|info)(?P<message>\[[\w-]+\].+)",
    ),
}
_HEADS = {
    "ruff": re.compile(rf"(?P<message>{_RUFF_CODE} .+)"),
    "ty": re.compile(r"(?P<word>error|warning|info)(?P<message>\[[\w-]+\].*)"),
}
_PLACE = re.compile(r"\s*--> (?P<file>.+?)(?::(?P<line>\d+)(?::(?P<column>\d+))?)?")


def reader(form: str) -> Callable[[str], Problem | None]:
    """Make a reader of a step's lines.

    Args:
        form: the name of a tool, or a format of ``%f`` (file), ``%l`` (line), ``%c`` (column) and
            ``%m`` (message), which describes a whole line; ``%%`` is a percent sign. Notes and
            information are no problems.

    Returns:
        A function that takes each line in turn, without control sequences, and returns the
        problem that it completes.
    """
    if form not in _TOOLS:
        return _one_line([re.compile(_expression(form))])
    lines = _one_line([re.compile(expression) for expression in _TOOLS[form]])
    return _several_lines(lines, _HEADS[form]) if form in _HEADS else lines


def _expression(form: str) -> str:
    parts = re.split(r"%(.)", form)
    seen: set[str] = set()
    words = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            words.append(re.escape(part))
        elif part in _FIELDS and part not in seen:
            if part != "%":
                seen.add(part)
            words.append(_FIELDS[part])
        else:
            words.append(re.escape(f"%{part}"))
    return "".join(words)


def _one_line(expressions: list[re.Pattern[str]]) -> Callable[[str], Problem | None]:
    def read(line: str) -> Problem | None:
        for expression in expressions:
            if found := expression.fullmatch(line.rstrip()):
                return _problem(found, found)
        return None

    return read


def _several_lines(
    one: Callable[[str], Problem | None], head: re.Pattern[str]
) -> Callable[[str], Problem | None]:
    """Read a message and, on the line after it, its place."""
    before: re.Match[str] | None = None

    def read(line: str) -> Problem | None:
        nonlocal before
        last, before = before, None
        if problem := one(line):
            return problem
        if last is not None and (place := _PLACE.fullmatch(line.rstrip())):
            return _problem(place, last)
        before = head.fullmatch(line.rstrip())
        return None

    return read


def _problem(place: re.Match[str], text: re.Match[str]) -> Problem | None:
    where, what = place.groupdict(), text.groupdict()
    word, message = what.get("word"), what["message"].strip()
    if word is None and (found := _SEVERITY.match(message)):
        word, message = found["word"], message[found.end() :]
    word = word.lower() if word else None
    if word in _NO_PROBLEM or not message:
        return None
    severity: Severity | None = None
    if word is not None:
        severity = "warning" if word == "warning" else "error"
    return Problem(
        where["file"], _number(where.get("line")), _number(where.get("column")), severity, message
    )


def _number(digits: str | None) -> int | None:
    """A line or column, counted from 1; 0 stands for the whole file or line."""
    return int(digits) or None if digits else None
