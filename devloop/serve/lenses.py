"""What an editor shows above a test: its last outcome, and what one may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from devloop.report.clean import one_line
from devloop.report.wording import duration, plural
from devloop.serve.testcode import Place

RUN = "devloop.run"
WHY = "devloop.why"
_MARKS = {"failed": "✗", "error": "✗", "passed": "✓", "xpassed": "✓"}


class Known(msgspec.Struct, frozen=True):
    """What is known of one test.

    Args:
        outcome: of its last run.
        seconds: that it took.
        due: that outcome does not hold for what is there now.
        message: what is wrong, where it has failed and that is known.
        running: it runs now.
    """

    outcome: str | None = None
    seconds: float = 0.0
    due: bool = False
    message: str | None = None
    running: bool = False


class Lens(msgspec.Struct, frozen=True):
    """One line above a test.

    Args:
        line: counted from 0.
        title: what it says.
        command: what a click on it does.
        nodeid: to what.
    """

    line: int
    title: str
    command: str
    nodeid: str


def lenses(places: Sequence[Place], known: Mapping[str, Known]) -> list[Lens]:
    """The lenses of a source.

    Args:
        places: its tests.
        known: by nodeid, parameters and all.

    Returns:
        Three for each test: its outcome, whose click says why it ran; run; why.
    """
    found = []
    for place in places:
        mine = [one for nodeid, one in known.items() if nodeid.partition("[")[0] == place.nodeid]
        if mine:
            found.append(Lens(place.line, summary(mine), WHY, place.nodeid))
        found.append(Lens(place.line, "run", RUN, place.nodeid))
        found.append(Lens(place.line, "why", WHY, place.nodeid))
    return found


def summary(tests: Collection[Known]) -> str:
    """The outcome of a test, or of all its parameters.

    Args:
        tests: at least one.
    """
    if any(one.running for one in tests):
        return "… running"
    due = ", due" if any(one.due for one in tests) else ""
    took = duration(sum(one.seconds for one in tests))
    bad = [one for one in tests if one.outcome in ("failed", "error")]
    if len(tests) > 1:
        failed = f"✗ {len(bad)} of " if bad else "✓ "
        word = " failed" if bad else " passed"
        return f"{failed}{plural(len(tests), 'case')}{word} in {took}{due}"
    (one,) = tests
    words = (one.outcome or "").replace("xfailed", "failed as expected")
    message = f": {one_line(one.message, 80)}" if one.message else ""
    return f"{_MARKS.get(one.outcome or '', '○')} {words} in {took}{due}{message}"
