"""Foreign text made safe to write: what apps, steps and tests print may hold anything.

Control sequences follow ECMA-48 (CSI, OSC and the other string sequences); hyperlinks are
OSC 8. Nothing here looks at width.
"""

from __future__ import annotations

import re

from devloop.events import printable

LONGEST = 1000
"""Characters of a message that one line shows."""

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"  # the short ones
)
_KEPT = re.compile(r"\x1b\[[0-9;:]*m|\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)")
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CONTROL_BUT_ESCAPE = re.compile("[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]")


def bare(line: str) -> str:
    """One printed line without any control code.

    Args:
        line: without its end; what a carriage return overwrote is left out.

    Returns:
        The text; tabs stay.
    """
    if not _UNSAFE.search(line):
        return line
    return printable(_CONTROL.sub("", _SEQUENCE.sub("", _shown(line))))


def coloured(line: str) -> str:
    """One printed line with its colours and links, and without what moves, erases or rings.

    Args:
        line: without its end.

    Returns:
        The text; where it held colours they end with it.
    """
    if not _UNSAFE.search(line):
        return line
    text = printable(_CONTROL_BUT_ESCAPE.sub("", _SEQUENCE.sub(_kept, _shown(line))))
    if "\x1b]8;" in text:
        text += "\x1b]8;;\x1b\\"
    return f"{text}\x1b[0m" if "\x1b" in text else text


def one_line(text: str, limit: int = LONGEST) -> str:
    """A message folded to one line.

    Args:
        text: any text.
        limit: in characters.

    Returns:
        The words, one space between them, without control codes.
    """
    cut = text[: limit * 4]
    line = " ".join(printable(_CONTROL.sub(" ", _SEQUENCE.sub("", cut))).split())
    return line if len(line) <= limit and len(cut) == len(text) else f"{line[: limit - 1]}…"


def _kept(found: re.Match[str]) -> str:
    """A control sequence where it may stay; a link's end in its standard form."""
    return found[0].replace("\x07", "\x1b\\") if _KEPT.fullmatch(found[0]) else ""


def _shown(line: str) -> str:
    """What a carriage return left on a terminal's line: the last part that is not empty."""
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part), "")
