"""What an app is doing: one value for each state, with what belongs to that state."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from devloop.execute.guard import Process


class Stopped(msgspec.Struct, frozen=True):
    """Nothing runs, and nothing will until somebody asks for it."""


class Starting(msgspec.Struct, frozen=True):
    """Its process runs and has not shown that it is ready."""

    process: Process


class Serving(msgspec.Struct, frozen=True):
    """Its process is ready."""

    process: Process


class Stopping(msgspec.Struct, frozen=True):
    """Its process was asked to stop."""

    process: Process


class Crashed(msgspec.Struct, frozen=True):
    """It ended with an error, or could not be started.

    Args:
        retry_in: seconds from its end to the next try; None where only a change brings one.
    """

    retry_in: float | None


class Done(msgspec.Struct, frozen=True):
    """It ended by itself, without an error; a change starts it again."""


State: TypeAlias = "Stopped | Starting | Serving | Stopping | Crashed | Done"
