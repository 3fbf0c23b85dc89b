"""What the loop hears of: everything that happens beside it comes in as one of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from devloop.events import StepFinished
from devloop.execute.asked import Settled
from devloop.execute.run_state import RunResult
from devloop.loop.actions import Ask
from devloop.select.proofs import Shown
from devloop.watch.scan import ChangeSet


class Changed(msgspec.Struct, frozen=True):
    """The tree has changed."""

    change_set: ChangeSet


class Read(msgspec.Struct, frozen=True):
    """The whole project has been read."""


class StepsDone(msgspec.Struct, frozen=True):
    """The steps have ended."""

    finished: tuple[StepFinished, ...]


class RunDone(msgspec.Struct, frozen=True):
    """The test run has ended.

    Args:
        result: what it has shown.
        moved: files that are not as they were when they were read.
    """

    result: RunResult
    moved: frozenset[str]


class ShadowDone(msgspec.Struct, frozen=True):
    """A shadow run has ended.

    Args:
        result: what it has shown.
        alone: what those tests have shown when they ran alone that had another outcome in it.
        seconds: how long all of that took.
        whole: it came to its end, and the project stayed as it was.
    """

    result: RunResult
    alone: Mapping[str, Shown]
    seconds: float
    whole: bool


class Idle(msgspec.Struct, frozen=True):
    """Nothing has been to be done for a while since that cycle."""

    cycle: int


class AppSettled(msgspec.Struct, frozen=True):
    """An app has come to what was asked of it; `number` says the how-manieth time."""

    name: str
    outcome: Settled
    number: int


class Stop(msgspec.Struct, frozen=True):
    """devloop is to end with this exit code."""

    code: int


Message: TypeAlias = (
    "Changed | Read | StepsDone | RunDone | ShadowDone | Idle | AppSettled | Ask | Stop"
)
