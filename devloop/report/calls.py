"""Control codes that call a person who looks elsewhere.

The bell; OSC 9, which came from iTerm2 and which Windows Terminal, kitty, WezTerm and Ghostty
know; OSC 777, which came from rxvt and which foot and VTE know. A terminal that knows neither
prints neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from devloop.events import Announcement
from devloop.report.clean import one_line

LONGEST = 200
"""Characters of a title or a message; some terminals take no more."""


def of(call: Announcement, environ: Mapping[str, str]) -> str:
    """The codes of an announcement.

    Args:
        call: its ways say which.
        environ: tells which terminal it is.
    """
    codes = "\x07" if "bell" in call.ways else ""
    if "terminal" in call.ways:
        title = one_line(call.title, LONGEST).replace(";", ",")
        message = one_line(call.message, LONGEST)
        if _knows_777(environ):
            codes += _passed_on(f"\x1b]777;notify;{title};{message}\x1b\\", environ)
        else:
            codes += _passed_on(f"\x1b]9;{title}: {message}\x1b\\", environ)
    return codes


def _knows_777(environ: Mapping[str, str]) -> bool:
    term = environ.get("TERM", "")
    return term.startswith(("rxvt", "foot")) or "VTE_VERSION" in environ


def _passed_on(code: str, environ: Mapping[str, str]) -> str:
    """Through tmux, which keeps to itself what is not marked for the terminal around it."""
    if not environ.get("TMUX"):
        return code
    return "\x1bPtmux;" + code.replace("\x1b", "\x1b\x1b") + "\x1b\\"
