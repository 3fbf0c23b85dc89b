"""What was measured, beside what was wanted."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, some times.

    Args:
        name: what it is.
        unit: of the samples: ``ms``, ``s``, ``%``, ``MB`` or ``x``.
        samples: all that was measured; none where it could not be, and `note` says why.
        target: what its median may be at most; None where it is shown for comparison.
        least: the target is what it must be at least.
        note: what else is to be known of it.
    """

    name: str
    unit: str
    samples: Sequence[float]
    target: float | None = None
    least: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or no sample."""
        if self.target is None or not self.samples:
            return None
        return self.median >= self.target if self.least else self.median <= self.target

    def row(self) -> tuple[str, ...]:
        """Its row of the table."""
        sign = "≥" if self.least else "≤"
        target = "" if self.target is None else f"{sign} {self.target:g} {self.unit}"
        if not self.samples:
            return (self.name, target, "", "", "", self.note)
        spread = ""
        if len(self.samples) > 1:
            spread = f"{_short(min(self.samples))} to {_short(max(self.samples))}"
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.name, target, f"{_short(self.median)} {self.unit}", spread, met, self.note)

    def as_dict(self) -> dict[str, Any]:
        """Its form in the JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "target": self.target,
            "least": self.least,
            "median": self.median if self.samples else None,
            "samples": list(self.samples),
            "met": self.met,
            "note": self.note,
        }


@dataclass
class Sheet:
    """All the figures of one run."""

    figures: list[Figure] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def add(self, figure: Figure) -> None:
        """Take a figure in, and show it at once.

        Args:
            figure: the next of the table.
        """
        self.figures.append(figure)
        sys.stderr.write("  ".join(filter(None, figure.row())) + "\n")

    def table(self) -> str:
        """The table, for a person."""
        head = ("figure", "target", "median", "min to max", "met", "note")
        rows = [head, *(figure.row() for figure in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write the JSON.

        Args:
            path: of the file.
        """
        found = {
            "v": 1,
            "t": self.began,
            "python": platform.python_version(),
            "system": platform.platform(),
            "figures": [figure.as_dict() for figure in self.figures],
        }
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
