"""What the four reporters say of the same events, compared."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path

from devloop import events as ev
from devloop.report.locations import Locations
from devloop.report.plain import PROBLEM
from devloop.report.reporter import Kind, make

KEYS = {"failed": "failed", "errors": "error", "passed": "passed", "skipped": "skipped"}
BEFORE = ("still failing", "not run that failed before")
"""What fails without having run in the cycle, which no run counts."""
FAILING = ("failed", "error", *BEFORE)
SAID = (*KEYS.values(), "assumed", "still due", *BEFORE)


def report(kind: Kind, events: list[ev.Event]) -> str:
    """What one of them writes."""
    stream = io.StringIO()
    reporter = make(kind, stream, environ={}, errors=io.StringIO())
    for event in events:
        reporter.handle(event)
    reporter.close()
    return stream.getvalue()


def numbers(line: str) -> Counter[str]:
    """The counts in a sentence."""
    pattern = rf"(\d+) ({'|'.join(SAID)})s?\b(?! and)"
    return Counter({word: int(number) for number, word in re.findall(pattern, line)})


def disagreements(events: list[ev.Event], folder: Path) -> list[str]:
    """Compare them cycle by cycle.

    Args:
        events: of a session that came to its end.
        folder: where the locations may be written.

    Returns:
        What is said in different ways.
    """
    counted = _counted(report("jsonl", events))
    plain = report("plain", events).split("devloop: cycle started\n")[1:]
    terminal = re.split(r"^● .*\n", report("terminal", events), flags=re.MULTILINE)[1:]
    kept = _kept(events, folder)
    ends = [event for event in events if isinstance(event, ev.CycleFinished)]
    if not len(counted) == len(plain) == len(terminal) == len(kept) == len(ends):
        return [f"cycles: {len(counted), len(plain), len(terminal), len(kept), len(ends)}"]
    found: list[str] = []
    for number, end in enumerate(ends):
        block = plain[number].partition("devloop: cycle finished\n")[0]
        lines = {line: match for line in block.splitlines() if (match := PROBLEM.match(line))}
        printed = Counter(re.sub(r": (error|warning): ", ": ", line, count=1) for line in lines)
        broken = {m["nodeid"] for m in lines.values() if m["nodeid"] and m["severity"] == "error"}
        one = numbers(re.findall(r"^devloop: (.+ in \S+s|cancelled.+)$", block, re.M)[-1])
        other = numbers(re.findall(r"^(?:PASS|FAIL|CANCELLED) (.+)$", terminal[number], re.M)[-1])
        counts = Counter({word: many for word, many in one.items() if word not in BEFORE})
        failing = [len(broken) + one[BEFORE[1]], sum(one[word] for word in FAILING)]
        said = (
            (counted[number], counts),
            (one, other),
            (kept[number], printed),
            ([end.failing] * 2, failing),
        )
        found += [f"cycle {number + 1}: {a} and {b}" for a, b in said if a != b]
    return found


def _counted(text: str) -> list[Counter[str]]:
    """What the events count, cycle by cycle."""
    counted: list[Counter[str]] = []
    for found in map(json.loads, text.splitlines()):
        if found["event"] == "cycle-started":
            counted.append(Counter())
        elif found["event"] == "run-finished":
            counted[-1] += Counter({word: found[key] for key, word in KEYS.items()})
        elif found["event"] == "cycle-finished":
            counted[-1] += Counter({"assumed": found["assumed"], "still due": found["due"]})
    return counted


def _kept(events: list[ev.Event], folder: Path) -> list[Counter[str]]:
    """The locations at the end of each cycle, in the form of the plain reporter's problems."""
    locations = Locations(folder)
    kept = []
    for event in events:
        locations.handle(event)
        if isinstance(event, ev.CycleFinished):
            lines = (folder / ".devloop" / "locations").read_text().splitlines()
            kept.append(
                Counter(
                    re.sub(r"^(test|error|warning) (\S+:\d+:\d+) ", r"\2: ", one) for one in lines
                )
            )
    return kept
