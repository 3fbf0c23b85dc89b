"""Zed: tasks that run in its terminal, whose ``path:line:column`` it opens.

https://zed.dev/docs/tasks; what its terminal takes for a path is said by its setting
`terminal.path_hyperlink_regexes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from devloop.editors import jsonc
from devloop.editors.place import File, Place


def files(place: Place) -> Iterator[File]:
    """The file that Zed reads.

    Args:
        place: whom it is set up for.
    """
    program = place.command("$ZED_WORKTREE_ROOT/")
    tasks = [
        _task("devloop: watch", program, "watch", reveal="no_focus"),
        _task("devloop: test", program, "test", reveal="always"),
    ]
    merge = partial(jsonc.merged, wanted=tasks, identity="label", unit="  ")
    yield File(place.root / ".zed/tasks.json", merge)


def _task(label: str, program: str, command: str, *, reveal: str) -> dict[str, Any]:
    return {
        "label": label,
        "command": program,
        "args": [command],
        "cwd": "$ZED_WORKTREE_ROOT",
        "use_new_terminal": False,
        "allow_concurrent_runs": False,
        "reveal": reveal,
        "hide": "never",
    }
