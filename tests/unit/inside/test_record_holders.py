"""Which objects several tests have met, on which functions keep results."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

import pytest

from devloop.inside.record_contexts import Context, Recorder
from devloop.inside.record_holders import Holders


@pytest.fixture(autouse=True)
def little_garbage() -> Iterator[None]:
    """What is collected in a test is looked for among its own objects, and not in all of pytest."""
    gc.freeze()
    yield
    gc.unfreeze()


class Holder:
    """Something to keep results on."""


def keeping() -> tuple[Recorder, Holders, Context, Callable[[object], None]]:
    """A function that keeps results on its argument: who records it, and what it has reached."""
    recorder = Recorder("main")
    holders = Holders(recorder)
    kept = recorder.named("memo", "lib.py::get")

    def get(holder: object) -> None:
        holders.look(sys._getframe().f_locals, kept, holders.met(kept), ("holder",), get.__code__)

    return recorder, holders, kept, get


def test_what_has_gone_is_forgotten() -> None:
    """Runs of many tests do not hold all of their contexts, nor what each was seen to do."""
    recorder, holders, kept, get = keeping()
    lasting = Holder()
    for number in range(3):
        test = Context("test", f"test_a.py::test_{number}")
        recorder.enter(test)
        recorder.add(f"f lib.py::f{number}")
        get(Holder())
        get(lasting)
        recorder.leave(test)
    assert len(holders.met(kept)) == 1
    assert kept.deps == {recorder.number("f lib.py::f0"), recorder.number("f lib.py::f1")}


def test_what_only_we_hold_is_let_go() -> None:
    """Else each test adds to what has to be gone through at each change of contexts."""
    _, holders, kept, get = keeping()
    lasting: list[int] = []
    passing: list[int] = []
    get(lasting)
    get(passing)
    assert len(holders.held) == 2
    del passing
    holders.release()
    assert [met[key][0].value is lasting for met, key in holders.held] == [True]
    assert len(holders.met(kept)) == 1


class Part:
    """Knows what it is a part of; there can be no weak reference to it."""

    __slots__ = ("more", "whole")

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.more: object = None


class Whole:
    """A circle, which dies with a collection of garbage."""

    __slots__ = ("part",)

    def __init__(self) -> None:
        self.part = Part(self)


class Finalized:
    """It does something at its end."""

    def __del__(self) -> None:
        ENDED.append("ended")


ENDED: list[str] = []


def _meet_in(tests: int, make: Callable[[], Whole]) -> Context:
    """Have each of some tests meet an object of its own, and garbage collected in between."""
    recorder, holders, kept, get = keeping()
    recorder.switched = lambda _: holders.release()
    for number in range(tests):
        test = Context("test", f"test_a.py::test_{number}")
        recorder.enter(test)
        recorder.add(f"f lib.py::f{number}")
        get(make())
        recorder.leave(test)
        gc.collect()
    return kept


def test_a_circle_that_has_died_is_not_met_again() -> None:
    """The next one of its address is another one."""
    assert _meet_in(50, Whole).deps == set()


def test_what_would_be_missed_does_not_live_on() -> None:
    """Its finalizer runs when it would, whether it was there at the first look or came later."""
    ENDED.clear()

    def make() -> Whole:
        whole = Whole()
        whole.part.more = Finalized()
        return whole

    _meet_in(5, make)
    assert len(ENDED) == 5

    ENDED.clear()
    _, holders, _, get = keeping()
    whole = Whole()
    get(whole)
    whole.part.more = Finalized()
    holders.release()
    del whole
    gc.collect()
    assert ENDED == ["ended"]


def test_a_dictionary_that_only_a_variable_holds_is_nobodys_to_meet() -> None:
    """It has no identity but its address, which the next one may have.

    What an argument, a closure or an object holds as well may be met again.
    """
    lasting: dict[str, int] = {}
    holder = Holder()

    def own(_: object) -> None:
        _options: dict[str, int] = {}
        look(own, "_options")

    def argument(options: dict[str, int]) -> None:
        look(argument, "options")

    def closure(_: object) -> None:
        look(closure, "lasting")
        lasting.clear()

    def attribute(_: object) -> None:
        options = holder.__dict__.setdefault("kept", {})
        options.clear()
        look(attribute, "options")

    def look(function: Callable[[dict[str, int]], None], name: str) -> None:
        held = sys._getframe(1).f_locals
        holders.look(held, kept, holders.met(kept), (name,), function.__code__)

    for function, met in ((own, False), (argument, True), (closure, True), (attribute, True)):
        recorder = Recorder("main")
        holders, kept = Holders(recorder), recorder.named("memo", "lib.py::get")
        for number in range(3):
            test = Context("test", f"test_a.py::test_{number}")
            recorder.enter(test)
            recorder.add(f"f lib.py::f{number}")
            function(lasting)
            recorder.leave(test)
        assert bool(kept.deps) is met, function.__name__


def test_a_dictionary_of_a_generator_that_goes_on_is_met_again() -> None:
    """Though nothing but its variable holds it."""
    recorder = Recorder("main")
    holders, kept = Holders(recorder), recorder.named("memo", "lib.py::goes_on")

    def goes_on() -> Iterator[None]:
        options: dict[str, int] = {}
        while not options:
            held = sys._getframe().f_locals
            holders.look(held, kept, holders.met(kept), ("options",), None)
            yield

    generator = goes_on()
    for number in range(2):
        test = Context("test", f"test_a.py::test_{number}")
        recorder.enter(test)
        recorder.add(f"f lib.py::f{number}")
        next(generator)
        recorder.leave(test)
    assert kept.deps == {recorder.number("f lib.py::f0")}
