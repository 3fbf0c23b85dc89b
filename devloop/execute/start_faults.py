"""Say why a command could not be started, to a person."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from devloop.errors import CommandError
from devloop.execute.process import Spawn


def command_error(spawn: Spawn, stage: str, code: int) -> CommandError:
    """The error for a start that failed.

    Args:
        spawn: what was to be started.
        stage: in which step that failed, as the guardian calls it.
        code: the error's number.
    """
    program = spawn.argv[0] if spawn.argv else ""
    reason = os.strerror(code)
    if stage == "cwd":
        return CommandError(f"its folder {spawn.cwd!r} cannot be entered: {reason}")
    if code == errno.ENOENT:
        found = shutil.which(
            str(Path(spawn.cwd, program)) if "/" in program else program, path=spawn.env.get("PATH")
        )
        if found is not None:
            return CommandError(
                f"{program!r} cannot be run: the program that its first line names does not exist",
                hint="A script's first line must name an interpreter that is installed.",
            )
        return CommandError(f"command not found: {program!r}", hint=_not_found_hint(program))
    if code == errno.EACCES:
        return CommandError(
            f"{program!r} cannot be run: {reason}", hint=f"Is it a program? Try: chmod +x {program}"
        )
    if code == errno.ENOEXEC:
        return CommandError(
            f"{program!r} cannot be run: {reason}",
            hint="A script needs a first line such as #!/bin/sh.",
        )
    return CommandError(f"{program!r} cannot be run: {reason}")


def _not_found_hint(program: str) -> str:
    if "/" in program:
        return "The path is taken from the app's own folder."
    if any(sign in program for sign in "|&;<>$"):
        return 'A command is not run by a shell; for one, write: sh -c "..."'
    return "Is it installed in the project's environment, or on PATH?"
