"""What each tool selects for each mutant, held against a full run of plain pytest.

Everything is kept in a folder as it becomes known, so that a long evaluation may be made in
pieces. What a mutant does to the tests is found once; what a tool selects, anew for each state
of that tool.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks.real import Real
from tests.benchmarks.selection.mutants import Mutant, of_project
from tests.benchmarks.selection.risks import RISKY, spoilt
from tests.benchmarks.selection.tools import TESTMON, Devloop, Testmon, Tool
from tests.benchmarks.selection.trees import Outcomes, Tree
from tests.benchmarks.session import CHECKOUT

CLEAN = "clean"
COUNTED, BREAKS, HANGS = "counted", "breaks imports", "does not end"


class Kept:
    """Answers by key, in a file that grows by a line for each.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._known.update([json.loads(line)])

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def put(self, key: str, answer: Any) -> None:
        """Keep an answer."""
        self._known[key] = answer
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, answer]) + "\n")


@dataclass(frozen=True)
class Judged:
    """What a tool has done with a mutant.

    Args:
        mutant: the edit.
        changed: the tests whose outcome it changes.
        selected: those that were selected, of the clean project's.
        unsafe: those that were not, and whose outcome changes when they run alone too.
        beside: those that were not, and whose outcome only other tests' failures change.
        at_risk: those whose outcome this or a further edit of the same place changes.
    """

    mutant: Mutant
    changed: frozenset[str]
    selected: frozenset[str]
    unsafe: frozenset[str]
    beside: frozenset[str]
    at_risk: frozenset[str]


