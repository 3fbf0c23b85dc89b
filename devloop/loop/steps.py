"""The steps of a loop: which are due, which run, which have failed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import anyio

from devloop.events import Event, Reason, StepFinished
from devloop.execute.guard import Guard
from devloop.execute.steps import run_steps
from devloop.loop.project import Project
from devloop.plan.plan import at_start
from devloop.select.selection import SelectedTarget
from devloop.select.steps import affected_steps, needed


class Steps:
    """The steps of a loop.

    Args:
        project: whose steps.
        guard: owns their processes.
        environment: the project's.
        emit: takes events.
        force: run those that are up to date too.
    """

    def __init__(
        self,
        project: Project,
        guard: Guard,
        environment: Mapping[str, str],
        emit: Callable[[Event], None],
        *,
        force: bool,
    ) -> None:
        self._project = project
        self._guard = guard
        self._environment = environment
        self._emit = emit
        self._force = force
        self._forced: set[str] = set()
        self._scope = anyio.CancelScope()
        self._looked: list[SelectedTarget] = []
        self.due: dict[str, SelectedTarget] = {}
        self.running: frozenset[str] = frozenset()
        self.failed: set[str] = set()

    @property
    def touched(self) -> bool:
        """What runs is due again: its inputs have changed since it began."""
        return bool(self.running & self.due.keys())

    def ask(self, names: Collection[str] | None) -> None:
        """Make steps due, because devloop starts.

        Args:
            names: which, with what they need; None is all.
        """
        steps = self._project.config.steps
        wanted = needed(steps, steps if names is None else names)
        self.due.update((step.name, step) for step in at_start(sorted(wanted)))

    def run_again(self, name: str) -> None:
        """Make a step due that runs even if it is up to date, because somebody asks for it.

        Args:
            name: of the step.
        """
        self.due[name] = SelectedTarget(name, Reason("asked", (name,)))
        self._forced.add(name)

    def note(self, touched: Collection[str]) -> None:
        """Make those due whose inputs a change touches.

        Args:
            touched: paths.
        """
        affected = affected_steps(self._project.config.steps, touched)
        self.due.update((step.name, step) for step in affected)

    def begin(self) -> None:
        """Take up those that are due; `run` then brings them up to date.

        Apart from `run`, which is a task's and begins some time later: from here on they count
        as running.
        """
        self._looked.extend(self.due.values())
        self.running = frozenset(self.due)
        self.due.clear()
        self._scope = anyio.CancelScope()

    async def run(self) -> tuple[StepFinished, ...]:
        """Bring those that have been taken up up to date.

        Returns:
            How they came out.
        """
        return await run_steps(
            self._project.config.steps,
            self.running,
            scope=self._scope,
            guard=self._guard,
            store=self._project.store,
            root=self._project.root,
            environment=self._environment,
            force=self.running if self._force else self._forced & self.running,
            emit=self._emit,
        )

    def done(self, finished: Collection[StepFinished]) -> frozenset[str]:
        """Note how they came out.

        Args:
            finished: those that have ended.

        Returns:
            Those that have made something else than before.
        """
        self._forced -= self.running - self.due.keys()
        self.running = frozenset()
        for step in finished:
            self.failed.discard(step.name)
            if step.outcome == "failed":
                self.failed.add(step.name)
            elif step.outcome == "cancelled":
                self.due.setdefault(step.name, *at_start([step.name]))
        return frozenset(step.name for step in finished if step.changed)

    def looked(self) -> list[SelectedTarget]:
        """Take out the steps that were looked at since this was last asked."""
        taken, self._looked = self._looked, []
        return taken

    def cancel(self) -> None:
        """Stop what runs."""
        self._scope.cancel()
