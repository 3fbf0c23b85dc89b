"""Hooks that are called once a module is imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from devloop.inside.post_import import forget, when_imported


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules; the import system is left as it was found."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before, finders = set(sys.modules), list(sys.meta_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    assert sys.meta_path == finders


def test_each_is_called_once_with_the_module(folder: Path) -> None:
    """Also where two wait for one module; at once where it is there."""
    (folder / "waited_for.py").write_text("X = 1\n")
    found = []
    when_imported("waited_for", lambda module: found.append(("one", module.X)))
    when_imported("waited_for", lambda module: found.append(("two", module.X)))
    assert found == []
    module = importlib.import_module("waited_for")
    assert found == [("one", 1), ("two", 1)]
    when_imported("waited_for", lambda module: found.append(("three", module.X)))
    importlib.reload(module)
    assert found[2:] == [("three", 1)]
    assert "exec_module" not in vars(module.__spec__.loader)  # type: ignore[union-attr]


def test_a_module_that_is_only_looked_for_is_waited_for_still(folder: Path) -> None:
    """As servers look whether an optional library is there."""
    (folder / "looked_for.py").write_text("X = 1\n")
    found: list[str] = []
    when_imported("looked_for", lambda module: found.append(module.__name__))
    assert importlib.util.find_spec("looked_for") is not None
    assert found == []
    importlib.import_module("looked_for")
    assert found == ["looked_for"]


def test_an_import_that_fails_tells_of_nobody_in_between(folder: Path) -> None:
    """Its traceback names the module alone; once it is mended, it is waited for still."""
    (folder / "broken.py").write_text("1 / 0\n")
    found: list[str] = []
    when_imported("broken", lambda module: found.append(module.__name__))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            import broken  # type: ignore[import-not-found]  # noqa: F401
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert [Path(frame.filename).name for frame in frames] == [
            Path(__file__).name,
            "broken.py",
        ]
    (folder / "broken.py").write_text("mended = 1\n")
    importlib.invalidate_caches()
    importlib.import_module("broken")
    assert found == ["broken"]


def test_what_is_forgotten_is_not_called(folder: Path) -> None:
    """And nothing of it is left in the import system."""
    (folder / "forgotten.py").write_text("")
    found: list[str] = []

    def act(module: object) -> None:
        found.append(str(module))

    when_imported("forgotten", act)
    forget("forgotten", act)
    importlib.import_module("forgotten")
    assert found == []
    forget("forgotten", act)
