"""A read-only file system in user space, whose files somebody else changes (Linux, as root).

Run as ``python remote_files.py MOUNTPOINT``; speaks FUSE (linux/fuse.h, protocol 7.31) over
/dev/fuse. Each line on standard input is ``NAME CONTENT``: the file is such from then on, and the
kernel is told nothing, as with a network share. ``ready`` on standard output: it is mounted.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import stat
import struct
import sys
import time

HEADER = struct.Struct("<IIQQIIII")
ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS, BATCH_FORGET = 25, 26, 27, 28, 29, 34, 42
ROOT = 1


class Files:
    """The files, by their number, and the answers about them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.contents: dict[str, tuple[bytes, int]] = {}

    def put(self, name: str, content: bytes) -> None:
        """Somebody else writes a file."""
        if name not in self.names:
            self.names.append(name)
        self.contents[name] = (content, time.time_ns())

    def attributes(self, node: int) -> bytes:
        """What stat says."""
        if node == ROOT:
            changed = max((t for _, t in self.contents.values()), default=0)
            size, mode = 0, stat.S_IFDIR | 0o755
        else:
            content, changed = self.contents[self.names[node - 2]]
            size, mode = len(content), stat.S_IFREG | 0o644
        s, ns = divmod(changed, 10**9)
        return ATTRIBUTES.pack(node, size, 0, s, s, s, ns, ns, ns, mode, 1, 0, 0, 0, 4096, 0)

    def answer(self, kind: int, node: int, body: bytes) -> bytes:
        """The body of the answer.

        Raises:
            OSError: with its number, to be sent instead.
        """
        if kind == INIT:
            return struct.pack(
                "<IIIIHHIIHHIIHH6I", 7, 31, 65536, 0, 0, 0, 65536, 1, 1, 0, *[0] * 10
            )[:64]
        if kind == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self.attributes(node)
        if kind == LOOKUP:
            name = os.fsdecode(body.rstrip(b"\0"))
            if name not in self.contents:
                raise OSError(errno.ENOENT, name)
            found = self.names.index(name) + 2
            return struct.pack("<QQQQII", found, 0, 0, 0, 0, 0) + self.attributes(found)
        if kind in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 1, 0)  # direct I/O: nothing is cached
        if kind == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self.contents[self.names[node - 2]][0][offset : offset + size]
        if kind == READDIR:
            _, offset, size = struct.unpack_from("<QQI", body)
            entries = b""
            for at, name in enumerate(self.names[offset:], offset + 1):
                raw = os.fsencode(name)
                entry = struct.pack("<QQII", at + 1, at, len(raw), stat.S_IFREG >> 12) + raw
                entry += b"\0" * (-len(entry) % 8)
                if len(entries) + len(entry) > size:
                    break
                entries += entry
            return entries
        if kind == STATFS:
            return bytes(80)
        if kind in (RELEASE, RELEASEDIR, FLUSH, ACCESS):
            return b""
        raise OSError(errno.ENOSYS, "not implemented")


def mount(point: str) -> int:
    """Mount, and give the descriptor over which the kernel asks."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"remote", point.encode(), b"fuse.remote", 0, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), point)
    return fd


def main() -> None:
    """Serve until standard input is closed."""
    files = Files()
    fd = mount(sys.argv[1])
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.register(0, select.POLLIN)
    os.write(1, b"ready\n")
    while True:
        for ready, _ in poller.poll():
            if ready == 0:
                line = sys.stdin.buffer.readline()
                if not line:
                    return
                name, content = line.split(b" ", 1)
                files.put(os.fsdecode(name), content)
                os.write(1, b"put\n")
                continue
            request = os.read(fd, 1 << 20)
            _, kind, unique, node, *_ = HEADER.unpack_from(request)
            if kind in (FORGET, BATCH_FORGET):
                continue
            try:
                body, error = files.answer(kind, node, request[HEADER.size :]), 0
            except OSError as problem:
                body, error = b"", problem.errno or errno.EIO
            os.write(fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)


if __name__ == "__main__":
    main()
