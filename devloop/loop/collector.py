"""Python's collector of garbage, kept from walking over a large project again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let no collection run while a project is taken up, and leave what was made out of later ones.

    Facts and graphs live long and hold no circles. At ten thousand files a third of the time
    that a start takes went into looking for some, and each later collection is a pause of
    some 50 ms amid an edit. What is frozen is still freed when nothing refers to it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def sweep() -> None:
    """Give back what Python keeps at hand: to be called now and then, when nobody waits.

    Each tuple that is made of a generator stays at hand once it is freed, two thousand of each
    length, until all is collected. That hardly ever happens by itself: a cycle leaves no circles.
    """
    gc.collect()


def thaw() -> None:
    """Free what was left out of collections and is not needed any more.

    To be called before another project takes the place of one: tasks, callbacks and what they
    belong to do hold circles.
    """
    gc.unfreeze()
    gc.collect()
