"""What of a project is watched."""

from __future__ import annotations

from collections.abc import Callable, Collection

from devloop.events import Event
from devloop.loop.project import Project
from devloop.watch.watcher import Watcher


def watcher_of(
    project: Project,
    poll: float | None,
    emit: Callable[[Event], None],
    stirred: Callable[[Collection[str]], None],
) -> Watcher:
    """The watcher of a project.

    Args:
        project: read to the end.
        poll: seconds between two looks at the tree where notification is not to be used.
        emit: takes events.
        stirred: called as soon as sources seem to have changed (see `Watcher`).
    """
    config = project.config
    inputs = [pattern for step in config.steps.values() for pattern in step.inputs]
    patterns = [pattern for app in config.apps.values() for pattern in app.watch]
    return Watcher(
        project.root,
        config=config.watch,
        known=project.codebase.known,
        extra=project.watched_although_ignored(),
        quiet=[output for step in config.steps.values() for output in step.outputs],
        wanted=[*inputs, *patterns],
        poll=poll,
        notice=emit,
        stirred=stirred,
    )
