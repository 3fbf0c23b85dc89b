"""What many cycles show together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.plan.measures import Measure, Served
from devloop.plan.statistics import MOST_BUCKETS, percentile, summarise
from devloop.select.proofs import FlakyTest, Proofs, ShadowTotals, WrongSkip
from devloop.select.records import Verdict

DAY = 86_400.0


def save(t: float, seconds: float = 0.5, ran: int = 1, **more: Any) -> Measure:
    """A cycle after a change."""
    values: dict[str, Any] = {"trigger": "change", "outcome": "passed", "total": 10, **more}
    return Measure(t=t, seconds=seconds, ran=ran, **values)


def test_nothing_measured_is_nothing_said() -> None:
    """All parts are there, and empty."""
    found = summarise([], [], Proofs())
    assert (found.cycles, found.since, found.verdict, found.served) == (0, None, None, ())
    assert (found.tests.ran, found.tests.saved, found.safety) == (0, 0, None)


def test_only_saves_that_were_answered_are_durations() -> None:
    """Neither the first pass nor a cancelled cycle, nor one that ran no test, has a verdict."""
    found = summarise(
        [
            save(1, 9, trigger="start", served=(Served("web", 9, "cold"),)),
            save(2, 8, outcome="cancelled"),
            save(3, 7, ran=0),
            save(4, 0.25, outcome="failed", served=(Served("web", 0.04, "warm"),)),
        ],
        [],
        Proofs(),
    )
    assert found.cycles == 4
    assert found.verdict is not None
    assert (found.verdict.count, found.verdict.median) == (1, 0.25)
    (web,) = found.served
    assert (web.app, web.durations.median, web.starts) == ("web", 0.04, {"warm": 1})
    assert (found.tests.ran, found.tests.saved) == (1, 19)


def test_lists_hold_the_worst_first() -> None:
    """Slow tests by their last duration, flaky ones by how often, wrong skips by their date."""
    verdicts = [Verdict(f"t.py::{n}", "t.py", "passed", n / 10, 1) for n in range(20)]
    flaky = [FlakyTest("a", 1, 5.0), FlakyTest("b", 3, 1.0), FlakyTest("c", 1, 9.0)]
    skips = [WrongSkip("x", 1.0, "passed", "failed"), WrongSkip("y", 2.0, "passed", "failed")]
    proofs = Proofs(
        {one.nodeid: one for one in flaky},
        {one.nodeid: one for one in skips},
        ShadowTotals(2, 30, 28, 1.5),
    )
    found = summarise([save(1)], verdicts, proofs)
    assert [slow.nodeid for slow in found.slowest[:2]] == ["t.py::19", "t.py::18"]
    assert len(found.slowest) == 10
    assert [one.nodeid for one in found.flaky] == ["b", "c", "a"]
    assert found.safety is not None
    assert (found.safety.tests, found.safety.confirmed) == (30, 28)
    assert [skip.nodeid for skip in found.safety.wrong] == ["y", "x"]


@pytest.mark.parametrize(
    ("times", "size"), [((0, 50), 60), ((0, 3000), 300), ((0, DAY), 3600), ((0, 30 * DAY), DAY)]
)
def test_points_of_a_series_stand_for_spans_that_fit(times: tuple[float, ...], size: float) -> None:
    """Minutes of an hour, hours of a day, days of a month; spans without a save are left out."""
    found = summarise([save(t) for t in times], [], Proofs())
    assert found.verdict is not None
    assert [point.t for point in found.verdict.series] == sorted({t // size * size for t in times})


@given(st.lists(st.floats(0, 1000 * DAY), min_size=1, max_size=30), st.data())
def test_a_series_holds_every_save_once(times: list[float], data: st.DataObject) -> None:
    """However the saves lie, the points add up and are not too many."""
    measures = [save(t, data.draw(st.floats(0, 99)), data.draw(st.integers(1, 10))) for t in times]
    found = summarise(sorted(measures, key=lambda one: one.t), [], Proofs())
    assert found.verdict is not None
    series = found.verdict.series
    assert len(series) <= MOST_BUCKETS
    if max(times) - min(times) < 300 * DAY:
        assert sum(point.count for point in series) == len(times)
        assert max(point.slowest for point in series) == found.verdict.slowest
    assert found.verdict.median <= found.verdict.p90 <= found.verdict.p99 <= found.verdict.slowest
    assert found.tests.ran + found.tests.saved <= 10 * len(times)


@given(st.lists(st.floats(0, 99), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    """By its definition."""
    found = percentile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values)
    below = [value for value in values if value < found]
    assert not below or sum(value <= max(below) for value in values) < share * len(values)
