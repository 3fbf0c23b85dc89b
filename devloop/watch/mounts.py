"""File systems that do not tell of every change."""

from __future__ import annotations

import os
from pathlib import Path

SILENT = frozenset(
    {
        "9p",  # WSL's drives, virtual machines' shared folders
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "drvfs",
        "fakeowner",  # Docker Desktop
        "fuse",  # and every fuse.*: sshfs, Docker Desktop's grpcfuse and osxfs, cloud drives
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
    }
)
"""They notify of what is written on this machine, and not of what others write on theirs."""

MOUNTS = Path("/proc/self/mountinfo")


def silent(place: str, mounts: Path = MOUNTS) -> str | None:
    """The kind of file system that a place is on, if it is a silent one.

    Args:
        place: absolute.
        mounts: the kernel's table (man 5 proc_pid_mountinfo).

    Returns:
        None where it notifies, or where that cannot be known.
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return silent_in(table, os.path.realpath(place))


def silent_in(table: str, place: str) -> str | None:
    """As `silent`, with the table's text.

    Args:
        table: lines of mountinfo; a later one covers an earlier one at the same place.
        place: absolute, links resolved.
    """
    best, kind = -1, ""
    for line in table.splitlines():
        left, found, right = line.partition(" - ")
        fields = left.split()
        if not found or len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), right.split(" ", 1)[0]
    return kind if kind.partition(".")[0] in SILENT else None


def _unescaped(point: str) -> str:
    """Spaces, tabs, newlines and backslashes are written in octal there."""
    for code in ("040", "011", "012", "134"):
        point = point.replace(f"\\{code}", chr(int(code, 8)))
    return point
