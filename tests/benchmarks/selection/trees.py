"""A project to make edits in: its sources, its environment, and plain pytest in it."""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import install_python, recent_python
from tests.benchmarks.real import Real, fetch
from tests.benchmarks.selection import benchmark_outcomes, benchmark_spoilt
from tests.benchmarks.selection.mutants import Mutant
from tests.benchmarks.session import environment

ENDLESS = 60.0
"""Seconds, beside ten times what the clean project takes, after which a run is given up."""

_DATA = frozenset({".txt", ".html", ".json", ".toml", ".css", ".env", ".flaskenv", ".netrc"})


@dataclass(frozen=True)
class Outcomes:
    """What pytest has shown.

    Args:
        tests: how each test that ran has ended.
        broken: what could not be collected.
        collected: what was, and was not deselected.
    """

    tests: dict[str, str]
    broken: list[str]
    collected: list[str]


class Tree:
    """A project of one tool's own, in which edits are made and taken back.

    Args:
        real: which one.
        root: its folder, with its environment in `.venv`.
    """

    def __init__(self, real: Real, root: Path) -> None:
        self.real = real
        self.root = root
        self.python = str(root / ".venv/bin/python")
        self.clean_seconds = 30.0

    @classmethod
    def make(cls, real: Real, folder: Path, *more: str) -> Tree:
        """Make it, where it is not there yet.

        Args:
            real: which project.
            folder: what the tree lies in.
            *more: packages beside those that its tests need.

        Raises:
            subprocess.SubprocessError: something could not be fetched.
        """
        root = folder / f"{real.name}-{real.version}"
        made = cls(real, root)
        if not (root / ".venv/complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            made._pristine.mkdir(parents=True)
            venv = install_python([*real.packages.split(), *more], recent_python())
            shutil.copytree(fetch(real, made._pristine, str(venv / "bin/python")), root)
            made._install(venv)
        with made.edited(None):
            # Whatever became of the process that edited it last.
            for path, content in {**made.sources(), **made.data()}.items():
                if (root / path).read_bytes() != content:
                    made._save(root / path, content)
        return made

    @property
    def _pristine(self) -> Path:
        """Where its sources lie as they were fetched."""
        return self.root.parent / "pristine"

    def _install(self, libraries: Path) -> None:
        """Give it an environment in which it is installed in place (PEP 660)."""
        python = str(libraries / "bin/python")
        command = [python, "-m", "venv", "--without-pip", str(self.root / ".venv")]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        (theirs,) = libraries.glob("lib/python*/site-packages")
        (site,) = self.root.glob(".venv/lib/python*/site-packages")
        lines = f"{self.root / self.real.source}\n{theirs}\n"
        (site / "in_place.pth").write_text(lines, encoding="utf-8")
        metadata = site / f"{self.real.name}-{self.real.version}.dist-info"
        metadata.mkdir()
        described = f"Metadata-Version: 2.1\nName: {self.real.name}\nVersion: {self.real.version}\n"
        (metadata / "METADATA").write_text(described, encoding="utf-8")
        url = {"url": self.root.as_uri(), "dir_info": {"editable": True}}
        (metadata / "direct_url.json").write_text(json.dumps(url), encoding="utf-8")
        for plugin in (benchmark_outcomes, benchmark_spoilt):
            shutil.copy(inspect.getfile(plugin), site)
        (self.root / ".venv/complete").touch()

    def sources(self) -> dict[str, bytes]:
        """Its modules, by path."""
        folder = self._pristine / self.root.name / self.real.source / self.real.name
        return self._contents(sorted(folder.rglob("*.py")))

    def data(self) -> dict[str, bytes]:
        """The files that its tests may read."""
        tests = self._pristine / self.root.name / "tests"
        files = sorted(path for path in tests.rglob("*") if path.is_file())
        return self._contents(
            [path for path in files if path.suffix in _DATA or path.name in _DATA]
        )

    def _contents(self, paths: Sequence[Path]) -> dict[str, bytes]:
        root = self._pristine / self.root.name
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}

    @contextlib.contextmanager
    def edited(self, mutant: Mutant | None) -> Iterator[None]:
        """Have an edit made as long as this lasts; other processes wait for its end.

        Args:
            mutant: the edit; None leaves everything as it is.
        """
        with (self.root.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if mutant is None:
                yield
            else:
                with self._edited(mutant):
                    yield

    @contextlib.contextmanager
    def _edited(self, mutant: Mutant) -> Iterator[None]:
        path = self.root / mutant.path
        content = (self._pristine / self.root.name / mutant.path).read_bytes()
        self._save(path, mutant.applied(content))
        try:
            yield
        finally:
            self._save(path, content)

    def _save(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        # pytest and Python trust whole seconds and the size; an edit may fool both.
        for cached in path.parent.glob(f"__pycache__/{path.stem}.*"):
            cached.unlink()

    def pytest(self, *arguments: str, within: float | None = None) -> Outcomes | None:
        """Run plain pytest.

        Args:
            *arguments: its own.
            within: seconds; None is enough for all its tests.

        Returns:
            What it has shown; None where it did not come to an end of its own.
        """
        told = self.root.parent / "outcomes.json"
        told.unlink(missing_ok=True)
        words = [self.python, "-m", "pytest", "-q", "-p", "benchmark_outcomes", *arguments]
        limit = ENDLESS + 10 * self.clean_seconds if within is None else within
        self.run(words, limit, BENCHMARK_OUTCOMES=str(told))
        try:
            found = json.loads(told.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Outcomes(found["outcomes"], found["broken"], found["collected"])

    def run(self, words: Sequence[str], within: float, **more: str) -> str:
        """Run a command in it, and end all that it has started.

        Args:
            words: the command.
            within: seconds that it has.
            **more: variables for its environment.

        Returns:
            What it has printed.
        """
        with subprocess.Popen(
            words,
            cwd=self.root,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=within)
            except subprocess.TimeoutExpired:
                printed = b""
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return printed.decode(errors="replace")
