"""What stands in the place of the footer while a person types: a prompt, or the keys there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from devloop.report.clean import one_line
from devloop.report.paint import Piece, Pieces, cells, crop, crop_start, width

MOST = 3
"""Lines that are live at most."""

_KEYS = (
    ("a", "all tests", "all"),
    ("f", "failed only", "failed"),
    ("r", "rerun", "rerun"),
    ("p", "filter paths", "path"),
    ("t", "filter names", "name"),
    ("c", "clear filters", "clear"),
    ("o", "changed since", "since"),
    ("R", "restart", "restart"),
    ("d", "debug", "debug"),
    ("w", "why", "why"),
    ("space", "pause", "pause"),
    ("q", "quit", "quit"),
)
"""Each key, what it does, and the same in a word."""


class Prompt(msgspec.Struct, frozen=True):
    """Something is asked for.

    Args:
        title: what.
        text: what has been typed so far.
        found: how much matches it, in a few words.
        matches: the first of those.
        hint: what Enter does.
    """

    title: str
    text: str
    found: str
    matches: tuple[str, ...]
    hint: str


class Help(msgspec.Struct, frozen=True):
    """The keys that there are."""


Panel: TypeAlias = Prompt | Help


def lines(panel: Panel, columns: int) -> list[Pieces]:
    """A panel as lines.

    Args:
        panel: what is shown.
        columns: that they may take.

    Returns:
        Three at most.
    """
    return _help(columns) if isinstance(panel, Help) else _prompt(panel, columns)


def _help(columns: int) -> list[Pieces]:
    long = _wrapped([(key, words) for key, words, _ in _KEYS], columns, " · ")
    if len(long) <= MOST:
        return long
    return _wrapped([(key, word) for key, _, word in _KEYS], columns, "  ")[:MOST]


def _wrapped(entries: Sequence[tuple[str, str]], columns: int, between: str) -> list[Pieces]:
    """Entries in as many lines as they take."""
    rows: list[list[Piece]] = [[]]
    used = 0
    for key, words in entries:
        size = cells(f"{key} {words}")
        if rows[-1] and used + cells(between) + size > columns:
            rows.append([])
        if rows[-1]:
            rows[-1].append((between, "dim"))
            used += cells(between)
        else:
            used = 0
        rows[-1] += [(key, "bold"), (f" {words}", "")]
        used += size
    return list(rows)


def _prompt(prompt: Prompt, columns: int) -> list[Pieces]:
    head: list[Piece] = [(f"{prompt.title}: ", "bold")]
    text = one_line(prompt.text) + (" " if prompt.text.endswith(" ") else "")
    # The end of what is typed is what has to be seen.
    head += [(crop_start(text, columns - width(head) - 1), ""), ("▏", "cyan")]
    if width(head) + cells(prompt.found) + 2 <= columns:
        head.append((f"  {prompt.found}", "dim"))
    matches: list[Piece] = []
    for match in prompt.matches:
        matches += [("  " if matches else "", ""), (one_line(match), "")]
    return [
        head,
        crop(matches or [("nothing matches", "dim")], columns),
        crop([(f"{prompt.hint} · Tab completes · Esc leaves", "dim")], columns),
    ]
