"""What earlier runs have shown, asked about the codebase as it is now."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from devloop.events import Change
from devloop.loop.codebase import Codebase
from devloop.loop.reading import is_below, text_of
from devloop.select import proofs
from devloop.select import tests as select_tests
from devloop.select.category import Category
from devloop.select.delta import Delta, Present
from devloop.select.learning import learn
from devloop.select.outlines import Outline, decode
from devloop.select.proofs import Proofs, ShadowTotals, WrongSkip
from devloop.select.records import ABSENT, Learned, Ran, Records, Verdict
from devloop.select.scenes import Scenes
from devloop.select.tests import Due
from devloop.store.store import Store

OUTLINES = 300
"""How many outlines are kept unpacked; each takes some 30 kB."""
TEXTS = 30
"""How many files of data are kept as texts, which are small ones."""
REVISIONS = 8
"""How many revisions verdicts may be as of before those that still hold are renewed."""


class Verdicts:
    """What earlier runs have shown.

    Args:
        codebase: as it is now.
        store: where it is kept.
        root: the project's.
    """

    def __init__(self, codebase: Codebase, store: Store, root: Path) -> None:
        self._codebase = codebase
        self._root = root
        self._texts: dict[bytes, str | None] = {}
        self._store = store
        self.records: Records = store.load_records()
        self.proofs: Proofs = store.load_proofs()
        self._doubtful: set[str] = set()
        self._outlines: dict[bytes, Outline] = {}
        self._scenes = Scenes()

    def due(self, *, complete: bool) -> Due:
        """The tests that are due.

        Args:
            complete: all that lies in the tree has been read.
        """
        codebase, records = self._codebase, self.records
        if not complete and not records.collected:
            # Nothing has ever run: no graph is needed to know that all of it is due.
            return select_tests.everything(codebase.test_files, records, "nothing has run yet")
        found = select_tests.due(self.present())
        if not self.proofs.skips:
            return found
        since = functools.partial(self._mattering_since, contents=self._codebase.contents)
        return proofs.with_distrusted(found, records, self.proofs.skips, since)

    def reached(
        self, before: Mapping[str, bytes], contents: Mapping[str, bytes] | None = None
    ) -> Due:
        """The tests that a change reaches, whatever their last outcome.

        Args:
            before: for each path and fact whose content is another one the one from before.
            contents: as they are after the change; None is those of now.
        """
        found = select_tests.reached(self.present(contents), before)
        changed = self._mattering(before)
        return proofs.with_distrusted(found, self.records, self.proofs.skips, lambda _: changed)

    def _mattering_since(self, revision: int, contents: Mapping[str, bytes]) -> list[str]:
        return self._mattering(self.records.changed_since(revision, contents))

    def _mattering(self, changed: Iterable[str]) -> list[str]:
        quiet = (Category.DOCUMENT, Category.BYPRODUCT)
        return [path for path in changed if self._codebase.categorise(path) not in quiet]

    def of(self, path: str) -> tuple[Verdict, ...]:
        """The last verdicts on the tests of a file.

        Args:
            path: relative to the root.
        """
        return tuple(one for one in self.records.verdicts.values() if one.path == path)

    def present(self, contents: Mapping[str, bytes] | None = None) -> Present:
        """What selection is to know.

        Args:
            contents: which it is about; None is those of now.
        """
        codebase = self._codebase
        return Present(
            codebase.graph,
            self.records,
            codebase.contents if contents is None else contents,
            codebase.categorise,
            self._load_outlines,
            self.proofs.flaky,
            self._scenes,
            functools.partial(self._text, codebase.contents if contents is None else contents),
        )

    def _text(self, contents: Mapping[str, bytes], path: str) -> str | None:
        """What a file of some contents says, if it is there as it is, and no large one."""
        digest = contents.get(path, ABSENT)
        if digest not in self._texts:
            if len(self._texts) > TEXTS:
                self._texts.clear()
            self._texts[digest] = text_of(self._root / path, digest)
        return self._texts[digest]

    def _load_outlines(self, fingerprints: Iterable[bytes]) -> Mapping[bytes, Outline]:
        wanted = frozenset(fingerprints)
        missing = wanted - self._outlines.keys()
        if missing:
            if len(self._outlines) > OUTLINES:
                self._outlines.clear()
                missing = wanted
            for fingerprint, packed in self._store.load_outlines(missing).items():
                self._outlines[fingerprint] = decode(packed)
        return {one: self._outlines[one] for one in wanted if one in self._outlines}

    def changes(self) -> tuple[Change, ...]:
        """What differs from the contents of the last run; nothing before the first."""
        if not self.records.revision:
            return ()
        contents = self._codebase.contents
        paths = self.records.changed_since(self.records.revision, contents)
        return tuple(
            Change(path, "modified" if path in contents else "deleted")
            for path in sorted(paths)
            if not path.startswith("<")
        )

    def delta(self, planned_on: Mapping[str, bytes], changed: Mapping[str, bytes]) -> Delta:
        """What has changed since a run was planned.

        Args:
            planned_on: the contents then.
            changed: of what has become another one the content now.
        """
        return self._delta(self.records, planned_on, changed)

    def _delta(
        self, records: Records, planned_on: Mapping[str, bytes], changed: Mapping[str, bytes]
    ) -> Delta:
        now = {**self._codebase.contents, **changed}
        for path in [path for path in changed if changed[path] == ABSENT]:
            del now[path]
        present = msgspec.structs.replace(self.present(now), records=records)
        return Delta(present, {path: planned_on.get(path, ABSENT) for path in changed})

    def learn(
        self, ran: Ran, contents: Mapping[str, bytes], changed: Mapping[str, bytes]
    ) -> frozenset[str]:
        """Keep what a run has shown.

        Args:
            ran: the run.
            contents: what it ran on.
            changed: of what has become another one meanwhile the content now.

        Returns:
            The tests, and test files, that this may have reached while they ran: what they
            showed holds for no content for certain.
        """
        codebase = self._codebase
        # A folder or a conftest.py that is broken hinders the test files below it.
        above = [bad.removesuffix("conftest.py") for bad in ran.broken]
        hindered = {p for p in codebase.test_files if any(is_below(p, folder) for folder in above)}
        broken = ran.broken & set(codebase.test_files)
        ran = msgspec.structs.replace(ran, broken=frozenset(broken), hindered=frozenset(hindered))
        doubtful = self._find_doubtful(ran, contents, changed) if changed else frozenset()
        self._note_flaky(ran, contents, doubtful)
        self._save(lambda: learn(self.present(contents), ran, doubtful))
        if select_tests.revisions(self.records) > REVISIONS:
            self._save(lambda: select_tests.renewed(self.present()))
        return doubtful

    def _find_doubtful(
        self, ran: Ran, contents: Mapping[str, bytes], changed: Mapping[str, bytes]
    ) -> frozenset[str]:
        # By what they were seen to depend on now, not by what was known of them before.
        learned = learn(self.present(contents), ran, frozenset())
        records = self.records.with_learned(learned)
        delta = self._delta(records, contents, changed)
        found = {n for n in ran.outcomes if select_tests.reaches(n, delta, records)}
        listings = {path: records.listings[path][0] for path in ran.whole}
        found.update(p for p, one in listings.items() if delta.of_file(p, one.base) is not None)
        return frozenset(found)

    def _note_flaky(
        self, ran: Ran, contents: Mapping[str, bytes], doubtful: Collection[str]
    ) -> None:
        @functools.cache
        def unchanged(revision: int) -> bool:
            return not self._mattering_since(revision, contents)

        flaky = proofs.unsteady(self.records, ran, self._doubtful.union(doubtful), unchanged)
        # What failed while a save came in is kept with the content that was planned; it may be
        # the other one's, so it says nothing of what comes after it.
        self._doubtful.difference_update(ran.outcomes)
        self._doubtful.update(
            n for n, (path, *_) in ran.outcomes.items() if path in doubtful or n in doubtful
        )
        if flaky:
            self._store.save_flaky(flaky, time.time())
            self.proofs = self._store.load_proofs()

    def note_shadow(self, run: ShadowTotals, skips: Collection[WrongSkip]) -> None:
        """Keep what a shadow run says of selection.

        Args:
            run: it alone.
            skips: the tests that were skipped wrongly; each change selects them from now on.
        """
        self._store.save_shadow(run, skips)
        self.proofs = self._store.load_proofs()

    def _save(self, learn: Callable[[], Learned]) -> None:
        while not self._store.save_run(learned := learn(), base=self.records):
            # Another devloop (a `test` beside a `watch`) has written since: its revisions first.
            self.records = self._store.load_records()
        self.records = self.records.with_learned(learned)
