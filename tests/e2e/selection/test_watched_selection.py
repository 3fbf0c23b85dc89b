"""The traps of selection while `devloop watch` goes on: what each save runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = """
pyproject.toml
    [project]
    name = "mine"
README.md
    >>> import leaf
    >>> leaf.VALUE
    1
effects/__init__.py
    import os
    os.environ["EFFECT"] = "one"
effects/sub/__init__.py
    import os
    def state():
        return os.environ["EFFECT"]
plugins/__init__.py
plugins/a.py
    NAME = "a"
leaf.py
    VALUE = 1
conftest.py
    import pytest
    @pytest.fixture
    def colour():
        return "red"
tests/test_effects.py
    import effects.sub
    def test_effects():
        assert effects.sub.state() == "one"
tests/test_plugins.py
    import pkgutil
    from importlib import import_module
    import plugins
    def test_plugins():
        names = [m.name for m in pkgutil.iter_modules(plugins.__path__)]
        assert [import_module(f"plugins.{name}").NAME for name in names] == ["a"]
tests/test_shadow.py
    import colorsys
    def test_shadow():
        assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
tests/inner/test_inner.py
    def test_inner(colour):
        assert colour == "red"
tests/test_leaf.py
    import leaf
    def test_leaf():
        assert leaf.VALUE == 1
"""

EFFECT = "import os\nos.environ['EFFECT'] = '{}'\n"

BLUE = """
import pytest
@pytest.fixture
def colour():
    return "blue"
"""


class Saved:
    """A watched project: save files, and hear what ran."""

    def __init__(self, root: Path, watch: Any) -> None:
        self.root = root
        self.watch = watch
        self.events: list[dict[str, Any]] = []

    def save(self, name: str, content: str | None) -> dict[str, str]:
        """Save a file, or delete it, and give the outcomes of what then ran."""
        path = self.root / name
        if content is None:
            path.unlink()
        else:
            path.write_text(content)
        self.events = self.watch.cycle()
        return {e["nodeid"]: e["outcome"] for e in self.events if e["event"] == "test-finished"}

    def undo(self, name: str, content: str | None) -> list[str]:
        """Save what was there before, which runs nothing, and give the tests that pass again."""
        assert self.save(name, content) == {}
        assert self.events[-1]["outcome"] == "passed"
        restored: list[str] = self.events[-1]["restored"]
        return restored


@pytest.fixture
def saved(
    tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Callable[..., Any]
) -> Saved:
    """A project under `devloop watch`, all of whose tests have passed."""
    root = tmp_path / "project"
    write_tree(root, PROJECT)
    watch = watching(root)
    first = watch.cycle()
    assert first[-1]["outcome"] == "passed", str(watch)
    return Saved(root, watch)


EFFECTS, PLUGINS, SHADOW, INNER, LEAF = (
    "tests/test_effects.py::test_effects",
    "tests/test_plugins.py::test_plugins",
    "tests/test_shadow.py::test_shadow",
    "tests/inner/test_inner.py::test_inner",
    "tests/test_leaf.py::test_leaf",
)


def test_saves_run_what_they_can_break(saved: Saved) -> None:
    """S9, S12, S13: a package's effect, a module found by its folder, a shadow; then undone.

    What is as it was when the tests passed needs no run to say so.
    """
    assert saved.save("effects/__init__.py", EFFECT.format("two"))[EFFECTS] == "failed"
    assert saved.undo("effects/__init__.py", EFFECT.format("one")) == [EFFECTS]
    assert saved.save("plugins/b.py", "NAME = 'b'\n")[PLUGINS] == "failed"
    assert PLUGINS in saved.undo("plugins/b.py", None)
    assert saved.save("tests/colorsys.py", "rgb_to_hsv = max\n")[SHADOW] == "failed"
    assert SHADOW in saved.undo("tests/colorsys.py", None)


def test_conftests_that_come_and_go(saved: Saved) -> None:
    """S14: a nested fixture counts from the save on, and no longer."""
    assert saved.save("tests/inner/conftest.py", BLUE) == {INNER: "failed"}
    assert saved.undo("tests/inner/conftest.py", None) == [INNER]


def test_nothing_passes_below_a_conftest_that_does_not_import(saved: Saved) -> None:
    """The cycle fails, and so do those after it that cannot run what lies below, until it does."""
    assert saved.save("tests/inner/conftest.py", "import no_such_module\n") == {}
    assert [saved.events[-1][key] for key in ("outcome", "hindered")] == ["failed", 1]
    assert saved.save("leaf.py", "VALUE = 2 - 1\n").get(LEAF) in ("passed", None)
    assert [saved.events[-1][key] for key in ("outcome", "hindered")] == ["failed", 1]
    saved.save("tests/inner/conftest.py", "import colorsys\n")
    assert [saved.events[-1][key] for key in ("outcome", "hindered")] == ["passed", 0]


def test_texts_become_tests(saved: Saved) -> None:
    """Once pytest's settings say so its examples run, and again for what they import."""
    readme = "README.md::README.md"
    settings = (saved.root / "pyproject.toml").read_text()
    settings += '[tool.pytest.ini_options]\naddopts = "--doctest-glob=*.md"\n'
    assert saved.save("pyproject.toml", settings)[readme] == "passed"
    assert saved.save("leaf.py", "VALUE = 2\n") == {LEAF: "failed", readme: "failed"}


