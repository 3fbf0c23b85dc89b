"""Cached bytecode of changed files is dropped (trap P23)."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devloop.execute.bytecode import SETTLED, Edited, drop


@pytest.fixture
def environ() -> dict[str, str]:
    """An environment in which Python caches, as it does for users."""
    hidden = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def save(path: Path, text: str) -> None:
    """Save with the one modification time that two quick saves share."""
    path.write_text(text)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def run(cwd: Path, environ: dict[str, str], *arguments: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("flags", [[], ["-O"], ["-OO"]])
def test_the_last_bytes_run(tmp_path: Path, environ: dict[str, str], flags: list[str]) -> None:
    """Two saves of one length within a second: an import sees the second."""
    module = tmp_path / "m.py"
    save(module, "V = 1\n")
    assert run(tmp_path, environ, *flags, "-c", "import m; print(m.V)") == "1\n"
    save(module, "V = 2\n")
    # The fault that is guarded against: were it mended in Python, this guard could go.
    assert run(tmp_path, environ, *flags, "-c", "import m; print(m.V)") == "1\n"
    assert len(drop(["m.py"], tmp_path)) == 1
    assert run(tmp_path, environ, *flags, "-c", "import m; print(m.V)") == "2\n"


def test_what_was_cached_after_the_edit_stays(tmp_path: Path, environ: dict[str, str]) -> None:
    """A source that was edited once is not compiled at each start; the next edit drops it."""
    module = tmp_path / "m.py"
    save(module, "V = 1\n")
    run(tmp_path, environ, "-c", "import m")
    assert drop(["m.py"], tmp_path, margin=0) == []
    assert len(drop(["m.py"], tmp_path)) == 1, "so soon it may be of what was there before"
    run(tmp_path, environ, "-c", "import m")
    save(module, "V = 2\n")
    assert len(drop(["m.py"], tmp_path, margin=0)) == 1


def test_what_was_put_there_from_elsewhere_goes(tmp_path: Path, environ: dict[str, str]) -> None:
    """An old cache that is copied or moved back after the edit has one late time, not two."""
    module = tmp_path / "m.py"
    save(module, "V = 1\n")
    run(tmp_path, environ, "-c", "import m")
    (cached,) = (tmp_path / "__pycache__").iterdir()
    save(module, "V = 2\n")
    cached.rename(tmp_path / "aside.pyc")
    (tmp_path / "aside.pyc").rename(cached)
    assert drop(["m.py"], tmp_path, margin=0) == [str(cached)]


def test_a_link_that_leads_elsewhere_is_an_edit(tmp_path: Path, environ: dict[str, str]) -> None:
    """What it leads to may be older than what is cached, and of one checkout with the last one."""
    for name in ("a", "b"):
        save(tmp_path / f"{name}.py", f"V = '{name}'\n")
    module = tmp_path / "m.py"
    module.symlink_to("a.py")
    run(tmp_path, environ, "-c", "import m")
    assert drop(["m.py"], tmp_path, margin=0) == []
    module.unlink()
    module.symlink_to("b.py")
    assert len(drop(["m.py"], tmp_path, margin=0)) == 1
    assert run(tmp_path, environ, "-c", "import m; print(m.V)") == "b\n"


def test_what_pytest_has_rewritten_is_dropped(tmp_path: Path, environ: dict[str, str]) -> None:
    """The cache of pytest's own, which until pytest 9 trusted the same pair, goes too."""
    test = tmp_path / "test_it.py"
    pytest_run = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    save(test, "def test_it():\n    assert 1\n")
    assert "1 passed" in run(tmp_path, environ, *pytest_run)
    save(test, "def test_it():\n    assert 0\n")
    (dropped,) = drop(["test_it.py"], tmp_path)
    assert "-pytest-" in dropped
    assert "1 failed" in run(tmp_path, environ, *pytest_run)


@pytest.mark.parametrize("absolute", [True, False])
def test_a_cache_elsewhere_is_found(
    tmp_path: Path, environ: dict[str, str], absolute: bool
) -> None:
    """PYTHONPYCACHEPREFIX of the project's environment is respected."""
    project = tmp_path / "project"
    project.mkdir()
    prefix = str(tmp_path / "cache") if absolute else "cache"
    environ["PYTHONPYCACHEPREFIX"] = prefix
    save(project / "m.py", "V = 1\n")
    assert run(project, environ, "-c", "import m; print(m.V)") == "1\n"
    save(project / "m.py", "V = 2\n")
    assert drop(["m.py"], project) == []
    assert len(drop(["m.py"], project, [prefix])) == 1
    assert run(project, environ, "-c", "import m; print(m.V)") == "2\n"


def test_a_deleted_module_leaves_nothing_to_import(tmp_path: Path, environ: dict[str, str]) -> None:
    """Bytecode beside a source (``compileall -b``) would be imported in its place (S29)."""
    module = tmp_path / "m.py"
    module.write_text("V = 1\n")
    assert compileall.compile_file(module, quiet=1, legacy=True)
    module.unlink()
    assert run(tmp_path, environ, "-c", "import m; print(m.V)") == "1\n"
    drop(["m.py"], tmp_path)
    assert run(tmp_path, environ, "-c", "import m; print(m.V)") == ""


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    """Other modules' caches stay, and so does a file that only has the name of one."""
    cache = tmp_path / "pkg" / "__pycache__"
    cache.mkdir(parents=True)
    kept = ["a_b.cpython-311.pyc", "ab.cpython-311.pyc", "a.cpython-311.txt"]
    for name in [*kept, "a.cpython-310.pyc", "a.cpython-311.opt-1.pyc"]:
        (cache / name).write_bytes(b"")
    (tmp_path / "pkg" / "a.pyc").write_text("these are notes")
    (tmp_path / "pkg" / "page.html").write_text("")
    drop(["pkg/a.py", "pkg/page.html", "gone/b.py"], tmp_path)
    assert sorted(path.name for path in cache.iterdir()) == sorted(kept)
    assert (tmp_path / "pkg" / "a.pyc").exists()


def test_an_edit_is_forgotten_once_nothing_old_can_be_cached(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of edits does not make each start look at all files that were ever edited."""
    edited = Edited(tmp_path)
    save(tmp_path / "m.py", "V = 1\n")
    edited.add(["m.py"])
    run(tmp_path, environ, "-c", "import m")
    edited.drop()
    assert not list(tmp_path.glob("__pycache__/m.*"))
    assert edited.paths == {"m.py"}, "who read it before may cache it yet"
    later = time.monotonic() + SETTLED
    monkeypatch.setattr(time, "monotonic", lambda: later)
    run(tmp_path, environ, "-c", "import m")
    edited.drop()
    assert not list(tmp_path.glob("__pycache__/m.*")), "it was cached while nobody looked"
    assert edited.paths == set()
