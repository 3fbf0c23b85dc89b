"""Run a program again and again, each time in a process forked from one that has imported it.

    python fork_server.py devloop|pytest

First comes a line with the names of all top-level modules that are imported. Then each line of
standard input asks for one run, in JSON, and is answered by a line with its exit code.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any, NoReturn


def serve(program: Callable[[], NoReturn]) -> None:
    """Fork for each request; in the child, run the program."""
    gc.freeze()  # or each process would look through all of it at its end
    _tell(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} - {"__main__"})))
    for line in iter(sys.stdin.buffer.readline, b""):
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
            program()
        _, status = os.waitpid(pid, 0)
        _tell(str(os.waitstatus_to_exitcode(status)))


def devloop() -> Callable[[], NoReturn]:
    """The command line of this checkout; all that a command may import is imported."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import anyio.lowlevel

    import devloop as package
    from devloop.cli.main import main

    for module in pkgutil.walk_packages(package.__path__, "devloop."):
        # What runs in the project's interpreter is run there by its path.
        if not module.name.startswith("devloop.inside") and not module.name.endswith(".__main__"):
            import_module(module.name)
    anyio.run(anyio.lowlevel.checkpoint)  # anyio imports its parts when they are used
    return main


def pytest() -> Callable[[], NoReturn]:
    """`python -m pytest`, with its own plugins; those of others it imports in each run."""
    import pytest
    from _pytest.config import default_plugins

    for name in default_plugins:
        import_module(f"_pytest.{name}")

    def run() -> NoReturn:
        sys.path[0] = str(Path.cwd())
        raise SystemExit(pytest.console_main())

    return run


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _become(request: dict[str, Any]) -> None:
    invalidate_caches()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:] = request["arguments"]
    paths = (os.devnull, request["output"], request["errors"])
    for descriptor, path in enumerate(paths):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)


if __name__ == "__main__":
    serve({"devloop": devloop, "pytest": pytest}[sys.argv[1]]())
