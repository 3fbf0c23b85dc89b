"""What is opened in a folder and below, by code in C of which no audit event tells (inotify(7))."""

from __future__ import annotations

import os
import sys

from .libc import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What is loaded here would be found by the command.
# ruff: noqa: PTH118

MOST = 4096
"""Folders that are watched; a user may have some thousands of watches in all."""

_OPEN, _LOST, _FOLDER = 0x20, 0x4000, 0x40000000
_HEADER = 16
_MODULES = (".py", ".pyc", ".so")


class Openings:
    """Notes, while it lasts, what is opened there, by whatever process.

    Args:
        root: the folder; None is none.

    Attributes:
        files: what was opened, modules left out.
        folders: those that were.
        heard: all of it was heard.
    """

    def __init__(self, root: str | None) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.heard = False
        self._root = root
        self._fd = -1
        self._watched: dict[int, str] = {}

    def __enter__(self) -> Openings:
        if self._root is not None and libc is not None:
            self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            self.heard = self._fd >= 0 and self._watch(self._root)
            for _ in self._events():
                pass  # of our own looking
        return self

    def __exit__(self, *_: object) -> None:
        for path, is_folder in self._events():
            if is_folder:
                self.folders.add(path)
            elif not path.endswith(_MODULES):
                self.files.add(path)
        if self._fd >= 0:
            os.close(self._fd)

    def _watch(self, root: str) -> bool:
        known = set()
        todo = [root]
        while todo:
            folder = todo.pop()
            try:
                found = os.stat(folder)  # noqa: PTH116
                if (found.st_dev, found.st_ino) in known:
                    continue  # a link leads there, too
                known.add((found.st_dev, found.st_ino))
                with os.scandir(folder) as listed:
                    entries = list(listed)
                if any(entry.name == "pyvenv.cfg" for entry in entries):
                    continue
                todo += [entry.path for entry in entries if _is_of_interest(entry)]
            except OSError:
                continue
            number = libc.inotify_add_watch(self._fd, os.fsencode(folder), _OPEN)
            if number < 0 or len(known) > MOST:
                return False
            self._watched[number] = folder
        return True

    def _events(self) -> Iterator[tuple[str, bool]]:
        while self._fd >= 0:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, mask, _, length = (
                    int.from_bytes(data[start : start + 4], sys.byteorder)
                    for start in range(at, at + _HEADER, 4)
                )
                name = os.fsdecode(data[at + _HEADER : at + _HEADER + length].rstrip(b"\0"))
                at += _HEADER + length
                if mask & _LOST:
                    self.heard = False
                elif number in self._watched:
                    folder = self._watched[number]
                    path = os.path.join(folder, name) if name else folder
                    yield path, bool(mask & _FOLDER)


def _is_of_interest(entry: os.DirEntry[str]) -> bool:
    known = entry.name.startswith(".") or entry.name in ("__pycache__", "node_modules")
    return not known and entry.is_dir()
