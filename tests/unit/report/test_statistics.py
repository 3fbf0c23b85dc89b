"""`devloop stats` as text."""

from __future__ import annotations

import msgspec
import pytest

from devloop.plan.measures import Measure, Served
from devloop.plan.statistics import summarise
from devloop.report.paint import Paint
from devloop.report.statistics import sparkline, text
from devloop.select.proofs import FlakyTest, Proofs, ShadowTotals, WrongSkip
from devloop.select.records import Verdict


def shown(measures: list[Measure], proofs: Proofs | None = None, **more: bool) -> str:
    """The text of some measures."""
    verdicts = [Verdict("tests/test_a.py::test_slow", "tests/test_a.py", "passed", 2.5, 1)]
    found = summarise(measures, verdicts, proofs or Proofs())
    return text(msgspec.to_builtins(found), Paint(), **more)


def save(t: float, seconds: float) -> Measure:
    """A cycle after a change, which ran two of a hundred tests and restarted an app."""
    return Measure(
        t, "change", "passed", seconds, 1, 2, 100, 0.1, 0, (Served("web", 0.04, "warm"),)
    )


def test_nothing_measured_says_how_to_measure() -> None:
    """One line, which names the command."""
    assert shown([]) == "nothing has been measured yet: `devloop watch` measures each cycle\n"


def test_figures_stand_in_columns() -> None:
    """Percentiles, a line of bars, and how many saves; tests run and saved in per cent."""
    lines = shown([save(60.0 * n, 0.1 * n) for n in range(1, 9)]).splitlines()
    assert lines[0].startswith("8 cycles since 1970-01-01")
    assert lines[2].split() == ["median", "90", "%", "99", "%", "slowest"]
    assert lines[3].split()[3:] == ["0.40s", "0.80s", "0.80s", "0.80s", "▂▃▄▅▅▆▇█", "8"]
    assert "40ms" in lines[4]
    assert lines[4].endswith("8, 8 warm")
    assert "tests run          16 of 800 after changes, 98.0% saved  ████████" in lines
    assert "   2.50s  tests/test_a.py::test_slow" in lines


def test_what_is_not_known_is_said() -> None:
    """No shadow run, no flaky test, no app: each in words, none as a zero."""
    said = shown([Measure(1.0, "start", "passed", 1.0)])
    assert "save to verdict  no save has been answered yet" in said
    assert "save to served   no save has been answered yet" in said
    assert "no change has been tested yet" in said
    assert "none has shown two outcomes on one content" in said
    assert "no shadow run has been made" in said


def test_wrong_skips_are_named() -> None:
    """What was assumed, what it was, and when."""
    proofs = Proofs(
        {"a::f": FlakyTest("a::f", 3, 0.0)},
        {"a::w": WrongSkip("a::w", 0.0, "passed", "failed")},
        ShadowTotals(2, 1500, 1499, 3.0),
    )
    said = shown([save(1, 1)], proofs)
    assert "1,499 of 1,500 tests that were left out had the outcome that was assumed" in said
    assert "left out wrongly  a::w: passed was assumed, failed it was, on 1970-01-01" in said
    assert "      3x  a::f, last on 1970-01-01" in said


def test_a_stream_without_unicode_gets_ascii() -> None:
    """Nothing else is in it."""
    assert shown([save(1, 1)], ascii_only=True).isascii()


@pytest.mark.parametrize(
    ("values", "line"), [([], ""), ([0, 0], "▁▁"), ([0, 1], "▁█"), ([5, 5], "██"), ([1, 2], "▅█")]
)
def test_bars_are_measured_from_zero(values: list[float], line: str) -> None:
    """The highest is the greatest value."""
    assert sparkline(values) == line
