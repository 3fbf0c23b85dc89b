"""What code reads and does while it is imported or called, told by audit events (PEP 578).

An audit hook can not be taken away again. So there is one in a process and in all that are forked
from it, which does nothing but look whether anybody notes: some 50 nanoseconds an event.
"""

from __future__ import annotations

import os
import sys

from . import looks
from .control import private

# What is loaded here would be found by the command.
# ruff: noqa: PTH100, PTH120

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_thread: Any = private("_thread")
_COMPILED = (".pyc", ".so")
_KERNEL = ("/dev/", "/proc/", "/sys/")
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FINDER = "<frozen importlib._bootstrap_external>"

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


class Noting:
    """Notes, while it lasts, what files are read and what is done.

    Attributes:
        files: modification time (nanoseconds), size and inode of the files that were opened,
            compiled modules left out; None of those that were not there.
        there: the paths of which it was only asked whether something is there, and is.
        folders: modification time of those that were listed, and whether that was only to find
            modules.
        acts: what was done that a process which inherits the rest would not do, or could not
            know to be done anew.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, int, int] | None] = {}
        self.there: set[str] = set()
        self.folders: dict[str, tuple[int, bool]] = {}
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
        self._unwrap = looks.wrap(lambda real: _Looking(real, self))
        return self

    def __exit__(self, *_: object) -> None:
        global _current
        _current = None
        self._unwrap()

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
                self._opened(*arguments[:3])
            elif event in ("os.listdir", "os.scandir"):
                self._listed(arguments[0])
            elif event == "sqlite3.connect":
                self._opened(arguments[0], None, 0)
            elif event in self.kinds:
                self.acts.append(self.kinds[event])
        finally:
            self._within.discard(thread)

    def _opened(self, name: Any, mode: Any, flags: Any) -> None:
        path = _path(name)
        if path is None or path.startswith(_KERNEL) or ".pyc" in path:
            return
        if isinstance(flags, int) and flags & _CHANGING:
            self.acts.append(f"writes {path}")
        elif not path.endswith(_COMPILED) and path not in self.files:
            self.files[path] = _sign(path)

    def looked_for(self, name: Any) -> None:
        """Take in that something is looked for, which may be there or not.

        Args:
            name: its path, or a descriptor.
        """
        path = _path(name)
        if path is None or (path + os.sep).startswith(self._passed_over) or path in self.files:
            return
        sign = _sign(path)
        # The time of a folder changes with what is in it.
        if sign is not None and (_only_asked(sys._getframe(2)) or _is_folder(path)):
            self.there.add(path)
        else:
            self.files[path] = sign

    def _listed(self, name: Any) -> None:
        path = _path("." if name is None else name)
        if path is None or (path + os.sep).startswith(self._passed_over):
            return
        sign = _sign(path)
        if sign is not None:
            frame: Any = sys._getframe(1)
            while frame.f_globals.get("__name__", "").startswith("_devloop"):
                frame = frame.f_back
            for_modules = frame.f_code.co_filename == _FINDER
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

    def __call__(self, path: Any, *arguments: Any, **named: Any) -> Any:
        if _current is self._noting:
            self._noting.looked_for(path)
        return self._real(path, *arguments, **named)


_stat: Any = private("posix" if os.name == "posix" else "nt").stat
_library = os.path.dirname(os.__file__) + os.sep
_current: Noting | None = None
_hooked = False


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _current is not None:
        _current.heard(event, arguments)


def _only_asked(frame: Any) -> bool:
    """Whether a call of `os.stat` or its like was made to see whether something is there."""
    while frame is not None and frame.f_code.co_filename.startswith((_library, "<frozen ")):
        if frame.f_code.co_name in looks.ASKING:
            return True
        frame = frame.f_back
    return False


def _path(name: Any) -> str | None:
    """An absolute path; None for a descriptor, and for what is no path."""
    try:
        text = os.fsdecode(name)
    except TypeError:
        return None
    return None if not text or text.startswith(":memory:") else os.path.abspath(text)


def _sign(path: str) -> tuple[int, int, int] | None:
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_folder(path: str) -> bool:
    return bool(_stat(path).st_mode & 0o170000 == 0o040000)
