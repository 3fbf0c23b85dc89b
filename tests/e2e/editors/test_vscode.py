"""What `init --editor vscode` writes does in VS Code what it is for.

How VS Code applies a task's problem matchers is told in
https://code.visualstudio.com/docs/debugtest/tasks, and for the order of things by its
`WatchingProblemCollector` and `StartStopProblemCollector`: a line that begins or ends background
work is nothing else; a begin line counts only where the matcher rests; problems replace those of
the same owner when the work ends.
"""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from devloop.editors import jsonc
from devloop.editors.place import Place
from devloop.editors.setup import changes

if TYPE_CHECKING:
    from tests.e2e.editors.conftest import Recording

DEFAULT_SEVERITY = "error"


class Marker(NamedTuple):
    """One problem in VS Code's list."""

    path: str
    line: int
    column: int
    severity: str
    message: str
    code: str | None


class Task:
    """A task that runs, and the problems that VS Code shows for it.

    Args:
        task: as tasks.json has it.
        folder: the workspace's.
    """

    def __init__(self, task: dict[str, Any], folder: Path) -> None:
        matcher = task["problemMatcher"]
        self._folder = folder
        self._pattern = matcher["pattern"]
        self._regexp = re.compile(self._pattern["regexp"])
        kind, base = matcher["fileLocation"]
        assert kind == "autoDetect"
        assert base == "${workspaceFolder}"
        self._background = matcher.get("background")
        assert bool(task.get("isBackground")) == (self._background is not None)
        self.active = bool(self._background and self._background["activeOnStart"])
        self.begun = int(self.active)
        self.ended = 0
        self.shown: list[Marker] = []
        self._found: list[Marker] = []

    def line(self, text: str) -> None:
        """Take one line of the terminal."""
        if self._background is not None:
            if re.search(self._background["beginsPattern"], text) and not self.active:
                self.active = True
                self.begun += 1
                self._found = []
                return
            if re.search(self._background["endsPattern"], text) and self.active:
                self.active = False
                self.ended += 1
                self.shown, self._found = self._found, []
                return
        if (found := self._regexp.search(text)) is not None:
            self._found.append(self._marker(found))

    def exit(self) -> None:
        """The process has ended."""
        self.shown, self._found = self._found, []

    def _marker(self, found: re.Match[str]) -> Marker:
        def part(name: str) -> str | None:
            return found[self._pattern[name]] if name in self._pattern else None

        path, line = part("file"), part("line")
        assert path
        assert line
        relative = posixpath.join(str(self._folder), path)
        if Path(relative).exists():
            path = relative
        severity = (part("severity") or DEFAULT_SEVERITY).lower()
        assert severity in ("error", "warning", "info")
        column = int(part("column") or 1)
        return Marker(path, int(line), column, severity, part("message") or "", part("code"))


@pytest.fixture
def tasks(recording: Recording) -> dict[str, Any]:
    """The tasks that devloop writes, by their labels."""
    (change,) = (
        change
        for change in changes(["vscode"], Place(recording.root, "devloop"))
        if change.path.name == "tasks.json"
    )
    node = jsonc.parse(change.after)
    assert node is not None
    return {task["label"]: task for task in node.value["tasks"]}


def shown(task: Task) -> set[tuple[str, int, str]]:
    """File, line and severity of what VS Code shows."""
    return {(marker.path, marker.line, marker.severity) for marker in task.shown}


def test_each_cycle_is_one_piece_of_background_work(
    recording: Recording, tasks: dict[str, Any]
) -> None:
    """It begins once and ends once, a cancelled one too; the problems are those that stand."""
    task = Task(tasks["devloop: watch"], recording.root)
    ended = 0
    for line in recording.lines:
        task.line(line)
        if task.ended > ended:
            ended = task.ended
            assert {(Path(p).name, n, s) for p, n, s in shown(task)} == {
                (Path(p).name, n, s) for p, n, s in recording.expected[ended - 1]
            }
            assert all(
                Path(marker.path).is_absolute() or "broken" in marker.path for marker in task.shown
            )
    assert task.begun == task.ended == len(recording.expected)
    assert not task.active


def test_the_message_and_the_test_are_told_apart(
    recording: Recording, tasks: dict[str, Any]
) -> None:
    """The test's nodeid is the problem's code."""
    task = Task(tasks["devloop: watch"], recording.root)
    for line in recording.until(0):
        task.line(line)
    (marker,) = task.shown
    assert marker == Marker(
        f"{recording.root}/tests/test_sum.py",
        6,
        1,
        "error",
        "AssertionError: a: b:1:2: c",
        "tests/test_sum.py::test_wrong",
    )


def test_a_run_of_tests_once_is_matched_at_its_end(
    recording: Recording, tasks: dict[str, Any]
) -> None:
    """The task that ends shows its problems then."""
    task = Task(tasks["devloop: test"], recording.root)
    for line in recording.until(0):
        task.line(line)
    assert not task.shown
    task.exit()
    assert len(task.shown) == 1


@pytest.mark.parametrize("label", ["devloop: watch", "devloop: test"])
def test_the_expressions_are_those_of_javascript(
    recording: Recording, tasks: dict[str, Any], label: str, program: Callable[[str], str]
) -> None:
    """The engine that VS Code has finds the same in every line."""
    expression = tasks[label]["problemMatcher"]["pattern"]["regexp"]
    script = (
        "const [expression, lines] = JSON.parse(require('fs').readFileSync(0));"
        "const found = lines.map(line => { const m = new RegExp(expression).exec(line);"
        " return m && [...m].map(part => part ?? null); });"
        "console.log(JSON.stringify(found))"
    )
    lines = recording.lines
    done = subprocess.run(
        [program("node"), "-e", script],
        input=json.dumps([expression, lines]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    ours = [re.search(expression, line) for line in lines]
    assert json.loads(done.stdout) == [m and [m[0], *m.groups()] for m in ours]
    assert any(ours)
