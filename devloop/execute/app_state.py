"""What an app is doing: one value for each state, with what belongs to that state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from devloop.execute.guard import Process


@dataclass(frozen=True)
class Stopped:
    """Nothing runs, and nothing will until somebody asks for it."""


@dataclass(frozen=True)
class Starting:
    """Its process runs and has not shown that it is ready."""

    process: Process


@dataclass(frozen=True)
class Serving:
    """Its process is ready."""

    process: Process


@dataclass(frozen=True)
class Stopping:
    """Its process was asked to stop."""

    process: Process


@dataclass(frozen=True)
class Crashed:
    """It ended with an error, or could not be started.

    Args:
        retry_in: seconds from its end to the next try; None where only a change brings one.
    """

    retry_in: float | None


@dataclass(frozen=True)
class Done:
    """It ended by itself, without an error; a change starts it again."""


State: TypeAlias = "Stopped | Starting | Serving | Stopping | Crashed | Done"
