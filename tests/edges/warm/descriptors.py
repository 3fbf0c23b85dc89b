"""What descriptors a process has open, as the system tells (proc_pid_fd(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path


def flags_of(pid: int, inode: int) -> list[str]:
    """The flags of a program's own descriptors of a socket (proc_pid_fdinfo(5)).

    Args:
        pid: of the program.
        inode: of the socket.
    """
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        if int(name) < 100 and _target(pid, name) == f"socket:[{inode}]":
            info = Path(f"/proc/{pid}/fdinfo/{name}").read_text()
            found += re.findall(r"^flags:\s*(\d+)$", info, re.MULTILINE)
    return found


def _target(pid: int, fd: str) -> str | None:
    """What a descriptor leads to; None where it was closed meanwhile, as a connection's is."""
    try:
        return str(Path(f"/proc/{pid}/fd/{fd}").readlink())
    except FileNotFoundError:
        return None
