"""Sets of numbers in few bytes, as the store keeps what each test depends on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devloop.select.numbers import pack, unpack

# Differences of one, two and more bytes, and their borders.
SETS = st.frozensets(st.integers(0, 300) | st.integers(0, 1 << 40) | st.sampled_from([127, 128]))


@given(SETS)
def test_a_set_comes_back_the_same(numbers: frozenset[int]) -> None:
    """Whatever numbers are in it, and in whatever order they were given."""
    assert unpack(pack(numbers)) == numbers
    assert pack(sorted(numbers, reverse=True)) == pack(numbers)


@given(SETS, SETS)
def test_sets_have_the_same_bytes_just_where_they_are_equal(
    one: frozenset[int], other: frozenset[int]
) -> None:
    """They are shared by content."""
    assert (pack(one) == pack(other)) == (one == other)


@given(SETS)
def test_numbers_that_are_near_each_other_take_a_byte_each(numbers: frozenset[int]) -> None:
    """The tests of a file depend on functions that became known one after another."""
    near = frozenset(range(min(numbers, default=0), min(numbers, default=0) + len(numbers)))
    assert len(pack(near)) <= len(near) + 5
