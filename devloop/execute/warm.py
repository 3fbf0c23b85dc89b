"""What the next start of an app comes from: a zygote with what the app imports, made meanwhile.

The first start of a session is a cold one and tells what it imports. When the app is up, a
zygote is made in the background; it holds what comes from outside the project, and one blank
forked from it stands ready. Whatever is not as it should be is a reason for a cold start, in one
line, and for another zygote.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol

import anyio
import anyio.to_thread
import msgspec

from devloop.errors import GuardianLost
from devloop.execute.ahead import Ahead
from devloop.execute.command import Python
from devloop.execute.distributions import of_module, still_there
from devloop.execute.guard import Guard, Spawn
from devloop.execute.holders import DIED, NOT_YET, SILENT, Purpose, given
from devloop.execute.layers import Layers
from devloop.execute.orders import Declined, Order, Preloaded, Running
from devloop.execute.spare import Spare
from devloop.execute.staleness import Origin, Watch, unwatched
from devloop.execute.terminal import Size
from devloop.execute.zygote import FORKS, Zygote
from devloop.plan.warm import (
    Quarantined,
    Shape,
    WarmRecord,
    differences,
    first_party,
    held_back,
    is_crossing,
    is_of_sites,
    is_of_the_command,
    library_of,
    third_party,
    wants_spare,
    within,
)

LITTLE = 0.01
"""Seconds of imports that a layer saves at least, or a start had better go ahead: a layer takes
memory of its own, and a start from one begins at the beginning."""


def stamp_of(command: Python) -> str:
    """Name a command, with its interpreter.

    Args:
        command: it.
    """
    return repr((command.program, command.options, command.kind, command.target, command.args))


class Memory(Protocol):
    """Where it is kept what is known of an app's starts, from one session to the next."""

    def load(self, stamp: str) -> WarmRecord | None:
        """What is known of the command and interpreter that `stamp` names."""

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Keep that, in the place of what was known of any other; called in a thread."""


class Forgetful:
    """A memory that keeps nothing."""

    def load(self, stamp: str) -> WarmRecord | None:
        """Nothing is known."""
        del stamp
        return None

    def save(self, stamp: str, record: WarmRecord) -> None:
        """Forget it."""
        del stamp, record


class Warm:
    """What the next start of one app comes from.

    Args:
        guard: owns its processes.
        root: the project's folder.
        exclude: modules and packages that are not held.
        terminal: the app's streams are a terminal of that size.
        installed: says what is installed for the project, as a digest.
        memory: what is known from earlier sessions.
        layers: what is held of the project itself; None is nothing.
        forks: processes may be forked here; where they may not, starts come from spares.
        watch: keeps an eye on what is held.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        root: str,
        exclude: Sequence[str] = (),
        terminal: Size | None = None,
        installed: Callable[[], str] = str,
        memory: Memory | None = None,
        layers: Layers | None = None,
        forks: bool = FORKS,
        watch: Watch = unwatched,
    ) -> None:
        self.layers = layers
        self.record = WarmRecord()
        self._guard = guard
        self._root = root
        self._exclude = exclude
        self._terminal = terminal
        self._installed = installed
        self._memory: Memory = memory or Forgetful()
        self._forks = forks
        self._watch = watch
        self._stamp: str | None = None
        self._saved = self.record
        self._last: tuple[Python, Spawn] | None = None
        self._path: tuple[str, ...] = ()
        self._library = ""
        self._zygote: Zygote | Spare | None = None
        self._origin: Origin | None = None
        self._ahead: Ahead | None = None
        self._outdated: str | None = None
        """Why the zygote must not be used any more."""

        self.refused: str | None = None
        """Why there is none, until something else than `_tried` is to be held."""

        self._tried: frozenset[str] | None = None
        """What could not be held."""

        self.building = False
        """A zygote is being made."""

        self._volatile: set[str] = set()
        """What was found to have changed while imports were made, and may each time."""

        self._doubted = False
        """The last start from a layer came to something else than a cold one."""

        self._answered = False
        """A process has told what it imports, in this session."""

        self._altered: frozenset[str] = frozenset()
        """The environment variables that the app itself sets, or takes away."""

        self._replaces: str | None = None
        """Why nothing may be imported ahead of the app."""

        self._files: dict[str, str] = {}
        self._news = anyio.Event()
        self._starting = False

    @property
    def ready(self) -> bool:
        """Whether the next start can be a warm one, as far as that is known."""
        if self.building or self._zygote is None or self._outdated is not None:
            return False
        return self._zygote.wanting is None

    @property
    def ahead(self) -> int | None:
        """The process id of the next start, where that has gone ahead (`ahead.py`)."""
        return self._zygote.ahead if isinstance(self._zygote, Zygote) else None

    @property
    def refused_ahead(self) -> str | None:
        """Why the next start does not go ahead, where that was tried."""
        return self._ahead.refused if self._ahead is not None else None

    @property
    def kind(self) -> Literal["warm", "spare"]:
        """What the next start is, where it is not a cold one."""
        return "warm" if self._zygote is None else self._zygote.kind

    @property
    def pids(self) -> list[int]:
        """The process ids of what waits for the next start."""
        return [] if self._zygote is None else self._zygote.pids

    # A start

    def judge(self, command: Python, spawn: Spawn) -> str | None:
        """Begin a start, and say whether it may be a warm one.

        Args:
            command: what is started.
            spawn: how.

        Returns:
            Why not, in one line, which is empty where there is nothing yet that it could come
            from; None where it may.
        """
        self._starting = True
        self._recall(command)
        self._last = (command, spawn)
        if (off := self.record.off or self._replaces) is not None:
            return off
        if self.record.suspect is not None:
            doubt = next(iter(self.record.doubt), "what it imports")
            return f"the last start differed from a cold one ({doubt}): compared once more"
        if self._zygote is None or self._origin is None:
            return self.refused or (NOT_YET if self._answered else "")
        if self._outdated is None:
            self._outdated = self._compare(command, spawn)
        return self._outdated or self._zygote.wanting

    async def look(self) -> None:
        """A start may come in some milliseconds: see whether what is held is as it was."""
        if self._origin is not None and not self._starting:
            await self._origin.look()

    def _compare(self, command: Python, spawn: Spawn) -> str | None:
        """Why what is held is not what a start needs."""
        assert self._zygote is not None
        assert self._origin is not None
        if not self._zygote.alive:
            return DIED
        suits = self._zygote.purpose.suits(command, spawn.cwd, self._terminal)
        if suits is not None:
            return suits
        stale = self._origin.stale(spawn.env)
        return None if stale is None else f"{stale}: what it imports is loaded anew"

    async def start(self, order: Order) -> tuple[Running, bool]:
        """Start it warm, after `judge` has allowed that.

        Args:
            order: what is started.

        Returns:
            The process, and whether it comes from a layer.

        Raises:
            Declined: it cannot be.
            GuardianLost: the guardian has died.
        """
        try:
            return await given(
                lambda: self._zygote if self._outdated is None else None,
                lambda: self._start_from_what_is_held(order),
            )
        except Declined as declined:
            if declined.reason == SILENT:
                self._outdated = SILENT
            raise

    async def _start_from_what_is_held(self, order: Order) -> tuple[Running, bool]:
        assert self._zygote is not None
        blank = None
        if self.layers is not None and not self._doubted:
            blank = await self.layers.take(order.env)
        layered = blank is not None
        if blank is None and self._ahead is not None:
            blank = await self._ahead.take(order)
        return await (blank or await self._zygote.take()).run(order), layered

    async def see(self, pid: int) -> None:
        """What was started warm is up: see what it has copied by now.

        Args:
            pid: its process id.
        """
        if isinstance(self._zygote, Zygote):
            await self._zygote.pages.learn(pid)

    def listens(self, others: Sequence[str]) -> None:
        """What was started listens wherever it will by now.

        Args:
            others: where it does on what nobody can take over.
        """
        if self.record.not_handed_over != tuple(others):
            self.record = msgspec.structs.replace(self.record, not_handed_over=tuple(others))
            self._news.set()

    def settled(self) -> None:
        """What was started is up, or will not be: now there is time for other work."""
        self._starting = False
        self._news.set()

    def report(
        self,
        message: Mapping[str, Any],
        *,
        warm: bool,
        first: bool,
        whole: bool = True,
        layered: bool = False,
    ) -> bool:
        """Take in what a process tells of its imports.

        Args:
            message: its `loaded`.
            warm: it was started warm.
            first: it has not told of all of them before.
            whole: these are all that it imports at its start; of one that is in the midst of
                that it is learnt what can be held, and nothing else.
            layered: it was started from a layer.

        Returns:
            Whether it was misled: it has set variables that what was imported ahead of it has
            read before, or imports in another way than that was. Its next start does without.
        """
        if first:
            self._replaces = None
        misled = self._is_misled(message, warm=warm, layered=layered)
        modules = [(name, file) for name, file in message["modules"]]
        self._files.update((name, file) for name, file in modules if file is not None)
        self._library = library_of(modules)
        own = first_party(modules, self._root, self._library)
        third = third_party(modules, self._root, self._library)
        record = self.record.learn(third, {name for name, _ in own})
        record = record.with_own(within(own, self._root), anew=first)
        if first:
            self._answered = True
            self._path = tuple(message["path"])
            shape = _shape(own, message)
            if self.layers is not None:
                misled |= self.layers.learn(message, layered=layered)
            if not layered:
                record = record.audit(shape, warm=warm)
                self._doubted = False
            elif not record.audited and record.shape is not None:
                # An edit may be why they differ: it is looked at again, without the layer.
                self._doubted = bool(differences(record.shape, shape))
                record = record if self._doubted else record.audit(shape, warm=warm)
        elif not whole:
            self._answered = True
            self._path = self._path or tuple(message["path"])
            if not warm:
                record = record.cut_short()
        elif not warm and record.suspect is not None:
            record = record.audit(_shape(own, message), warm=False, by_now=True)
        self.record = record
        self._news.set()
        return misled

    def _is_misled(self, message: Mapping[str, Any], *, warm: bool, layered: bool) -> bool:
        if (by := message["replaces"]) is not None:
            self._replaces = f"{by} replaces parts of the library before other imports"
        altered = frozenset(message["altered"])
        news = sorted(altered - self._altered)
        self._altered |= altered
        if not warm or self._origin is None:
            return False
        name = self._origin.read_any(news)
        if layered and self.layers is not None:
            name = name or self.layers.read_any(news)
        if name is not None:
            self._outdated = f"it sets ${name}, which what it imports had read before"
        return name is not None

    def hear(self, message: Mapping[str, Any], *, warm: bool, layered: bool) -> bool:
        """Take in what a process, or a child forked from it, has imported beside what it has told.

        A cold start and a warm one are compared by what their first process tells alone.

        Args:
            message: its `news`.
            warm: see `report`.
            layered: see `report`.

        Returns:
            See `report`.
        """
        misled = self._is_misled(message, warm=warm, layered=layered)
        modules = [(name, file) for name, file in message["modules"]]
        self._files.update((name, file) for name, file in modules if file is not None)
        record = self.record.add(third_party(modules, self._root, self._library))
        own = first_party(modules, self._root, self._library)
        self.record = record.with_own(within(own, self._root))
        self._news.set()
        return misled

    def called(self, message: Mapping[str, Any]) -> None:
        """Take in the first call of a function whose result is kept.

        Args:
            message: what a process has told of it.
        """
        if self.layers is not None:
            self.layers.called(message)
            self._news.set()

    def _recall(self, command: Python) -> None:
        """Know again what was known of this command."""
        stamp = stamp_of(command)
        if stamp != self._stamp:
            self._stamp = stamp
            self._saved = self.record = self._memory.load(stamp) or WarmRecord()
        self.record = self.record.for_installed(self._installed())

    # What is made meanwhile

    async def run(self) -> None:
        """Have ready what the next start needs, until cancelled."""
        try:
            while True:
                self._news = anyio.Event()
                if not self._starting and self._last is not None and self._answered:
                    with suppress(GuardianLost):
                        await self._prepare(*self._last)
                        await self._go_ahead(*self._last)
                        await self._prepare_layers(*self._last)
                    await self._save()
                await self._news.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._drop()
                await self._save()

    async def _prepare(self, command: Python, spawn: Spawn) -> None:
        if self.record.off is not None or self._replaces is not None:
            await self._drop()
            return
        kind = Zygote if self._forks and not self.record.spare else Spare
        unsafe = {}
        if kind is Zygote:
            quarantine = self.record.quarantine
            unsafe = {
                name: one for name, one in quarantine.items() if still_there(one.distribution)
            }
        may, out = held_back(self.record.modules, self._exclude, unsafe)
        wanted = frozenset(may)
        if self._zygote is not None and self._outdated is None:
            try:
                await self._zygote.restock()
            except Declined:
                self._outdated = DIED
        new = wanted.difference(self.record.held, self.record.left_out)
        if self._zygote is None:
            # What could not be held is not tried again after each start.
            if wanted == self._tried:
                return
        elif self._outdated is None and not new and isinstance(self._zygote, kind):
            return
        try:
            await self._build(kind, command, spawn, may, out)
            self._tried = None
        except Declined as declined:
            self._tried, self.refused = wanted, declined.reason
            self.record = msgspec.structs.replace(self.record, refused=declined.reason)
            await self._drop()

    async def _prepare_layers(self, command: Python, spawn: Spawn) -> None:
        zygote = self._zygote
        if self.layers is not None and isinstance(zygote, Zygote) and self._outdated is None:
            least = 0.0 if self.ahead is None else LITTLE
            await self.layers.prepare(zygote, command, spawn, [*self.record.left_out], least)
            self.record = msgspec.structs.replace(
                self.record, anew=self.layers.left_out, not_kept=self.layers.refused
            )

    async def _go_ahead(self, command: Python, spawn: Spawn) -> None:
        if self._ahead is None or self._outdated is not None:
            return
        learn = self.layers.unknown if self.layers is not None else ()
        order = Order(
            command,
            spawn.env,
            spawn.cwd,
            terminal=spawn.terminal,
            handover=True,
            learn=learn,
            stop_signal=spawn.stop_signal,
            stop_timeout=spawn.stop_timeout,
        )
        try:
            await self._ahead.prepare(order)
        except Declined:
            self._outdated = DIED
            self._news.set()
        else:
            self.record = msgspec.structs.replace(self.record, not_ahead=self._ahead.refused)

    async def _build(
        self,
        kind: type[Zygote | Spare],
        command: Python,
        spawn: Spawn,
        may: Sequence[str],
        out: Mapping[str, str],
    ) -> None:
        """Make what the next start comes from."""
        program = shutil.which(command.program, path=spawn.env.get("PATH")) or command.program
        sites = [entry for entry in self._path if is_of_sites(entry)]
        origin = Origin(program, sites, spawn.env)
        zygote = kind(Purpose(self._guard, command, spawn.env, spawn.cwd, self._terminal))
        self.building = True
        try:
            altered, outside = sorted(self._altered), [self._library, *sites]
            crosses = any(map(is_crossing, self.record.left_out.values()))
            found = await zygote.preload(may, altered=altered, outside=outside if crosses else ())
            if not crosses and first_party(found.loaded.items(), self._root, self._library):
                found = await zygote.preload(may, altered=altered, outside=outside)
            self._take_in(found, may, out)
            origin.add(_from_sites(found.loaded), found.files, found.env)
            await zygote.restock()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await zygote.close()
            raise
        finally:
            self.building = False
        if self.layers is not None:
            await self.layers.drop()
        if self._origin is not None:
            self._origin.close()
        old, self._zygote, self._origin = self._zygote, zygote, origin
        self._ahead = Ahead(zygote, lambda _: ()) if isinstance(zygote, Zygote) else None
        self.refused, self._outdated = None, self._compare(*self._last or (command, spawn))
        if old is not None:
            await old.close()
        await origin.keep_an_eye(self._watch)
        # Which files were read is told by a process of its own: what notes that cannot be undone.
        with suppress(Declined):
            traced = await zygote.probe([name for name in may if name in found.loaded])
            origin.add_told(traced, self._volatile)
            if self._outdated is None and (why := self._compare(*self._last or (command, spawn))):
                self._outdated = why
                self._news.set()
        if self.record.spare is None and self.record.quarantine:
            await self._weigh(zygote)

    async def _weigh(self, zygote: Zygote | Spare) -> None:
        """Find out whether what cannot be held takes so long that spares are the better way."""
        everything, _ = held_back(self.record.modules, self._exclude, {})
        spare = False
        with suppress(Declined):
            traced = await zygote.probe(everything)
            # A spare does not hold either what imports the project.
            out = self.record.left_out.items()
            spare = wants_spare(traced.times, {n for n, why in out if not is_crossing(why)})
        self.record = msgspec.structs.replace(self.record, spare=spare)
        if spare:
            self._news.set()

    def _take_in(self, found: Preloaded, may: Sequence[str], out: Mapping[str, str]) -> None:
        """Keep what the imports have come to.

        Raises:
            Declined: modules of the project are among them.
        """
        own = first_party(found.loaded.items(), self._root, self._library)
        if own:
            raise Declined(f"{min(own)[0]}, of the project, is imported by what it imports")
        unsafe = {
            name: Quarantined(of_module(self._files.get(name, "")), reason)
            for name, reason in found.unsafe.items()
            if not is_of_the_command(reason) and not is_crossing(reason)
        }
        left_out = {**out, **found.failed, **found.unsafe}
        self.record = msgspec.structs.replace(
            self.record,
            held=tuple(name for name in may if name not in left_out),
            left_out=left_out,
            quarantine={**self.record.quarantine, **unsafe},
            spare=None if unsafe else self.record.spare,
            refused=None,
        )

    async def _drop(self) -> None:
        zygote, origin = self._zygote, self._origin
        self._zygote = self._origin = self._ahead = self._outdated = None
        if origin is not None:
            origin.close()
        if self.layers is not None:
            await self.layers.drop()
        if zygote is not None:
            await zygote.close()

    async def _save(self) -> None:
        record, stamp = self.record, self._stamp
        if record != self._saved and stamp is not None:
            await anyio.to_thread.run_sync(self._memory.save, stamp, record)
            self._saved = record


def _shape(own: frozenset[tuple[str, str]], message: Mapping[str, Any]) -> Shape:
    """What a start came to, as its process tells it."""
    return Shape(own, tuple(message["path"]), tuple(map(str, message["flags"])))


def _from_sites(loaded: Mapping[str, str | None]) -> list[str]:
    """The files that an install may change; those of the standard library go with the program."""
    return [file for file in loaded.values() if file and is_of_sites(file)]
