"""What is remembered of a file, to tell whether its bytes have changed."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import NamedTuple

LARGE = 4 << 20
"""Above so many bytes a file is not read: its size, mtime and inode stand for its content."""

DIGEST_SIZE = 16


class Signature(NamedTuple):
    """The shortcut for "unchanged".

    Args:
        size: in bytes; -1 for a folder.
        mtime_ns: nanoseconds since the epoch.
        ctime_ns: nanoseconds since the epoch; 0 on Windows, where it says nothing of changes.
        inode: the file's number on its file system.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Known(NamedTuple):
    """What is known of a file's content.

    Args:
        signature: when it was looked at.
        digest: BLAKE2b of its bytes, 16 bytes long; None where it has not been read.
    """

    signature: Signature
    digest: bytes | None = None


class Unsettled(Exception):
    """A file changed while it was read."""


FOLDER = Signature(-1, 0, 0, 0)
"""Stands for a folder, of which only the existence counts."""


def signature_of(status: os.stat_result) -> Signature:
    """The signature in a stat result.

    Args:
        status: of a regular file.
    """
    changed = 0 if os.name == "nt" else status.st_ctime_ns
    return Signature(status.st_size, status.st_mtime_ns, changed, status.st_ino)


def look(path: str) -> Signature | None:
    """A file's signature, links followed.

    Args:
        path: any path.

    Returns:
        None where there is no regular file (any more), or where it cannot be reached.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return signature_of(status) if stat.S_ISREG(status.st_mode) else None


def read(path: str) -> Known | None:
    """Read a file, sure that signature and digest belong together.

    Args:
        path: any path.

    Returns:
        Without digest where the file is large or may not be read; None where there is none.

    Raises:
        Unsettled: it changed meanwhile.
    """
    before = look(path)
    if before is None or before.size > LARGE:
        return before and Known(before)
    digest = blake2b(digest_size=DIGEST_SIZE)
    try:
        # O_NONBLOCK: should a FIFO have taken the file's place, opening it must not wait.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    except OSError:
        return Known(before)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        left = LARGE + 1
        while left and (part := os.read(fd, min(left, 1 << 16))):
            digest.update(part)
            left -= len(part)
    except OSError:
        return Known(before)
    finally:
        os.close(fd)
    after = look(path)
    if after is None:
        return None
    if after != before:
        raise Unsettled(path)
    return Known(before, digest.digest())