def test_renames_and_errors(saved: Saved) -> None:
    """S29, S31: a module that is gone or broken fails its importers, until it is back."""
    text = (saved.root / "leaf.py").read_text()
    (saved.root / "leaf.py").rename(saved.root / "tree.py")
    events = saved.watch.cycle()
    assert events[-1]["outcome"] == "failed"
    assert [e["path"] for e in events if e["event"] == "diagnostic"] == ["tests/test_leaf.py"]
    (saved.root / "tree.py").rename(saved.root / "leaf.py")
    assert saved.watch.cycle()[-1]["outcome"] == "passed"
    (saved.root / "leaf.py").write_text("def (\n")
    events = saved.watch.cycle()
    assert events[-1]["outcome"] == "failed"
    assert "leaf.py" in [e["path"] for e in events if e["event"] == "diagnostic"]
    assert saved.save("leaf.py", text) == {LEAF: "passed"}


def test_a_broken_source_that_no_test_imports_fails_the_cycle(saved: Saved) -> None:
    """A syntax error is a verdict of its own: at its place, until it is mended."""
    (saved.root / "alone.py").write_text("def (\n")
    events = saved.watch.cycle()
    assert events[-1]["outcome"] == "failed"
    (problem,) = [e for e in events if e["event"] == "diagnostic"]
    assert (problem["path"], problem["line"], problem["source"]) == ("alone.py", 1, "python")
    (saved.root / "beside.py").write_text("X = 1\n")
    assert saved.watch.cycle()[-1]["outcome"] == "failed"
    (saved.root / "alone.py").write_text("X = 1\n")
    assert saved.watch.cycle()[-1]["outcome"] == "passed"


def test_what_runs_nothing_and_what_stays_due(saved: Saved) -> None:
    """S33, S34: a comment runs no test; a failure runs again beside whatever is saved."""
    assert saved.save("leaf.py", "VALUE = 1  # as before\n") == {}
    assert saved.save("leaf.py", "VALUE = 2\n") == {LEAF: "failed"}
    assert saved.save("leaf.py", "# two\nVALUE = 2\n") == {}
    assert saved.save("effects/__init__.py", EFFECT.format("one") + "print()\n") == {
        LEAF: "failed",
        EFFECTS: "passed",
    }
    assert saved.save("leaf.py", "VALUE = int(1)\n") == {LEAF: "passed"}


GENERATED = """
pytest.ini
    [pytest]
    pythonpath = .
.gitignore
    generated/
generated/rate.txt
    1
lib.py
    import functools, pathlib
    RATE = pathlib.Path(__file__).with_name("generated") / "rate.txt"
    @functools.lru_cache
    def cached():
        return RATE.read_text()
    def anew():
        return RATE.read_text()
tests/test_lib.py
    import lib, pathlib, time
    def test_rate():
        assert lib.READER().strip() == "1"
        pathlib.Path(GO).with_name("read").touch()
        while not pathlib.Path(GO).exists():
            time.sleep(0.01)
"""


@pytest.mark.parametrize("reader", ["cached", "anew"])
@pytest.mark.parametrize("when", ["while it runs", "after it"])
def test_ignored_data_counts_from_the_run_on_in_which_it_was_read(
    reader: str,
    when: str,
    tmp_path: Path,
    write_tree: Callable[[Path, str], None],
    watching: Callable[..., Any],
) -> None:
    """S30: nobody knew before that anything depends on it; what is read once and kept, too."""
    root, go = tmp_path / "project", tmp_path / "go"
    write_tree(root, GENERATED.replace("READER", reader).replace("GO", repr(str(go))))
    rate = root / "generated/rate.txt"
    watch = watching(root)
    if when == "while it runs":
        watch.until((tmp_path / "read").exists)
        rate.write_text("2\n")
        go.touch()
        assert watch.cycle()[-1]["outcome"] == "passed"
    else:
        go.touch()
        assert watch.cycle()[-1]["outcome"] == "passed"
        rate.write_text("2\n")
    assert watch.cycle()[-1]["outcome"] == "failed"


def test_a_save_while_the_tests_run(
    tmp_path: Path, write_tree: Callable[[Path, str], None], watching: Callable[..., Any]
) -> None:
    """S30: what ran on the old content proves nothing of the new one, nor of the old one after."""
    root, go = tmp_path / "project", tmp_path / "go"
    project = """
pytest.ini
    [pytest]
    pythonpath = .
consts.py
    A = 1
tests/test_consts.py
    import consts, pathlib, time
    def test_consts():
        while not pathlib.Path(GO).exists():
            time.sleep(0.01)
        assert consts.A < 3
"""
    write_tree(root, project.replace("GO", repr(str(go))))
    go.touch()
    watch = watching(root)
    assert watch.cycle()[-1]["outcome"] == "passed"
    go.unlink()
    (root / "consts.py").write_text("A = 2\n")
    watch.wait("test-started")
    (root / "consts.py").write_text("A = 3\n")
    watch.wait("cycle-started", trigger="change", changes=[MODIFIED])
    go.touch()
    while (last := watch.cycle()[-1])["outcome"] == "cancelled":
        pass
    assert last["outcome"] == "failed"
    (root / "consts.py").write_text("A = 2\n")
    events = watch.cycle()
    assert [e["outcome"] for e in events if e["event"] == "test-finished"] == ["passed"]


MODIFIED = {"path": "consts.py", "kind": "modified"}
