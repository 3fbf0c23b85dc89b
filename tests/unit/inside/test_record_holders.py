"""Which objects several tests have met, on which functions keep results."""

from __future__ import annotations

from devloop.inside.record_contexts import Context, Recorder
from devloop.inside.record_holders import Holders


class Holder:
    """Something to keep results on."""


def test_what_has_gone_is_forgotten() -> None:
    """Runs of many tests do not hold all of their contexts, nor what each was seen to do."""
    recorder = Recorder("main")
    holders = Holders(recorder)
    kept = recorder.named("memo", "lib.py::get")

    def get(holder: Holder) -> None:
        holders.look(get.__code__, kept, ("holder",))

    lasting = Holder()
    for number in range(3):
        test = Context("test", f"test_a.py::test_{number}")
        recorder.enter(test)
        recorder.add(f"f lib.py::f{number}")
        get(Holder())
        get(lasting)
        recorder.leave(test)
    assert len(holders._met) == 1
    assert kept.deps == {recorder.number("f lib.py::f0"), recorder.number("f lib.py::f1")}
