"""The evaluation in numbers: for each project, tool and class of mutants."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from tests.benchmarks.selection.evaluation import Judged
from tests.benchmarks.selection.mutants import KINDS, Mutant

HEAD = (
    "project",
    "class",
    "tool",
    "mutants",
    "killing",
    "unsafe",
    "missed",
    "beside",
    "recall",
    "selected",
    "without at risk",
)


@dataclass(frozen=True)
class Summary:
    """What a tool has done with some mutants.

    Args:
        project: whose.
        kind: their class; ``all``.
        tool: its name.
        judged: each of them.
        total: how many tests the project has.
        others: for each mutant that another tool was asked about, what that has selected.
    """

    project: str
    kind: str
    tool: str
    judged: Sequence[Judged]
    total: int
    others: Mapping[Mutant, frozenset[str]]

    @property
    def killing(self) -> int:
        """Those that change some outcome."""
        return sum(bool(one.changed) for one in self.judged)

    @property
    def unsafe(self) -> int:
        """Those of which a test was missed that changes when it runs alone too."""
        return sum(bool(one.unsafe) for one in self.judged)

    @property
    def recall(self) -> float:
        """Which part of the changed outcomes, without effects of other failures, was selected."""
        found = sum(len(one.changed & one.selected) for one in self.judged)
        missed = sum(len(one.unsafe) for one in self.judged)
        return found / (found + missed) if found + missed else 1.0

    @property
    def share(self) -> float:
        """Which part of all tests was selected, on average."""
        return statistics.mean(len(one.selected) / self.total for one in self.judged)

    @property
    def without_at_risk(self) -> float:
        """The same share without the tests that the other tool leaves out though they are at risk.

        So much is what this tool may be compared by: it has more only where that is not needed.
        """
        return statistics.mean(
            len(one.selected - (one.at_risk - self.others.get(one.mutant, one.selected)))
            / self.total
            for one in self.judged
        )

    def row(self) -> tuple[str, ...]:
        """Its row of the table."""
        return (
            self.project,
            self.kind,
            self.tool,
            str(len(self.judged)),
            str(self.killing),
            str(self.unsafe),
            str(sum(len(one.unsafe) for one in self.judged)),
            str(sum(len(one.beside) for one in self.judged)),
            f"{self.recall:.1%}",
            f"{self.share:.1%}",
            f"{self.without_at_risk:.1%}",
        )

    def as_dict(self) -> dict[str, Any]:
        """Its form in the JSON, with every test that was missed."""
        return {
            "project": self.project,
            "class": self.kind,
            "tool": self.tool,
            "mutants": len(self.judged),
            "killing": self.killing,
            "unsafe": self.unsafe,
            "recall": self.recall,
            "share": self.share,
            "without_at_risk": self.without_at_risk,
            "missed": {str(one.mutant): sorted(one.unsafe) for one in self.judged if one.unsafe},
            "beside": {str(one.mutant): sorted(one.beside) for one in self.judged if one.beside},
        }


def compared(project: str, judged: Mapping[str, Sequence[Judged]], total: int) -> Iterator[Summary]:
    """For each of two tools a summary of all mutants, and one of each class.

    Args:
        project: whose.
        judged: what each tool has done.
        total: how many tests the project has.
    """
    for (tool, some), (_, others) in permutations(judged.items(), 2):
        selected = {one.mutant: one.selected for one in others}
        for kind in ("all", *KINDS):
            those = [one for one in some if kind in ("all", one.mutant.kind)]
            if those:
                yield Summary(project, kind, tool, those, total, selected)


def table(found: Sequence[Summary]) -> str:
    """The table, for a person, the tools side by side."""
    order = ["all", *KINDS]
    rows = [
        one.row()
        for one in sorted(found, key=lambda one: (one.project, order.index(one.kind), one.tool))
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, tuple("-" * width for width in widths), *rows)
    ]
    return "\n".join(lines) + "\n"
