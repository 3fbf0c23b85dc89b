"""A plugin of pytest that writes each test's outcome to the file that BENCHMARK_OUTCOMES names.

It is copied into the environment of a project, and so imports nothing of ours.
"""

from __future__ import annotations

import json
import os
from typing import Any

_outcomes: dict[str, str] = {}
_broken: list[str] = []
_collected: list[str] = []


def pytest_collectreport(report: Any) -> None:
    """Note what cannot be collected."""
    if report.failed:
        _broken.append(report.nodeid)


def pytest_collection_finish(session: Any) -> None:
    """Note what was collected, and was not deselected."""
    _collected.extend(item.nodeid for item in session.items)


def pytest_runtest_logreport(report: Any) -> None:
    """Note the worst of a test's three parts."""
    known = _outcomes.get(report.nodeid)
    if report.failed:
        _outcomes[report.nodeid] = "failed" if report.when == "call" else "error"
    elif known not in ("failed", "error"):
        if hasattr(report, "wasxfail"):
            _outcomes[report.nodeid] = "xfailed" if report.skipped else "xpassed"
        elif report.skipped:
            _outcomes[report.nodeid] = "skipped"
        elif known is None and report.when == "call":
            _outcomes[report.nodeid] = "passed"


def pytest_sessionfinish() -> None:
    """Write it all, if there is nothing left to run."""
    found = {"outcomes": _outcomes, "broken": _broken, "collected": _collected}
    with open(os.environ["BENCHMARK_OUTCOMES"], "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(found, file)
