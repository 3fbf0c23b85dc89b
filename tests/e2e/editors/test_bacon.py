"""Editors' plugins made for bacon find what stands, while a `watch` runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from devloop.editors.place import Place
from devloop.editors.setup import changes, write

if TYPE_CHECKING:
    from tests.e2e.editors.conftest import Recording

Run = Callable[..., "subprocess.CompletedProcess[str]"]

LINE = re.compile(r"(\S+) (\S+):(\d+):(\d+)\s*(.*)")
"""The Lua pattern of nvim-bacon: ``(%S+) (%S+):(%d+):(%d+)%s*(.*)``."""


def test_the_locations_are_those_that_stand(recording: Recording) -> None:
    """When a cycle's last line is printed the file is current; in the end it is empty."""
    assert len(recording.locations) == len(recording.expected)
    for text, expected in zip(recording.locations, recording.expected, strict=True):
        found = [LINE.fullmatch(line) for line in text.splitlines()]
        assert all(found)
        kinds = {"test": "error"}
        assert {(m[2], int(m[3]), kinds.get(m[1], m[1])) for m in found if m} == expected
    assert recording.locations[-1] == ""


def test_a_link_leads_plugins_to_the_file(tmp_path: Path) -> None:
    """They read `.bacon-locations`; the file may be replaced, and may not be there yet."""
    (change,) = changes(["bacon"], Place(tmp_path, "devloop"))
    write(change)
    assert not changes(["bacon"], Place(tmp_path, "devloop"))
    (tmp_path / ".devloop").mkdir()
    for text in ("error a.py:1:1 x\n", ""):
        (tmp_path / ".devloop/new").write_text(text)
        (tmp_path / ".devloop/new").replace(tmp_path / ".devloop/locations")
        assert (tmp_path / ".bacon-locations").read_text() == text


def test_paths_are_absolute_on_request(
    devloop: Run, write_tree: Callable[[Path, str], None], tmp_path: Path
) -> None:
    """`--absolute-paths` is for editors that know no folder; it goes with plain lines only."""
    write_tree(tmp_path, "tests/test_a.py\n    def test():\n        assert False\npytest.ini")
    done = devloop("test", "--reporter", "plain", "--absolute-paths")
    assert f"\n{tmp_path}/tests/test_a.py:2:1: error: " in done.stdout
    done = devloop("test", "--reporter", "jsonl", "--absolute-paths")
    assert done.returncode == 4
    assert "--reporter plain" in done.stderr
