"""What runs a project's code, asked of real environments and configuration files."""

from __future__ import annotations

import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.config.load import load
from devloop.errors import ConfigError, InterpreterError
from devloop.events import Change
from devloop.execute.interpreter import probe
from devloop.loop.toolchain import Toolchain

Write = Callable[[Path, str], None]


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """An environment in the project, without any distribution."""
    folder = tmp_path / ".venv"
    venv.create(folder, symlinks=True, with_pip=False)
    return folder


def toolchain(root: Path, python: str = sys.executable, *, finder: str = "1") -> Toolchain:
    """That of a project."""
    return Toolchain(root, load(root), probe(python, root, os.environ), finder)


def sites(env: Path) -> Path:
    """The environment's folder of distributions."""
    return next((env / "lib").glob("python*/site-packages"))


def test_what_an_older_devloop_has_recorded_holds_no_longer(tmp_path: Path) -> None:
    """It may have missed on what a test depends; every outcome depends on these facts."""
    before = toolchain(tmp_path).facts()
    assert toolchain(tmp_path).facts() == before
    assert toolchain(tmp_path, finder="2").facts() != before


def test_pytests_settings_decide_where_tests_and_modules_are(
    tmp_path: Path, write_tree: Write
) -> None:
    """What devloop's own configuration says of the tests comes first."""
    write_tree(
        tmp_path,
        """
        pytest.ini
            [pytest]
            testpaths = checks
            python_files = check_*.py
            pythonpath = lib
            addopts = -p helpers.plugin
        """,
    )
    files = ["lib/mod.py", "checks/check_a.py", "other/check_b.py", "helpers/plugin.py"]
    layout = toolchain(tmp_path).layout(files)
    assert {path for path in files if layout.is_test(path)} == {"checks/check_a.py"}
    assert "lib" in layout.roots
    assert "helpers.plugin" in layout.always
    (tmp_path / "devloop.toml").write_text('[tests]\npaths = ["other"]\n')
    layout = toolchain(tmp_path).layout(files)
    assert {path for path in files if layout.is_test(path)} == {"other/check_b.py"}


def test_the_standard_library_of_the_project_counts(
    tmp_path: Path, interpreter: Callable[[str], str]
) -> None:
    """A helper has the name of a module that is in one Python and not in the other."""
    files = ["tools/telnetlib.py", "tools/tomllib.py", "main.py"]
    names = {}
    for version in ("3.10", "3.13"):
        layout = toolchain(tmp_path, interpreter(version)).layout(files)
        names[version] = {path: layout.module_names(path) for path in files[:2]}
    assert "telnetlib" not in names["3.10"]["tools/telnetlib.py"]
    assert "telnetlib" in names["3.13"]["tools/telnetlib.py"]
    assert "tomllib" in names["3.10"]["tools/tomllib.py"]
    assert "tomllib" not in names["3.13"]["tools/tomllib.py"]


def test_an_install_is_another_fact(tmp_path: Path, env: Path) -> None:
    """Who uses it depends on it; nothing changes before it is asked about again."""
    python = str(env / "bin" / "python")
    tools = toolchain(tmp_path, python)
    before = tools.facts()
    (sites(env) / "new-1.0.dist-info").mkdir()
    assert tools.look_again(installed=False, configured=True) is None
    assert tools.facts() == before
    assert tools.look_again(installed=True, configured=False) is None
    after = tools.facts()
    assert [key for key in after if after[key] != before.get(key)] == ["<distribution new>"]
    assert tools.interpreter.distributions["new"] == "1.0"


@pytest.mark.parametrize("table", ["args = ['-x']", "env = { A = '1' }", "paths = ['a']"])
def test_the_tests_table_is_a_fact(tmp_path: Path, table: str) -> None:
    """What tests are given may change what comes of them."""
    before = toolchain(tmp_path).facts()
    (tmp_path / "devloop.toml").write_text(f"[tests]\n{table}\n")
    after = toolchain(tmp_path).facts()
    assert [key for key in after if after[key] != before[key]] == ["<the [tests] table>"]


def test_what_cannot_be_asked_again_leaves_what_was_known(tmp_path: Path, env: Path) -> None:
    """A half-written file, an interpreter that is being replaced: the reason is given."""
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\n")
    tools = toolchain(tmp_path, str(env / "bin" / "python"))
    (tmp_path / "pytest.ini").write_text("[pytest\n")
    assert isinstance(tools.look_again(installed=False, configured=True), ConfigError)
    assert tools.settings.python_files == ("check_*.py",)
    known = tools.interpreter
    (env / "bin" / "python").unlink()
    assert isinstance(tools.look_again(installed=True, configured=False), InterpreterError)
    assert tools.interpreter is known


def test_the_files_that_configure_pytest_need_not_be_there(tmp_path: Path) -> None:
    """One that comes may take the place of the one that counts."""
    (tmp_path / "setup.cfg").write_text("[tool:pytest]\n")
    assert {"setup.cfg", "pytest.ini", "pyproject.toml"} <= toolchain(tmp_path).configuration
    (tmp_path / "devloop.toml").write_text("[tests]\nargs = ['-c', 'conf/mine.ini']\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/mine.ini").write_text("[pytest]\n")
    assert "conf/mine.ini" in toolchain(tmp_path).configuration


def test_scripts_of_the_environment_are_python(tmp_path: Path, env: Path) -> None:
    """By their first line; a program of that name on PATH is none of them."""
    for name, head in (("serve", f"#!{env}/bin/python"), ("tool", "#!/bin/sh")):
        (env / "bin" / name).write_text(f"{head}\n")
    tools = toolchain(tmp_path, str(env / "bin" / "python"))
    assert tools.is_script("serve")
    assert not tools.is_script("tool")
    assert not tools.is_script("ls")
    assert not tools.is_script("./serve")


def test_an_install_that_no_watch_tells_of_is_found(tmp_path: Path, env: Path) -> None:
    """What comes and goes between the first question and the first watch is a change as well."""
    (sites(env) / "old.dist-info").mkdir()
    chain = toolchain(tmp_path, str(env / "bin" / "python"))
    assert chain.installed_unwatched() == ()
    (sites(env) / "old.dist-info").rename(sites(env) / "new.dist-info")
    folder = sites(env).relative_to(tmp_path).as_posix()
    assert chain.installed_unwatched() == (
        Change(f"{folder}/new.dist-info", "created"),
        Change(f"{folder}/old.dist-info", "deleted"),
    )
    assert chain.look_again(installed=True, configured=False) is None
    assert chain.installed_unwatched() == ()
