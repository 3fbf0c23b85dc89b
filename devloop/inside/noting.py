"""What code reads and does while it is imported or called, told by audit events (PEP 578).

An audit hook can not be taken away again. So there is one in a process and in all that are forked
from it, which does nothing but look whether anybody notes: some 50 nanoseconds an event.
"""

from __future__ import annotations

import os
import sys

from . import databases, entries, looks
from .control import private
from .signs import is_folder, seen_at, sign_of

# What is loaded here would be found by the command.
# ruff: noqa: PTH100, PTH120

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_thread: Any = private("_thread")
_COMPILED = (".pyc", ".so")
_ASKING = looks.ASKING | {"realpath", "_joinrealpath", "resolve"}
"""Those that follow links ask of each part of a path whether it is one; pathlib's looks for a loop
of them thereafter."""

_KERNEL = ("/dev/", "/proc/", "/sys/")
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MAKING = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}
"""Which argument of an event is the path of what is there then."""

_FINDER = "<frozen importlib._bootstrap_external>"
_OF_DISTRIBUTIONS = ("importlib.metadata", "importlib_metadata", "pkg_resources")
"""Modules that list all folders of `sys.path`, to find what is installed there."""


ACTS = {
    "subprocess.Popen": "runs a program",
    "os.system": "runs a program",
    "os.exec": "runs a program",
    "os.posix_spawn": "runs a program",
    "os.fork": "forks",
    "os.forkpty": "forks",
    "socket.connect": "connects to something",
    "socket.sendto": "sends something",
    "os.mkdir": "makes a folder",
    "os.remove": "removes files",
    "os.rename": "renames files",
    "os.rmdir": "removes folders",
    "os.truncate": "writes files",
    "os.symlink": "makes a link",
    "os.link": "makes a link",
}
"""What is done once where each start would do it, or learnt from where nobody can look."""

LEARNING = frozenset({"runs a program", "connects to something", "sends something"})
"""Those by which something may be learnt."""


