"""What `init` writes for JetBrains' programs and for Zed finds the places in real output.

Neither program runs without a screen and an account, so their documented rules are applied here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from devloop.editors import jsonc
from devloop.editors.place import Place
from devloop.editors.setup import changes

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell
    from tests.e2e.editors.conftest import Recording

JETBRAINS = {
    "$FILE_PATH$": r"(?P<file>(?:[A-Za-z]:|/)[0-9 a-z_A-Z\-\\./]+)",
    "$LINE$": r"(?P<line>[0-9]+)",
    "$COLUMN$": r"(?P<column>[0-9]+)",
}
"""What the macros of an output filter stand for: an absolute path, and numbers
(https://www.jetbrains.com/help/pycharm/add-filter-dialog.html)."""

ZED = re.compile(r"(?<!\S)(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?(?!\S)")
"""A path with a line in its terminal, as `path_hyperlink_regexes` describes it: without spaces."""

FILES = {
    "test_sum.py": "def test_wrong():\n    total = 1 + 1\n    assert total == 3\n",
    "lint.py": "print('style.css:1:2: shouting')\nraise SystemExit(1)\n",
    "style.css": "p! {}\n",
    "devloop.toml": f"""\
[steps.lint]
command = [{sys.executable!r}, "lint.py"]
inputs = ["style.css", "lint.py"]
diagnostics = "%f:%l:%c: %m"
""",
}


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


def test_zeds_terminal_links_each_problem(
    shell: Callable[[dict[str, str], int], Shell], tmp_path: Path
) -> None:
    """Its tasks run in the terminal, and report as to a person; paths are the project's."""
    (change,) = changes(["zed"], Place(tmp_path, ".venv/bin/devloop"))
    node = jsonc.parse(change.after)
    assert node is not None
    watch, test = node.value
    assert watch["command"] == test["command"] == "$ZED_WORKTREE_ROOT/.venv/bin/devloop"
    assert (watch["args"], test["args"]) == (["watch"], ["test"])
    assert watch["cwd"] == "$ZED_WORKTREE_ROOT"
    at = shell(FILES, 200)
    at.run(*watch["args"])
    at.expect("FAIL")
    at.expect("q quits")
    slow = at.root / "test_slow.py"
    slow.write_text("import time\n\ndef test_slow():\n    while True:\n        time.sleep(0.01)\n")
    at.expect("test_slow.py::test_slow")
    slow.write_text("def test_slow():\n    assert 1 == 2\n")
    at.expect("CANCELLED")
    at.expect("FAIL")
    at.expect("q quits")
    (at.root / "test_broken.py").write_text("import nowhere\n")
    at.expect("not collected")
    at.expect("FAIL")
    at.expect("q quits")
    above, shown = at.screen()
    found = {(m["file"], int(m["line"])) for x in (*above, *shown) for m in ZED.finditer(x)}
    # What is no file is no link: the time of a cycle.
    assert {(file, line) for file, line in found if (at.root / file).exists()} == {
        ("test_sum.py", 3),
        ("style.css", 1),
        ("test_slow.py", 2),
        ("test_broken.py", 1),
    }
    at.child.send("q")
    assert at.ended() == 0
