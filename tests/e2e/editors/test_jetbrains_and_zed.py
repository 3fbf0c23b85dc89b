"""What `init` writes for JetBrains' programs and for Zed finds the places in real output.

Neither program runs without a screen and an account, so their documented rules are applied here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from devloop.editors import jsonc
from devloop.editors.place import Place
from devloop.editors.setup import changes

if TYPE_CHECKING:
    from tests.e2e.editors.conftest import Recording

JETBRAINS = {
    "$FILE_PATH$": r"(?P<file>(?:[A-Za-z]:|/)[0-9 a-z_A-Z\-\\./]+)",
    "$LINE$": r"(?P<line>[0-9]+)",
    "$COLUMN$": r"(?P<column>[0-9]+)",
}
"""What the macros of an output filter stand for: an absolute path, and numbers
(https://www.jetbrains.com/help/pycharm/add-filter-dialog.html)."""

ZED = re.compile(r"(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?P<column>\d+)")
"""A path with line and column in its terminal, as `path_hyperlink_regexes` describes it."""


def test_jetbrains_filter_links_each_problem(recording: Recording, tmp_path: Path) -> None:
    """Each problem line leads to its file; no other line has a link."""
    ide = tmp_path / "PyCharm2026.1"
    (change,) = changes(["jetbrains"], Place(recording.root, "devloop", (ide,)))
    assert change.path == ide / "tools/External Tools.xml"
    tool = ElementTree.fromstring(change.after).find("tool[@name='devloop watch']")
    assert tool is not None
    options = {o.get("name"): o.get("value") for o in tool.iter("option")}
    assert options["COMMAND"] == "devloop"
    assert options["PARAMETERS"] == "watch --reporter plain --absolute-paths"
    expression = options["REGEXP"] or ""
    for macro, meaning in JETBRAINS.items():
        expression = expression.replace(macro, meaning)
    for cycle, expected in enumerate(recording.expected):
        lines = recording.absolute(cycle)
        last = lines[len(lines) - lines[::-1].index("devloop: cycle started") :]
        found = [found for line in last if (found := re.search(expression, line))]
        linked = {
            (m["file"].strip().removeprefix(f"{recording.root}/"), int(m["line"])) for m in found
        }
        assert linked == {(path, line) for path, line, _ in expected}


def test_zeds_terminal_links_each_problem(recording: Recording) -> None:
    """Its task runs in the terminal, whose paths are relative to the project."""
    (change,) = changes(["zed"], Place(recording.root, ".venv/bin/devloop"))
    node = jsonc.parse(change.after)
    assert node is not None
    watch, test = node.value
    assert watch["command"] == test["command"] == "$ZED_WORKTREE_ROOT/.venv/bin/devloop"
    assert (watch["args"], test["args"]) == (["watch"], ["test"])
    assert watch["cwd"] == "$ZED_WORKTREE_ROOT"
    for cycle, expected in enumerate(recording.expected):
        found = {(m["file"], int(m["line"])) for x in recording.until(cycle) if (m := ZED.match(x))}
        assert {(path, line) for path, line, _ in expected} <= found