class Evaluation:
    """The mutants of one project.

    Args:
        real: the project.
        work: the folder where everything is kept.
        seed: fixes the mutants and their order.
        count: how many are to be counted.
    """

    def __init__(self, real: Real, work: Path, seed: int, count: int) -> None:
        self.real = real
        self._work = work
        self._count = count
        self._plain = Tree.make(real, work / real.name / "plain")
        self._outcomes = Kept(work / real.name / "outcomes.jsonl")
        self._alone = Kept(work / real.name / "alone.jsonl")
        self._mutants = list(of_project(self._plain.sources(), self._plain.data(), seed))

    def find_outcomes(self) -> None:
        """Run plain pytest on as many mutants as are wanted."""
        if CLEAN not in self._outcomes:
            self._outcomes.put(CLEAN, self._find_clean())
        self._plain.clean_seconds = self._outcomes[CLEAN]["seconds"]
        counted = 0
        for mutant in self._mutants:
            if counted == self._count:
                return
            counted += self._try(mutant) == COUNTED

    def find_risks(self) -> None:
        """Run plain pytest on further edits of the places of constants and the like."""
        self._plain.clean_seconds = self._outcomes[CLEAN]["seconds"]
        for mutant in self.counted():
            if mutant.kind in RISKY:
                any(self._try(other) == COUNTED for other in spoilt(mutant))

    def _try(self, mutant: Mutant) -> str:
        if mutant.key not in self._outcomes:
            with self._plain.edited(mutant):
                found = self._plain.pytest()
            self._outcomes.put(mutant.key, self._difference(found))
            self._say("pytest", mutant, str(len(self._outcomes[mutant.key]["changed"])))
        state: str = self._outcomes[mutant.key]["state"]
        return state

    def _find_clean(self) -> dict[str, Any]:
        began = time.monotonic()
        with self._plain.edited(None):
            runs = [self._plain.pytest(), self._plain.pytest()]
        seconds = (time.monotonic() - began) / 2
        one, other = (run.tests if run is not None else {} for run in runs)
        if not one:
            raise RuntimeError(f"{self.real.name} has no tests that run in {self._plain.root}")
        stable = {nodeid: one[nodeid] for nodeid in one if one[nodeid] == other.get(nodeid)}
        return {"tests": stable, "seconds": seconds}

    def _difference(self, found: Outcomes | None) -> dict[str, Any]:
        if found is None:
            return {"state": HANGS, "changed": []}
        if found.broken:
            return {"state": BREAKS, "changed": []}
        clean = self._outcomes[CLEAN]["tests"]
        changed = [
            nodeid for nodeid, outcome in clean.items() if found.tests.get(nodeid) != outcome
        ]
        return {"state": COUNTED, "changed": changed}

    def counted(self) -> list[Mutant]:
        """The mutants whose outcomes are known and that count."""
        known = (m for m in self._mutants if m.key in self._outcomes)
        return list(
            islice((m for m in known if self._outcomes[m.key]["state"] == COUNTED), self._count)
        )

    @property
    def total(self) -> int:
        """How many tests the clean project has."""
        return len(self._outcomes[CLEAN]["tests"])

    def left_out(self) -> int:
        """How many of those that were tried do not count: they break imports, or do not end."""
        return sum(
            mutant.key in self._outcomes and self._outcomes[mutant.key]["state"] != COUNTED
            for mutant in self._mutants
        )

    def find_selections(self, name: str) -> None:
        """Ask a tool about each of these mutants.

        Args:
            name: of the tool.
        """
        kept = self._selections(name)
        make: type[Devloop] | type[Testmon] = Devloop if name == "devloop" else Testmon
        tool: Tool = make(self.real, self._work)
        clean = self._outcomes[CLEAN]["tests"]
        if CLEAN not in kept:
            began = time.monotonic()
            tool.record()
            seconds = time.monotonic() - began
            kept.put(CLEAN, {"selected": tool.selected(clean), "seconds": seconds})
        for mutant in self.counted():
            if mutant.key not in kept:
                with tool.tree.edited(mutant):
                    began = time.monotonic()
                    selected = tool.selected(clean)
                    seconds = time.monotonic() - began
                kept.put(mutant.key, {"selected": selected, "seconds": seconds})
                self._say(name, mutant, str(len(selected)))

    def judge(self, name: str) -> Iterator[Judged]:
        """Hold what a tool has selected against what has changed.

        Args:
            name: of the tool.

        Yields:
            Each mutant that it was asked about.
        """
        kept = self._selections(name)
        clean = self._outcomes[CLEAN]["tests"]
        # What is due on the clean project, a test that fails there, is due for that alone.
        always = set(kept[CLEAN]["selected"]) if CLEAN in kept else set()
        for mutant in self.counted():
            if mutant.key not in kept:
                continue
            chosen = set(kept[mutant.key]["selected"])
            changed = set(self._outcomes[mutant.key]["changed"])
            missed = changed - chosen
            unsafe = {nodeid for nodeid in missed if self._changes_alone(mutant, nodeid)}
            yield Judged(
                mutant,
                frozenset(changed),
                frozenset(chosen & clean.keys() - always),
                frozenset(unsafe),
                frozenset(missed - unsafe),
                frozenset(changed.union(*map(self._changed, spoilt(mutant)))),
            )

    def _changed(self, mutant: Mutant) -> Iterable[str]:
        """What it changes, as far as is known, and unless no test could be collected then."""
        known = mutant.key in self._outcomes
        changed: list[str] = self._outcomes[mutant.key]["changed"] if known else []
        return changed

    def _changes_alone(self, mutant: Mutant, nodeid: str) -> bool:
        """Whether an edit changes the outcome of a test that runs alone."""
        clean = f"{CLEAN} {nodeid}"
        if clean not in self._alone:
            with self._plain.edited(None):
                self._alone.put(clean, self._run_alone(nodeid))
        edited = f"{mutant.key} {nodeid}"
        if edited not in self._alone:
            with self._plain.edited(mutant):
                self._alone.put(edited, self._run_alone(nodeid))
        return bool(self._alone[clean] != self._alone[edited])

    def _run_alone(self, nodeid: str) -> str | None:
        found = self._plain.pytest(nodeid)
        return None if found is None else found.tests.get(nodeid)

    def _selections(self, name: str) -> Kept:
        state = _state() if name == "devloop" else TESTMON
        return Kept(self._work / self.real.name / f"{name}-{state}.jsonl")

    def _say(self, what: str, mutant: Mutant, shown: str) -> None:
        sys.stderr.write(f"{self.real.name} {what} {mutant.key} {mutant}: {shown}\n")


def _state() -> str:
    """Names the state of devloop's own sources."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted((CHECKOUT / "devloop").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
