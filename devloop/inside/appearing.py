"""Look, to other processes, like the command."""

from __future__ import annotations

import os
import sys

from .libc import ctypes, libc

# ruff: noqa: PTH123

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PR_SET_MM = 35
_PR_SET_MM_MAP = 14


class Appearance:
    """How a command looks to other processes. Make it in the process that will look so.

    Args:
        argv: its command line.
        env: the environment that it is started with.
        variable: of these, the one that the guardian looks at.
    """

    def __init__(self, argv: list[str], env: dict[str, str], variable: str) -> None:
        self._block = b"\0".join([*map(os.fsencode, argv), b""])
        entries = [os.fsencode(f"{key}={value}") for key, value in env.items()]
        self._whole = self._block + b"\0".join([*entries, b""])
        self._mark, self._variable = env[variable], variable
        self._numbers = _stat()

    def put_on(self, name: str) -> None:
        """Look so from now on.

        Args:
            name: the kernel's, of which it keeps 15 bytes.
        """
        if libc is None or len(self._numbers) < 50:
            return
        try:
            with open("/proc/self/comm", "wb", buffering=0) as file:
                file.write(os.fsencode(name)[:15])
        except OSError:
            return
        block = self._block
        if "setproctitle" in sys.modules:
            # It writes where the kernel finds them at a program's start, and nowhere else.
            block = block[:-1].replace(b"\0", b" ") + b"\0"
        elif _map_memory(self._numbers, self._whole, len(block)):
            return
        _write_over(self._numbers, block, self._mark, self._variable)


def _stat() -> list[int]:
    """The fields of ``/proc/self/stat`` from the third one on (proc_pid_stat(5))."""
    try:
        with open("/proc/self/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b") ")[2].split()
    except OSError:
        return []
    return [0, *map(int, fields[1:])]  # the first one is a letter


_shown: Any = None
"""The memory in which the kernel finds both; it must stay."""


def _map_memory(stat: list[int], whole: bytes, split: int) -> bool:
    """Have the kernel take arguments and environment from memory of ours (prctl(2)).

    Args:
        stat: from `_stat`.
        whole: both, each string with a zero at its end.
        split: where the environment begins.
    """
    global _shown
    _shown = ctypes.create_string_buffer(whole, len(whole))
    start = ctypes.addressof(_shown)
    libc.sbrk.restype = ctypes.c_void_p
    values = [stat[23], stat[24], stat[42], stat[43], stat[44], libc.sbrk(0), stat[25]]
    values += [start, start + split, start + split, start + len(whole), 0]
    keep_program = 0xFFFFFFFF << 32 if sys.byteorder == "little" else 0xFFFFFFFF
    table = (ctypes.c_uint64 * 13)(*values, keep_program)
    size = ctypes.c_ulong(ctypes.sizeof(table))
    done: int = libc.prctl(
        _PR_SET_MM, ctypes.c_ulong(_PR_SET_MM_MAP), table, size, ctypes.c_ulong(0)
    )
    return done == 0


def _write_over(stat: list[int], block: bytes, mark: str, variable: str) -> None:
    """Write into the memory that the program was started with, as far as there is room."""
    arguments, arguments_end, strings, strings_end = stat[45:49]
    if not 0 < arguments < arguments_end <= strings < strings_end:
        return
    room = arguments_end - arguments
    ctypes.memmove(arguments, block[: room - 1].ljust(room, b"\0"), room)
    start = f"{variable}=".encode()
    old = ctypes.string_at(strings, strings_end - strings)
    at = 0 if old.startswith(start) else old.find(b"\0" + start) + 1
    if old.startswith(start, at):
        new = mark.encode()
        if old.find(b"\0", at) - at - len(start) == len(new):
            ctypes.memmove(strings + at + len(start), new, len(new))
