"""Process trees: who descends from whom, as cheaply as the system tells it.

Used by the guardian at each stop and by the readiness checks every few milliseconds. Linux
lists a thread's children in ``/proc/PID/task/TID/children`` (proc_pid_children(5)); a walk over
a small tree so costs some ten microseconds, where a table of all processes costs milliseconds.
Elsewhere psutil makes that table, and is imported only there.
"""

from __future__ import annotations

import io
import os

MARK = "DEVLOOP_PROCESS"
"""The environment variable that names, in every descendant, the process that it came from."""

QUICK = os.access(f"/proc/self/task/{os.getpid()}/children", os.R_OK)
"""The system lists children itself."""


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not been reparented.

    Args:
        pid: of any process.

    Returns:
        Their ids; nothing for a process that is gone. Ended ones that nobody has reaped count.
    """
    if not QUICK:
        return [child for child, parent in _parents().items() if parent == pid]
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def family(pids: list[int]) -> list[int]:
    """Processes with all their descendants.

    Args:
        pids: where the walk begins.

    Returns:
        Each process once, ancestors first.
    """
    found = dict.fromkeys(pids)
    if QUICK:
        waiting = list(pids)
        while waiting:
            new = [child for child in children(waiting.pop()) if child not in found]
            found.update(dict.fromkeys(new))
            waiting += new
        return list(found)
    below: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        below.setdefault(parent, []).append(child)
    waiting = list(pids)
    while waiting:
        new = [child for child in below.get(waiting.pop(), ()) if child not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return list(found)


def everyone() -> list[int]:
    """The ids of all processes."""
    import psutil

    return psutil.pids()


def started(pid: int) -> float | None:
    """What tells a process from a later one with the same id.

    Args:
        pid: of any process.

    Returns:
        The time of its start, in whatever unit the system has; None where it is gone or has
        ended and waits to be reaped.
    """
    if QUICK:
        # The command's name may hold anything, a closing parenthesis too (proc_pid_stat(5)).
        _, _, rest = _read(f"/proc/{pid}/stat").rpartition(b") ")
        fields = rest.split()
        return float(fields[19]) if fields and fields[0] not in b"ZX" else None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def arguments(pid: int) -> list[str]:
    """The command line of a process; nothing for one that is gone or may not be asked.

    Args:
        pid: of any process.
    """
    if QUICK:
        return [os.fsdecode(one) for one in _read(f"/proc/{pid}/cmdline").split(b"\0")[:-1]]
    import psutil

    try:
        return psutil.Process(pid).cmdline()
    except (psutil.Error, OSError):
        return []


def mark(pid: int) -> str:
    """The mark in a process's environment, as it was when it was started.

    Args:
        pid: of any process.

    Returns:
        The names of the processes that it came from, outermost first, joined by slashes; empty
        where it has none or may not be asked.
    """
    if QUICK:
        start = f"{MARK}=".encode()
        for entry in _read(f"/proc/{pid}/environ").split(b"\0"):
            if entry.startswith(start):
                return entry[len(start) :].decode("ascii", "replace")
        return ""
    import psutil

    try:
        return psutil.Process(pid).environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""


def bears(pid: int, name: str) -> bool:
    """Whether a process came from the one of that name, at any remove.

    Args:
        pid: of any process.
        name: as the guardian gave it.

    Returns:
        False also where its environment cannot be read.
    """
    return name in mark(pid).split("/")


def group(pid: int) -> int | None:
    """The process group of a process; None where it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def session(pid: int) -> int | None:
    """The session of a process; None where it is gone or may not be asked."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _parents() -> dict[int, int]:
    import psutil

    return {
        process.pid: process.info["ppid"]
        for process in psutil.process_iter(["ppid"])
        if process.info["ppid"] is not None
    }


def _read(path: str) -> bytes:
    try:
        with io.FileIO(path) as file:
            return file.readall()
    except OSError:
        return b""
