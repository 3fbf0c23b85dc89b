"""The project's interpreter: which one it is, and what is installed for it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from devloop.config.types import Python
from devloop.errors import InterpreterError, MissingDistribution
from devloop.inside import messages

KEY = "[python] interpreter"
_HINT = f'Name the project\'s interpreter in devloop.toml: {KEY} = "…"'
OLDEST = (3, 10)
OLDEST_PYTEST = (7, 0)
PROBE = Path(messages.__file__).with_name("probe.py")
PROBE_TIMEOUT = 30.0
"""Seconds; it takes some hundredths, and much longer only from a cold network drive."""


class Interpreter(msgspec.Struct, frozen=True):
    """An interpreter and what is installed for it.

    Args:
        path: as it is started; a link is not followed, because it makes the environment.
        version: major, minor and micro.
        cache_tag: as in the names of cached bytecode.
        prefix: the environment's folder.
        base_prefix: that of the Python which it was made from; the same outside environments.
        sys_path: where it looks for modules, without the working directory.
        sites: its folders of installed distributions; to be watched, not recursively.
        distributions: name and version of each; also ``.pth`` files, without a version.
        roots: folders of sources that are installed in place, absolute.
        plugins: the modules that distributions installed in place name as pytest plugins.
        library: the top-level modules of its standard library.
        stamp: a digest of what else is told here; it changes with every install.
        core: a digest of what acts on every test: the interpreter itself, the plugins of pytest,
            and ``.pth`` files.
        installed: for each distribution what changes when another one takes its place.
    """

    path: str
    version: tuple[int, int, int]
    cache_tag: str | None
    prefix: str
    base_prefix: str
    sys_path: tuple[str, ...]
    sites: tuple[str, ...]
    distributions: dict[str, str]
    roots: tuple[str, ...]
    plugins: tuple[str, ...]
    library: frozenset[str]
    stamp: str
    core: str = ""
    installed: Mapping[str, str] = {}

    @property
    def pytest(self) -> str | None:
        """The version of pytest; None where it is not installed."""
        return self.distributions.get("pytest")

    @property
    def xdist(self) -> str | None:
        """The version of pytest-xdist; None where it is not installed."""
        return self.distributions.get("pytest-xdist")

    def install(self, distribution: str) -> str:
        """The command that installs something.

        Args:
            distribution: its name.

        Returns:
            One line for a shell.
        """
        import shlex

        path = shlex.quote(self.path)
        if "pip" in self.distributions:
            return f"{path} -m pip install {distribution}"
        return f"uv pip install --python {path} {distribution}"

    def require_pytest(self) -> None:
        """See to it that tests can run.

        Raises:
            MissingDistribution: pytest is not installed, or too old.
        """
        if self.pytest is None:
            raise MissingDistribution(
                f"pytest is not installed in the project's interpreter, {self.path}",
                hint=f"Install it: {self.install('pytest')}\n"
                f'If the project has another interpreter, name it: {KEY} = "…"',
            )
        if not at_least(self.pytest, *OLDEST_PYTEST):
            raise MissingDistribution(
                f"pytest {self.pytest} of {self.path} is too old: devloop needs "
                f"{'.'.join(map(str, OLDEST_PYTEST))} or later",
                hint=f"Upgrade it: {self.install('--upgrade pytest')}",
            )


def find(root: Path, config: Python, environ: Mapping[str, str], running: str) -> str:
    """Find the project's interpreter.

    Args:
        root: the project's.
        config: ``[python]``; its interpreter is relative to the root, or found on PATH.
        environ: whose VIRTUAL_ENV counts next.
        running: the interpreter that runs devloop, which is the last resort.

    Returns:
        Its path. A link is not followed.

    Raises:
        InterpreterError: the configuration names one that is not there.
    """
    if config.interpreter is not None:
        return _configured(root, config.interpreter, environ)
    active = environ.get("VIRTUAL_ENV")
    for folder in [Path(active)] if active else []:
        if found := _of_environment(folder):
            return found
    for name in (".venv", "venv"):
        folder = root / name
        # Not any folder of that name.
        if (folder / "pyvenv.cfg").is_file() and (found := _of_environment(folder)):
            return found
    return running


def probe(path: str, root: Path, environ: Mapping[str, str]) -> Interpreter:
    """Ask an interpreter what it is.

    Args:
        path: from `find`.
        root: the project's; the interpreter is started there.
        environ: the environment of the project's processes.

    Returns:
        The interpreter.

    Raises:
        InterpreterError: it does not run, or is too old.
    """
    with asked(path, root, environ) as answer:
        return answer()


@contextmanager
def asked(path: str, root: Path, environ: Mapping[str, str]) -> Iterator[Callable[[], Interpreter]]:
    """Ask an interpreter what it is, and do something else until it has started.

    Args:
        path: from `find`.
        root: the project's; the interpreter is started there.
        environ: the environment of the project's processes.

    Yields:
        What waits for the answer, and raises as `probe` does.

    Raises:
        InterpreterError: it does not run.
    """
    try:
        process = subprocess.Popen(
            [path, str(PROBE)],
            cwd=root,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise InterpreterError(
            f"{path} cannot be started: {error.strerror}", where=KEY, hint=_HINT
        ) from None
    with process:
        try:
            yield lambda: _answer(process, path, environ)
        finally:
            process.kill()


def _answer(process: subprocess.Popen[bytes], path: str, environ: Mapping[str, str]) -> Interpreter:
    """What an interpreter has said of itself."""
    try:
        stdout, stderr = process.communicate(timeout=PROBE_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise InterpreterError(
            f"{path} did not answer within {PROBE_TIMEOUT:.0f} s", where=KEY, hint=_HINT
        ) from None
    try:
        # What a sitecustomize prints comes before it.
        found: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        version = tuple(found["version"])
    except (IndexError, ValueError, KeyError, TypeError):
        said = stderr.decode("utf-8", "replace").strip().splitlines()
        why = f": {said[-1]}" if said else f" (exit code {process.returncode})"
        raise InterpreterError(
            f"{path} does not run as a Python interpreter{why}", where=KEY, hint=_HINT
        ) from None
    if version < OLDEST:
        raise InterpreterError(
            f"{path} is Python {version[0]}.{version[1]}; devloop works with projects on "
            f"{OLDEST[0]}.{OLDEST[1]} and later",
            where=KEY,
            hint=_HINT,
        )
    installed = {name: f"{version} {at}" for name, (version, at) in found["distributions"].items()}
    core = {name: installed.get(name) for name in found["acting"]}
    sites = tuple(found["sites"])
    return Interpreter(
        path=path,
        version=(version[0], version[1], version[2]),
        cache_tag=found["cache_tag"],
        prefix=found["prefix"],
        base_prefix=found["base_prefix"],
        sys_path=tuple(found["path"]),
        sites=sites,
        distributions={name: version for name, (version, _) in found["distributions"].items()},
        roots=tuple(found["roots"]),
        plugins=tuple(found["plugins"]),
        library=frozenset(found["library"]),
        stamp=_digest([found[key] for key in _STAMPED]),
        core=_digest([core, *(found[key] for key in _STAMPED if key != "distributions")]),
        installed=installed,
    )


def _digest(value: Any) -> str:
    data = json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


_STAMPED = ("version", "cache_tag", "executable", "prefix", "path", "distributions", "plugins")


def at_least(version: str, *wanted: int) -> bool:
    """Whether a version is no older than another.

    Args:
        version: as of a distribution; what follows its numbers does not count.
        wanted: the first numbers of the other.
    """
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers) >= wanted


def _configured(root: Path, given: str, environ: Mapping[str, str]) -> str:
    path = Path(os.path.abspath(root / Path(given).expanduser()))  # noqa: PTH100 - keeps links
    if path.is_dir() and (found := _of_environment(path)):
        return found
    if path.is_file():
        return str(path)
    if os.sep not in given and (on_path := shutil.which(given, path=environ.get("PATH"))):
        return on_path
    raise InterpreterError(
        f"there is no interpreter at {path}",
        where=KEY,
        hint="It is a path relative to the project's root, or a program on PATH. To make an "
        "environment: python3 -m venv .venv",
    )


def _of_environment(folder: Path) -> str | None:
    for name in ("bin/python", "Scripts/python.exe"):
        if (folder / name).is_file():
            return str(folder / name)
    return None
