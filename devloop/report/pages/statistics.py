"""The page of `stats --html`: how quick the loop has been, and what it has spared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from devloop.events import printable
from devloop.report.pages import charts
from devloop.report.pages.charts import Column
from devloop.report.pages.shell import page
from devloop.report.statistics import NO_SHADOW, day
from devloop.report.wording import duration, plural

Data = Mapping[str, Any]


def render(data: Data, name: str) -> str:
    """The page.

    Args:
        data: the form of ``stats --format json``.
        name: of the project.

    Returns:
        An HTML document without a script: what is pointed at or tabbed to says its figures.
    """
    title = f"{printable(name)}: statistics"
    head = f'<h1><span class="path">{_text(name)}</span> <small>{_span(data)}</small></h1>'
    parts = [f"<header>{head}</header>"]
    if data["cycles"]:
        parts += [
            _tiles(data),
            '<div class="grid">',
            _verdict(data["verdict"]),
            *(_served(one) for one in data["served"]),
            _tests(data["tests"]),
            _slowest(data["slowest"]),
            _flaky(data["flaky"]),
            _safety(data["safety"]),
            "</div>",
        ]
    return page("statistics", title, "<main>\n" + "\n".join(parts) + "\n</main>\n")


def _span(data: Data) -> str:
    if not data["cycles"]:
        return "nothing has been measured yet; <code>devloop watch</code> measures each cycle"
    return f"{plural(data['cycles'], 'cycle')}, {day(data['since'])} to {day(data['until'])}"


def _tiles(data: Data) -> str:
    verdict, tests = data["verdict"], data["tests"]
    tiles = []
    if verdict:
        tiles.append(("save to verdict", duration(verdict["median"]), "median"))
    for served in data["served"]:
        median = duration(served["durations"]["median"])
        tiles.append((f"save to {served['app']} served", median, "median"))
    whole = tests["ran"] + tests["saved"]
    if whole:
        figures = f"{tests['saved']:,} of {whole:,}"
        tiles.append(("tests saved", f"{tests['saved'] / whole:.1%}", figures))
    cells = "".join(
        f"<div><dt>{_text(name)}</dt><dd><b>{_text(figure)}</b> {_text(aside)}</dd></div>"
        for name, figure, aside in tiles
    )
    return f'<dl class="tiles">{cells}</dl>' if tiles else ""


def _verdict(durations: Data | None) -> str:
    words = "From a save to the end of the tests that it affects."
    if durations is None:
        return _card("Save to verdict", words, _nothing("No save has run a test yet."))
    return _card("Save to verdict", words, _timings(durations))


def _served(served: Data) -> str:
    starts = ", ".join(f"{count:,} {start}" for start, count in served["starts"].items())
    words = f"From a save to new code that answers: {starts}."
    return _card(f"Save to {served['app']} served", words, _timings(served["durations"], "served"))


def _timings(durations: Data, tone: str = "") -> str:
    figures = "".join(
        f"<span><b>{_text(duration(durations[key]))}</b> {word}</span>"
        for key, word in (
            ("median", "median"),
            ("p90", "90&thinsp;%"),
            ("p99", "99&thinsp;%"),
            ("slowest", "slowest"),
        )
    )
    columns = [
        Column(
            when=when,
            values=(point["median"], point["slowest"] - point["median"]),
            words=f"median {duration(point['median'])}, slowest {duration(point['slowest'])}, "
            + plural(point["count"], "save"),
        )
        for when, point in _dated(durations["series"])
    ]
    drawn = charts.bars(columns, duration, tone=tone)
    legend = charts.legend(("median", "slowest"), tone)
    return f'<p class="figures">{figures}</p>{drawn}{legend}'


def _tests(tests: Data) -> str:
    words = "Tests that ran after a change, and those that did not have to."
    columns = [
        Column(
            when=when,
            values=(point["ran"], point["saved"]),
            words=f"{point['ran']:,} ran, {point['saved']:,} saved",
        )
        for when, point in _dated(tests["series"])
    ]
    if not columns:
        return _card("Tests run, tests saved", words, _nothing("No change has been tested yet."))
    drawn = charts.bars(columns, lambda value: f"{value:,.0f}", tone="tests")
    return _card("Tests run, tests saved", words, drawn + charts.legend(("ran", "saved"), "tests"))


def _dated(series: Sequence[Data]) -> list[tuple[str, Data]]:
    """Each point with when it is; the time of day goes where a point is a day."""
    times = [point["t"] for point in series]
    days = len(times) > 1 and min(b - a for a, b in pairwise(times)) >= 86_400
    return [(day(point["t"])[: 10 if days else None], point) for point in series]


def _slowest(tests: Sequence[Data]) -> str:
    most = max((test["seconds"] for test in tests), default=1)
    rows = (
        f'<li><span class="path">{_text(test["nodeid"])}</span>'
        f'<meter min="0" max="{most:.3f}" value="{test["seconds"]:.3f}">'
        f"</meter><b>{_text(duration(test['seconds']))}</b></li>"
        for test in tests
    )
    return _listed("Slowest tests", "When each last ran.", rows, "No test has run yet.")


def _flaky(tests: Sequence[Data]) -> str:
    rows = (
        f'<li><span class="path">{_text(test["nodeid"])}</span>'
        f"<b>{plural(test['times'], 'time')}</b> <small>last on {day(test['at'])}</small></li>"
        for test in tests
    )
    words = "They have shown two outcomes on one content."
    return _listed("Flaky tests", words, rows, "None has shown two outcomes on one content.")


def _safety(safety: Data | None) -> str:
    words = "Shadow runs look whether a test that was left out would have passed."
    if safety is None:
        return _card("Selection safety", words, _nothing(f"{NO_SHADOW.capitalize()}."))
    figures = (
        f'<p class="figures"><span><b>{safety["confirmed"]:,} of {safety["tests"]:,}</b> '
        f"had the outcome that was assumed</span>"
        f"<span><b>{plural(safety['runs'], 'shadow run')}</b> "
        f"in {_text(duration(safety['seconds']))}</span></p>"
    )
    rows = "".join(
        f'<li><span class="path">{_text(skip["nodeid"])}</span><b class="bad">left out wrongly</b> '
        f"<small>{_text(skip['assumed'])} was assumed, {_text(skip['outcome'])} it was, "
        f"on {day(skip['at'])}</small></li>"
        for skip in safety["wrong"]
    )
    return _card("Selection safety", words, figures + (f"<ul>{rows}</ul>" if rows else ""))


def _listed(title: str, words: str, rows: Iterable[str], nothing: str) -> str:
    found = "".join(rows)
    return _card(title, words if found else "", f"<ul>{found}</ul>" if found else _nothing(nothing))


def _card(title: str, words: str, body: str) -> str:
    said = f"<p>{_text(words)}</p>" if words else ""
    return f"<section><h2>{_text(title)}</h2>{said}{body}</section>"


def _nothing(words: str) -> str:
    return f'<p class="nothing">{_text(words)}</p>'


def _text(text: str) -> str:
    return escape(printable(text))
