"""Tables in plain text."""

from collections.abc import Sequence

from textkit.width import pad, width


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, each column as wide as its widest cell."""
    columns = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(pad(cell, size) for cell, size in zip(row, columns, strict=True)).rstrip()
        for row in rows
    )
