"""Look, to other processes, like the command."""

from __future__ import annotations

import os
import sys

from . import titles
from .libc import ctypes, libc

# ruff: noqa: PTH123

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PR_SET_NAME = 15
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

    def put_on(self, name: str, *, late: bool) -> None:
        """Look so from now on.

        Args:
            name: the kernel's, of which it keeps 15 bytes.
            late: a library that writes titles may yet be imported; that is waited for.
        """
        if libc is None or len(self._numbers) < 50:
            titles.begin(None)
            return
        if late:
            titles.wait()
        mapped = _map_memory(self._numbers, self._whole, len(self._block))
        # Where it is not, the library finds its memory where that is now, or never.
        found = not mapped and titles.look()
        try:
            with open("/proc/self/comm", "wb", buffering=0) as file:
                file.write(os.fsencode(name)[:15])
        except OSError:
            titles.begin(None)
            return
        if not mapped:
            block = _joined(self._block) if found else self._block
            _write_over(self._numbers, block, self._mark, self._variable)
        titles.begin(self._prepare if mapped else None)

    def _prepare(self) -> None:
        _prepare_titles(self._numbers, self._block)


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
    return _map_shown(stat, split)


def _map_shown(stat: list[int], split: int) -> bool:
    start, size = ctypes.addressof(_shown), len(_shown)
    libc.sbrk.restype = ctypes.c_void_p
    values = [stat[23], stat[24], stat[42], stat[43], stat[44], libc.sbrk(0), stat[25]]
    values += [start, start + split, start + split, start + size, 0]
    keep_program = 0xFFFFFFFF << 32 if sys.byteorder == "little" else 0xFFFFFFFF
    table = (ctypes.c_uint64 * 13)(*values, keep_program)
    room = ctypes.c_ulong(ctypes.sizeof(table))
    done: int = libc.prctl(
        _PR_SET_MM, ctypes.c_ulong(_PR_SET_MM_MAP), table, room, ctypes.c_ulong(0)
    )
    return done == 0


_listed: Any = None
"""The C library's list of variables; it must stay."""


def _prepare_titles(stat: list[int], block: bytes) -> None:
    """Have setproctitle find the memory that it writes over, as at a program's start.

    It goes back from the first variable and counts as many arguments as this process had when it
    was started, of which the first must be the same (find_argv_from_env in spt_setup.c). So it is
    shown such arguments for a moment; what it has found holds.

    Args:
        stat: from `_stat`.
        block: the command line that is to be seen, each argument with a zero at its end.
    """
    global _listed
    count, given = ctypes.c_int(), ctypes.POINTER(ctypes.c_wchar_p)()
    ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(count), ctypes.byref(given))
    arguments = [os.fsencode(given[0]), *[b"-"] * (count.value - 1)]
    shown = b"\0".join([*arguments, b""])
    if len(shown) < len(block) and len(arguments) > 1:
        arguments[-1] = arguments[-1].ljust(1 + len(block) - len(shown), b"-")
        shown = b"\0".join([*arguments, b""])
    environ = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
    variables: list[bytes] = []
    while environ and (address := environ[len(variables)]):
        variables.append(ctypes.string_at(address))
    if not variables or not _map_memory(stat, shown + b"\0".join([*variables, b""]), len(shown)):
        return
    at, addresses = ctypes.addressof(_shown) + len(shown), []
    for variable in variables:
        addresses.append(at)
        at += len(variable) + 1
    _listed = (ctypes.c_void_p * (len(addresses) + 1))(*addresses, None)
    ctypes.c_void_p.in_dll(libc, "environ").value = ctypes.addressof(_listed)
    titles.look()
    line = _joined(block)
    ctypes.memmove(_shown, line.ljust(len(shown), b"\0"), len(shown))
    libc.prctl(_PR_SET_NAME, line)  # it has given this thread the name of what it has found
    _map_shown(stat, len(block))  # it goes on beyond that, where a title does


def _joined(block: bytes) -> bytes:
    """A command line as setproctitle leaves it where it has not set another one."""
    return block[:-1].replace(b"\0", b" ") + b"\0"


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
