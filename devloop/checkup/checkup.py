"""All checks of a project, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from devloop.checkup import commands, files, project, python, warm
from devloop.checkup.finding import Finding
from devloop.config import pytest_settings
from devloop.config.load import load
from devloop.config.pytest_settings import PytestSettings
from devloop.config.types import Config
from devloop.errors import ConfigError
from devloop.graph.layout import discover
from devloop.store import presence


def check(root: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything that devloop depends on; change nothing.

    Args:
        root: the project's.
        environ: the environment.

    Yields:
        Findings, good ones too, in the order in which a person would look.
    """
    yield Finding("project", "ok", str(root))
    config = Config()
    faulty = None
    try:
        loaded = load(root)
    except ConfigError as error:
        yield _config_fault("configuration", error)
        faulty = root / (error.where or "").partition(":")[0]
    else:
        config = loaded.config
        said = loaded.source.name if loaded.source else "none; the defaults hold"
        yield Finding("configuration", "ok", said)
    yield from files.named(root, config.python.roots, config.tests.paths)
    survey = files.survey(root, config.watch)
    found, finding = python.interpreter(root, config, environ)
    yield finding
    if found is not None:
        settings = PytestSettings()
        try:
            settings = pytest_settings.read(root, config.tests.args, environ)
        except ConfigError as error:
            # Of a file that holds both, one finding is enough.
            if error.where != str(faulty):
                yield _config_fault("pytest's settings", error)
        layout = discover(
            survey.files,
            roots=config.python.roots,
            extra_roots=settings.pythonpath,
            test_paths=config.tests.paths or settings.testpaths,
            test_patterns=settings.python_files,
            library=found.library,
        )
        tests = sum(map(layout.is_test_module, survey.files))
        yield from python.distributions(found, config, tests)
        yield from project.installed(root, found, layout.roots, settings.pythonpath)
        yield from python.module_path(root, found, layout.roots, environ)
    yield from files.git(root, survey)
    yield from files.watching(root, config.watch, survey)
    yield from files.records(root)
    yield from commands.check(
        root,
        config,
        found.path if found is not None else None,
        survey.files,
        environ,
        watching=presence.holder(root) is not None,
    )
    yield from warm.check(root, config, found.path if found is not None else None, environ)


def _config_fault(subject: str, error: ConfigError) -> Finding:
    where = f"{error.where}: " if error.where else ""
    mend = error.hint or f"Correct {error.where or 'it'}."
    return Finding(subject, "error", f"{where}{error.message}", mend)
