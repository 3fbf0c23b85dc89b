"""`devloop status` for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devloop.report.clean import one_line
from devloop.report.paint import Paint, cells
from devloop.report.wording import duration, plural

LISTED = 30
"""Failing tests that are named."""

_STYLES = {
    "ready": "green",
    "built": "green",
    "up-to-date": "green",
    "restored": "green",
    "failed": "red",
    "exited": "red",
    "cancelled": "yellow",
}


def render(status: Mapping[str, Any], now: float, paint: Paint) -> str:
    """What stands.

    Args:
        status: the form of ``devloop status --format json``.
        now: seconds since the epoch.
        paint: what the stream can show.

    Returns:
        Lines, with the end of the last one.
    """
    rows = [("watch", *_watch(status, now)), ("cycle", *_cycle(status["cycle"], now))]
    rows += [(f"app {one['name']}", *_app(one, now)) for one in status["apps"]]
    rows += [(f"step {one['name']}", *_step(one, now)) for one in status["steps"]]
    rows.append(("tests", *_tests(status)))
    names = [one_line(name) for name, _, _ in rows]
    column = max(map(cells, names)) + 2
    lines = [
        paint(name, "bold") + " " * (column - cells(name)) + paint(text, style)
        for name, (_, text, style) in zip(names, rows, strict=True)
    ]
    return "".join(f"{line}\n" for line in [*lines, *_failing(status["failing"], paint)])


def _watch(status: Mapping[str, Any], now: float) -> tuple[str, str]:
    parts = [f"pid {status['pid']}, for {duration(now - status['since'])}"]
    if status["paused"]:
        parts.append("paused")
    if status["failed_only"]:
        parts.append("failed tests only")
    parts += [f"{key}: {one_line(status[key])}" for key in ("paths", "names") if status[key]]
    return ", ".join(parts), "yellow" if len(parts) > 1 else ""


def _cycle(cycle: Mapping[str, Any] | None, now: float) -> tuple[str, str]:
    if cycle is None:
        return "none yet: it waits for the first change", ""
    changes = f", {plural(cycle['changes'], 'change')}" if cycle["changes"] else ""
    head = f"{cycle['number']} ({cycle['trigger']}{changes})"
    ran = sum(cycle[key] for key in ("passed", "failed", "skipped", "errors"))
    if cycle["outcome"] is None:
        tests = f", {ran:,} of {plural(cycle['selected'], 'test')}" if cycle["selected"] else ""
        return f"{head} goes on for {duration(now - cycle['since'])}{tests}", "cyan"
    tests = f", {plural(ran, 'test')} ran" if ran else ""
    due = f", {cycle['due']:,} still due" if cycle["due"] else ""
    ago = duration(now - cycle["since"] - cycle["seconds"])
    text = f"{head} {cycle['outcome']} in {duration(cycle['seconds'])}{tests}{due}, {ago} ago"
    return text, {"passed": "green", "failed": "red"}.get(cycle["outcome"], "yellow")


def _app(app: Mapping[str, Any], now: float) -> tuple[str, str]:
    parts = [app["state"]]
    if app["address"]:
        parts[0] += f" at {one_line(app['address'])}"
    if app["pid"] is not None:
        parts.append(f"pid {app['pid']}")
    if app["start"] is not None:
        parts.append(app["start"])
    if app["seconds"] is not None:
        parts.append(f"in {duration(app['seconds'])}")
    if app["message"]:
        parts.append(one_line(app["message"]))
    parts.append(f"{duration(now - app['since'])} ago")
    return ", ".join(parts), _STYLES.get(app["state"], "yellow")


def _step(step: Mapping[str, Any], now: float) -> tuple[str, str]:
    parts = [step["state"].replace("-", " ")]
    if step["seconds"]:
        parts.append(f"in {duration(step['seconds'])}")
    if step["message"]:
        parts.append(one_line(step["message"]))
    parts.append(f"{duration(now - step['since'])} ago")
    return ", ".join(parts), _STYLES.get(step["state"], "yellow")


def _tests(status: Mapping[str, Any]) -> tuple[str, str]:
    failing, cycle = len(status["failing"]), status["cycle"]
    total = f" of {cycle['total']:,}" if cycle is not None and cycle["total"] else ""
    if failing:
        return f"{failing:,}{total} failing", "red"
    if cycle is not None and cycle["outcome"] is None:
        return "none known to fail", ""
    return f"none{total} failing", "green" if not (cycle and cycle["due"]) else ""


def _failing(failing: Sequence[Mapping[str, Any]], paint: Paint) -> Iterator[str]:
    for test in failing[:LISTED]:
        place = f"{one_line(test['path'])}:{test['line']}" if test["path"] else None
        yield ""
        yield paint(one_line(test["nodeid"]), "red")
        if place is not None or test["message"]:
            yield "  " + ": ".join(
                part for part in (place, test["message"] and one_line(test["message"])) if part
            )
        if test["since"] is None:
            yield paint("  failed in an earlier session, and has not run in this one", "dim")
    if len(failing) > LISTED:
        yield ""
        yield f"and {len(failing) - LISTED:,} more"
