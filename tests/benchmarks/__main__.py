"""Measure what devloop promises: `python -m tests.benchmarks [--quick] [--json FILE] [NAME…]`.

Run it from the checkout's folder, with the `dev` extra installed. It prints a table of every
figure beside its target, and the same as JSON with ``--json``. The names are `serving` (an edit
until the app serves it, beside other tools, which are installed once into a cache of its own),
`warm` (the same with warm starts, for five apps), `tests` (warm runs of one test file),
`endurance` (restarts under load, memory), `small` and `large` (graphs of 1,000 and of 10,000
files), `due` (what is to run, of 2,000 recorded tests), `verdicts` (a save until the tests'
verdict on flask, beside pytest-watcher), `terminal` (what the reporter for a person costs),
`recording` (whole suites with it, beside pytest alone) and `idle`; without one, all are measured,
which takes some fifteen minutes. What is compared is measured in turns, in one run: so what else
the machine does falls on all alike. Targets are for a machine with nothing else to do; on a busy
one with Linux, `chrt -r 1` before the command comes
close to that (sched(7)).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.benchmarks import (
    due,
    endurance,
    graphs,
    idle,
    recording,
    serving,
    terminal,
    verdicts,
    warm,
    warm_tests,
)
from tests.benchmarks.figures import Figure, Sheet
from tests.benchmarks.session import temporary_files

PARTS: dict[str, Callable[[Path, bool], Iterable[Figure]]] = {
    "serving": lambda work, quick: serving.measure(work, 5 if quick else 25),
    "warm": lambda work, quick: warm.measure(work, 5 if quick else 25),
    "tests": lambda work, quick: warm_tests.measure(work, 5 if quick else 25),
    "endurance": lambda work, quick: endurance.measure(work, 20, 100 if quick else 500),
    "small": lambda work, quick: graphs.small(work, 5 if quick else 20),
    "large": lambda work, quick: graphs.large(work, 5 if quick else 20),
    "due": lambda work, quick: due.measure(work, 5 if quick else 25),
    "verdicts": lambda work, quick: verdicts.measure(work, 5 if quick else 25),
    "terminal": lambda work, quick: terminal.measure(work, 8 if quick else 25),
    "recording": lambda work, quick: recording.measure(work, 3 if quick else 9),
    "idle": lambda work, quick: idle.measure(work, 20.0 if quick else 60.0),
}


def main() -> int:
    """Measure and print.

    Returns:
        1 where a target is missed, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *PARTS], help="what")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there")
    chosen = parser.parse_args()
    sheet = Sheet()
    for name in chosen.names or PARTS:
        load = os.getloadavg()[0]
        sys.stderr.write(f"== {name} (load {load:.1f})\n")
        with temporary_files(), tempfile.TemporaryDirectory(prefix="devloop-bench-") as work:
            for figure in PARTS[name](Path(work), chosen.quick):
                sheet.add(figure)
    sys.stdout.write(sheet.table())
    if chosen.json is not None:
        sheet.write(chosen.json)
    return int(any(figure.met is False for figure in sheet.figures))


if __name__ == "__main__":
    sys.exit(main())
