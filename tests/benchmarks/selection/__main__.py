"""Which tests are selected after an edit, and whether any was missed.

Run `python -m tests.benchmarks.selection` from the checkout's folder. Seeded mutants of the flask,
click and httpx source distributions are made one at a time; a full run of plain pytest says which
outcomes each changes, and devloop and pytest-testmon say what they would have run. A missed test
counts as unsafe if its outcome changes when it runs alone, too; effects of other tests' failures
stand apart (beside). A test is at risk if its outcome changes when the constant, the default or
the decorator is replaced by one whose every use fails; the last column is the share selected
without those of them that the other tool leaves out. Mutants that break imports, or with which
the tests do not end, do not count. Everything is kept in the folder ``--work``: interrupt it, and
run it again to go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks.real import REAL
from tests.benchmarks.selection.evaluation import Evaluation
from tests.benchmarks.selection.summary import Summary, compared, table
from tests.benchmarks.session import temporary_files

TOOLS = ("devloop", "testmon")
PARTS = ("outcomes", "risks", *TOOLS)


def main() -> int:
    """Evaluate and print.

    Returns:
        1 where devloop has missed a test, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.selection", description=__doc__
    )
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--mutants", type=int, default=100, help="how many of each project")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--project", action="append", choices=[real.name for real in REAL])
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="only this is looked for; the table shows what is known",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there")
    chosen = parser.parse_args()
    found: list[Summary] = []
    for real in REAL:
        if chosen.project and real.name not in chosen.project:
            continue
        evaluation = Evaluation(real, chosen.work.absolute(), chosen.seed, chosen.mutants)
        with temporary_files():
            for part in chosen.part or PARTS:
                if part == "outcomes":
                    evaluation.find_outcomes()
                elif part == "risks":
                    evaluation.find_risks()
                else:
                    evaluation.find_selections(part)
            found += compared(
                real.name,
                {tool: list(evaluation.judge(tool)) for tool in TOOLS},
                evaluation.total,
            )
    sys.stdout.write(table(found))
    if chosen.json is not None:
        shown = [one.as_dict() for one in found]
        chosen.json.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    return int(any(one.unsafe for one in found if one.tool == "devloop"))


if __name__ == "__main__":
    sys.exit(main())
