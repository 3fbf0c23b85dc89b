"""What many cycles show together: how quick they were, and what selection has spared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from devloop.plan.measures import Measure
from devloop.select.proofs import FlakyTest, Proofs, WrongSkip
from devloop.select.records import Verdict

_T = TypeVar("_T")

MOST_BUCKETS = 48
"""Points of a series; a chart and a line of a terminal can show as many."""
LISTED = 10
"""Tests that are named in a list."""
_SIZES = (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400)
"""Spans of time that a point may stand for, in seconds."""


class Point(msgspec.Struct, frozen=True):
    """One span of time in a series of durations.

    Args:
        t: when it begins, in seconds since the epoch.
        median: in seconds.
        slowest: in seconds.
        count: how many durations it holds.
    """

    t: float
    median: float
    slowest: float
    count: int


class Durations(msgspec.Struct, frozen=True):
    """How long something has taken, over time.

    Args:
        count: how many there are.
        median: half of them took no longer, in seconds.
        p90: nine in ten took no longer.
        p99: 99 in a hundred took no longer.
        slowest: none took longer.
        series: the same over time; spans in which there were none are left out.
    """

    count: int
    median: float
    p90: float
    p99: float
    slowest: float
    series: tuple[Point, ...]


class Served(msgspec.Struct, frozen=True):
    """One app's way from a save to new code that answers.

    Args:
        app: its name.
        durations: of its restarts.
        starts: how many of them were warm, spare and cold.
    """

    app: str
    durations: Durations
    starts: dict[str, int]


class Spared(msgspec.Struct, frozen=True):
    """Tests that ran and tests that did not have to, over one span of time.

    Args:
        t: when it begins, in seconds since the epoch.
        ran: how many have run.
        saved: how many would have run, had each change run all.
    """

    t: float
    ran: int
    saved: int


class Tests(msgspec.Struct, frozen=True):
    """What selection has spared.

    Args:
        ran: how many tests have run after changes.
        saved: how many more would have run, had each change run all.
        series: the same over time.
    """

    ran: int
    saved: int
    series: tuple[Spared, ...]


class Slow(msgspec.Struct, frozen=True):
    """A test that takes long: its nodeid, and how long it took when it last ran."""

    nodeid: str
    seconds: float


class Safety(msgspec.Struct, frozen=True):
    """Whether the tests that were left out would have passed, as far as shadow runs have shown.

    Args:
        runs: how many shadow runs there were.
        tests: how many tests they have run.
        confirmed: how many of those had the outcome that was assumed.
        seconds: how long the runs took.
        wrong: the tests that were left out wrongly, the latest first.
    """

    runs: int
    tests: int
    confirmed: int
    seconds: float
    wrong: tuple[WrongSkip, ...]


class Statistics(msgspec.Struct, frozen=True):
    """The form of `stats --format json`.

    Args:
        cycles: how many were measured.
        since: when the first of them ended; None where there is none.
        until: when the last one did.
        verdict: from a save to the end of the tests that it affects.
        served: from a save to new code that answers, by app.
        tests: that ran and that did not have to.
        slowest: tests, the slowest first.
        flaky: tests that have shown two outcomes on one content, most often first.
        safety: what shadow runs have shown; None where none has been made.
    """

    cycles: int
    since: float | None
    until: float | None
    verdict: Durations | None
    served: tuple[Served, ...]
    tests: Tests
    slowest: tuple[Slow, ...]
    flaky: tuple[FlakyTest, ...]
    safety: Safety | None
    v: int = 1


def summarise(
    measures: Sequence[Measure], verdicts: Iterable[Verdict], proofs: Proofs
) -> Statistics:
    """Bring measures together.

    Args:
        measures: of cycles, the oldest first.
        verdicts: the last one of each test.
        proofs: what is known of selection itself.

    Returns:
        The figures. Cycles that were cancelled have no verdict, and what devloop starts with
        answers no save; neither is counted among the durations.
    """
    saves = [one for one in measures if one.trigger == "change" and one.outcome != "cancelled"]
    size = _size(measures)
    apps = sorted({served.app for one in saves for served in one.served})
    slow = sorted(verdicts, key=lambda verdict: (-verdict.seconds, verdict.nodeid))
    return Statistics(
        cycles=len(measures),
        since=measures[0].t if measures else None,
        until=measures[-1].t if measures else None,
        verdict=_durations([(one.t, one.seconds) for one in saves if one.ran], size),
        served=tuple(_served(app, saves, size) for app in apps),
        tests=_tests([one for one in saves if one.total], size),
        slowest=tuple(Slow(one.nodeid, one.seconds) for one in slow[:LISTED] if one.seconds > 0),
        flaky=tuple(
            sorted(proofs.flaky.values(), key=lambda one: (-one.times, -one.at, one.nodeid))
        )[:LISTED],
        safety=_safety(proofs) if proofs.shadow.runs else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """A percentile by the nearest rank.

    Args:
        ordered: at least one value, the smallest first.
        share: between 0 and 1.

    Returns:
        The smallest value that at least this share of them does not exceed.
    """
    rank = -(-len(ordered) * round(share * 1000) // 1000)
    return ordered[max(rank, 1) - 1]


def _durations(timed: Sequence[tuple[float, float]], size: int) -> Durations | None:
    if not timed:
        return None
    ordered = sorted(seconds for _, seconds in timed)

    def point(t: float, inside: list[tuple[float, float]]) -> Point:
        values = sorted(seconds for _, seconds in inside)
        return Point(t, percentile(values, 0.5), values[-1], len(values))

    return Durations(
        count=len(ordered),
        median=percentile(ordered, 0.5),
        p90=percentile(ordered, 0.9),
        p99=percentile(ordered, 0.99),
        slowest=ordered[-1],
        series=tuple(point(t, inside) for t, inside in _buckets(timed, size, lambda pair: pair[0])),
    )


def _served(app: str, saves: Sequence[Measure], size: int) -> Served:
    found = [(one.t, served) for one in saves for served in one.served if served.app == app]
    durations = _durations([(t, served.seconds) for t, served in found], size)
    assert durations is not None
    return Served(app, durations, dict(Counter(served.start for _, served in found)))


def _tests(saves: Sequence[Measure], size: int) -> Tests:
    series = tuple(
        Spared(t, sum(one.ran for one in inside), sum(one.total - one.ran for one in inside))
        for t, inside in _buckets(saves, size, lambda one: one.t)
    )
    return Tests(sum(one.ran for one in series), sum(one.saved for one in series), series)


def _safety(proofs: Proofs) -> Safety:
    totals = proofs.shadow
    wrong = sorted(proofs.skips.values(), key=lambda one: (-one.at, one.nodeid))
    return Safety(
        totals.runs, totals.tests, totals.confirmed, totals.seconds, tuple(wrong[:LISTED])
    )


def _size(measures: Sequence[Measure]) -> int:
    """How long one point of a series is, in seconds, so that there are not too many."""
    span = measures[-1].t - measures[0].t if measures else 0.0
    return next((size for size in _SIZES if span / size < MOST_BUCKETS - 1), _SIZES[-1])


def _buckets(
    items: Iterable[_T], size: int, when: Callable[[_T], float]
) -> list[tuple[float, list[_T]]]:
    """Items by spans of time, each with when it begins; the latest ones, and no empty ones."""
    found: dict[int, list[_T]] = {}
    for item in items:
        found.setdefault(int(when(item) // size), []).append(item)
    return [(float(key * size), found[key]) for key in sorted(found)[-MOST_BUCKETS:]]
