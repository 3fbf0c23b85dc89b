"""Warm test runs: pytest in a process forked from one that holds it, its plugins and libraries.

The first run of a session is a cold one. What it has imported from outside the project is held
from then on, each module as it came in, through pytest's rewriting hook or not; and whatever a
later run imports on top of it. The zygote is made in the background, while no test runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from signal import SIGINT
from typing import Any, Protocol

import anyio
import msgspec

from devloop.errors import GuardianLost
from devloop.execute.ahead import Ahead
from devloop.execute.command import Python
from devloop.execute.guard import Guard
from devloop.execute.holders import DIED, NOT_YET, Purpose, given
from devloop.execute.interpreter import Interpreter
from devloop.execute.orders import Declined, Order, Running
from devloop.execute.pytest_around import around, sift
from devloop.execute.staleness import Origin, Watch, unwatched
from devloop.execute.zygote import FORKS, Zygote
from devloop.inside import messages
from devloop.plan.warm import WarmRecord, held_back

RUNNER = Path(messages.__file__).with_name("run_pytest.py")
ENTRY = "_devloop.run_pytest"
"""The runner, as a module that a zygote knows; `RUNNER` in a cold start."""

TEARDOWN = 10.0
"""Seconds that an interrupted run has to tear its fixtures down."""

MOST_CACHED = 500
"""Modules of the project whose code is made before a run is wanted, at most."""

MEASURES = ("COVERAGE_PROCESS_START", "COV_CORE_SOURCE")
"""Variables that make coverage begin when an interpreter starts, before any import."""

POSSIBLE = FORKS
"""Whether processes can be forked here, and become the guardian's."""


class Memory(Protocol):
    """Where it is kept what runs import, from one session to the next."""

    def load_warm(self, app: str, stamp: str) -> WarmRecord | None:
        """What is known under that name and that stamp."""

    def save_warm(self, app: str, stamp: str, record: WarmRecord) -> None:
        """Keep that."""


class Plan(msgspec.Struct, frozen=True):
    """What decides on the imports of a run.

    Args:
        interpreter: the project's.
        settings: those that decide on what is imported, and how; others need a cold run.
        env: the whole environment.
        folders: those that pytest may put on `sys.path`.
    """

    interpreter: Interpreter
    settings: tuple[str, ...]
    env: Mapping[str, str]
    folders: tuple[str, ...] = ()


class Start(msgspec.Struct, frozen=True):
    """A run that is to start.

    Args:
        plan: what decides on its imports.
        args: for pytest, all of them.
        output: a descriptor of ours for what it prints.
        channel: a descriptor of ours for its messages.
        workers: how many processes of pytest-xdist are to be ready.
    """

    plan: Plan
    args: tuple[str, ...]
    output: int
    channel: int
    workers: int


