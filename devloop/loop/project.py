"""The project as it is known now: files, contents, graph and records.

This is where the parts that read the project meet: the scan, the parse workers, the store and
the pure selection. The loop and the one-shot commands ask it; nothing here starts work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import msgspec

from devloop.config import pytest_settings
from devloop.config.load import Loaded
from devloop.config.pytest_settings import PytestSettings, config_files
from devloop.config.types import Config, argv
from devloop.errors import ConfigError, DevloopError, InterpreterError
from devloop.events import Change
from devloop.execute import interpreter as interpreters
from devloop.execute import parsing, step_files
from devloop.execute.environment import for_project
from devloop.execute.interpreter import Interpreter
from devloop.execute.parsing import Parsed, Parsers
from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout, discover
from devloop.loop.collector import collector_at_rest
from devloop.loop.reading import (
    console_scripts,
    digests,
    is_below,
    modules_at,
    names_in_environment,
    record,
    relative,
    run_in,
)
from devloop.select import tests as select_tests
from devloop.select.apps import AppTarget
from devloop.select.category import EXTENSIONS, SOURCES, Category, category, fact
from devloop.select.entry import entry
from devloop.select.records import Learned, Ran, Records
from devloop.select.tests import Due
from devloop.store.records import FileRecord
from devloop.store.store import Store
from devloop.watch.patterns import Named
from devloop.watch.scan import Scan, scan
from devloop.watch.signatures import Known, Signature, look

RECENT = 10_000_000_000
"""Nanoseconds since its last edit within which a source that was never read counts as edited."""

REVISIONS = 8
"""How many revisions verdicts may be as of before those that still hold are renewed."""

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


class Project:
    """The project as it is known now.

    Args:
        root: its folder.
        loaded: its configuration.
        interpreter: its Python.
        store: its records on disk.
    """

    def __init__(self, root: Path, loaded: Loaded, interpreter: Interpreter, store: Store) -> None:
        self.root = root
        self.loaded = loaded
        self.config = loaded.config
        self.interpreter = interpreter
        self.store = store
        self.settings: PytestSettings = self._read_settings()
        self.known: dict[str, Known] = {}
        self.tracked: frozenset[str] | None = None
        self.muted: frozenset[str] = frozenset()
        """Files that what runs here writes again and again; they are no reason for anything."""
        self.contents: dict[str, bytes] = {}
        self.records: Records = store.load_records()
        self.layout = Layout()
        self.graph = Graph.build(self.layout, {})
        self.test_files: tuple[str, ...] = ()
        self._configuration = frozenset(config_files(root, self.config.tests.args))
        self._scripts = console_scripts(root)
        self.read_late: frozenset[str] = frozenset()
        """Files that had changed between the survey and their reading."""
        self.edited: set[str] = set()
        """Sources that were edited since they were last read, or just now: of these old bytecode
        may lie there that looks current (one length, one second)."""

        self._unread: dict[str, Signature] = {}
        self._gone: list[str] = []
        self._ignored: set[str] = set()
        self._stale_layout = False

    @classmethod
    def open(cls, loaded: Loaded, *, elsewhere: Path | None = None) -> Project:
        """Open a project: everything that can be told without reading its sources.

        Args:
            loaded: its configuration.
            elsewhere: the folder of a copy of it that is to be worked on, with the records of
                the original.

        Returns:
            The project; see `complete`.

        Raises:
            InterpreterError: its interpreter was not found, or does not run.
            ConfigError: pytest's configuration cannot be read.
        """
        root, folder = loaded.root, elsewhere or loaded.root
        path = interpreters.find(root, loaded.config.python, os.environ, sys.executable)
        with collector_at_rest():
            with interpreters.asked(path, root, for_project(os.environ, path)) as answer:
                # Files are looked for while the interpreter starts.
                found = scan(folder, loaded.config.watch, _named_files(folder, loaded.config))
                interpreter = answer()
            stamp = f"{interpreter.path} {interpreter.version} {parsing.FACTS}"
            project = cls(folder, loaded, interpreter, Store.open(root, stamp=stamp))
            project.survey(found)
        return project

    @property
    def complete(self) -> bool:
        """Whether all that lies in the tree has been read."""
        return not self._unread and not self._gone

    def _read_settings(self) -> PytestSettings:
        environ = {**os.environ, **self.config.tests.env}
        return pytest_settings.read(self.root, self.config.tests.args, environ)

    def categorise(self, path: str) -> Category:
        """Tell what a path is to selection.

        Args:
            path: relative to the root, or a fact's key.

        Returns:
            Its category.
        """
        if path in self.muted:
            return Category.BYPRODUCT
        return category(path, configuration=self._configuration, tracked=self.tracked)

    def survey(self, scan: Scan) -> None:
        """Take up what lies in the tree, as far as it can be told without reading it.

        Args:
            scan: the files, with signatures.
        """
        self.tracked = scan.tracked
        stored = self.store.load_files()
        facts: dict[str, Facts] = {}
        self._unread = {}
        for path, signature in scan.files.items():
            record = stored.get(path)
            if (
                record is None
                or record.signature != signature
                or (path.endswith(SOURCES) and record.facts is None)
            ):
                self._leave_unread(path, signature, was_known=record is not None)
            else:
                self._take(path, Known(signature, record.digest or None), record.facts, facts)
        self._gone = []
        for path, record in stored.items():
            if path not in scan.files:
                self._survey_ignored(path, record, facts)
        self.layout = self._discover(scan.files)
        self.test_files = tuple(sorted(p for p in scan.files if self.layout.is_test(p)))
        self.graph = Graph.build(self.layout, facts)
        self.contents.update(self._facts_beside_files())

    def _leave_unread(self, path: str, signature: Signature, *, was_known: bool) -> None:
        """Leave a file to `read`."""
        self._unread[path] = signature
        recent = time.time_ns() - signature.mtime_ns < RECENT
        if path.endswith(SOURCES) and (was_known or recent):
            self.edited.add(path)

    def _survey_ignored(self, path: str, record: FileRecord, facts: dict[str, Facts]) -> None:
        """Take up a file that the scan has not met: it is ignored, or there no more."""
        signature = look(str(self.root / path)) if path.endswith(SOURCES + EXTENSIONS) else None
        if signature is None:
            self._gone.append(path)
            return
        # It was imported although it is ignored, when it was last read.
        self._ignored.add(path)
        if record.signature != signature or (path.endswith(SOURCES) and not record.facts):
            self._leave_unread(path, signature, was_known=True)
        else:
            self._take(path, Known(signature, record.digest or None), record.facts, facts)

    async def read(self, parsers: Parsers, on_progress: Progress | None = None) -> None:
        """Read what the survey could not tell: new files and changed ones.

        Args:
            parsers: the workers.
            on_progress: called with how many of how many sources are read.
        """
        import anyio.to_thread

        code = [path for path in self._unread if path.endswith(SOURCES)]
        others = [path for path in self._unread if not path.endswith(SOURCES)]
        with collector_at_rest():
            parsed = await parsers.parse(code, on_progress=on_progress) if code else {}
            rest = await anyio.to_thread.run_sync(digests, self.root, others)
            self._absorb(parsed, rest, self._gone)
        self.read_late = frozenset(
            path
            for path, signature in self._unread.items()
            if path not in self.known or self.known[path].signature != signature
        )
        self._unread, self._gone = {}, []
        await self._read_ignored(tuple(self.graph.files), parsers)

    def saved_before_reading(self) -> tuple[Change, ...]:
        """What was saved between the survey and the reading, outputs of steps left out."""
        outputs = Named(o for step in self.config.steps.values() for o in step.outputs)
        return tuple(
            Change(path, "modified" if path in self.known else "deleted")
            for path in sorted(self.read_late)
            if path not in outputs
        )

    def as_applied(self, changes: Collection[Change]) -> Applied:
        """What a change set comes to whose files have been read already.

        Args:
            changes: what differs.
        """
        touched = frozenset(change.path for change in changes)
        byproducts = {p for p in touched if self.categorise(p) is Category.BYPRODUCT}
        return Applied(touched, touched - byproducts)

    def look(self, paths: Iterable[str]) -> tuple[tuple[Change, ...], Mapping[str, Known]]:
        """Look at files that nobody watches, as the outputs of steps.

        Args:
            paths: relative to the root, or patterns, as the outputs of a step are declared.

        Returns:
            What differs from what was known of them, and what is known now.
        """
        found, _ = step_files.outputs(self.root, paths)
        now = digests(self.root, found)
        self.read_late -= now.keys()
        changes = [
            Change(path, "modified" if path in self.known else "created")
            for path, known in now.items()
            if path not in self.known or self.known[path].digest != known.digest
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
        before = dict(self.contents)
        sites = tuple(f"{site}/" for site in self.interpreter.sites)
        installs = [change for change in changes if change.path.startswith(sites)]
        changes = [change for change in changes if not change.path.startswith(sites)]
        paths = [change.path for change in changes]
        gone = [change.path for change in changes if change.kind == "deleted"]
        there = [path for path in paths if path not in set(gone)]
        code = [path for path in there if path.endswith(SOURCES)]
        parsed = await parsers.parse(code) if code else {}
        others = {
            path: known[path] for path in there if path in known and not path.endswith(SOURCES)
        }
        problem = self._look_again(bool(installs), not self._configuration.isdisjoint(paths))
        self._absorb(parsed, others, gone)
        await self._read_ignored(code, parsers)
        changed = {
            path
            for path in (*paths, *self._facts_beside_files())
            if self.contents.get(path) != before.get(path)
        }
        return Applied(frozenset(paths), frozenset(changed), bool(installs), problem)

    def _look_again(self, installed: bool, configured: bool) -> DevloopError | None:
        """Ask anew what is installed, or how pytest is configured, where that has changed.

        Returns:
            Why what was known before has to do, where it has.
        """
        try:
            if installed:
                path, environ = (
                    self.interpreter.path,
                    for_project(os.environ, self.interpreter.path),
                )
                self.interpreter = interpreters.probe(path, self.loaded.root, environ)
            if configured:
                self.settings = self._read_settings()
            if installed or configured:
                self._stale_layout = True
        except (InterpreterError, ConfigError) as error:
            return error
        return None

    async def _read_ignored(self, importers: Iterable[str], parsers: Parsers) -> None:
        """Read ignored sources that are imported all the same, as a generated `_version.py`."""
        while paths := modules_at(self.root, self.graph.missing(importers)):
            code = [path for path in paths if path.endswith(SOURCES)]
            others = [path for path in paths if not path.endswith(SOURCES)]
            parsed = await parsers.parse(code) if code else {}
            self._absorb(parsed, digests(self.root, others), ())
            self._ignored.update(paths)
            importers = [path for path in paths if path in self.graph.files]

    def due(self) -> Due:
        """The tests that are due, by the records."""
        if not self.complete and not self.records.collected:
            # Nothing has ever run: no graph is needed to know that all of it is due.
            return select_tests.everything(self.test_files, self.records, "nothing has run yet")
        return select_tests.due(self.graph, self.records, self.contents, self.categorise)

    def learn(self, ran: Ran, contents: Mapping[str, bytes], doubtful: Collection[str]) -> None:
        """Keep what a run has shown.

        Args:
            ran: the run.
            contents: what it ran on.
            doubtful: test files whose verdicts hold for no content for certain.
        """
        # A folder or a conftest.py that is broken hinders the test files below it.
        above = [bad.removesuffix("conftest.py") for bad in ran.broken]
        hindered = {p for p in self.test_files if any(is_below(p, folder) for folder in above)}
        broken = ran.broken & set(self.test_files)
        ran = msgspec.structs.replace(
            ran, broken=frozenset(broken), hindered=frozenset(hindered - broken)
        )
        self._save(lambda: self.records.learn(ran, contents, frozenset(doubtful)))
        if len(set(self.records.collected.values())) > REVISIONS:
            self._save(
                lambda: select_tests.renewed(
                    self.graph, self.records, self.contents, self.categorise
                )
            )

    def _save(self, learn: Callable[[], Learned]) -> None:
        while not self.store.save_run(learned := learn(), base=self.records.revision):
            # Another devloop (a `test` beside a `watch`) has written since: its revisions first.
            self.records = self.store.load_records()
        self.records = self.records.with_learned(learned)

    def changes_since_last_run(self) -> tuple[Change, ...]:
        """What differs from the contents of the last run; nothing before the first."""
        if not self.records.revision:
            return ()
        paths = self.records.changed_since(self.records.revision, self.contents)
        return tuple(
            Change(path, "modified" if path in self.contents else "deleted")
            for path in sorted(paths)
            if not path.startswith("<")
        )

    def moved(self) -> frozenset[str]:
        """The files that are not as they were when they were read; the watcher will say so soon."""
        suspects = [
            path
            for path, known in tuple(self.known.items())
            if path in self.contents
            and look(str(self.root / path)) != known.signature
            and self.categorise(path) is not Category.BYPRODUCT
        ]
        now = digests(self.root, suspects)
        return frozenset(
            path
            for path in suspects
            if path not in now
            or not now[path].digest
            or now[path].digest != self.known[path].digest
        )

    def app_targets(self) -> tuple[AppTarget, ...]:
        """What selection knows of the apps."""
        return tuple(
            AppTarget(
                name,
                entry(
                    argv(app.command),
                    self.graph,
                    scripts=self._scripts,
                    python=self._is_python(argv(app.command)[0]),
                    folder=run_in(app),
                    environ=names_in_environment(self.root, app),
                ),
                app.watch,
                app.env_file,
                app.needs,
            )
            for name, app in self.config.apps.items()
        )

    def watched_although_ignored(self) -> frozenset[str]:
        """Paths that matter whatever the ignore rules say of them."""
        configuration = {relative(str(path), self.root) for path in self.loaded.files}
        named = _named_files(self.root, self.config)
        return frozenset({*named, *configuration, *self._ignored, *self.interpreter.sites})

    def python_path(self) -> dict[str, str]:
        """The environment by which a copy of the project finds its own modules first."""
        if self.root == self.loaded.root:
            return {}
        roots = [str(self.root / root) for root in self.layout.roots]
        return {"PYTHONPATH": os.pathsep.join([*roots, os.environ.get("PYTHONPATH", "")])}

    def _discover(self, files: Iterable[str]) -> Layout:
        return discover(
            files,
            roots=self.config.python.roots,
            extra_roots=(
                *(relative(root, self.loaded.root) for root in self.interpreter.roots),
                *self.settings.pythonpath,
            ),
            test_paths=self.config.tests.paths or self.settings.testpaths,
            test_patterns=self.settings.python_files,
            always=(
                *self.settings.plugins,
                *filter(None, [self.settings.django_settings]),
                *self.interpreter.plugins,
            ),
        )

    def _absorb(
        self,
        parsed: Mapping[str, Parsed],
        digests: Mapping[str, Known],
        gone: Collection[str],
    ) -> None:
        facts: dict[str, Facts | None] = dict.fromkeys(gone)
        fresh: dict[str, Facts] = {}
        records = []
        for path, one in parsed.items():
            known = Known(Signature(*one.signature), one.digest)
            self._take(path, known, one.facts, fresh)
            records.append(record(path, known, one.facts))
        for path, known in digests.items():
            self._take(path, known, None, fresh)
            records.append(record(path, known, fresh.get(path)))
        for path in gone:
            self.known.pop(path, None)
            self.contents.pop(path, None)
        facts.update(fresh)
        news = any(path not in self.graph.files for path in fresh) or any(
            path in self.graph.files for path in gone
        )
        if news or self._stale_layout:
            self._relayout(facts)
        else:
            self.graph = self.graph.with_files(facts)
        self.contents.update(self._facts_beside_files())
        if self.root == self.loaded.root:
            self.store.save_files(records, gone)

    def _relayout(self, facts: Mapping[str, Facts | None]) -> None:
        """Files came or went: the roots and the test files may be others."""
        self._stale_layout = False
        self.layout = self._discover(self.known)
        self.test_files = tuple(sorted(p for p in self.known if self.layout.is_test(p)))
        if self.layout == self.graph.layout:
            self.graph = self.graph.with_files(facts)
        else:
            files = {**self.graph.files, **facts}
            self.graph = Graph.build(
                self.layout, {path: f for path, f in files.items() if f is not None}
            )

    def _take(self, path: str, known: Known, found: Facts | None, facts: dict[str, Facts]) -> None:
        self.known[path] = known
        if found is None and path.endswith(EXTENSIONS):
            found = Facts(known.digest or b"")
        if found is not None:
            facts[path] = found
            self.contents[path] = found.fingerprint
        elif self.categorise(path) is not Category.BYPRODUCT:
            self.contents[path] = known.digest or repr(known.signature).encode()

    def _is_python(self, program: str) -> bool:
        """Whether a program is a Python script of the project's environment."""
        place = Path(self.interpreter.path).parent / program
        if os.sep in program or not place.is_file():
            return False
        with place.open("rb") as file:
            return b"python" in file.readline(1000)

    def _facts_beside_files(self) -> dict[str, bytes]:
        tests = self.config.tests
        words = msgspec.json.encode((tests.args, tests.env, tests.paths))
        return {
            fact(
                "the interpreter and its installed distributions"
            ): self.interpreter.stamp.encode(),
            fact("the [tests] table"): blake2b(words, digest_size=16).digest(),
        }


def _named_files(root: Path, config: Config) -> frozenset[str]:
    """The environment files of apps, and what steps have made."""
    outputs = [output for step in config.steps.values() for output in step.outputs]
    made, _ = step_files.outputs(root, outputs)
    apps = config.apps.values()
    return frozenset({*made, *(app.env_file for app in apps if app.env_file is not None)})
