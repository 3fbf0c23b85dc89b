"""Modules of the project, imported for others to inherit, and what that has depended on.

What may be held is told in `preload.py` of modules from elsewhere. A module of the project may
do more at its import, because each start is meant to do it: print, write a file, run a program.
Such a one is not held, nor is what imports it.
"""

from __future__ import annotations

import os
import sys

from . import keep, preload, seeds, titles
from .control import private
from .modules import finders
from .noting import LEARNING, Noting
from .openings import Openings
from .signs import sign_of
from .state import State, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


_clock: Any = private("time").monotonic


class Making:
    """The imports of one layer.

    Args:
        order: `modules` in order; `never`, packages that must not come in with them; `target` and
            `call`, a function whose result is kept, or None; `heed`, a folder of which what is
            opened is noted also where nothing of Python's tells of that, or None; `path`, `finders`
            and `altered`, what the command has made of `sys.path`, of the import system and of the
            environment.
        tell: called with the name of each module before it is imported.
        flush: writes out what is printed so far.
    """

    def __init__(
        self, order: dict[str, Any], tell: Callable[[str], None], flush: Callable[[], None]
    ) -> None:
        self._modules: list[str] = order["modules"]
        self._never = [name for name in order["never"] if name not in sys.modules]
        self._target: str | None = order["target"]
        self._call: str | None = order["call"]
        self._heed: str | None = order["heed"]
        self._path: list[str] = order["path"]
        self._finders: list[str] = order["finders"]
        self._altered = frozenset(order["altered"])
        self._tell = tell
        self._flush = flush
        self._fault: tuple[str, str] | None = None
        self._refused: str | None = None
        self._elsewhere: str | None = None
        self._asked: list[str] = []

    def run(self) -> dict[str, Any]:
        """Import them, up to the first that cannot be held.

        Returns:
            The answer to devloop. For each module in `asked`, and once more at the end, a zero
            byte was written to standard output, so that what was printed can be told apart.
        """
        loaded, began = set(sys.modules), _clock()
        environment, openings = preload.Environment(), Openings(self._heed)
        with openings, environment, Noting() as noting, seeds.Watching(), titles.Watching():
            self._import_all(noting, environment)
            if self._fault is None and self._target is not None:
                self._compute(self._target, loaded, noting)
        seconds = _clock() - began
        self._mark()
        files, folders = _with(noting, openings)
        news = [name for name in list(sys.modules) if name not in loaded]
        return {
            "m": "layered",
            "loaded": [[name, preload.file_of(name)] for name in news],
            "fault": self._fault,
            "seconds": seconds,
            "refused": self._refused,
            "elsewhere": self._elsewhere,
            "asked": self._asked,
            "env": None if environment.read is None else sorted(environment.read),
            "written": environment.written,
            "heard": openings.heard,
            "files": [[path, sign] for path, sign in files.items()],
            "there": [[*key, seen] for key, seen in noting.there.items()],
            "folders": [[path, *known] for path, known in folders.items()],
        }

    def _import_all(self, noting: Noting, environment: preload.Environment) -> None:
        before = State()
        for name in self._modules:
            if name in sys.modules:
                continue
            self._tell(name)
            self._asked.append(name)
            reason = preload.failure(name)
            self._mark()
            after = settled(before)
            reason = (
                reason
                or after.unsafe(before)
                or next(iter(noting.acts), None)
                or self._brings_in_what_is_not_held()
                or self._depends_on_the_command(environment)
            )
            if reason is not None:
                self._fault = (name, reason)
                return
            before = after
        missing = {*self._finders}.difference(finders())
        if missing and self._asked:
            self._fault = (self._asked[0], f"is found by {min(missing)}, which the command sets up")

    def _depends_on_the_command(self, environment: preload.Environment) -> str | None:
        if sys.path != self._path:
            return "changes sys.path"
        altered = self._altered.difference(environment.written)
        read = altered if environment.read is None else altered & environment.read
        return f"reads ${min(read)}, which the command sets" if read else None

    def _mark(self) -> None:
        self._flush()
        os.write(1, b"\0")

    def _brings_in_what_is_not_held(self) -> str | None:
        for name in self._never:
            if name in sys.modules:
                return f"imports {name}, which is not held"
        return None

    def _compute(self, target: str, loaded: set[str], noting: Noting) -> None:
        before, done = State(), len(noting.acts)
        self._tell(target)
        try:
            keep.compute(target, self._call, [name for name in sys.modules if name not in loaded])
        except keep.Refused as refused:
            self._refused = str(refused)
            return
        self._elsewhere = next((act for act in noting.acts[done:] if act in LEARNING), None)
        self._refused = settled(before).unsafe(before)


def _with(noting: Noting, openings: Openings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The files and folders that were noted, with those of which only the kernel has told."""
    files, folders = dict(noting.files), dict(noting.folders)
    for path in openings.files.difference(files):
        if (sign := sign_of(path)) is not None:
            files[path] = sign
    for path in openings.folders.difference(folders):
        if (sign := sign_of(path)) is not None:
            folders[path] = (sign[0], False)
    return files, folders
