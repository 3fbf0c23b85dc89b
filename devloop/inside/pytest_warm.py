"""PYTEST_DONT_REWRITE: pytest and its plugins, held by a zygote.

pytest rewrites the assertions of plugins while it imports them, and warns of those that were
imported before. So a zygote imports them through a rewriting hook of its own, each module as an
earlier run did; the pytest of a child then finds modules that such a hook has loaded, and is
content. Nothing else of pytest is held: each child reads its settings, registers its plugins and
imports conftest files as in a cold start.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

MARKED: set[str] = set()
"""What plugins have marked for rewriting when they were imported; each child does so anew."""

HELD: set[str] = set()
"""The modules that the zygote holds."""

MISSING: set[str] = set()
"""The modules that imports have asked for in vain."""

AHEAD: set[str] = set()
"""What was read of the environment before the run was wanted, as dependencies."""

GIVEN: dict[str, str] = {}
"""The environment that the run was started with."""


def told(config: pytest.Config) -> dict[str, Any]:
    """What a zygote is to know of a run.

    Args:
        config: of the run, at its end.

    Returns:
        ``modules``: each with its name and its file (None where it is built in), in the order in
        which their imports were complete, without those that the zygote held; ``rewritten``:
        those that came through pytest's hook; ``cached``: of each module the file in which it is
        cached, where it has one; ``altered``: the environment variables that
        conftest files and tests have set, or taken away; and ``refused``: why nothing is to be
        held.
    """
    from _pytest.assertion.rewrite import AssertionRewritingHook

    modules: list[tuple[str, str | None]] = []
    cached: dict[str, str] = {}
    rewritten = []
    # A look at what is held would cost the copy of a page for each module.
    for name in [name for name in sys.modules if name not in HELD]:
        module = sys.modules[name]
        spec = getattr(module, "__spec__", None)
        # What a module has put there under another name is not to be imported by that.
        if spec is None or spec.name != name:
            continue
        modules.append((name, origin(module)))
        if isinstance(spec.loader, AssertionRewritingHook):
            rewritten.append(name)
        if (place := _cached(spec)) is not None:
            cached[name] = place
    refused = None
    if config.getini("enable_assertion_pass_hook"):
        refused = "pytest's enable_assertion_pass_hook is set"
    altered = [
        name
        for name in sorted({*GIVEN, *os.environ})
        if GIVEN and os.environ.get(name) != GIVEN.get(name) and not name.startswith("PYTEST_")
    ]
    return {
        "modules": modules,
        "rewritten": rewritten,
        "cached": cached,
        "altered": altered,
        "refused": refused,
    }


def _cached(spec: Any) -> str | None:
    """Where a module's code is cached: by Python, or by pytest, which rewrites it."""
    from _pytest.assertion import rewrite

    if not isinstance(spec.loader, rewrite.AssertionRewritingHook):
        return spec.cached if isinstance(spec.cached, str) else None
    source = Path(spec.origin)
    return str(rewrite.get_cache_dir(source) / (source.name[:-3] + rewrite.PYC_TAIL))


def origin(module: Any) -> str | None:
    """Where a module is from.

    Args:
        module: any.

    Returns:
        Its file, the first folder of a namespace package, or None where it is built in.
    """
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return os.path.abspath(file)  # noqa: PTH100 - a link is not followed
    return next((str(folder) for folder in getattr(module, "__path__", ())), None)


