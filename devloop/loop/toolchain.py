"""What runs the project's code: its interpreter, and pytest as it is configured."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from devloop.config import pytest_settings
from devloop.config.load import Loaded
from devloop.config.pytest_settings import PytestSettings, config_files
from devloop.errors import ConfigError, DevloopError, InterpreterError
from devloop.events import Change
from devloop.execute import interpreter as interpreters
from devloop.execute.environment import for_project
from devloop.execute.interpreter import Interpreter
from devloop.graph.layout import Layout, discover
from devloop.loop.reading import relative
from devloop.select.category import DISTRIBUTION, fact


class Toolchain:
    """What runs the project's code.

    Args:
        root: the folder that is worked on.
        loaded: the project's configuration.
        interpreter: its Python.
        finder: of devloop's own, what records (see `parsing.finder`).

    Raises:
        ConfigError: pytest's configuration cannot be read.
    """

    def __init__(self, root: Path, loaded: Loaded, interpreter: Interpreter, finder: str) -> None:
        self._root = root
        self._loaded = loaded
        self._finder = finder
        self.interpreter = interpreter
        self.settings: PytestSettings = self._read_settings()
        self.configuration = frozenset(config_files(root, loaded.config.tests.args))
        """The files that configure pytest, there or not."""
        self._entries = self._list_sites()

    def _read_settings(self) -> PytestSettings:
        tests = self._loaded.config.tests
        return pytest_settings.read(self._root, tests.args, {**os.environ, **tests.env})

    def installed_unwatched(self) -> tuple[Change, ...]:
        """What has come to the environment, or gone, since it was asked what is installed.

        Of an install in the first moments of a session no watch tells.
        """
        now = self._list_sites()
        return tuple(
            sorted(
                [Change(path, "created") for path in now - self._entries]
                + [Change(path, "deleted") for path in self._entries - now]
            )
        )

    def _list_sites(self) -> frozenset[str]:
        found: set[str] = set()
        for site in self.interpreter.sites:
            # A folder of the list need not be there.
            with suppress(OSError):
                found.update(f"{relative(site, self._root)}/{name}" for name in os.listdir(site))
        return frozenset(found)

    def look_again(self, *, installed: bool, configured: bool) -> DevloopError | None:
        """Ask anew what is installed, or how pytest is configured, where that has changed.

        Args:
            installed: something was installed, or removed.
            configured: pytest's configuration has changed.

        Returns:
            Why what was known before has to do, where it has.
        """
        try:
            if installed:
                path = self.interpreter.path
                environ = for_project(os.environ, path)
                self._entries = self._list_sites()
                self.interpreter = interpreters.probe(path, self._loaded.root, environ)
            if configured:
                self.settings = self._read_settings()
        except (InterpreterError, ConfigError) as error:
            return error
        return None

    def layout(self, files: Iterable[str], found: Iterable[str] = ()) -> Layout:
        """Find where modules are imported from, and which files are tests.

        Args:
            files: all that there are.
            found: what the names of files end with in which only pytest knew of tests.
        """
        config = self._loaded.config
        return discover(
            files,
            roots=config.python.roots,
            extra_roots=(
                *(relative(root, self._loaded.root) for root in self.interpreter.roots),
                *self.settings.pythonpath,
            ),
            test_paths=config.tests.paths or self.settings.testpaths,
            test_patterns=self.settings.python_files,
            doctest_modules=self.settings.doctest_modules,
            doctest_globs=self.settings.doctest_globs,
            found=found,
            always=(
                *self.settings.plugins,
                *filter(None, [self.settings.django_settings]),
                *self.interpreter.plugins,
            ),
            library=self.interpreter.library,
        )

    def facts(self) -> dict[str, bytes]:
        """What every outcome depends on beside files, as contents."""
        tests = self._loaded.config.tests
        words = msgspec.json.encode((tests.args, tests.env, tests.paths))
        return {
            fact("the interpreter and its plugins"): self.interpreter.core.encode(),
            # An older devloop may have missed on what a test depends.
            fact("what devloop records"): self._finder.encode(),
            fact("the [tests] table"): blake2b(words, digest_size=16).digest(),
            **{
                fact(f"{DISTRIBUTION}{name}"): installed.encode()
                for name, installed in self.interpreter.installed.items()
            },
        }

    def is_script(self, program: str) -> bool:
        """Whether a program is a Python script of the project's environment.

        Args:
            program: the first word of a command.
        """
        place = os.path.join(os.path.dirname(self.interpreter.path), program)  # noqa: PTH118, PTH120
        if os.sep in program or not os.path.isfile(place):  # noqa: PTH113
            return False
        with open(place, "rb") as file:  # noqa: PTH123
            return b"python" in file.readline(1000)