class WarmTests:
    """The zygote of a project's test runs.

    Args:
        guard: owns its processes.
        root: the project's, where pytest runs.
        exclude: modules that the configuration excludes.
        memory: what is known from earlier sessions.
        watch: keeps an eye on what is held.
    """

    NAME = "[tests]"
    """Under which the records are kept; no app can be called so."""

    def __init__(
        self,
        guard: Guard,
        root: Path,
        exclude: Sequence[str],
        memory: Memory | None,
        watch: Watch = unwatched,
    ) -> None:
        self._guard = guard
        self._root = str(root)
        self._exclude = exclude
        self._memory = memory
        self._watch = watch
        self._plan: Plan | None = None
        self._stamp = ""
        self._record = WarmRecord()
        self._rewritten: frozenset[str] = frozenset()
        self._volatile: set[str] = set()
        """What was found to have changed while imports were made, and may each time."""

        self._refused: str | None = None
        self._zygote: Zygote | None = None
        self._origin: Origin | None = None
        self._ahead: Ahead | None = None
        self._last: Start | None = None
        self._outdated: str | None = None
        self._busy = False
        self._warm = False
        self._altered: frozenset[str] = frozenset()
        self._cached: dict[str, None] = {}
        """The cached files of the project's own modules; what was imported last is at the end."""

        self._news = anyio.Event()
        self.reason: str | None = None
        """Why the last run was a cold one although a warm one was wanted; None for the first."""

        self.misled: str | None = None
        """The environment variable that the last run has set, too late for what it held."""

    @property
    def ready(self) -> bool:
        """A run would start warm, as far as is known without looking."""
        return self._zygote is not None and self._zygote.alive and self._outdated is None

    @property
    def pids(self) -> list[int]:
        """The processes that wait for a run."""
        return self._zygote.pids if self._zygote is not None else []

    @property
    def ahead(self) -> int | None:
        """The process id of the next run, where it has gone ahead (`ahead.py`)."""
        return self._zygote.ahead if self._zygote is not None else None

    @property
    def refused_ahead(self) -> str | None:
        """Why the next run does not go ahead, where that has been tried."""
        return self._ahead.refused if self._ahead is not None else None

    # A run

    def foresee(self, plan: Plan) -> None:
        """Make ready for a run, if it is known what such runs import.

        Args:
            plan: of the run.
        """
        stamp = self._stamp
        self._recall(plan)
        if self._stamp != stamp:
            self._plan = plan
            self._news.set()

    async def look(self) -> None:
        """A run may come in some milliseconds: see whether what is held is as it was."""
        if self._origin is not None:
            await self._origin.look()

    async def begin(self, start: Start) -> Running | None:
        """Start a run, if that can be done warm.

        Args:
            start: which.

        Returns:
            The process; None where the run must be a cold one.

        Raises:
            GuardianLost: the guardian has died.
        """
        self._busy, self._warm, self.misled = True, False, None
        self.reason = self._judge(start.plan)
        self._plan, self._last = start.plan, start
        if self._ahead is None or self.reason is not None:
            return None
        with Path(os.devnull).open("rb") as null, anyio.CancelScope(shield=True):  # noqa: ASYNC230
            order = self._order(start, null.fileno())
            try:
                running = await given(lambda: self._ahead, lambda: self._become(order))
                self._warm = True
                return running
            except Declined as declined:
                self.reason = self._outdated = declined.reason
        return None

    async def _become(self, order: Order) -> Running:
        assert self._ahead is not None
        return await (await self._ahead.take(order)).run(order)

    def _order(self, start: Start, null: int) -> Order:
        interpreter = start.plan.interpreter.path
        argv = (interpreter, str(RUNNER), *start.args)
        workers = {messages.WORKERS: str(start.workers)} if start.workers else {}
        return Order(
            Python(argv, Path(interpreter).name, (), "module", ENTRY, start.args),
            {**start.plan.env, **workers},
            self._root,
            null,
            start.output,
            start.output,
            passed=[(messages.CHANNEL, start.channel)],
            folders=start.plan.folders,
            stop_signal=SIGINT,
            stop_timeout=TEARDOWN,
        )

    def _judge(self, plan: Plan) -> str | None:
        """Why the run must be a cold one; None also where there is no zygote yet."""
        first = self._recall(plan)
        if (name := next((name for name in MEASURES if plan.env.get(name)), None)) is not None:
            return f"${name} has coverage measure from the start of the interpreter"
        if self._refused is not None:
            return self._refused
        if self._zygote is None:
            return None if first else NOT_YET
        if not self._zygote.alive:
            self._outdated = DIED
        elif self._outdated is None and self._origin is not None:
            self._outdated = self._origin.stale(plan.env)
        return self._outdated

    def _recall(self, plan: Plan) -> bool:
        """Forget what was learned of other settings.

        Returns:
            Nothing had been learned of these.
        """
        words = [plan.interpreter.path, plan.interpreter.stamp, *plan.settings]
        words += self._exclude
        words += [f"{name}={value}" for name, value in sorted(plan.env.items()) if _own(name)]
        stamp = hashlib.blake2b("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
        if stamp == self._stamp:
            return not self._record.modules
        if self._stamp:
            self._outdated = "pytest's settings changed"
        self._stamp, self._refused = stamp, None
        known = self._memory.load_warm(self.NAME, stamp) if self._memory is not None else None
        self._record = known or WarmRecord()
        self._rewritten = frozenset(self._record.rewritten)
        return True

    async def finishing(self, pid: int) -> None:
        """A run's process has nothing left to do but to end.

        Args:
            pid: its id.
        """
        if self._warm and self._zygote is not None:
            await self._zygote.pages.learn(pid)

    def ended(self, told: Iterable[Mapping[str, Any]]) -> None:
        """A run has ended.

        Args:
            told: what its processes have said of their imports.
        """
        assert self._plan is not None
        self._busy = False
        outside = tuple(folder + os.sep for folder in _outside(self._plan.interpreter))
        for message in told:
            self._refused = self._refused or message["refused"]
            self._rewritten |= set(message["rewritten"])
            self._hear_of_settings(frozenset(message["altered"]))
            names = [
                name
                for name, file in message["modules"]
                if not name.startswith("_devloop") and (file is None or file.startswith(outside))
            ]
            for name, cached in message["cached"].items():
                if name not in names and not name.startswith("_devloop"):
                    self._cached.pop(cached, None)
                    self._cached[cached] = None
            known = set(self._record.modules)
            new = tuple(name for name in names if name not in known)
            self._record = msgspec.structs.replace(
                self._record, modules=(*self._record.modules, *new)
            )
        self._news.set()

    def _hear_of_settings(self, altered: frozenset[str]) -> None:
        news = sorted(altered - self._altered)
        self._altered |= altered
        if self._origin is None or (name := self._origin.read_any(news)) is None:
            return
        self._outdated = f"the tests set ${name}, which what they import had read before"
        if self._warm:
            self.misled = name

    # What is made meanwhile

    async def run(self) -> None:
        """Have ready what the next run needs, until cancelled."""
        try:
            while True:
                self._news = anyio.Event()
                if not self._busy and self._plan is not None and POSSIBLE:
                    await self._prepare(self._plan)
                await self._news.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._drop()

    async def _prepare(self, plan: Plan) -> None:
        record, stamp = self._record, self._stamp
        names, out = held_back(record.modules, self._exclude, record.quarantine)
        # What failed would fail again: another install has another record.
        hidden = _hidden(names, plan.folders)
        names = tuple(n for n in names if n not in record.left_out and _top(n) not in hidden)
        new = set(names).difference(record.held)
        try:
            if self._refused is not None:
                await self._drop()
            elif self._zygote is not None and not self._outdated and not new:
                try:
                    await self._zygote.restock()
                except Declined as declined:
                    self._outdated = declined.reason
            if self._refused is None and names and (self._outdated or not self.ready or new):
                await self._build(plan, names, out)
            if self._refused is None:
                await self._go_ahead()
        except Declined as declined:
            if self._stamp == stamp:
                self._refused = declined.reason
                await self._drop()
        except GuardianLost:
            return

    async def _go_ahead(self) -> None:
        if self._ahead is None or self._last is None or self._last.workers:
            return
        try:
            cached = tuple(islice(reversed(self._cached), MOST_CACHED))
            await self._ahead.prepare(self._order(self._last, -1), cached)
        except Declined:
            self._outdated = DIED
            self._news.set()
        else:
            if self._record.not_ahead != (why := self._ahead.refused):
                self._record = msgspec.structs.replace(self._record, not_ahead=why)
                self._save()

    async def _build(self, plan: Plan, names: tuple[str, ...], out: Mapping[str, str]) -> None:
        interpreter, stamp = plan.interpreter, self._stamp
        origin = Origin(interpreter.path, interpreter.sites, plan.env)
        argv = (interpreter.path, str(RUNNER))
        command = Python(argv, Path(interpreter.path).name, (), "module", ENTRY, ())
        zygote = Zygote(Purpose(self._guard, command, plan.env, self._root))
        try:
            known = {"rewritten": sorted(self._rewritten), "outside": _outside(interpreter)}
            found = await zygote.preload(names, known, altered=sorted(self._altered))
            origin.add(filter(None, found.loaded.values()), found.files, found.env)
            await zygote.restock()
            if stamp != self._stamp:
                raise Declined("pytest's settings changed")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await zygote.close()
            raise
        if self._origin is not None:
            self._origin.close()
        old, self._zygote, self._origin, self._outdated = self._zygote, zygote, origin, None
        self._ahead = Ahead(zygote, around, sift)
        left = {**self._record.left_out, **out, **found.failed, **found.unsafe}
        self._record = msgspec.structs.replace(
            self._record,
            held=tuple(name for name in names if name not in left),
            left_out=left,
            rewritten=tuple(sorted(self._rewritten)),
        )
        self._save()
        if old is not None:
            await old.close()
        await origin.keep_an_eye(self._watch)
        # Which files the imports read is told by a process of its own: its means would stay.
        with suppress(Declined):
            traced = await zygote.probe([name for name in names if name in found.loaded])
            origin.add_told(traced, self._volatile)

    def _save(self) -> None:
        if self._memory is not None:
            self._memory.save_warm(self.NAME, self._stamp, self._record)

    async def _drop(self) -> None:
        zygote, origin = self._zygote, self._origin
        self._zygote = self._origin = self._ahead = None
        if origin is not None:
            origin.close()
        if zygote is not None:
            await zygote.close()


def _outside(interpreter: Interpreter) -> list[str]:
    """The folders in which nothing is the project's."""
    prefixes = dict.fromkeys((interpreter.base_prefix, interpreter.prefix))
    libraries = [f"{prefix}/{name}" for prefix in prefixes for name in ("lib", "lib64")]
    return [*interpreter.sites, *libraries, str(RUNNER.parent)]


def _hidden(names: Iterable[str], folders: Iterable[str]) -> set[str]:
    """The top-level modules in whose place the project may have one of its own."""
    tops = {_top(name) for name in names}
    hidden = set()
    for folder in folders:
        try:
            present = os.listdir(folder)
        except OSError:
            continue
        for file in present:
            name, _, suffix = file.partition(".")
            if name in tops and (suffix or Path(folder, name, "__init__.py").exists()):
                hidden.add(name)
    return hidden


def _top(name: str) -> str:
    return name.partition(".")[0]


def _own(name: str) -> bool:
    """Whether pytest itself reads a variable."""
    return name.startswith("PYTEST_")
