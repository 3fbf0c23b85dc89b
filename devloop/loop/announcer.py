"""Calling a person who looks elsewhere: when, and with which words (`[notify]`)."""

from __future__ import annotations

from typing import Literal

from devloop.config.types import Notify
from devloop.events import Announcement, AppFailed, CycleFinished, Event

_WAYS: tuple[Literal["bell", "terminal", "desktop"], ...] = ("bell", "terminal", "desktop")


class Announcer:
    """Takes every event, and says when a person is to be called.

    Args:
        config: how, and when.
        project: its name.
    """

    def __init__(self, config: Notify, project: str) -> None:
        self._ways = tuple(way for way in _WAYS if getattr(config, way))
        self._always = config.when == "always"
        self._project = project
        self._good = True

    def heard(self, event: Event) -> Announcement | None:
        """What is to be announced now; None is nothing.

        Args:
            event: any. Of a cancelled cycle nothing is known, so that none changes the verdict.
        """
        if not self._ways:
            return None
        if isinstance(event, CycleFinished) and event.outcome != "cancelled":
            return self._verdict(event.outcome == "passed", _result(event))
        if isinstance(event, AppFailed) and event.cycle is None:
            return self._verdict(False, f"app {event.name}: {event.message}")
        return None

    def _verdict(self, good: bool, message: str) -> Announcement | None:
        before, self._good = self._good, good
        if good is before and not self._always:
            return None
        title = f"{self._project}: {'passed' if good else 'failed'}"
        return Announcement(title=title, message=message, good=good, ways=self._ways)


def _result(event: CycleFinished) -> str:
    parts = (
        (event.failing, "failing"),
        (event.hindered, "files not collected"),
        (event.verified, "verified"),
        (event.assumed, "assumed to pass"),
        (event.due, "still due"),
    )
    return ", ".join(f"{number:,} {word}" for number, word in parts if number) or event.outcome
