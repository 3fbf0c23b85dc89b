"""Entries of folders that tell when it is asked what lies behind them.

Those that `os.scandir` gives look so themselves, and cannot be wrapped: so others stand for them.
"""

from __future__ import annotations

import os

from . import looks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Scanning:
    """In the place of `os.scandir`.

    Args:
        real: it.
        found: called with what is scanned; gives the folder's path, and what is told of entries,
            as `Noting.looked_for` is; None where nothing is noted any more.
    """

    def __init__(self, real: Any, found: Callable[[Any], tuple[str, Callable[..., None]] | None]):
        looks.named_as(real, self)
        self._real = real
        self._found = found

    def __call__(self, path: Any = None) -> Any:
        """Scan a folder."""
        entries = self._real(path)
        found = self._found(path)
        return entries if found is None else _Entries(entries, *found)


class _Entries:
    def __init__(self, real: Any, folder: str, tell: Callable[..., None]) -> None:
        self._real = real
        self._folder = folder
        self._tell = tell

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> _Entry:
        entry = next(self._real)
        return _Entry(entry, f"{self._folder}/{os.fsdecode(entry.name)}", self._tell)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._real.close()


class _Entry:
    """What is asked of the entry itself is known by the folder; what it leads to is not."""

    __slots__ = ("_at", "_real", "_tell")

    def __init__(self, real: Any, at: str, tell: Callable[..., None]) -> None:
        self._real = real
        self._at = at
        self._tell = tell

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return os.DirEntry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __fspath__(self) -> Any:
        return self._real.path

    def __repr__(self) -> str:
        return repr(self._real)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        self._tell(self._at, follow=follow_symlinks)
        found: os.stat_result = self._real.stat(follow_symlinks=follow_symlinks)
        return found

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        self._asked(follow_symlinks)
        return bool(self._real.is_dir(follow_symlinks=follow_symlinks))

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        self._asked(follow_symlinks)
        return bool(self._real.is_file(follow_symlinks=follow_symlinks))

    def inode(self) -> int:
        self._tell(self._at, follow=False)
        return int(self._real.inode())

    def _asked(self, follow: bool) -> None:
        if follow and self._real.is_symlink():
            self._tell(self._at, only=True)
