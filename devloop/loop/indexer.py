"""Reading the project: what lies in the tree at the start, and what changes from then on.

Scan, parse workers and store meet here, and what they find goes into the codebase.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import anyio
import msgspec

from devloop.config.types import Config
from devloop.errors import DevloopError
from devloop.events import Change
from devloop.execute import bytecode, step_files
from devloop.execute.parsing import Parsed, Parsers
from devloop.graph.facts import Facts
from devloop.loop.codebase import Codebase
from devloop.loop.collector import collector_at_rest
from devloop.loop.reading import digests, modules_at, record, relative, shows_examples
from devloop.loop.toolchain import Toolchain
from devloop.select.category import EXTENSIONS, SOURCES, Category
from devloop.store.records import FileRecord
from devloop.store.store import Store
from devloop.watch.patterns import Named
from devloop.watch.scan import Scan
from devloop.watch.signatures import Known, Signature, look

OUTLINES = 400
"""How many outlines are written in one transaction while a project is read."""

RECENT = 10_000_000_000
"""Nanoseconds since its last edit within which a source that was never read counts as edited."""

FOLDER = b"folder"
"""The content of a folder of which nothing else is known."""

Progress = Callable[[int, int], None]


class Applied(msgspec.Struct, frozen=True):
    """What a change set came to, once read.

    Args:
        touched: paths whose bytes are other ones.
        changed: paths and facts whose content is another one in what matters to selection; an
            edit of comments is not among them.
        installed: something was installed, or removed, for the project's interpreter.
        problem: what could not be read anew, so that what was known before has to do.
    """

    touched: frozenset[str]
    changed: frozenset[str]
    installed: bool = False
    problem: DevloopError | None = None


class Indexer:
    """Reads the project into its codebase.

    Args:
        root: the folder that is worked on.
        config: the project's.
        toolchain: what runs its code.
        codebase: takes up what is read.
        store: knows what was read before.
        keep: remember in the store what is read.

    Attributes:
        read_late: files that had changed between the survey and their reading.
        edited: sources that were edited since they were last read, or just now: what is cached of
            them is dropped at once, and again before each start.
        ignored: sources that are read although they are ignored, because others import them.
    """

    def __init__(
        self,
        root: Path,
        config: Config,
        toolchain: Toolchain,
        codebase: Codebase,
        store: Store,
        *,
        keep: bool,
    ) -> None:
        self._root = root
        self._config = config
        self._toolchain = toolchain
        self._codebase = codebase
        self._store = store
        self._keep = keep
        self.read_late: frozenset[str] = frozenset()
        self.edited = bytecode.Edited(root)
        self.ignored: set[str] = set()
        self._unread: dict[str, Signature] = {}
        self._gone: list[str] = []
        self._stale_layout = False
        self._foreseen: Mapping[str, Parsed] = {}

    @cached_property
    def _reading(self) -> anyio.Lock:
        """Held by who parses; made late, as that imports asyncio, which questions do without."""
        return anyio.Lock(fast_acquire=True)

    @property
    def complete(self) -> bool:
        """Whether all that lies in the tree has been read."""
        return not self._unread and not self._gone

    def survey(self, scan: Scan, holding: Collection[str]) -> None:
        """Take up what lies in the tree, as far as it can be told without reading it.

        Args:
            scan: the files, with signatures.
            holding: files in which pytest has found tests.
        """
        self._codebase.tracked = scan.tracked
        self._unread, self._gone = {}, []
        self._codebase.lay_out(scan.files)
        self._codebase.find(holding, scan.files)
        stored = self._store.load_files()
        current: dict[str, tuple[Known, Facts | None]] = {}
        for path, signature in scan.files.items():
            found = stored.get(path)
            if found is not None and self._holds(found, signature):
                current[path] = Known(signature, found.digest or None), found.facts
            else:
                self._leave_unread(path, signature, was_known=found is not None)
        for path, found in stored.items():
            if path not in scan.files and self._survey_ignored(path, found):
                known = Known(Signature(*found.signature), found.digest or None)
                current[path] = known, found.facts
        layout = self._codebase.layout
        texts = (p for p in self._unread if not p.endswith(SOURCES) and layout.is_test(p))
        self._codebase.begin(current, [path for path in texts if shows_examples(self._root / path)])

    def _leave_unread(self, path: str, signature: Signature, *, was_known: bool) -> None:
        """Leave a file to `read`."""
        self._unread[path] = signature
        recent = time.time_ns() - signature.mtime_ns < RECENT
        if path.endswith(SOURCES) and (was_known or recent):
            self.edited.add([path])

    def _survey_ignored(self, path: str, found: FileRecord) -> bool:
        """Whether a file that the scan has not met is there, ignored, and as it was."""
        signature = look(str(self._root / path)) if path.endswith(SOURCES + EXTENSIONS) else None
        if signature is None:
            self._gone.append(path)
            return False
        # It was imported although it is ignored, when it was last read.
        self.ignored.add(path)
        if self._holds(found, signature):
            return True
        self._leave_unread(path, signature, was_known=True)
        return False

    async def read(self, parsers: Parsers, on_progress: Progress | None = None) -> None:
        """Read what the survey could not tell: new files and changed ones.

        Args:
            parsers: the workers.
            on_progress: called with how many of how many sources are read.
        """
        import anyio.to_thread

        code = [path for path in self._unread if self._codebase.is_parsed(path)]
        others = [path for path in self._unread if not self._codebase.is_parsed(path)]
        with collector_at_rest():
            parsed = await self._parse(code, parsers, on_progress)
            rest = await anyio.to_thread.run_sync(digests, self._root, others)
            self._absorb(parsed, rest, self._gone)
        known = self._codebase.known
        self.read_late = frozenset(
            path
            for path, signature in self._unread.items()
            if path not in known or known[path].signature != signature
        )
        self._unread, self._gone = {}, []
        # From here on the store calls these files known, and nobody would doubt their bytecode.
        self.edited.drop()
        self.read_observed()
        await self._read_ignored(tuple(self._codebase.graph.files), parsers)

    def read_observed(self) -> None:
        """Read the files that count only because tests were seen to look at them."""
        codebase = self._codebase
        unknown = codebase.observed.files - codebase.contents.keys() - self._unread.keys()
        folders = {path for path in unknown if (self._root / path).is_dir()}
        codebase.take_observed(digests(self._root, unknown - folders))
        codebase.contents.update(dict.fromkeys(folders, FOLDER))

    def saved_before_reading(self) -> tuple[Change, ...]:
        """What was saved between the survey and the reading, outputs of steps left out."""
        outputs = Named(o for step in self._config.steps.values() for o in step.outputs)
        return tuple(
            Change(path, "modified" if path in self._codebase.known else "deleted")
            for path in sorted(self.read_late)
            if path not in outputs
        )

    def as_applied(self, changes: Collection[Change]) -> Applied:
        """What a change set comes to whose files have been read already.

        Args:
            changes: what differs.
        """
        touched = frozenset(change.path for change in changes)
        categorise = self._codebase.categorise
        byproducts = {path for path in touched if categorise(path) is Category.BYPRODUCT}
        return Applied(touched, touched - byproducts)

    def look(self, paths: Iterable[str]) -> tuple[tuple[Change, ...], Mapping[str, Known]]:
        """Look at files that nobody watches, as the outputs of steps.

        Args:
            paths: relative to the root, or patterns, as the outputs of a step are declared.

        Returns:
            What differs from what was known of them, and what is known now.
        """
        found, _ = step_files.outputs(self._root, paths)
        now = digests(self._root, found)
        self.read_late -= now.keys()
        before = self._codebase.known
        changes = [
            Change(path, "modified" if path in before else "created")
            for path, known in now.items()
            if path not in before or before[path].digest != known.digest
        ]
        return tuple(changes), now

    async def apply(
        self, changes: Iterable[Change], known: Mapping[str, Known], parsers: Parsers
    ) -> Applied:
        """Take up a change set.

        Args:
            changes: what differs.
            known: what the watcher knows of the files.
            parsers: the workers.

        Returns:
            What it came to.
        """
        before = dict(self._codebase.contents)
        # An environment may well lie in the project, as `.venv` does.
        sites = tuple(
            f"{relative(site, self._root)}/" for site in self._toolchain.interpreter.sites
        )
        installs = [change for change in changes if change.path.startswith(sites)]
        changes = [change for change in changes if not change.path.startswith(sites)]
        paths = [change.path for change in changes]
        gone = [change.path for change in changes if change.kind == "deleted"]
        there = [path for path in paths if path not in set(gone)]
        is_parsed = self._codebase.is_parsed
        code = [path for path in there if is_parsed(path)]
        parsed = await self._read_changed(code, known, parsers)
        others = {path: known[path] for path in there if path in known and not is_parsed(path)}
        configured = not self._toolchain.configuration.isdisjoint(paths)
        problem = self._toolchain.look_again(installed=bool(installs), configured=configured)
        self._stale_layout |= problem is None and (bool(installs) or configured)
        self._absorb(parsed, others, gone)
        if configured or self._codebase.coarse:
            await self._read_examples(parsers)
        await self._read_ignored(code, parsers)
        contents = self._codebase.contents
        changed = {
            path
            for path in (*paths, *self._toolchain.facts())
            if contents.get(path) != before.get(path)
        }
        return Applied(frozenset(paths), frozenset(changed), bool(installs), problem)

    async def foresee(self, paths: Collection[str], parsers: Parsers) -> None:
        """Read sources that `apply` will probably be told of, while more is waited for.

        Args:
            paths: of the sources.
            parsers: the workers.
        """
        async with self._reading:
            with suppress(DevloopError):  # `apply` will meet it as well, and its caller is told
                self._foreseen = await self._parse(paths, parsers)

    async def _read_changed(
        self, paths: Collection[str], known: Mapping[str, Known], parsers: Parsers
    ) -> Mapping[str, Parsed]:
        """Parse sources, but for those that were foreseen just as they are."""
        async with self._reading:
            foreseen, self._foreseen = self._foreseen, {}
            found = {
                path: parsed
                for path, parsed in foreseen.items()
                if path in paths and known.get(path) == (parsed.signature, parsed.digest)
            }
            left = [path for path in paths if path not in found]
            return {**found, **await self._parse(left, parsers)}

    def moved(self) -> frozenset[str]:
        """The files that are not as they were when they were read; the watcher will say so soon."""
        codebase = self._codebase
        suspects = [
            path
            for path, known in tuple(codebase.known.items())
            if path in codebase.contents
            and look(str(self._root / path)) != known.signature
            and codebase.categorise(path) is not Category.BYPRODUCT
        ]
        now = digests(self._root, suspects)
        return frozenset(
            path
            for path in suspects
            if path not in now
            or not now[path].digest
            or now[path].digest != codebase.known[path].digest
        )

    async def _read_examples(self, parsers: Parsers) -> None:
        """Read the texts that pytest takes for tests now, and did not before."""
        coarse, self._codebase.coarse = self._codebase.coarse, set()
        known = self._codebase.graph.files.keys() - coarse
        paths = [path for path in self._codebase.collected if path not in known]
        self._absorb(await self._parse(paths, parsers), {}, ())

    async def _read_ignored(self, importers: Iterable[str], parsers: Parsers) -> None:
        """Read ignored sources that are imported all the same, as a generated `_version.py`."""
        importers = set(importers)
        tried: set[str] = set()
        while paths := [
            path
            for path in modules_at(self._root, self._codebase.graph.missing(importers))
            if path not in tried
        ]:
            tried.update(paths)
            code = [path for path in paths if path.endswith(SOURCES)]
            others = [path for path in paths if not path.endswith(SOURCES)]
            parsed = await self._parse(code, parsers)
            self._absorb(parsed, digests(self._root, others), ())
            self.ignored.update(paths)
            # Who imports from a package is asked again: of what that holds, it alone tells.
            importers |= {path for path in paths if path in self._codebase.graph.files}

    async def _parse(
        self, paths: Collection[str], parsers: Parsers, on_progress: Progress | None = None
    ) -> Mapping[str, Parsed]:
        """Parse sources, and leave their outlines to the store, some at a time."""
        if not paths:
            return {}
        waiting: dict[bytes, bytes] = {}

        def take(outlines: Mapping[bytes, bytes]) -> None:
            waiting.update(outlines)
            if len(waiting) >= OUTLINES:
                self._store.save_outlines(waiting)
                waiting.clear()

        parsed = await parsers.parse(paths, on_progress=on_progress, on_outlines=take)
        if waiting:
            # An app may be about to start.
            self._store.save_outlines(waiting, later=True)
        return parsed

    def _absorb(
        self, parsed: Mapping[str, Parsed], others: Mapping[str, Known], gone: Collection[str]
    ) -> None:
        read: dict[str, tuple[Known, Facts | None]] = {
            path: (Known(Signature(*one.signature), one.digest), one.facts)
            for path, one in parsed.items()
        }
        read.update((path, (known, None)) for path, known in others.items())
        self._codebase.absorb(read, gone, stale_layout=self._stale_layout)
        self._stale_layout = False
        if self._keep:
            files = self._codebase.graph.files
            self._store.save_files(
                [record(path, known, files.get(path)) for path, (known, _) in read.items()],
                gone,
                later=True,
            )

    def _holds(self, found: FileRecord, signature: Signature) -> bool:
        """Whether what is stored of a file is all that is to be known of it now."""
        known = found.facts is not None or not self._codebase.is_parsed(found.path)
        return found.signature == signature and known
