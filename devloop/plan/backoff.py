"""When an app that has crashed is tried again.

Each crash in a row doubles the wait, so that an app which cannot run costs next to nothing; an
app that had run for a while, or new content, begins anew. There is no jitter: one app on one
machine has nobody to collide with, and a person can foresee when it comes back.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

FIRST = 0.5
"""Seconds before the first try."""

LONGEST = 30.0
"""Seconds that no wait exceeds."""

STEADY = 10.0
"""Seconds of life after which a crash is the first of its row."""

_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")
_MENDED_BY_EDIT = frozenset(
    {
        "SyntaxError",
        "IndentationError",
        "TabError",
        "ImportError",
        "ModuleNotFoundError",
        "NameError",
        "UnboundLocalError",
    }
)
_TAKEN = re.compile(r"already|another|in use|lock|busy|unavailable", re.IGNORECASE)
_LAST = 20
"""Lines at the end of an output; a server says a few more after the error that ends it."""

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Backoff(msgspec.Struct, frozen=True):
    """How many crashes there were in a row.

    Args:
        crashes: since the app last ran for a while, or had new content.
    """

    crashes: int = 0

    @property
    def delay(self) -> float:
        """Seconds to wait before the next try; 0 where there was no crash."""
        if not self.crashes:
            return 0.0
        # The exponent is bounded, or a long row would overflow a float.
        return min(FIRST * 2.0 ** min(self.crashes - 1, 16), LONGEST)

    def crashed(self, lived: float) -> Backoff:
        """The state after one more crash.

        Args:
            lived: seconds from its start to its end.

        Returns:
            A new value.
        """
        return Backoff(1 if lived >= STEADY else self.crashes + 1)


def only_an_edit_mends(output: str) -> bool:
    """Whether what an app printed last says that trying again is of no use.

    A database that is not up yet may be there in a second; a syntax error, a module or name
    that does not exist will not.

    Args:
        output: the end of what it printed, control sequences allowed.

    Returns:
        True where the last exception that is named there is such a one.
    """
    for line in reversed(output.splitlines()):
        text = _ESCAPE.sub("", line).strip()
        # What servers print themselves, "ERROR:    Application startup failed", is none.
        if (match := _EXCEPTION.match(text)) and (name := match[1].rpartition(".")[2]).endswith(
            ("Error", "Exception")
        ):
            return name in _MENDED_BY_EDIT
    return False


def seems_taken(output: str, pids: Collection[int]) -> bool:
    """Whether what an app printed last says that another process has what only one may have.

    A file of its process id, the lock of a database: what lives beside it may have that.

    Args:
        output: the end of what it printed, control sequences allowed.
        pids: of the processes that live beside it.
    """
    for line in output.splitlines()[-_LAST:]:
        text = _ESCAPE.sub("", line)
        # Indented are a traceback's files and lines of source.
        if not text[:1].isspace() and (
            _TAKEN.search(text) or any(re.search(rf"\b{pid}\b", text) for pid in pids)
        ):
            return True
    return False
