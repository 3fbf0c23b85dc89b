"""A failed test as a person wants to read it: the project's frames, and what was wrong.

Reads pytest's own texts (``--tb=long``, ``short`` and ``auto``, which mixes them); any other
text is shown as it is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from devloop.report.clean import one_line
from devloop.report.paint import Paint
from devloop.report.places import in_project

_PLACE = re.compile(
    r"^(?!E  )(?P<path>(?:[A-Za-z]:)?[^\s:>'\"=][^:'\"=\n]*):(?P<line>\d+):"
    r"(?: in (?P<where>.+)| .*|)$"
)
_SEPARATOR = re.compile(r"^(_ ){3,}_?\s*$")
_CHAINED = ("The above exception was the direct cause", "During handling of the above exception")
_ADDED = re.compile(r"\s*\+ (?! (where|and) )")
_MARKS = re.compile(r"^[\s^~]*[\^~][\s^~]*$")

BEFORE = 5
"""Source lines shown above the one that failed."""

MOST = 60
"""Lines of one message that are shown; more are counted."""

CAPTURED = 10
"""Last lines shown of what a test printed."""


class Frame(msgspec.Struct):
    """One call on the way to a failure.

    Args:
        path: as pytest wrote it.
        line: counted from 1.
        where: the function's name, where the text names it.
        source: number (None for the marks under a line), text.
        errors: what was wrong, where this is the last frame.
        values: the arguments, as pytest wrote them.
    """

    path: str
    line: int
    where: str | None = None
    source: list[tuple[int | None, str]] = []
    errors: list[str] = []
    values: list[str] = []


def parse(text: str) -> list[Frame | str]:
    """Read pytest's text of a failure.

    Args:
        text: without the heading that names the test.

    Returns:
        Frames, outermost first, and the sentences between chained exceptions; or, where the text
        has another form, its lines.
    """
    parts: list[Frame | str] = []
    pending: list[str] = []
    short: Frame | None = None
    for line in text.splitlines():
        place = _PLACE.match(line)
        if place is not None:
            frame = Frame(place["path"], int(place["line"]), place["where"])
            if place["where"] is None:
                _fill_long(frame, pending)
                short = None
            else:
                parts.extend(piece for piece in pending if piece.strip())
                short = frame
            parts.append(frame)
            pending = []
        elif _SEPARATOR.match(line):
            short = None
        elif line.startswith(_CHAINED):
            parts.append(line)
            short = None
        elif short is not None and line.startswith("    "):
            number = None if _MARKS.match(line) else short.line + len(short.source)
            short.source.append((number, line[4:]))
        elif short is not None and line.startswith("E"):
            short.errors.append(line[1:])
        else:
            pending.append(line)
    rest = [line for line in pending if line.strip()]
    if rest and not any(isinstance(part, Frame) for part in parts):
        return list(text.splitlines())
    return [*parts, *rest]


def _fill_long(frame: Frame, lines: list[str]) -> None:
    """Sort the lines that pytest writes above a place."""
    marked = [index for index, line in enumerate(lines) if line.startswith(">")]
    if not marked:
        # Not source: a doctest, or what a plugin collected from another kind of file.
        frame.source = [(None, line) for line in lines if not line.startswith("E  ")]
        frame.errors = [line[1:] for line in lines if line.startswith("E  ")]
        return
    first = frame.line - marked[-1]
    for index, line in enumerate(lines):
        if line.startswith("E"):
            frame.errors.append(line[1:])
        elif line.startswith((">", "    ")) or (frame.source and not frame.errors and not line):
            number = None if index > marked[-1] and _MARKS.match(line) else first + index
            frame.source.append((number, line[4:]))
        elif line.strip():
            frame.values.append(line)
    while frame.source and not frame.source[-1][1].strip():
        frame.source.pop()


class Failures:
    """Renders failures.

    Args:
        paint: what the stream can show.
        root: the project's, absolute.
    """

    def __init__(self, paint: Paint, root: str) -> None:
        self._paint = paint
        self._root = root

    def traceback(self, text: str) -> Iterator[str]:
        """The lines of a failure.

        Args:
            text: pytest's.
        """
        parts = parse(text)
        frames = [part for part in parts if isinstance(part, Frame)]
        if not frames:
            yield from self._raw(parts)
            return
        ours = {id(frame) for frame in frames if in_project(frame.path, self._root)}
        if not ours:
            ours.add(id(frames[-1]))
        hidden: list[Frame] = []
        for part in parts:
            if isinstance(part, str):
                yield from self._fold(hidden)
                hidden = []
                yield ""
                yield self._paint(one_line(part), "dim")
            elif id(part) in ours:
                yield from self._fold(hidden)
                hidden = []
                yield from self._frame(part)
            else:
                hidden.append(part)
                if part.errors:
                    yield from self._fold(hidden)
                    hidden = []
                    yield from self._errors(part.errors)
        yield from self._fold(hidden)

    def captured(self, title: str, text: str) -> Iterator[str]:
        """What a test printed, folded to its end.

        Args:
            title: pytest's, as ``Captured stdout call``.
            text: what was printed.
        """
        lines = text.rstrip().split("\n")
        if not text.strip():
            return
        title = one_line(title)
        if len(lines) > CAPTURED:
            title += f", the last {CAPTURED} of {len(lines):,} lines"
        yield ""
        yield self._paint(title, "dim")
        bar = self._paint("│ ", "dim")
        for line in lines[-CAPTURED:]:
            yield bar + self._paint.foreign(line)

    def place(self, path: str, line: int, column: int | None = None, style: str = "cyan") -> str:
        """``path:line`` as a link.

        Args:
            path: relative to the root, or absolute.
            line: counted from 1.
            column: shown where given.
            style: of the text.
        """
        text = f"{one_line(path)}:{line}" + (f":{column}" if column else "")
        absolute = path if path.startswith("/") else f"{self._root.rstrip('/')}/{path}"
        return self._paint.link(self._paint(text, style), absolute, line)

    def _frame(self, frame: Frame) -> Iterator[str]:
        where = f" in {frame.where}" if frame.where and frame.where != "<module>" else ""
        yield ""
        yield self.place(frame.path, frame.line) + self._paint(where, "dim")
        source = _near(frame)
        digits = max((len(str(number)) for number, _ in source if number), default=1)
        for number, text in source:
            failing = number == frame.line
            head = f"{'> ' if failing else '  '}{number or '':>{digits}} │ "
            style = "bold" if failing else "red" if _MARKS.match(text) else ""
            body = self._paint(self._paint.foreign(text), style)
            yield self._paint(head if body else head.rstrip(), "red" if failing else "dim") + body
        for value in frame.values:
            yield self._paint(f"{'':>{digits + 3}}  {one_line(value, 200)}", "dim")
        yield from self._errors(frame.errors)

    def _errors(self, errors: Sequence[str]) -> Iterator[str]:
        if not errors:
            return
        mark = self._paint("E", "red")
        lines = textwrap.dedent("\n".join(errors)).split("\n")
        for index, line in enumerate(lines[:MOST]):
            text = self._paint(self._paint.foreign(line), _error_style(index, line))
            yield f"{mark} {text}".rstrip()
        if len(lines) > MOST:
            yield f"{mark} {self._paint(f'… {len(lines) - MOST:,} more lines', 'dim')}"

    def _fold(self, frames: Sequence[Frame]) -> Iterator[str]:
        if not frames:
            return
        last = frames[-1]
        name = "/".join(last.path.replace("\\", "/").split("/")[-2:])
        count = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
        yield ""
        yield self._paint(f"… {count} outside the project, to {one_line(name)}:{last.line}", "dim")

    def _raw(self, lines: Sequence[Frame | str]) -> Iterator[str]:
        yield ""
        for line in lines[-MOST:]:
            text = str(line)
            if text.startswith("E "):
                yield from self._errors([text[1:]])
            else:
                yield self._paint.foreign(text)


def _near(frame: Frame) -> list[tuple[int | None, str]]:
    """The lines around the one that failed, moved to the margin."""
    at = next((i for i, (number, _) in enumerate(frame.source) if number == frame.line), None)
    lines = frame.source[-MOST:] if at is None else frame.source[max(at - BEFORE, 0) :]
    # Of no lines one would be made.
    text = textwrap.dedent("\n".join(text for _, text in lines)).split("\n") if lines else []
    return [(number, line.rstrip()) for (number, _), line in zip(lines, text, strict=True)]


def _error_style(index: int, line: str) -> str:
    if index == 0:
        return "bold red"
    if _ADDED.match(line):
        return "green"
    if line.lstrip().startswith("? "):
        return "dim"
    return "red"
