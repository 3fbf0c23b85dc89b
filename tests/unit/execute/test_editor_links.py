"""Links open the editor that devloop's own environment points to."""

from __future__ import annotations

import pytest

from devloop.execute import editor_links


@pytest.mark.parametrize(
    ("environ", "editor"),
    [
        ({}, "vscode"),
        ({"EDITOR": "vim"}, "vscode"),
        ({"EDITOR": "cursor --wait"}, "cursor"),
        ({"VISUAL": "/usr/local/bin/subl -w", "EDITOR": "code"}, "sublime"),
        ({"VISUAL": "'unclosed", "EDITOR": "zed"}, "zed"),
        ({"TERM_PROGRAM": "vscode", "EDITOR": "subl"}, "vscode"),
        ({"TERM_PROGRAM": "vscode", "CURSOR_TRACE_ID": "1"}, "cursor"),
        ({"TERM_PROGRAM": "zed"}, "zed"),
        ({"TERMINAL_EMULATOR": "JetBrains-JediTerm"}, "pycharm"),
        ({"DEVLOOP_EDITOR_URL": "textmate", "EDITOR": "zed"}, "textmate"),
    ],
)
def test_the_editor_is_guessed_unless_it_is_named(environ: dict[str, str], editor: str) -> None:
    """The terminal that belongs to an editor comes before VISUAL, and that before EDITOR."""
    assert editor_links.template(environ) == editor_links.SCHEMES[editor]


def test_any_editor_can_be_named() -> None:
    """A template has the places of path and line."""
    template = editor_links.template({"DEVLOOP_EDITOR_URL": "my:{path}#{line}"})
    assert editor_links.link(template, "/a b/ü&.py", 3) == "my:/a%20b/%C3%BC%26.py#3"


def test_a_drives_letter_is_part_of_the_path() -> None:
    """As editors on Windows take it."""
    template = editor_links.SCHEMES["vscode"]
    assert editor_links.link(template, "C:\\src\\a.py", 1) == "vscode://file/C:/src/a.py:1"
