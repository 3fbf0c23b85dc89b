"""What every watched file's content was when it was last looked at."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping

from devloop.events import ChangeKind
from devloop.watch.signatures import FOLDER, LARGE, Known, Signature, Unsettled, look, read
from devloop.watch.walk import RACY

_PACKED = struct.Struct("<qqqQ")  # 32 bytes, then the digest: a tenth of what the tuples take


def pack(signature: Signature) -> bytes:
    """The form in which a signature is kept.

    Args:
        signature: of a file.
    """
    return _PACKED.pack(*signature)


class Baseline(Mapping[str, Known]):
    """Files and what their content was.

    Args:
        root: what relative paths are relative to; absolute.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._records: dict[str, bytes] = {}
        self._racy: set[str] = set()

    def __getitem__(self, path: str) -> Known:
        record = self._records[path]
        return Known(Signature(*_PACKED.unpack(record[:32])), record[32:] or None)

    def __contains__(self, path: object) -> bool:
        return path in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._records))  # others may add to it meanwhile

    def __len__(self) -> int:
        return len(self._records)

    @property
    def racy(self) -> frozenset[str]:
        """Files read so soon after they were written that an equal signature proves nothing."""
        return frozenset(self._racy)

    def place(self, path: str) -> str:
        """Where a path is.

        Args:
            path: as it is reported.
        """
        return path if path.startswith("/") or os.path.isabs(path) else f"{self._root}/{path}"

    def put(self, path: str, known: Known, now: int) -> None:
        """Remember a file.

        Args:
            path: as it is reported.
            known: what it is.
            now: when it was looked at, nanoseconds since the epoch.
        """
        signature = known.signature
        self._records[path] = pack(signature) + (known.digest or b"")
        if max(signature.mtime_ns, signature.ctime_ns) > now - RACY:
            self._racy.add(path)
        else:
            self._racy.discard(path)

    def forget(self, path: str) -> None:
        """Remember a file no longer.

        Args:
            path: as it is reported.
        """
        self._records.pop(path, None)
        self._racy.discard(path)

    def below(self, folder: str) -> list[str]:
        """The files in a folder and in those within it.

        Args:
            folder: as it is reported.
        """
        start = f"{folder}/" if folder else ""
        return [path for path in list(self._records) if path.startswith(start)]

    def examine(
        self,
        path: str,
        now: int,
        *,
        entry: bool = False,
        deleted: bool = True,
        patient: bool = False,
        wary: bool = False,
    ) -> ChangeKind | None:
        """Compare a file with what it was, and remember what it is.

        Args:
            path: as it is reported.
            now: nanoseconds since the epoch.
            entry: a folder counts as well, by its existence.
            deleted: where it is missing, it is deleted; else it may come back.
            patient: leave it alone while it is being written.
            wary: leave it alone where there is nothing in it any more. Whoever has emptied it may
                be about to write to it, and the event that says so be on its way.

        Returns:
            None where its bytes are the same.

        Raises:
            Unsettled: it may come back, or is being written; nothing is remembered of it.
        """
        place = self.place(path)
        old = self.get(path)
        if old is not None and path not in self._racy and look(place) == old.signature:
            return None
        if entry and os.path.isdir(place):
            new: Known | None = Known(FOLDER)
        else:
            try:
                new = read(place)
            except Unsettled:
                if patient:
                    raise
                signature = look(place)
                new = signature and Known(signature)
        if new is None and old is None:
            return None
        if new is None:
            if not deleted:
                raise Unsettled(path)
            self.forget(path)
            return "deleted"
        if wary and old is not None and new.signature.size == 0 < old.signature.size:
            raise Unsettled(path)
        self.put(path, new, now)
        if old is None:
            return "created"
        return "modified" if _differ(old, new) else None

    def fill(self, path: str, now: int) -> None:
        """Read a file whose bytes have not been read, unless it is no longer what it was.

        Args:
            path: as it is reported.
            now: nanoseconds since the epoch.
        """
        old = self.get(path)
        if old is None or old.digest is not None:
            return
        try:
            new = read(self.place(path))
        except Unsettled:
            return
        if new is not None and new.signature == old.signature and path not in self._racy:
            self.put(path, new, now)

    def stale(self) -> list[str]:
        """The files whose signature is no longer what it was, or says nothing; 2 µs for each."""
        found = list(self._racy)
        root, stat, packed, windows = self._root, os.stat, _PACKED.pack, os.name == "nt"
        folder = pack(FOLDER)
        for path, record in list(self._records.items()):
            try:
                status = stat(path if path[0] == "/" else f"{root}/{path}")
            except (OSError, ValueError):
                found.append(path)
                continue
            changed = 0 if windows else status.st_ctime_ns
            now = packed(status.st_size, status.st_mtime_ns, changed, status.st_ino)
            if not record.startswith(now) and not record.startswith(folder):
                found.append(path)
        return found


def _differ(old: Known, new: Known) -> bool:
    if old.digest is not None and new.digest is not None:
        return old.digest != new.digest
    if FOLDER in (old.signature, new.signature):
        return old.signature != new.signature
    # Unread before, or too large: a change of ctime alone is one of mode, owner or name.
    same = old.signature[:2] == new.signature[:2]
    if max(old.signature.size, new.signature.size) > LARGE:
        return not same
    return not (same and old.signature.inode == new.signature.inode)
