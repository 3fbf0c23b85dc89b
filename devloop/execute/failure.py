"""Why an app could not start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Frame(msgspec.Struct, frozen=True):
    """One line of a traceback.

    Args:
        file: as the traceback has it.
        line: counted from 1.
        function: the code's name.
        source: the line's text.
    """

    file: str
    line: int
    function: str = ""
    source: str = ""


class Failure(msgspec.Struct, frozen=True):
    """Why an app could not start.

    Args:
        app: its name.
        headline: what happened, in a line.
        text: the traceback, or the last that the process printed.
        frames: outermost first; empty where they are not known.
        changes: the files whose edit was followed by this, relative to the root.
    """

    app: str
    headline: str
    text: str = ""
    frames: tuple[Frame, ...] = ()
    changes: tuple[str, ...] = ()

    @classmethod
    def told(cls, app: str, message: Mapping[str, Any], changes: Sequence[str] = ()) -> Failure:
        """Make one of a process's own ``failed`` message.

        Args:
            app: its name.
            message: as it came.
            changes: see the class.

        Returns:
            The failure.
        """
        # A SyntaxError's message begins with the place.
        headline = str(message["message"] or message["type"]).strip().splitlines()[-1]
        frames = tuple(
            Frame(at["file"], at["line"] or 0, at["function"] or "", at["source"] or "")
            for at in message["frames"]
        )
        return cls(app, headline, message["text"], frames, tuple(changes))
