"""Sets of numbers in few bytes: sorted, as differences, seven bits a byte."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


def pack(numbers: Iterable[int]) -> bytes:
    """Write a set.

    Args:
        numbers: not negative.

    Returns:
        Equal bytes for equal sets.
    """
    found = bytearray()
    before = 0
    for number in sorted(set(numbers)):
        difference, before = number - before, number
        while difference > 0x7F:
            found.append(0x80 | (difference & 0x7F))
            difference >>= 7
        found.append(difference)
    return bytes(found)


def unpack(data: bytes) -> frozenset[int]:
    """Read a set.

    Args:
        data: from `pack`.
    """
    if data.isascii():
        return frozenset(accumulate(data))  # each difference in one byte, as nearly always
    found = set()
    number = difference = shift = 0
    for byte in data:
        difference |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            number += difference
            found.add(number)
            difference = shift = 0
    return frozenset(found)
