"""The project as it is known now: its configuration, toolchain, codebase and verdicts.

The loop and the one-shot commands ask it; nothing here starts work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from devloop.config.load import Loaded
from devloop.config.pytest_settings import PytestSettings
from devloop.config.types import Config
from devloop.events import Change
from devloop.execute import interpreter as interpreters
from devloop.execute import parsing, step_files
from devloop.execute.environment import for_project
from devloop.execute.interpreter import Interpreter
from devloop.graph.graph import Graph
from devloop.graph.layout import Layout
from devloop.loop import entries
from devloop.loop.codebase import Codebase
from devloop.loop.collector import collector_at_rest
from devloop.loop.indexer import Applied, Indexer
from devloop.loop.observed import Observed
from devloop.loop.reading import relative
from devloop.loop.texts import Texts
from devloop.loop.toolchain import Toolchain
from devloop.loop.verdicts import Verdicts
from devloop.select.apps import AppTarget
from devloop.select.category import Category
from devloop.select.delta import UNKNOWN, Present
from devloop.select.readers import readers
from devloop.select.records import Ran, Records
from devloop.select.tests import Due
from devloop.store.store import Store
from devloop.watch.scan import scan
from devloop.watch.signatures import Known

__all__ = ["Applied", "Project"]


class Project:
    """The project as it is known now.

    Args:
        root: its folder.
        loaded: its configuration.
        interpreter: its Python.
        finder: as of `Toolchain`.
        store: its records on disk.

    Attributes:
        toolchain: what runs its code.
        codebase: its files as they are known now.
        indexer: reads them.
        verdicts: what earlier runs have shown.
    """

    def __init__(
        self, root: Path, loaded: Loaded, interpreter: Interpreter, finder: str, store: Store
    ) -> None:
        self.root = root
        self.loaded = loaded
        self.config: Config = loaded.config
        self.store = store
        self.toolchain = Toolchain(root, loaded, interpreter, finder)
        self.codebase = Codebase(self.toolchain, Texts(root))
        self.indexer = Indexer(
            root, self.config, self.toolchain, self.codebase, store, keep=root == loaded.root
        )
        self.verdicts = Verdicts(self.codebase, store, root)
        self._observe(Observed.of(self.records, self._given()))
        self._scripts = entries.console_scripts(root)
        self._fresh: frozenset[str] = frozenset()
        self._unseen: frozenset[str] = frozenset()

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
                finder = parsing.finder()
                interpreter = answer()
            stamp = f"{interpreter.path} {interpreter.version} {finder}"
            project = cls(folder, loaded, interpreter, finder, Store.open(root, stamp=stamp))
            project.indexer.survey(found, project.records.holding())
        return project

    @property
    def memos(self) -> tuple[str, ...] | None:
        """The functions that keep results without a decorator that says so (see `Chosen`)."""
        if not self.complete:
            return None
        files = self.graph.files.items()
        return tuple(f"{path}::{memo}" for path, facts in files for memo in facts.memos)

    def _positions(self, path: str) -> tuple[str, ...]:
        """The functions of a source that look at where code stands."""
        facts = self.graph.files.get(path)
        return () if facts is None else facts.positions

    def _readers(self, path: str) -> frozenset[str]:
        """What a source imports that may read any file."""
        return readers(path, self.graph)

    def _given(self) -> Mapping[str, str]:
        """The environment that tests are given."""
        return {**for_project(os.environ, self.interpreter.path), **self.config.tests.env}

    def _observe(self, observed: Observed) -> None:
        """Keep an eye on what tests were seen to look at, beside what is watched anyway."""
        self.codebase.observe(observed)
        self.indexer.read_observed()

    def learn(
        self,
        ran: Ran,
        contents: Mapping[str, bytes],
        known: Mapping[str, Known],
        changed: Mapping[str, bytes],
        began: int,
    ) -> frozenset[str]:
        """Keep what a run has shown, and keep an eye on what it has looked at.

        Args:
            ran: the run.
            contents: what it ran on.
            known: signatures and digests of the files then.
            changed: of what has become another one meanwhile the content now.
            began: when the run did, in nanoseconds since the epoch.

        Returns:
            As `Verdicts.learn`.
        """
        if ran.recording is not None:
            recording = ran.recording.with_texts(self._positions)
            recording = recording.with_readers(self._readers)
            ran = msgspec.structs.replace(ran, recording=recording)
            before = self.codebase.observed
            self._observe(before.joined(recording, self._given()))
            now = self.codebase.contents
            self._fresh = fresh = self.codebase.observed.files - before.files
            self._unseen = self.codebase.written_since(began, fresh.difference(contents))
            changed = {**changed, **dict.fromkeys(self._unseen, UNKNOWN)}
            contents = {
                **{path: now[path] for path in fresh if path in now},
                **contents,
                **self.codebase.observed.facts(known, self.codebase.texts),
            }
        doubtful = self.verdicts.learn(ran, contents, changed)
        self.codebase.find_more(self.records.holding())
        return doubtful

    def take_observed(self) -> tuple[frozenset[str], tuple[Change, ...]]:
        """What the last run was the first to look at.

        Returns:
            The files; and of them what was written, unwatched, while that run went on.
        """
        fresh, unseen = self._fresh, self._unseen
        self._fresh = self._unseen = frozenset()
        return fresh, tuple(Change(path, "modified") for path in sorted(unseen))

    def tidy(self) -> None:
        """Forget outlines of contents that nobody remembers."""
        now = {facts.fingerprint for facts in self.graph.files.values()}
        self.store.forget_outlines(now.union(self.records.all_contents()))

    @property
    def complete(self) -> bool:
        """Whether all that lies in the tree has been read."""
        return self.indexer.complete

    @property
    def interpreter(self) -> Interpreter:
        """Its Python, with what is installed there."""
        return self.toolchain.interpreter

    @property
    def settings(self) -> PytestSettings:
        """How its pytest is configured."""
        return self.toolchain.settings

    @property
    def graph(self) -> Graph:
        """What imports what."""
        return self.codebase.graph

    @property
    def layout(self) -> Layout:
        """Where its modules are imported from."""
        return self.codebase.layout

    @property
    def contents(self) -> Mapping[str, bytes]:
        """A digest of what matters about each file, and about each fact beside them."""
        return self.codebase.contents

    @property
    def test_files(self) -> tuple[str, ...]:
        """Its test files, sorted."""
        return self.codebase.test_files

    @property
    def records(self) -> Records:
        """What earlier runs have shown."""
        return self.verdicts.records

    def categorise(self, path: str) -> Category:
        """Tell what a path is to selection.

        Args:
            path: relative to the root, or a fact's key.

        Returns:
            Its category.
        """
        return self.codebase.categorise(path)

    def present(self) -> Present:
        """What selection is to know of the project as it is now."""
        return self.verdicts.present()

    def due(self) -> Due:
        """The tests that are due, by the records."""
        return self.verdicts.due(complete=self.complete)

    def app_targets(self, imported: Mapping[str, frozenset[str]]) -> tuple[AppTarget, ...]:
        """What selection knows of the apps.

        Args:
            imported: the sources that they were last seen to import, by the app's name.
        """
        return entries.targets(
            self.root,
            self.config.apps,
            self.graph,
            imported,
            scripts=self._scripts,
            is_script=self.toolchain.is_script,
            library=self.interpreter.library,
        )

    def watched_although_ignored(self) -> frozenset[str]:
        """Paths that matter whatever the ignore rules say of them."""
        configuration = {relative(str(path), self.root) for path in self.loaded.files}
        named = _named_files(self.root, self.config)
        ignored = self.indexer.ignored
        observed = self.codebase.observed.files
        return frozenset({*named, *configuration, *ignored, *observed, *self.interpreter.sites})

    def python_path(self) -> dict[str, str]:
        """The environment by which a copy of the project finds its own modules first."""
        if self.root == self.loaded.root:
            return {}
        roots = [str(self.root / root) for root in self.layout.roots]
        return {"PYTHONPATH": os.pathsep.join([*roots, os.environ.get("PYTHONPATH", "")])}


def _named_files(root: Path, config: Config) -> frozenset[str]:
    """The environment files of apps, and what steps have made."""
    outputs = [output for step in config.steps.values() for output in step.outputs]
    made, _ = step_files.outputs(root, outputs)
    apps = config.apps.values()
    return frozenset({*made, *(app.env_file for app in apps if app.env_file is not None)})