@contextlib.contextmanager
def held(rewritten: list[str], outside: list[str]) -> Iterator[None]:
    """Have modules come in as pytest imports them.

    Args:
        rewritten: those whose assertions are rewritten.
        outside: the folders of what is not the project's own.

    Yields:
        While they are imported.
    """
    import pytest
    from _pytest.assertion.rewrite import AssertionRewritingHook

    from .fence import Fence

    names = frozenset(rewritten)
    hook: Any = AssertionRewritingHook(_settings())
    # Just those, whatever plugins mark meanwhile: `--assert=plain` rewrites none.
    hook._is_marked_for_rewrite = lambda name, _: name in names
    hook.mark_rewrite = lambda *marked: MARKED.update(marked)
    # Set since pytest 8.2, and read by libraries that behave otherwise under test.
    named = pytest.version_tuple >= (8, 2)
    # What an import does to the filters ends with the phase of pytest's that it is a part of.
    with warnings.catch_warnings():
        if named:
            os.environ["PYTEST_VERSION"] = pytest.__version__
        sys.meta_path.insert(0, hook)
        last: Any = _Last()
        sys.meta_path.append(last)
        try:
            with Fence(outside):
                yield
        finally:
            sys.meta_path.remove(hook)
            sys.meta_path.remove(last)
            if named:
                del os.environ["PYTEST_VERSION"]
    # Each run asks what is installed; the lists of folders' contents are kept for that.
    importlib.metadata.entry_points()
    # Each run names it, and a recent one reads it from its metadata at each look.
    pluggy: Any = sys.modules["pluggy"]
    pluggy.__version__ = pluggy.__version__
    from . import run_pytest

    for name in run_pytest.MODULES:
        run_pytest.load(name)
    del sys.modules[run_pytest.__name__]  # each run is that, as ``__main__``
    HELD.update(sys.modules)


class _Last:
    """Asked when nobody else has found a module."""

    def find_spec(self, name: str, *_: object) -> None:
        """Note its name."""
        if name.partition(".")[0] not in sys.stdlib_module_names:
            MISSING.add(name)


def inherited() -> list[str]:
    """What the held imports depend on beside their files, as a run that imports would record it.

    Returns:
        Dependencies (`devloop.select.recorded`).
    """
    preload: Any = sys.modules.get("_devloop.preload")
    read = preload.READ if preload is not None else ()
    return [*(f"i {name}" for name in MISSING), *(f"v {name}" for name in read), *AHEAD]


def note_reads() -> Callable[[], None]:
    """Note who reads the environment while the run is not wanted, and nothing is recorded yet.

    Returns:
        Ends that.
    """
    ground, askers, environ = (
        sys.modules[f"_devloop_record_{name}"] for name in ("ground", "askers", "environ")
    )
    asked = askers.Askers(ground.Ground(os.path.realpath(os.getcwd())))  # noqa: PTH109
    unwrap: Callable[[], None] = environ.Environ(_Reads(), asked, os.environ).wrap()
    return unwrap


class _Reads:
    """In the place of a recorder, of which there is none yet (`record_contexts.Recorder`)."""

    def __init__(self) -> None:
        self.top = self
        self.variables: set[Any] = set()
        self.within: set[int] = set()
        self.broken = False

    def add(self, dep: str) -> None:
        AHEAD.add(dep)

    def broke(self, _: Exception) -> None:
        AHEAD.add("v *")


def _settings() -> Any:
    """As much of pytest's Config as its hook asks for; a real one is only had by parsing."""
    import pluggy
    import pytest
    from _pytest.assertion import AssertionState
    from _pytest.assertion.rewrite import assertstate_key

    class Settings:
        trace = pluggy.PluginManager("devloop").trace.root.get("config")
        stash = pytest.Stash()

        def getini(self, name: str) -> Any:
            return {"python_files": [], "enable_assertion_pass_hook": False}[name]

        def issue_config_time_warning(self, *_: object, **__: object) -> None:
            """A cold run has said it."""

    settings: Any = Settings()
    settings.stash[assertstate_key] = AssertionState(settings, "rewrite")
    return settings


def renew(pluginmanager: pytest.PytestPluginManager) -> None:
    """Do in a child what the held plugins did when they were imported.

    Args:
        pluginmanager: of the child; it has its hook, and is about to load plugins.
    """
    hook: Any = pluginmanager.rewrite_hook
    # Not by `mark_rewrite`: what they have marked may have come in since.
    if MARKED and hasattr(hook, "_must_rewrite"):
        hook._must_rewrite.update(MARKED)
        hook._marked_for_rewrite_cache.clear()
    # pytest-xdist hands the `sys.path` of its own import on to its workers.
    for name in ("xdist.plugin", "xdist.workermanage"):
        if hasattr(sys.modules.get(name), "_sys_path"):
            sys.modules[name]._sys_path = list(sys.path)  # type: ignore[attr-defined]
    # pytest-randomly draws the seed of a run when it is imported.
    randomly: Any = sys.modules.get("pytest_randomly")
    if hasattr(randomly, "default_seed"):
        randomly.default_seed = random.Random().getrandbits(32)
