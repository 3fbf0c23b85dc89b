"""Layers: processes that hold modules of the project, and results that are kept.

They are forked from a zygote, one from the other: first one for each result that is kept, those
that last longest below, then one that holds all modules that are not being worked on. A start is
forked from the topmost of those that are as a cold start would make them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import anyio
import msgspec

from devloop.execute.blank import COMPUTE_TIMEOUT, Blank
from devloop.execute.command import Python
from devloop.execute.guard import Spawn
from devloop.execute.orders import Declined, Layered, Scene, Wish
from devloop.execute.reads import Reads
from devloop.execute.zygote import Zygote
from devloop.graph.graph import Graph
from devloop.plan import layers as plan
from devloop.plan.entangled import entangled, reordered
from devloop.plan.warm import first_party, library_of
from devloop.select.category import Category, category
from devloop.select.readers import IN_C, readers

Severity: TypeAlias = Literal["info", "warning"]

ROUNDS = 6
"""How often a layer is made anew without a module that cannot be held."""


class _Layer(msgspec.Struct):
    """A process that is forked from.

    Args:
        blank: it.
        reads: what it depends on, beside what those below it depend on.
        wish: what it was to hold.
        paths: of the modules that it holds.
        unheard: modules that may have read files for it of which nothing tells.
        spoilt: why it must not be used any more.
    """

    blank: Blank
    reads: Reads
    wish: Wish
    paths: frozenset[str]
    unheard: frozenset[str] = frozenset()
    spoilt: str | None = None


class _Round(msgspec.Struct):
    """A layer that is being made.

    Args:
        expected: paths of the modules that it will probably hold.
        touched: paths that changes have touched since it was begun.
        data: whether files have changed since then that are no sources.
        scope: to be cancelled where it comes to nothing.
    """

    expected: frozenset[str]
    touched: set[str] = msgspec.field(default_factory=set)
    data: bool = False
    scope: anyio.CancelScope = msgspec.field(default_factory=anyio.CancelScope)


class _Refusal(msgspec.Struct):
    """Why a result is not kept, until that may be otherwise.

    Args:
        reason: the end of a sentence.
        call: the arguments that it was computed with.
        paths: the modules that it depends on.
        reads: what else it depends on, as far as that is known.
    """

    reason: str
    call: str | None
    paths: frozenset[str]
    reads: Reads | None


class Layers:
    """The layers of one app.

    Args:
        root: the project's folder.
        graph: gives the graph as it is now.
        modules: hold modules, also where no result is kept.
        keep: functions whose results are kept, as ``module:function``.
        tell: called with what a person should know.
    """

    def __init__(
        self,
        root: str,
        graph: Callable[[], Graph],
        *,
        modules: bool = True,
        keep: Sequence[str] = (),
        tell: Callable[[str, Severity], None] = lambda *_: None,
    ) -> None:
        self._root = root
        self._graph = graph
        self._hold = modules
        self._keep = keep
        self._tell = tell
        self._seen = graph()
        self._modules: tuple[tuple[str, str], ...] = ()
        self._new: set[str] = set()
        """Paths of modules that may be imported anywhere."""

        self._main: str | None = None
        self._cwd: str | None = None
        self._scene = Scene()
        self._calls: dict[str, str | None] = {}
        self._edits: dict[str, float] = {}
        self._out: dict[str, str] = {}
        """Paths of modules that cannot be held, and why."""

        self._trifles: frozenset[str] = frozenset()
        """Modules that take less time together than would be worth it."""

        self._refusals: dict[str, _Refusal] = {}
        self._spoilt: dict[str, float] = {}
        self._zygote: Zygote | None = None
        self._layers: list[_Layer] = []
        self._ready: tuple[_Layer, Blank] | None = None
        self._round: _Round | None = None
        """The layer that is being made."""

    # What is known

    @property
    def left_out(self) -> dict[str, str]:
        """The modules that cannot be held, by their paths, and why."""
        return dict(self._out)

    @property
    def refused(self) -> dict[str, str]:
        """The functions whose results cannot be kept, and why."""
        return {target: one.reason for target, one in self._refusals.items()}

    @property
    def unknown(self) -> tuple[str, ...]:
        """The functions to be kept whose arguments no process has told of."""
        return tuple(target for target in self._keep if target not in self._calls)

    @property
    def pids(self) -> list[int]:
        """The process ids of all that waits here."""
        ready = [self._ready[1]] if self._ready is not None else []
        return [one.process.pid for one in (*(layer.blank for layer in self._layers), *ready)]

    def learn(self, message: Mapping[str, Any], *, layered: bool) -> bool:
        """Take in what a process tells of its imports.

        Args:
            message: its `loaded`.
            layered: it was started from a layer, so that its own imports are not all it has.

        Returns:
            Whether it was misled: it imports otherwise than what it was given had been imported.
        """
        before = self._scene.finders, self._cwd
        main = message.get("main")
        self._main = self._relative(main) if main else None
        self._cwd = message["cwd"]
        scene = Scene(*(tuple(message[k]) for k in ("path", "finders", "altered")))
        if scene != self._scene:
            self._scene = scene
            for layer in self._layers:
                self._spoil(layer, "the command sets the scene otherwise")
        if not layered:
            self._learn_modules(message)
        return layered and before != (scene.finders, self._cwd)

    def _learn_modules(self, message: Mapping[str, Any]) -> None:
        modules = [(name, file) for name, file in message["modules"]]
        own = {name for name, _ in first_party(modules, self._root, library_of(modules))}
        known = dict(self._modules)
        self._new = set()
        self._modules = tuple(
            (name, self._relative(file))
            for name, file in modules
            if file is not None and name in own
        )
        news = {name for name, _ in self._modules if name not in known}
        for target in [t for t in self._refusals if t.partition(":")[0] in news]:
            del self._refusals[target]

    def _mixed_up(self, before: Graph, changed: Sequence[str]) -> frozenset[str]:
        """The paths of modules that come to something else by what is imported before them now."""
        old, new = before.files, self._seen.files
        told = [
            path
            for path in changed
            if path not in old
            or path not in new
            or (old[path].imports, old[path].doings) != (new[path].imports, new[path].doings)
        ]
        if not told:
            return frozenset()
        targets = {edge.imported for path in told for edge in self._seen.imports(path)}
        targets -= {edge.imported for path in told for edge in before.imports(path)}
        paths = {path for _, path in self._modules}
        self._new |= self._seen.closure(targets) - paths
        if reordered(before, self._seen, told, paths):
            return frozenset(paths)
        edited = plan.lately_edited(self._edits, time.monotonic())
        return self._entangled({*edited, *self._out})

    def _entangled(self, avoid: Collection[str]) -> frozenset[str]:
        return entangled(self._seen, self._modules, avoid, sorted(self._new))

    def called(self, message: Mapping[str, Any]) -> None:
        """Take in the first call of a function.

        Args:
            message: what a process has told of it.
        """
        self._calls.setdefault(message["target"], message["call"])

    def changed(self, paths: Sequence[str], byproducts: Collection[str] = ()) -> None:
        """Take in that files have changed; the graph knows of it already.

        Args:
            paths: relative to the root.
            byproducts: those of them that something writes as it runs.
        """
        before, self._seen = self._seen, self._graph()
        sources = [path for path in paths if self._seen.layout.module_names(path)]
        now = time.monotonic()
        self._edits.update(dict.fromkeys(sources, now))
        touched = plan.touched(before, self._seen, sources)
        others = {*paths}.difference(sources, byproducts)
        data = sorted(path for path in others if category(path) is Category.DATA)
        mixed = self._mixed_up(before, sources) if self._layers or self._round else frozenset()
        for layer in self._layers:
            if not layer.paths.isdisjoint(touched):
                self._spoil(layer, "an edit reaches it")
            elif layer.wish.target is None and not layer.paths.isdisjoint(mixed):
                self._spoil(layer, "an edit changes what comes before it")
            elif layer.unheard and data:
                self._spoil(layer, f"{min(layer.unheard)} may have read {data[0]}")
        if self._round is not None:
            self._round.touched |= touched | mixed
            self._round.data |= bool(data)
            if not self._round.touched.isdisjoint(self._round.expected):
                self._round.scope.cancel()
        self._out = {path: why for path, why in self._out.items() if path not in touched}
        for target, one in list(self._refusals.items()):
            if one.paths & touched or (data and self._silent(one.paths, ())):
                del self._refusals[target]

    def read_any(self, names: Sequence[str]) -> str | None:
        """One of some environment variables, if a layer has read it.

        Args:
            names: of the variables.
        """
        return next(filter(None, (layer.reads.read_any(names) for layer in self._layers)), None)

    # A start

    async def take(self, env: Mapping[str, str]) -> Blank | None:
        """Get a process from the topmost layer that is as a cold start would make it.

        Args:
            env: the environment of the start.

        Returns:
            The process; None where there is no such layer.
        """
        layers = self._clean(env)
        if not layers:
            return None
        top = layers[-1]
        if self._ready is not None and self._ready[0] is top:
            blank, self._ready = self._ready[1], None
            if blank.process.ended is None:
                return blank
        try:
            return await top.blank.fork()
        except Declined as declined:
            self._spoil(top, declined.reason)
            return None

    def _clean(self, env: Mapping[str, str]) -> list[_Layer]:
        found: list[_Layer] = []
        for layer in self._layers:
            if layer.spoilt is None and layer.blank.process.ended is not None:
                layer.spoilt = "its process died"
            if layer.spoilt is None and (reason := layer.reads.stale(env)) is not None:
                self._spoil(layer, reason)
            if layer.spoilt is not None:
                break
            found.append(layer)
        return found

    def _spoil(self, layer: _Layer, reason: str) -> None:
        if layer.spoilt is None:
            layer.spoilt = reason
            if layer.wish.target is not None:
                self._spoilt[layer.wish.target] = time.monotonic()

    # What is made meanwhile

    async def prepare(
        self,
        zygote: Zygote,
        command: Python,
        spawn: Spawn,
        never: Sequence[str],
        least: float = 0.0,
    ) -> None:
        """Have ready what the next start may come from.

        Args:
            zygote: what the layers are forked from.
            command: what is started.
            spawn: how.
            never: modules that are not held.
            least: seconds of imports that are worth a layer.

        Raises:
            GuardianLost: the guardian has died.
        """
        if zygote is not self._zygote:
            await self.drop()
            self._zygote = zygote
        self._seen = self._graph()
        self._modules = plan.in_their_order(self._seen, self._modules)
        await self._cut(len(self._clean(spawn.env)))
        making = _Making(zygote, command, spawn, tuple(never), least)
        if self._goes_elsewhere(spawn.cwd):
            return
        with suppress(Declined):
            for number, target in enumerate(self._targets(spawn.env)):
                if number < len(self._layers):
                    wish = self._layers[number].wish
                    if (wish.target, wish.call) == (target, self._calls.get(target)):
                        continue
                    await self._cut(number)
                await self._make_kept(target, making)
            await self._make_modules(making)
        await self._restock()

    def _goes_elsewhere(self, cwd: str) -> bool:
        """The command leaves its folder, and imports elsewhere than a layer would."""
        return self._cwd != os.path.realpath(cwd)

    def _targets(self, env: Mapping[str, str]) -> tuple[str, ...]:
        for target, refusal in list(self._refusals.items()):
            unchanged = refusal.reads is None or refusal.reads.stale(env) is None
            if not unchanged or refusal.call != self._calls.get(target):
                del self._refusals[target]
        paths = dict(self._modules)
        targets = [target for target in self._keep if target not in self._refusals]
        of = {target: paths.get(target.partition(":")[0], "") for target in targets}
        sizes = {target: len(self._seen.closure([path])) for target, path in of.items()}
        return plan.in_order(targets, self._spoilt, sizes)

    async def _make_kept(self, target: str, making: _Making) -> None:
        """Make a layer for a function's result, or have a reason why there is none."""
        call = self._calls.get(target)
        names = plan.leading_to(self._seen, self._modules, target.partition(":")[0])
        if names is None:
            self._refuse(target, _Refusal("the app does not import it", call, frozenset(), None))
            return
        wish = Wish(names, self._scene, making.never, target, call)
        made = await self._make(wish, making)
        if made is None:
            return
        layer, layered = made
        if layered.fault is not None or layered.refused is not None:
            await layer.blank.close()
            why = layered.refused or "{} {}".format(*(layered.fault or ()))
            needs = self._seen.closure([dict(self._modules)[names[-1]]])
            self._refuse(target, _Refusal(why, call, layer.paths | needs, layer.reads))
        else:
            self._layers.append(layer)
            what = layered.elsewhere
            also = f" (it {what}: what it learns by that is not watched)" if what else ""
            self._tell(f"{target} is kept; it took {layered.seconds:.1f} s{also}", "info")

    def _refuse(self, target: str, refusal: _Refusal) -> None:
        self._refusals[target] = refusal
        self._tell(f"{target} is not kept: {refusal.reason}", "warning")

    async def _make_modules(self, making: _Making) -> None:
        """Make the layer that holds modules, without those that cannot be held."""
        for _ in range(ROUNDS if self._hold else 0):
            top = self._layers[-1].wish if self._layers else None
            kept = {name for one in self._layers if one.wish.target for name in one.wish.modules}
            edited = plan.lately_edited(self._edits, time.monotonic())
            avoid = {*edited, *self._out, *([self._main] if self._main else ())}
            avoid |= self._entangled(avoid)
            wanted = plan.holdable(self._seen, self._modules, avoid)
            names = tuple(name for name in wanted if name not in kept)
            if top is not None and top.target is None:
                if {*names} <= {*top.modules}:
                    return
                await self._cut(len(self._layers) - 1)
            if not names or {*names} <= self._trifles:
                return
            made = await self._make(Wish(names, self._scene, making.never), making)
            if made is None:
                return
            layer, layered = made
            if layered.fault is None and layered.seconds >= making.least:
                self._layers.append(layer)
                return
            await layer.blank.close()
            if layered.fault is None:
                self._trifles = frozenset(names)
                return
            # It comes after what it imports: so none of these is at fault.
            name, why = layered.fault
            self._out[dict(self._modules).get(name, name)] = why

    async def _make(self, wish: Wish, making: _Making) -> tuple[_Layer, Layered] | None:
        """Make a layer on top of the others; None where something has changed meanwhile."""
        paths = dict(self._modules)
        expected = [paths[name] for name in wish.modules if name in paths]
        files = [os.path.join(self._root, path) for path in expected]  # noqa: PTH118
        reads = Reads(making.program, making.spawn.env, files)
        self._round = _Round(frozenset(expected))
        blank = await self._fork()
        made = None
        try:
            with self._round.scope:
                silent = self._silent(expected, making.zygote.packages)
                heed = self._root if silent else None
                layered = await self._layered(blank, wish, making, heed)
                held = frozenset(self._relative(file) for file in layered.loaded.values() if file)
                silent |= self._silent(held, layered.loaded)
                unheard = frozenset() if layered.heard else silent
                changed = not held.isdisjoint(self._round.touched) or (silent and self._round.data)
                if reads.add(layered) is None and not changed:
                    made = _Layer(blank, reads, wish, held, unheard), layered
        finally:
            self._round = None
            if made is None:
                with anyio.CancelScope(shield=True):
                    await blank.close()
        return made

    def _silent(self, paths: Iterable[str], loaded: Iterable[str]) -> frozenset[str]:
        """Modules of which nothing of Python's tells what files they read.

        Args:
            paths: of modules of the project, which import them.
            loaded: names of others that are there.
        """
        found = {name.partition(".")[0] for name in loaded} & IN_C
        return frozenset(found.union(*(readers(p, self._seen) for p in self._seen.closure(paths))))

    async def _layered(
        self, blank: Blank, wish: Wish, making: _Making, heed: str | None
    ) -> Layered:
        try:
            return await blank.layer(wish, making.spawn.env, heed)
        except Declined:
            if blank.importing is None:
                raise
            lives = blank.process.ended is None
            if blank.importing == wish.target:
                why = (
                    f"it takes more than {COMPUTE_TIMEOUT:.0f} s"
                    if lives
                    else "it ends the process"
                )
                return Layered({}, None, why, None, {}, {}, {}, 0.0)
            fault = (blank.importing, "does not end" if lives else "ends the process")
            return Layered({}, fault, None, None, {}, {}, {}, 0.0)

    async def _fork(self) -> Blank:
        if self._layers:
            return await self._layers[-1].blank.fork()
        assert self._zygote is not None
        return await self._zygote.fork()

    async def _restock(self) -> None:
        top = self._layers[-1] if self._layers else None
        if self._ready is not None and (
            self._ready[0] is not top or self._ready[1].process.ended is not None
        ):
            _, old = self._ready
            self._ready = None
            await old.close()
        if self._ready is None and top is not None:
            try:
                self._ready = (top, await top.blank.fork())
                if self._zygote is not None:
                    await self._ready[1].copy(self._zygote.pages.ranges)
            except Declined as declined:
                self._spoil(top, declined.reason)

    async def _cut(self, count: int) -> None:
        """Leave so many layers."""
        gone, self._layers = self._layers[count:], self._layers[:count]
        await self._close(gone)

    async def _close(self, layers: Sequence[_Layer]) -> None:
        if self._ready is not None and self._ready[0] in layers:
            _, ready = self._ready
            self._ready = None
            await ready.close()
        for layer in layers:
            await layer.blank.close()

    async def drop(self) -> None:
        """End all of them; commands run on."""
        await self._cut(0)
        self._zygote = None

    def _relative(self, file: str) -> str:
        """A path as the graph has it."""
        inside = os.path.relpath(file, self._root)
        return file if inside.startswith("..") else inside.replace(os.sep, "/")


class _Making(msgspec.Struct, frozen=True):
    """What all layers of one round are made with."""

    zygote: Zygote
    command: Python
    spawn: Spawn
    never: tuple[str, ...]
    least: float

    @property
    def program(self) -> str:
        path = self.spawn.env.get("PATH")
        return shutil.which(self.command.program, path=path) or self.command.program
