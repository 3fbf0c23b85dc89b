"""Who selects: devloop, and pytest-testmon beside it. Each has a tree of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from tests.benchmarks.real import Real
from tests.benchmarks.selection.trees import Tree
from tests.benchmarks.session import COMMAND

TESTMON = "pytest-testmon==2.2.0"
_LONG = 1200.0
"""Seconds for a recorded run of all tests."""

_SHORT = 120.0


class Tool(Protocol):
    """Something that selects tests."""

    name: str
    tree: Tree

    def record(self) -> None:
        """Run all tests of the clean project, recorded."""

    def selected(self, known: Iterable[str]) -> list[str]:
        """What it would run now.

        Args:
            known: the nodeids of the clean project.

        Returns:
            Nodeids among them, and others.
        """


class Devloop:
    """devloop itself, as this checkout has it."""

    name = "devloop"

    def __init__(self, real: Real, work: Path) -> None:
        self.tree = Tree.make(real, work / real.name / self.name)

    def record(self) -> None:
        """Run all tests of the clean project, recorded."""
        shutil.rmtree(self.tree.root / ".devloop", ignore_errors=True)
        self.tree.run([*COMMAND, "test", "--reporter", "plain"], _LONG)

    def selected(self, known: Iterable[str]) -> list[str]:
        """What `affected` names; a file stands for its tests."""
        printed = self.tree.run([*COMMAND, "affected", "--format", "json"], _SHORT)
        named = {test["nodeid"] for test in json.loads(printed)["tests"]}
        within = {nodeid for nodeid in known if nodeid.partition("::")[0] in named}
        return sorted(named | within)


class Testmon:
    """pytest-testmon, which records lines by coverage."""

    name = "testmon"

    def __init__(self, real: Real, work: Path) -> None:
        self.tree = Tree.make(real, work / real.name / self.name, TESTMON)
        self._records = self.tree.root / ".testmondata"
        self._clean = self.tree.root.parent / "testmondata"
        # A `-m` of the project's own would switch its selection off.
        self._options = ("--testmon", "--testmon-forceselect")

    def record(self) -> None:
        """Run all tests of the clean project, recorded."""
        for path in self.tree.root.glob(".testmondata*"):
            path.unlink()
        self.tree.pytest(*self._options, within=_LONG)
        shutil.copy(self._records, self._clean)

    def selected(self, known: Iterable[str]) -> list[str]:
        """What it does not deselect."""
        for path in self.tree.root.glob(".testmondata*"):
            path.unlink()
        shutil.copy(self._clean, self._records)
        found = self.tree.pytest(*self._options, "--collect-only", within=_SHORT)
        if found is None:
            raise RuntimeError(f"testmon does not select in {self.tree.root}")
        return sorted(found.collected)
