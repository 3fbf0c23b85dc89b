"""How it is shown why an app cannot start, to those who ask the app for a page.

Imported when that is asked: templates and their like take longer than a quick command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from string import Template

from devloop.execute import editor_links
from devloop.execute.failure import Failure, Frame

CONTEXT = 3
"""Lines of source before and after the one that a frame of the project is at."""

TEXT_KEPT = 64_000
"""Characters of the output that are shown at most: its last ones."""

_FOREIGN = frozenset({"site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox"})
_PLACE = re.compile(r'File "(?P<path>[^"\n]+)", line (?P<line>\d+)')
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
"""What an app colours its output with (ECMA-48)."""


def as_text(failure: Failure) -> str:
    """What a plain client gets.

    Args:
        failure: why.

    Returns:
        Lines of text.
    """
    parts = [f"{failure.app} cannot start: {failure.headline}", _printed(failure)]
    if failure.changes:
        parts.append("changed: " + ", ".join(failure.changes))
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(failure: Failure) -> str:
    """What a client gets that asks for JSON.

    Args:
        failure: why.

    Returns:
        One object.
    """
    value = {
        "error": f"{failure.app} cannot start",
        "app": failure.app,
        "message": failure.headline,
        "frames": [
            {"file": at.file, "line": at.line, "function": at.function, "source": at.source}
            for at in failure.frames
        ],
        "text": _printed(failure),
        "changes": failure.changes,
    }
    return json.dumps(value, indent=2) + "\n"


def as_html(failure: Failure, *, root: str, editor: str, token: str, get: bool) -> str:
    """What a browser gets: a page that loads itself anew when the app is back.

    Args:
        failure: why.
        root: the project's.
        editor: a template of `editor_links`.
        token: tells this failure from others, and the page's own script from any other.
        get: the page was asked for with GET, so that asking again changes nothing.

    Returns:
        A whole document.
    """
    open_at = partial(_link, root=root, editor=editor)
    own = [frame for frame in failure.frames if is_own(frame.file, root)]
    parts = []
    if failure.changes:
        changes = ", ".join(open_at(path, 1, path) for path in failure.changes)
        parts.append(f'<p class="changes">Changed: {changes}</p>')
    if own:
        parts.append("<h2>In the project, most recent call first</h2>")
        parts += [_frame(frame, root, open_at, whole=True) for frame in reversed(own)]
    if len(own) < len(failure.frames):
        parts.append("<h2>All calls, most recent first</h2>")
        parts += _calls(failure.frames, root, open_at)
    if text := _printed(failure):
        opened = "" if failure.frames else " open"
        title = "Traceback" if failure.frames else "Output"
        body = _linked(text, open_at)
        parts.append(
            f"<details{opened}><summary>{title} as text</summary><pre>{body}</pre></details>"
        )
    page = Template(resources.files(__package__).joinpath("error_page.html").read_text("utf-8"))
    return page.substitute(
        app=escape(failure.app),
        headline=escape(failure.headline),
        body="\n".join(parts),
        token=escape(token),
        get="true" if get else "false",
    )


def is_own(file: str, root: str) -> bool:
    """Whether a file is the project's, and not something that is installed in it.

    Args:
        file: as a traceback has it.
        root: the project's.

    Returns:
        False also for what is no file.
    """
    if file.startswith("<"):
        return False
    path = Path(root, file)
    return path.is_relative_to(root) and _FOREIGN.isdisjoint(path.relative_to(root).parts)


_Open = Callable[[str, int, str], str]


def _link(path: str, line: int, text: str, *, root: str, editor: str) -> str:
    if path.startswith("<"):
        return escape(text)
    url = editor_links.link(editor, str(Path(root, path)), line)
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def _calls(frames: Sequence[Frame], root: str, open_at: _Open) -> Iterator[str]:
    """All frames; those that are not the project's are folded."""
    for own, run in groupby(reversed(frames), lambda frame: is_own(frame.file, root)):
        shown = [_frame(frame, root, open_at, whole=False) for frame in run]
        if own:
            yield from shown
        else:
            count = "1 call" if len(shown) == 1 else f"{len(shown)} calls"
            summary = f"<summary>{count} outside the project</summary>"
            yield f"<details>{summary}{''.join(shown)}</details>"


def _frame(frame: Frame, root: str, open_at: _Open, *, whole: bool) -> str:
    name = frame.file
    if is_own(name, root):
        name = str(Path(root, name).relative_to(root))
    where = open_at(frame.file, frame.line, f"{name}:{frame.line}")
    function = f" in <code>{escape(frame.function)}</code>" if frame.function else ""
    lines = _context(frame, root) if whole else [(frame.line, frame.source.strip())]
    code = "".join(
        f'<span class="{"here" if number == frame.line else "near"}">'
        f"<i>{number}</i>{escape(text) or ' '}</span>"
        for number, text in lines
        if text or whole
    )
    return f"<section><p>{where}{function}</p>{f'<pre>{code}</pre>' if code else ''}</section>"


def _context(frame: Frame, root: str) -> list[tuple[int, str]]:
    """The lines around a frame's, while the file still has what was run there."""
    try:
        lines = Path(root, frame.file).read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    at = frame.line - 1
    if not 0 <= at < len(lines) or lines[at].strip() != frame.source.strip():
        return [(frame.line, frame.source.strip())]
    first = max(0, at - CONTEXT)
    return list(enumerate(lines[first : at + CONTEXT + 1], first + 1))


def _printed(failure: Failure) -> str:
    return _ESCAPES.sub("", failure.text[-TEXT_KEPT:]).strip()


def _linked(text: str, open_at: _Open) -> str:
    """Text as HTML, with a link at each place that a traceback names."""
    parts, end = [], 0
    for found in _PLACE.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(open_at(found["path"], int(found["line"]), found[0]))
        end = found.end()
    return "".join(parts) + escape(text[end:])
