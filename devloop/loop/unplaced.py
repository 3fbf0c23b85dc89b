"""Problems of apps, steps and test runs as a whole, which no line of a source is known for.

What they printed may name one. Where it does not, they are shown where they were asked for: at
their table in the configuration, or at what the command line names.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from devloop.config.load import OWN_FILE, place_of
from devloop.config.root import MARKERS
from devloop.events import AppFailed, Diagnostic, Event, RunFinished, StepFinished, StepStarted
from devloop.loop.project import Project
from devloop.report.places import Place, last_message, last_place

RUNNER = "pytest"
"""Who finds what is wrong with a test run as a whole."""


class _Failure(NamedTuple):
    source: str
    message: str
    output: str = ""


class Unplaced:
    """Follows the events, and finds a place for each failure that has none.

    Args:
        project: whose.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._running: set[str] = set()
        """Steps that have been started, and have told of no error at a place since."""

    def diagnostic(self, event: Event) -> Diagnostic | None:
        """Make a problem at a place of what has failed.

        Args:
            event: any.

        Returns:
            The problem; None where nothing failed, or where it was told at its places.
        """
        if isinstance(event, StepStarted):
            self._running.add(event.name)
        elif isinstance(event, Diagnostic) and event.severity == "error":
            self._running.discard(event.source)
        failure = self._failure(event)
        if failure is None:
            return None
        place = last_place(failure.output, str(self._project.root)) or self._asked_for(event)
        said = last_message(failure.output)
        return Diagnostic(
            path=place.path,
            line=place.line,
            message=f"{failure.message}: {said}" if said else failure.message,
            source=failure.source,
        )

    def _failure(self, event: Event) -> _Failure | None:
        if isinstance(event, AppFailed):
            return _Failure(event.name, f"app {event.name}: {event.message}", event.output)
        if isinstance(event, RunFinished) and event.outcome == "runner-failed":
            message = event.message or "pytest ended without a result"
            return _Failure(RUNNER, message, event.output)
        if isinstance(event, StepFinished) and event.name in self._running:
            self._running.discard(event.name)
            if event.outcome == "failed":
                return _Failure(event.name, f"step {event.name}: {event.message or 'failed'}")
        # A step that was not started needs one that has failed; that one is the problem.
        return None

    def _asked_for(self, event: Event) -> Place:
        """Where it was said that this should run."""
        loaded = self._project.loaded
        if isinstance(event, AppFailed) and loaded.overrides.command:
            return Place(self._entry(event.name) or self._main_file(), 1)
        if isinstance(event, AppFailed):
            found = place_of(loaded, ("apps", event.name))
        elif isinstance(event, StepFinished):
            found = place_of(loaded, ("steps", event.name))
        else:
            found = place_of(loaded, ("tests",))
        return Place(*found) if found is not None else Place(self._main_file(), 1)

    def _entry(self, app: str) -> str | None:
        """The file that the command of an app names."""
        for target in self._project.app_targets({}):
            if target.name == app:
                entry = target.entry
                named = [p for p in entry.named if (self._project.root / p).is_file()]
                # A package's __main__.py says more than its __init__.py.
                return max(
                    (*entry.paths, *named),
                    key=lambda path: posixpath.basename(path) != "__init__.py",
                    default=None,
                )
        return None

    def _main_file(self) -> str:
        """The file that a person thinks of when nothing is configured."""
        project = self._project
        names = (OWN_FILE, project.settings.file, *MARKERS)
        files = [name for name in names if name and (project.root / name).is_file()]
        return next(iter((*files, *project.test_files)), OWN_FILE)
