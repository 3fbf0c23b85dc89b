"""Programs that are imported once for many runs, by `fork_server.py`.

Most of a short run would be imports, and tests of selection run `devloop` and pytest ten times and
more. A run is still a process of its own, with its own environment; that one which has to import
all goes as well is what each `devloop watch` shows, and what asks for `started_devloop`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER = Path(__file__).with_name("fork_server.py")


class Forked:
    """A program that forked processes run.

    Args:
        name: of the program, to the server.
        folder: for what runs print.
        python: how the interpreter is started.

    Attributes:
        imported: the top-level modules that a run finds imported, which it should not import
            from the project.
    """

    def __init__(self, name: str, folder: Path, *python: str) -> None:
        self._name = name
        self._folder = folder
        self._server = subprocess.Popen(
            [*python, str(SERVER), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._runs = 0
        self.imported = frozenset(json.loads(self._answer(120)))

    def __call__(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end.

        Args:
            arguments: what follows its name.
            cwd: the folder it runs in.
            environment: all of its environment.

        Returns:
            How it ended, and what it has printed.
        """
        self._runs += 1
        output, errors = (self._folder / f"{self._name}-{self._runs}.{n}" for n in (1, 2))
        words = [self._name, *arguments]
        request = {
            "arguments": words,
            "cwd": str(cwd),
            "environment": dict(environment),
            "output": str(output),
            "errors": str(errors),
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        code = int(self._answer(120))
        return subprocess.CompletedProcess(words, code, _taken(output), _taken(errors))

    def close(self) -> None:
        """End the server; a run that still goes on ends with it."""
        if self._server.poll() is None:
            os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()

    def _answer(self, seconds: float) -> bytes:
        assert self._server.stdout is not None
        if not select.select([self._server.stdout], [], [], seconds)[0]:
            self.close()
            raise TimeoutError(f"{self._name} has not ended within {seconds:g} s")
        return self._server.stdout.readline()


def _taken(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return text
