"""VS Code: tasks with a problem matcher, and attaching its debugger. No extension is needed.

The matcher is of the background kind: it forgets its problems at the line that a cycle of the
plain reporter begins with, and shows the new ones at the line that it ends with
(https://code.visualstudio.com/docs/debugtest/tasks#_background-watching-tasks). Attaching needs
Microsoft's Python debugger, which listens on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from devloop.editors import jsonc
from devloop.editors.place import File, Place

DEBUG_PORT = 5678
"""debugpy's own; where `devloop watch --debugger debugpy` listens."""

PATTERN = (
    r"^((?:[A-Za-z]:[\\/])?[^\s:|][^:|]*):(\d+):(\d+): (error|warning): (.+?)"
    r"(?: \[([^\[\]]+\.\w+(?:::.*)?)\])?$"
)
"""A problem line of the plain reporter, in what JavaScript and Python both understand."""

MATCHER: dict[str, Any] = {
    "owner": "devloop",
    "source": "devloop",
    # A path that is not below the folder is taken as it is: steps may name files elsewhere.
    "fileLocation": ["autoDetect", "${workspaceFolder}"],
    "pattern": {
        "regexp": PATTERN,
        "file": 1,
        "line": 2,
        "column": 3,
        "severity": 4,
        "message": 5,
        "code": 6,
    },
}
BACKGROUND = {
    "activeOnStart": True,
    "beginsPattern": "^devloop: cycle started$",
    "endsPattern": "^devloop: cycle finished$",
}


def files(place: Place) -> Iterator[File]:
    """The files that VS Code reads.

    Args:
        place: whom it is set up for.
    """
    folder = place.root / ".vscode"
    tasks = {"version": "2.0.0", "tasks": _tasks(place.command("${workspaceFolder}/"))}
    launch = {"version": "0.2.0", "configurations": [_attach()]}
    yield File(folder / "tasks.json", partial(jsonc.merged, wanted=tasks, identity="label"))
    yield File(folder / "launch.json", partial(jsonc.merged, wanted=launch, identity="name"))


def _tasks(program: str) -> list[dict[str, Any]]:
    return [
        {
            "label": "devloop: watch",
            "detail": "Runs what each save affects; problems are shown as they stand.",
            "type": "process",
            "command": program,
            "args": ["watch", "--reporter", "plain"],
            "options": {"cwd": "${workspaceFolder}"},
            "isBackground": True,
            "problemMatcher": {**MATCHER, "background": BACKGROUND},
            "presentation": {"reveal": "silent", "panel": "dedicated"},
            "runOptions": {"instanceLimit": 1},
        },
        {
            "label": "devloop: test",
            "detail": "Runs the tests that are due, once.",
            "type": "process",
            "command": program,
            "args": ["test", "--reporter", "plain"],
            "options": {"cwd": "${workspaceFolder}"},
            "group": "test",
            "problemMatcher": MATCHER,
            "presentation": {"reveal": "silent", "panel": "shared"},
        },
    ]


def _attach() -> dict[str, Any]:
    return {
        "name": "devloop: attach",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "127.0.0.1", "port": DEBUG_PORT},
        "justMyCode": True,
    }
