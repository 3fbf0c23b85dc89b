"""`.devloop/locations`: all that stands, one problem a line, for the editor plugins of bacon.

The form is bacon's default line of its *locations* export, ``{kind} {path}:{line}:{column}
{message}``, with its three kinds (https://dystroy.org/bacon/config/#exports). The file is
replaced as a whole, so whoever reads it meets what stood at one moment.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from devloop import events as ev
from devloop.config import folder
from devloop.events import printable
from devloop.report.clean import one_line
from devloop.report.standing import Problem, Standing

NAME = "locations"

_BESIDE = (ev.AppReady, ev.AppFailed, ev.AppExited, ev.Diagnostic)
"""What changes what stands also when no cycle is open."""


class Locations:
    """Keeps the file current.

    Args:
        root: the project's.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._standing = Standing()
        self._written: str | None = None

    def handle(self, event: ev.Event) -> None:
        """Take an event; write the file where a cycle has ended with other problems.

        Args:
            event: any.
        """
        self._standing.apply(event)
        if isinstance(event, ev.CycleFinished) or (
            event.cycle is None and isinstance(event, _BESIDE)
        ):
            self._write("".join(f"{line(problem)}\n" for problem in self._problems()))

    def _problems(self) -> list[Problem]:
        """Errors first: an editor jumps to the first one."""
        return sorted(self._standing.problems(), key=lambda problem: problem.severity)

    def _write(self, text: str) -> None:
        if text == self._written:
            return
        # Where `.devloop/` cannot be written the store has said so, and no session ends for it.
        with suppress(OSError):
            path = folder.make(self._root) / NAME
            news = path.with_suffix(".new")
            news.write_text(text, encoding="utf-8", newline="\n")
            os.replace(news, path)  # noqa: PTH105
            self._written = text


def line(problem: Problem) -> str:
    """One problem in bacon's form.

    Args:
        problem: what stands.

    Returns:
        ``kind path:line:column message``; a test's kind is ``test``, and its message ends with
        its nodeid.
    """
    kind = "test" if problem.nodeid and problem.severity == "error" else problem.severity
    place = f"{one_line(problem.path)}:{problem.line}:{problem.column}"
    tail = f" [{one_line(problem.nodeid)}]" if problem.nodeid else ""
    return printable(f"{kind} {place} {problem.message}{tail}")