class Noting:
    """Notes, while it lasts, what files are read and what is done.

    Attributes:
        files: modification time (nanoseconds), size and inode of the files that were opened,
            compiled modules left out; None of those that were not there.
        there: what was seen where it was only asked what kind of thing is there, by path and
            whether links were followed (see `signs.seen_at`).
        folders: modification time of those that were listed, and whether that was only to find
            modules, or distributions.
        made: files that were opened to be written, or put in place, and folders that were made.
        acts: what was done that a process which inherits the rest would not do, or could not
            know to be done anew.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, int, int] | None] = {}
        self.there: dict[tuple[str, bool], tuple[int, str] | None] = {}
        self.folders: dict[str, tuple[int, bool]] = {}
        self.made: set[str] = set()
        self.acts: list[str] = []
        self.kinds = ACTS
        self._within: set[int] = set()
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        libraries = {f"{prefix}/lib/{version}/" for prefix in (sys.prefix, sys.base_prefix)}
        self._passed_over = (*_KERNEL, *libraries)

    def __enter__(self) -> Noting:
        global _current, _hooked
        if not _hooked:
            _hooked = True
            sys.addaudithook(_heard)
        _current = self
        self._unwrap = (
            looks.wrap(lambda real: _Looking(real, self)),
            looks.wrap(lambda real: looks.Opening(real, self._within, self._opens), ("open",)),
            looks.wrap(lambda real: entries.Scanning(real, self._scanned), ("scandir",)),
        )
        return self

    def __exit__(self, *_: object) -> None:
        global _current
        _current = None
        for unwrap in self._unwrap:
            unwrap()

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take in an audit event.

        Args:
            event: its name.
            arguments: its own.
        """
        thread = _thread.get_ident()
        if thread in self._within:
            return  # what is done here is audited as well
        self._within.add(thread)
        try:
            if event == "open":
                self._opened(arguments[0], arguments[2])
            elif event in ("os.listdir", "os.scandir"):
                self._listed(arguments[0])
            elif event == "sqlite3.connect":
                for path in databases.files_of(arguments[0]):
                    self._opened(path, 0)
            elif event in self.kinds:
                self.acts.append(self.kinds[event])
                made = _path(arguments[_MAKING[event]]) if event in _MAKING else None
                if made is not None:
                    self.made.add(made)
        finally:
            self._within.discard(thread)

    def _opens(self, path: str, flags: Any) -> None:
        if _current is self:
            self.heard("open", (path, None, flags))

    def _opened(self, name: Any, flags: Any) -> None:
        path = _path(name)
        if path is None or path.startswith(_KERNEL) or ".pyc" in path:
            return
        if isinstance(flags, int) and flags & _CHANGING:
            self.acts.append(f"writes {path}")
            self.made.add(path)
        elif not path.endswith(_COMPILED) and path not in self.files:
            self._read(path)

    def looked_for(
        self, name: Any, *, at: int | None = None, follow: bool = True, only: bool = False
    ) -> None:
        """Take in that something is looked for, which may be there or not.

        Args:
            name: its path, or a descriptor.
            at: the descriptor of the folder that the path begins in; None is the current one.
            follow: of a link, what it leads to is looked for.
            only: it is only asked what kind of thing is there, whoever asks.
        """
        if _current is not self:
            return
        path = _path(name, at)
        if path is None or (path + os.sep).startswith(self._passed_over):
            return
        only = only or _only_asked(sys._getframe(2))
        if not follow:
            seen = seen_at(path, follow=False)
            if only or seen is None or seen[1] or is_folder(seen):
                self.there.setdefault((path, False), seen)
                return
        if path not in self.files:
            self._read(path, only=only)

    def _read(self, path: str, *, only: bool = False) -> None:
        seen = seen_at(path, follow=True)
        # The time of a folder changes with what is in it.
        if seen is not None and (only or is_folder(seen)):
            self.there.setdefault((path, True), seen)
        else:
            self.files[path] = sign_of(path)

    def _scanned(self, name: Any) -> tuple[str, Callable[..., None]] | None:
        path = _listed_path(name) if _current is self else None
        return None if path is None else (path, self.looked_for)

    def _listed(self, name: Any) -> None:
        path = _listed_path(name)
        if path is None or (path + os.sep).startswith(self._passed_over):
            return
        sign = sign_of(path)
        if sign is not None:
            frame: Any = sys._getframe(1)
            while frame.f_globals.get("__name__", "").startswith("_devloop"):
                frame = frame.f_back
            by_name = frame.f_globals.get("__name__") in _OF_DISTRIBUTIONS
            for_modules = by_name or frame.f_code.co_filename == _FINDER
            known = self.folders.get(path, (sign[0], True))
            self.folders[path] = (known[0], known[1] and for_modules)


class _Looking:
    """A function that tells of what it looks for, as long as that is noted.

    It is no function of Python's: a class that has it among its names would make a method of it,
    as pathlib's did before 3.11.

    Args:
        real: what does the looking.
        noting: is told.
    """

    def __init__(self, real: Any, noting: Noting) -> None:
        looks.named_as(real, self)
        self._real = real
        self._noting = noting
        self._follows = real.__name__ in ("stat", "access")
        self._only = real.__name__ in ("access", "readlink")

    def __call__(self, path: Any, *arguments: Any, **named: Any) -> Any:
        if _current is self._noting:
            follow = self._follows and named.get("follow_symlinks", True)
            at = named.get("dir_fd")
            self._noting.looked_for(path, at=at, follow=follow, only=self._only)
        return self._real(path, *arguments, **named)


_library = os.path.dirname(os.__file__) + os.sep
_current: Noting | None = None
_hooked = False


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _current is not None:
        _current.heard(event, arguments)


def _only_asked(frame: Any) -> bool:
    """Whether a call of `os.stat` or its like was made to see whether something is there."""
    while frame is not None and frame.f_code.co_filename.startswith((_library, "<frozen ")):
        if frame.f_code.co_name in _ASKING:
            return True
        frame = frame.f_back
    return False


def _path(name: Any, at: int | None = None) -> str | None:
    """An absolute path; None for a descriptor, and for what is no path.

    Args:
        name: the path, as it was given.
        at: the descriptor of the folder that it begins in; None is the current one.
    """
    try:
        text = os.fsdecode(name) if at is None else looks.below(name, at)
    except TypeError:
        return None
    return os.path.abspath(text) if text else None


def _listed_path(name: Any) -> str | None:
    """The path of a folder that is listed."""
    return looks.path_of(name) if type(name) is int else _path("." if name is None else name)
