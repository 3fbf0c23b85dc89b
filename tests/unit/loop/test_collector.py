"""The collector of garbage rests while a project is taken up."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from devloop.loop.collector import collector_at_rest, sweep, thaw


class Ring:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_collected_within() -> None:
    """The collector is off within and on afterwards."""
    with collector_at_rest():
        assert not gc.isenabled()
    assert gc.isenabled()
    thaw()


def test_it_goes_on_after_an_error() -> None:
    """An error within does not leave the collector off."""
    with pytest.raises(KeyError), collector_at_rest():
        raise KeyError
    assert gc.isenabled()
    thaw()


def test_what_python_keeps_at_hand_is_given_back() -> None:
    """Freed tuples of generators stay allocated until then."""
    sweep()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        tuple(number for number in (1, 2, 3))
    sweep()
    assert sys.getallocatedblocks() - before < 100


def test_a_project_that_is_not_needed_any_more_is_freed() -> None:
    """What was left out of collections and holds circles is freed when the next one comes."""
    with collector_at_rest():
        ring = Ring()
    seen = weakref.ref(ring)
    del ring
    gc.collect()
    assert seen() is not None
    thaw()
    assert seen() is None
