"""What is put into editors' files, and what stays of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.editors import block, emacs, jetbrains
from devloop.editors.place import Fault, Place
from devloop.editors.setup import EDITORS, changes, write
from devloop.errors import UsageError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A project, and one program of JetBrains."""
    return Place(tmp_path / "shop", ".venv/bin/devloop", (tmp_path / "PyCharm2026.1",))


def test_a_second_time_changes_nothing(place: Place) -> None:
    """All editors at once, each file written once."""
    found = changes([*EDITORS, "vscode"], place)
    assert len(found) == len({change.path for change in found}) == 7
    for change in found:
        write(change)
    assert changes(list(EDITORS), place) == []


@pytest.mark.parametrize("name", EDITORS)
def test_a_devloop_of_another_place_takes_the_place_of_the_old_one(
    place: Place, tmp_path: Path, name: str
) -> None:
    """Nothing is there twice."""
    for change in changes([name], place):
        write(change)
    moved = Place(place.root, "/opt/devloop", place.ides)
    for change in changes([name], moved):
        write(change)
        assert ".venv" not in change.after
        assert change.after.count("/opt/devloop") <= 2
    assert changes([name], moved) == []


def test_a_file_keeps_its_mode_and_a_link_stays_one(place: Place, tmp_path: Path) -> None:
    """The file behind it is changed."""
    real = tmp_path / "dotfiles.json"
    real.write_text("// mine\n[]\n")
    real.chmod(0o640)
    (place.root / ".zed").mkdir(parents=True)
    (place.root / ".zed/tasks.json").symlink_to(real)
    (change,) = changes(["zed"], place)
    write(change)
    assert (place.root / ".zed/tasks.json").is_symlink()
    assert real.read_text().startswith("// mine\n[\n")
    assert real.stat().st_mode & 0o777 == 0o640
    assert os.listdir(real.parent / "shop/.zed") == ["tasks.json"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.write_bytes(b"\xff"), "is not UTF-8"),
        (lambda path: path.write_text("[\n  x\n]"), "tasks.json:2:3: a value was expected"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_read_is_said_and_kept(
    place: Place, prepare: Callable[[Path], object], message: str
) -> None:
    """Nothing is guessed."""
    path = place.root / ".zed/tasks.json"
    path.parent.mkdir(parents=True)
    prepare(path)
    with pytest.raises(UsageError, match=re.escape(message)):
        changes(["zed"], place)


def test_a_file_of_bacon_itself_is_not_replaced(place: Place) -> None:
    """It may be in use."""
    place.root.mkdir()
    (place.root / ".bacon-locations").write_text("error a.rs:1:1\n")
    with pytest.raises(UsageError, match="is there already"):
        changes(["bacon"], place)


# Lua


@given(st.text(st.sampled_from("ab-\n: devlop"), max_size=20))
def test_lines_of_others_stay(text: str) -> None:
    """Ours come last, and are replaced in place."""
    once = block.merged(text, "one\n", comment="--")
    assert once.startswith(text)
    assert once.endswith("-- devloop: begin\none\n-- devloop: end\n")
    more = f"{once}after\n"
    twice = block.merged(more, "two\n", comment="--")
    assert twice == more.replace("\none\n", "\ntwo\n")


# Emacs

OURS = "\n (nil . ((a . 1)))\n"
DIRECTORY_LOCALS = """\
;;; Directory Local Variables  -*- no-byte-compile: t -*-
;; ( "not this"
((python-mode . ((fill-column . 79) ; with ) and "
                 (eval . (message "a \\" ) ; b" ?\\) ?\\" [1 (2)]))))
 ("src" . ((nil . ((tab-width . 8))))))
;; end
"""


def test_entries_of_others_stay_behind_ours() -> None:
    """Strings, characters and comments with brackets in them mislead nobody."""
    after = emacs.merged(DIRECTORY_LOCALS, lisp=OURS)
    assert after.replace("\n ;; devloop: begin\n (nil . ((a . 1)))\n ;; devloop: end\n", "") == (
        DIRECTORY_LOCALS
    )
    assert after.index("devloop: begin") < after.index("python-mode")
    assert emacs.merged(after, lisp=OURS) == after
    changed = emacs.merged(after, lisp=OURS.replace("1", "2"))
    assert changed == after.replace("(a . 1)", "(a . 2)")


@pytest.mark.parametrize("text", ["", ";; mine\n", ";; mine"])
def test_a_file_without_a_list_gets_one(text: str) -> None:
    """Comments stay at its top."""
    after = emacs.merged(text, lisp=OURS)
    assert after.startswith(text)
    assert after.rstrip().endswith(")")
    assert emacs.merged(after, lisp=OURS) == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("((a . 1)", "a list has no end"),
        ('((a . "x)', "a string has no end"),
        ("(a) (b)", "one list was expected"),
        ("a", "one list was expected"),
        ("'((a . 1))", "one list was expected"),
    ],
)
def test_what_is_no_list_is_a_fault(text: str, message: str) -> None:
    """Emacs would not read it either."""
    with pytest.raises(Fault, match=message):
        emacs.merged(text, lisp=OURS)


# JetBrains

TOOLS = """\
<toolSet name="External Tools">
  <!-- mine: <tool name="devloop watch"> -->
  <tool name="Füller &amp; more" description="a > b"><exec /></tool>
</toolSet>
"""
NEWS = [("devloop watch", '  <tool name="devloop watch" n="1"><exec /></tool>')]


@pytest.mark.parametrize(
    "text", [TOOLS, "", '<toolSet name="External Tools" />', "<toolSet name='x'>\n</toolSet>"]
)
def test_tools_of_others_stay(text: str) -> None:
    """Ours come last; the same ones change nothing, other ones take their place."""
    after = jetbrains.merged(text, tools=NEWS)
    names = [tool.get("name") for tool in ElementTree.fromstring(after)]
    assert names[-1] == "devloop watch"
    assert ("Füller & more" in names) == (text == TOOLS)
    assert ("<!-- mine" in after) == (text == TOOLS)
    assert jetbrains.merged(after, tools=NEWS) == after
    other = jetbrains.merged(after, tools=[("devloop watch", NEWS[0][1].replace("1", "2"))])
    assert other == after.replace('n="1"', 'n="2"')


@pytest.mark.parametrize("text", ["<toolSet><tool></toolSet>", "<other></other>", "x"])
def test_what_is_no_set_of_tools_is_a_fault(text: str) -> None:
    """The program would not read it either."""
    with pytest.raises(Fault):
        jetbrains.merged(text, tools=NEWS)


def test_the_newest_version_of_each_program_is_set_up(tmp_path: Path) -> None:
    """Those that run Python; older versions' settings lie about for ever."""
    for name in ("PyCharm2025.3", "PyCharm2026.1", "PyCharm2024.10", "IdeaIC2025.2", "Toolbox1.2"):
        (tmp_path / ".config/JetBrains" / name).mkdir(parents=True)
    found = jetbrains.settings_folders(tmp_path, "linux")
    assert sorted(path.name for path in found) == ["IdeaIC2025.2", "PyCharm2026.1"]
    assert jetbrains.settings_folders(tmp_path, "darwin") == ()
