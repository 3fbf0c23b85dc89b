"""Copy pages of memory before they are written to (`execute/pages.py`)."""

from __future__ import annotations

from .libc import ctypes, libc

_MADV_POPULATE_WRITE = 23


def copy(ranges: list[list[int]]) -> None:
    """Have the kernel copy pages now, as if they were written to (madvise(2), since Linux 5.14).

    Args:
        ranges: address and length of each, in bytes; what is not there is passed over.
    """
    if libc is None:
        return
    for start, length in ranges:
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_POPULATE_WRITE)
