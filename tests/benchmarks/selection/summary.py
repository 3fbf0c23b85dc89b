"""The evaluation in numbers: for each project, tool and class of mutants."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.selection.evaluation import Judged
from tests.benchmarks.selection.mutants import KINDS

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
    """

    project: str
    kind: str
    tool: str
    judged: Sequence[Judged]
    total: int

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
            "missed": {str(one.mutant): sorted(one.unsafe) for one in self.judged if one.unsafe},
            "beside": {str(one.mutant): sorted(one.beside) for one in self.judged if one.beside},
        }


def summaries(project: str, tool: str, judged: Iterable[Judged], total: int) -> list[Summary]:
    """One of all mutants, and one of each class.

    Args:
        project: whose.
        tool: its name.
        judged: what it has done.
        total: how many tests the project has.
    """
    everything = list(judged)
    found = []
    for kind in ("all", *KINDS):
        some = [one for one in everything if kind in ("all", one.mutant.kind)]
        if some:
            found.append(Summary(project, kind, tool, some, total))
    return found


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
