"""Notification by the operating system: what any of its back ends does for the pump."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, Protocol, TypeAlias

from anyio.abc import TaskGroup


class Event(NamedTuple):
    """Something has happened at a place.

    Args:
        place: absolute.
        renewed: something has come or gone there.
        whole: whoever wrote the file has closed it, or it was moved here; False while it is being
            written, None where that cannot be told.
    """

    place: str
    renewed: bool
    whole: bool | None = None


Put: TypeAlias = Callable[[Iterable[Event]], None]
Lost: TypeAlias = Callable[["Exception | None"], None]


class NotifyUnavailable(Exception):
    """The system does not notify.

    Args:
        message: one sentence.
        hint: what can be done, where something can.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Notifier(Protocol):
    """Watches laid over folders."""

    late: float
    """Seconds that pass, on the average, until an event is handed on."""

    tells_of_loss: bool
    """Whether it notices that events were lost; else `stall` says when that may have been."""

    async def lay(self, folders: Collection[str], tops: Collection[str], *, anew: bool) -> None:
        """Watch these folders from now on, and no others; what both hold is watched throughout.

        Args:
            folders: absolute; each is watched for what happens directly in it.
            tops: absolute; used in place of the folders below them where that costs nothing.
            anew: a folder may have been replaced by another one of its name.

        Raises:
            NotifyUnavailable: the system does not notify, or no more.
            OSError: one of the folders has vanished, and nothing is watched.
        """

    def stall(self) -> float:
        """The longest time in which events may have been lost, since this was asked last.

        Returns:
            Seconds; 0 where there was none.
        """

    def close(self) -> None:
        """Stop watching."""


LINUX = sys.platform.startswith("linux")

BackEnd: TypeAlias = Callable[[TaskGroup, Put, Lost], Notifier]


def system(tasks: TaskGroup, put: Put, lost: Lost) -> Notifier:
    """The back end for this system.

    Args:
        tasks: where the watching runs.
        put: takes events.
        lost: told that events were lost, and why, where watching has ended by that.
    """
    if LINUX:
        from devloop.watch.by_inotify import ByInotify

        return ByInotify(tasks, put, lost)
    from devloop.watch.by_watchfiles import ByWatchfiles

    return ByWatchfiles(tasks, put, lost)


def watches_used_up() -> NotifyUnavailable:
    """What to say where no more folders can be watched."""
    return NotifyUnavailable(
        "the system's limit of watched folders is used up",
        "Raise it: sudo sysctl fs.inotify.max_user_watches=524288 "
        "(and put the same into /etc/sysctl.d/).",
    )


def watchers_used_up() -> NotifyUnavailable:
    """What to say where nothing more can be opened to watch with."""
    return NotifyUnavailable(
        "the system's limit of watchers (inotify instances, or open files) is used up",
        "Raise it: sudo sysctl fs.inotify.max_user_instances=1024, or ulimit -n 4096.",
    )
