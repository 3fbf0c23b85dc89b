"""The apps of a loop: which run, which are due for a restart, which have failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

import anyio
from anyio.abc import TaskGroup

from devloop.events import Event, Reason
from devloop.execute.app_state import Serving, Starting
from devloop.execute.apps import AppSupervisor, reading, typed_to
from devloop.execute.asked import Settled
from devloop.execute.guard import Guard
from devloop.execute.terminal import Size, Terminal
from devloop.graph.graph import Graph
from devloop.loop.project import Applied, Project
from devloop.plan.plan import at_start
from devloop.plan.warm import WarmRecord
from devloop.select.apps import AppTarget, affected_apps, broken
from devloop.select.selection import SelectedTarget
from devloop.store.store import Store
from devloop.watch.vigil import Vigil


class _Memory:
    """What the store knows of an app's starts.

    Args:
        store: the project's.
        app: its name.
    """

    def __init__(self, store: Store, app: str) -> None:
        self._store = store
        self._app = app

    def load(self, stamp: str) -> WarmRecord | None:
        """What is known of the command and interpreter that `stamp` names."""
        return self._store.load_warm(self._app, stamp)

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Keep that, in the place of what was known of any other."""
        self._store.save_warm(self._app, stamp, record)


class Apps:
    """The apps of a loop.

    Args:
        project: whose apps.
        guard: owns their processes.
        tasks: where each is attended to.
        emit: takes events.
        settled: called when an app has come to what was asked of it.
        wanted: none are run where this is False.
        terminal: the size of the pseudo-terminal that each gets; None is pipes.
        dialogue: shows what an app prints that reads keys.
        before_start: called just before a process is started.
    """

    def __init__(
        self,
        project: Project,
        guard: Guard,
        tasks: TaskGroup,
        emit: Callable[[Event], None],
        settled: Callable[[str, Settled, int], None],
        *,
        wanted: bool,
        terminal: Size | None = None,
        dialogue: Callable[[bytes | None], None] | None = None,
        before_start: Callable[[], None] | None = None,
    ) -> None:
        self._project = project
        self._tasks = tasks
        self._tell = settled
        self._asked: dict[str, int] = {}
        """How often each was asked to start."""

        self._told: tuple[Graph, Mapping[str, frozenset[str]], tuple[AppTarget, ...]] | None = None
        """What was told of them last, and of what."""

        self.due: dict[str, SelectedTarget] = {}
        self.failed: set[str] = set()
        self.unsettled: set[str] = set()
        """Those that have yet to come to what was asked of them."""

        self._supervisors = {
            name: AppSupervisor(
                name,
                app,
                guard=guard,
                emit=emit,
                root=project.root,
                interpreter=project.interpreter.path,
                environ=os.environ,
                terminal=terminal,
                dialogue=dialogue,
                before_start=before_start,
                exclude=project.config.warm.exclude,
                installed=lambda: project.interpreter.stamp,
                memory=_Memory(project.store, name),
                graph=lambda: project.graph,
                layers=project.config.warm.layers,
                watch=Vigil.over,
            )
            for name, app in (project.config.apps.items() if wanted else ())
        }
        for supervisor in self._supervisors.values():
            tasks.start_soon(supervisor.run)

    @property
    def up(self) -> frozenset[str]:
        """The apps that run."""
        return frozenset(
            name
            for name, supervisor in self._supervisors.items()
            if isinstance(supervisor.state, Starting | Serving)
        )

    def ask_all(self) -> None:
        """Make all of them due, because devloop starts."""
        self.due.update((app.name, app) for app in at_start(list(self._supervisors)))

    def ask(self, names: Collection[str] | None) -> None:
        """Make some due, because somebody asks for it.

        Args:
            names: which; None is all of them.
        """
        for name in self._supervisors if names is None else names:
            self.due[name] = SelectedTarget(name, Reason("asked", (name,)))

    def waits_for_nothing(self) -> tuple[SelectedTarget, ...]:
        """Those that are due and need no step."""
        apps = self._project.config.apps
        return tuple(target for name, target in self.due.items() if not apps[name].needs)

    async def stirred(self, whole: Collection[str]) -> None:
        """Sources seem to have changed, which is not looked into yet.

        Args:
            whole: those that are as they will be, if nothing more is waited for.
        """
        if not self._supervisors:
            return
        names = [app.name for app in self._affected(whole, whole)] if whole else self._supervisors
        for name in names:
            await self._supervisors[name].look(at_once=bool(whole))

    def note(self, applied: Applied) -> bool:
        """Make those due that a change restarts.

        Args:
            applied: the change.

        Returns:
            Whether there are any.
        """
        if not self._supervisors:
            return False
        self._told = None  # what names their modules may have changed, as `.flaskenv`
        paths = sorted(applied.touched | applied.changed)
        for supervisor in self._supervisors.values():
            supervisor.changed(paths, applied.touched - applied.changed)
        affected = self._affected(applied.changed, applied.touched)
        self.due.update((app.name, app) for app in affected)
        return bool(affected)

    def note_installed(self) -> bool:
        """Make those due again that have failed: what they lacked may be installed now.

        Returns:
            Whether there are any.
        """
        for name in self.failed & self._supervisors.keys():
            reason = Reason("environment", (name,), "what is installed has changed")
            self.due[name] = SelectedTarget(name, reason)
        return bool(self.failed & self._supervisors.keys())

    def note_built(self, built: Collection[str]) -> None:
        """Make those due that need what steps have made anew.

        Args:
            built: the steps, each with something else than before.
        """
        config = self._project.config
        for name in self._supervisors:
            made = sorted({*config.apps[name].needs} & {*built})
            if made:
                self.due[name] = SelectedTarget(name, Reason("needs", (name, made[0])))

    def restart(self, targets: Collection[SelectedTarget], seen: float) -> None:
        """Start apps, or start them again.

        Args:
            targets: which.
            seen: when the change behind it was seen, on the monotonic clock.
        """
        for target in targets:
            self.due.pop(target.name, None)
            self.unsettled.add(target.name)
            supervisor = self._supervisors[target.name]
            supervisor.restart(seen, target.reason.chain[1:][-1:])
            number = self._asked[target.name] = self._asked.get(target.name, 0) + 1
            self._tasks.start_soon(self._await_settled, supervisor, number)

    def settled(self, name: str, outcome: Settled, number: int) -> bool:
        """Note what an app has come to.

        Args:
            name: of the app.
            outcome: of what was asked.
            number: the how-manieth time it was asked.

        Returns:
            Whether that is news: what was asked since then has yet to come to something.
        """
        if number != self._asked[name]:
            return False
        self.unsettled.discard(name)
        if outcome == "failed":
            self.failed.add(name)
        else:
            self.failed.discard(name)
        return True

    def broken(self) -> Mapping[str, str]:
        """For apps that are due, a source in their closure that does not compile."""
        if not self.due:
            return {}
        graph = self._project.graph
        found = {}
        for target in self._targets():
            bad = broken(graph, sorted(graph.closure(target.sources)))
            if bad:
                found[target.name] = bad[0]
        return found

    def typed_to(self) -> Terminal | None:
        """The terminal of the app that reads what a person types."""
        return typed_to(self._supervisors.values())

    def reading(self) -> Terminal | None:
        """The terminal of the app that wants what a person types now."""
        return reading(self._supervisors.values())

    def resize(self, size: Size) -> None:
        """The window that they are shown in has another size."""
        for supervisor in self._supervisors.values():
            supervisor.resize(size)

    async def stop(self) -> None:
        """Stop all of them, each within its own time."""
        async with anyio.create_task_group() as stopping:
            for supervisor in self._supervisors.values():
                stopping.start_soon(supervisor.stop)

    def _affected(
        self, changed: Collection[str], touched: Collection[str]
    ) -> tuple[SelectedTarget, ...]:
        project = self._project
        return affected_apps(project.graph, self._targets(), changed, touched, project.categorise)

    def _targets(self) -> tuple[AppTarget, ...]:
        """What selection is to know of them."""
        imported = {
            name: supervisor.warm.record.own
            for name, supervisor in self._supervisors.items()
            if supervisor.warm is not None
        }
        graph = self._project.graph
        if self._told is None or self._told[0] is not graph or self._told[1] != imported:
            self._told = (graph, imported, self._project.app_targets(imported))
        return self._told[2]

    async def _await_settled(self, supervisor: AppSupervisor, number: int) -> None:
        self._tell(supervisor.name, await supervisor.settled(), number)
