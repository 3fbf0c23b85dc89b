"""What `devloop stats` says, as text: percentiles, and lines of small bars over time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devloop.report.clean import one_line
from devloop.report.paint import Paint, cells
from devloop.report.wording import duration, plural

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
NO_SHADOW = "no shadow run has been made: nobody has looked whether a test was left out wrongly"
_NONE = "no save has been answered yet"


def text(data: Mapping[str, Any], paint: Paint, *, ascii_only: bool = False) -> str:
    """The figures of a project.

    Args:
        data: the form of ``stats --format json``.
        paint: what the stream can show.
        ascii_only: the stream carries nothing else.

    Returns:
        Lines, with the end of the last one.
    """
    if not data["cycles"]:
        return "nothing has been measured yet: `devloop watch` measures each cycle\n"
    bars = _ASCII_BARS if ascii_only else _BARS
    lines = [f"{plural(data['cycles'], 'cycle')} since {day(data['since'])}"]
    lines += _timings(data, paint, bars)
    lines += _tests(data["tests"], paint, bars)
    lines += _section("slowest tests", _slowest(data["slowest"]), "none has run", paint)
    lines += _section(
        "flaky tests", _flaky(data["flaky"]), "none has shown two outcomes on one content", paint
    )
    lines += _safety(data["safety"], paint)
    return "\n".join(lines) + "\n"


def sparkline(values: Sequence[float], bars: str = _BARS) -> str:
    """Values as a line of bars.

    Args:
        values: none of them negative.
        bars: from the lowest to the highest.

    Returns:
        One character a value; the highest bar is the greatest value, the lowest is zero.
    """
    greatest = max(values, default=0)
    if greatest <= 0:
        return bars[0] * len(values)
    top = len(bars) - 1
    return "".join(bars[round(value / greatest * top)] for value in values)


def _timings(data: Mapping[str, Any], paint: Paint, bars: str) -> Iterator[str]:
    rows: list[tuple[str, Mapping[str, Any] | None, str]] = [
        ("save to verdict", data["verdict"], "")
    ]
    for served in data["served"]:
        starts = ", ".join(f"{count} {start}" for start, count in served["starts"].items())
        rows.append((f"save to {one_line(served['app'])} served", served["durations"], starts))
    if not data["served"]:
        rows.append(("save to served", None, ""))
    width = max(cells(name) for name, _, _ in rows)
    yield ""
    yield paint(f"{'':{width}}  {'median':>8}{'90 %':>8}{'99 %':>8}{'slowest':>9}", "dim")
    for name, durations, aside in rows:
        head = f"{name}{' ' * (width - cells(name))}  "
        if durations is None:
            yield head + paint(_NONE, "dim")
            continue
        figures = "".join(f"{duration(durations[key]):>8}" for key in ("median", "p90", "p99"))
        medians = [point["median"] for point in durations["series"]]
        yield (
            f"{head}{figures}{duration(durations['slowest']):>9}  "
            f"{paint(sparkline(medians, bars), 'cyan')}"
            + paint(f"  {durations['count']:,}{f', {aside}' if aside else ''}", "dim")
        )


def _tests(tests: Mapping[str, Any], paint: Paint, bars: str) -> Iterator[str]:
    yield ""
    whole = tests["ran"] + tests["saved"]
    if not whole:
        yield f"tests run          {paint('no change has been tested yet', 'dim')}"
        return
    share = tests["saved"] / whole
    line = sparkline([point["saved"] for point in tests["series"]], bars)
    yield (
        f"tests run          {tests['ran']:,} of {whole:,} after changes, "
        f"{paint(f'{share:.1%} saved', 'green')}  {paint(line, 'cyan')}"
    )


def _slowest(tests: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(duration(test["seconds"]), one_line(test["nodeid"])) for test in tests]


def _flaky(tests: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [
        (f"{test['times']}x", f"{one_line(test['nodeid'])}, last on {day(test['at'])}")
        for test in tests
    ]


def _safety(safety: Mapping[str, Any] | None, paint: Paint) -> Iterator[str]:
    yield f"\n{paint('selection safety', 'bold')}"
    if safety is None:
        yield f"  {paint(NO_SHADOW, 'dim')}"
        return
    yield (
        f"  {safety['confirmed']:,} of {plural(safety['tests'], 'test')} that were left out had "
        f"the outcome that was assumed, in {plural(safety['runs'], 'shadow run')}"
    )
    for skip in safety["wrong"]:
        yield (
            f"  {paint('left out wrongly', 'red')}  {one_line(skip['nodeid'])}: "
            f"{skip['assumed']} was assumed, {skip['outcome']} it was, on {day(skip['at'])}"
        )


def _section(
    title: str, rows: Sequence[tuple[str, str]], nothing: str, paint: Paint
) -> Iterator[str]:
    yield f"\n{paint(title, 'bold')}"
    for figure, name in rows:
        yield f"{figure:>8}  {name}"
    if not rows:
        yield f"  {paint(nothing, 'dim')}"


def day(t: float) -> str:
    """A time as a person reads it.

    Args:
        t: seconds since the epoch.
    """
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(t))
