"""Bars over time, of HTML alone: they fit any width, and their figures are text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import msgspec

_STEPS = (1, 2, 4, 6, 8, 10)


class Column(msgspec.Struct, frozen=True):
    """One bar.

    Args:
        when: what it stands for on the axis.
        values: of its two parts, the lower one first; none of them negative.
        words: its figures.
    """

    when: str
    values: tuple[float, float]
    words: str


def bars(columns: Sequence[Column], say: Callable[[float], str], *, tone: str = "") -> str:
    """Draw bars of two parts.

    Args:
        columns: at least one.
        say: writes a value of the axis.
        tone: a class that colours them.

    Returns:
        HTML. Each bar can be pointed at and tabbed to, and says its figures then.
    """
    top = ceiling(max(sum(column.values) for column in columns))
    drawn = "".join(
        f'<div class="column" tabindex="0" role="img" '
        f'aria-label="{escape(f"{column.when}: {column.words}")}">'
        f'<i class="upper" style="height:{column.values[1] / top:.2%}"></i>'
        f'<i class="lower" style="height:{column.values[0] / top:.2%}"></i>'
        f'<span class="tip"><b>{escape(column.when)}</b>{escape(column.words)}</span></div>'
        for column in columns
    )
    lines = "".join(
        f'<span style="bottom:{share:.0%}">{escape(say(top * share)) if share else 0}</span>'
        for share in (0.0, 0.5, 1.0)
    )
    ends = [columns[0].when, *([columns[-1].when] if len(columns) > 1 else [])]
    below = "".join(f"<span>{escape(when)}</span>" for when in ends)
    return (
        f'<div class="chart {tone}"><div class="axis">{lines}</div>'
        f'<div class="columns">{drawn}</div><div class="time">{below}</div></div>'
    )


def legend(names: tuple[str, str], tone: str = "") -> str:
    """What the two parts of a bar are.

    Args:
        names: of the lower and the upper part.
        tone: as of the bars.
    """
    lower, upper = (escape(name) for name in names)
    return (
        f'<p class="legend {tone}"><span><i class="lower"></i>{lower}</span>'
        f'<span><i class="upper"></i>{upper}</span></p>'
    )


def ceiling(value: float) -> float:
    """The least round number that is not below a value.

    Args:
        value: zero or more.

    Returns:
        1, 2, 4, 6 or 8 times a power of ten, so that its half is round as well.
    """
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))
