"""Whether the configuration has become another one while watching."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from devloop.config.load import Loaded
from devloop.errors import ConfigError, DevloopError
from devloop.events import Change, Event, Notice
from devloop.loop.project import Project


class Configuration:
    """The configuration that is in force.

    Args:
        project: whose.
        emit: takes events.
    """

    def __init__(self, project: Project, emit: Callable[[Event], None]) -> None:
        self._project = project
        self._emit = emit
        self._loaded = project.loaded

    def is_another(self, changes: Collection[Change]) -> bool:
        """Whether it can be read, and says something else than before; a fault is told.

        Args:
            changes: what has changed in the tree.
        """
        project = self._project
        files = set(map(str, project.loaded.files))
        if not any(os.path.join(project.root, change.path) in files for change in changes):  # noqa: PTH118
            return False
        try:
            again = project.loaded.again()
        except ConfigError as error:
            self.tell(error, "the configuration from before stays in force")
            return False
        self._loaded = again
        return again.config != project.config

    def latest(self) -> Loaded:
        """Load what is to be in force next; where that is broken by now, the last that was not."""
        try:
            return self._loaded.again()
        except ConfigError as error:
            self.tell(error, "the configuration from before stays in force")
            return self._loaded

    def tell(self, error: DevloopError, meanwhile: str) -> None:
        """Tell of a fault that ends nothing.

        Args:
            error: the fault.
            meanwhile: what holds until it is mended.
        """
        place = f"{error.where}: " if error.where else ""
        message = f"{place}{error.message}; {meanwhile}"
        self._emit(Notice(message=message, severity="error", hint=error.hint))
