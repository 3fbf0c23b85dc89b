"""The project's interpreter: which one is taken, and what is found installed for it."""

from __future__ import annotations

import json
import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.config.types import Python
from devloop.errors import InterpreterError, MissingDistribution
from devloop.execute.interpreter import Interpreter, at_least, find, probe

RUNNING = "/somewhere/bin/python"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any distribution."""
    folder = tmp_path_factory.mktemp("pristine") / "env"
    venv.create(folder, symlinks=True, with_pip=False)
    return folder


@pytest.fixture
def env(tmp_path: Path, pristine: Path) -> Path:
    """An environment of the test's own."""
    folder = tmp_path / ".venv"
    venv.create(folder, symlinks=True, with_pip=False)
    return folder


def environment(**more: str) -> dict[str, str]:
    """The variables that an interpreter is started with."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return base | {"PYTHONNOUSERSITE": "1"} | more


def sites(env: Path) -> Path:
    """The environment's folder of distributions."""
    return next((env / "lib").glob("python*/site-packages"))


def install(env: Path, name: str, version: str, **files: str) -> None:
    """Put a distribution's metadata into an environment, as an installer would."""
    folder = sites(env) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    for file, text in files.items():
        (folder / file.replace("__", ".")).write_text(text)


def ask(env: Path, **more: str) -> Interpreter:
    """Probe an environment."""
    return probe(str(env / "bin" / "python"), env.parent, environment(**more))


def test_the_configured_interpreter_comes_first(tmp_path: Path, env: Path) -> None:
    """Relative to the root, with its link kept; an environment's folder will do; or from PATH."""
    active = {"VIRTUAL_ENV": str(env), **environment()}
    python = str(env / "bin" / "python")
    for given in (".venv/bin/python", ".venv", python):
        assert find(tmp_path, Python(interpreter=given), environment(), RUNNING) == python
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    given = "bin/python"
    assert find(tmp_path, Python(interpreter=given), active, RUNNING) == str(tmp_path / given)
    named = find(tmp_path, Python(interpreter="sh"), environment(), RUNNING)
    assert named.endswith("/sh")


def test_a_configured_interpreter_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It names the key, and what to do; nothing else is taken in its place."""
    with pytest.raises(InterpreterError) as raised:
        find(tmp_path, Python(interpreter="no/such/python"), environment(), RUNNING)
    assert raised.value.where == "[python] interpreter"
    assert str(tmp_path / "no/such/python") in raised.value.message
    assert raised.value.hint
    assert raised.value.exit_code == 4


def test_the_active_environment_comes_before_the_projects_folder(
    tmp_path: Path, env: Path, pristine: Path
) -> None:
    """$VIRTUAL_ENV, .venv, venv, and then the one that runs devloop."""
    active = environment(VIRTUAL_ENV=str(pristine))
    assert find(tmp_path, Python(), active, RUNNING) == str(pristine / "bin" / "python")
    assert find(tmp_path, Python(), environment(), RUNNING) == str(env / "bin" / "python")
    gone = environment(VIRTUAL_ENV=str(tmp_path / "gone"))
    assert find(tmp_path, Python(), gone, RUNNING) == str(env / "bin" / "python")
    env.rename(tmp_path / "venv")
    assert find(tmp_path, Python(), environment(), RUNNING) == str(tmp_path / "venv/bin/python")
    (tmp_path / "venv" / "pyvenv.cfg").unlink()
    assert find(tmp_path, Python(), environment(), RUNNING) == RUNNING


def test_a_probe_tells_what_the_interpreter_is(tmp_path: Path, env: Path) -> None:
    """Version, prefix, search path and distributions, names as indexes compare them."""
    install(env, "pytest", "8.3.5")
    install(env, "pytest-xdist", "3.6.1")
    install(env, "Zope.Interface", "7.0")
    (sites(env) / "old_one-1.2-py3.11.egg-info").mkdir()
    found = ask(env)
    assert found.version == sys.version_info[:3]
    assert found.cache_tag == sys.implementation.cache_tag
    assert found.prefix == str(env)
    assert found.base_prefix == sys.base_prefix
    assert found.sites == (str(sites(env)),)
    assert str(sites(env)) in found.sys_path
    assert not any("inside" in entry for entry in found.sys_path)
    assert found.pytest == "8.3.5"
    assert found.xdist == "3.6.1"
    assert found.distributions["zope-interface"] == "7.0"
    assert found.distributions["old-one"] == "1.2"
    assert found.library == sys.stdlib_module_names
    found.require_pytest()


def test_a_probe_starts_the_interpreter_as_the_project_does(tmp_path: Path, env: Path) -> None:
    """PYTHONPATH and .pth files are seen; what a sitecustomize prints does no harm."""
    extra = tmp_path / "extra"
    extra.mkdir()
    (sites(env) / "more.pth").write_text(f"{extra}\n")
    (sites(env) / "sitecustomize.py").write_text("print('hello')")
    other = tmp_path / "other"
    found = ask(env, PYTHONPATH=str(other))
    assert found.sys_path[0] == str(other)
    assert str(extra) in found.sys_path
    assert found.roots == (str(extra),)


def test_roots_of_installs_in_place_are_found(tmp_path: Path, env: Path) -> None:
    """By .pth line, by setuptools' mapping, and, for want of both, by direct_url.json."""
    for name in ("a/src", "b/src/bee/sub", "b/lib/ns/part", "c d/src", "e"):
        (tmp_path / name).mkdir(parents=True)
    (sites(env) / "__editable__.a.pth").write_text(f"# a comment\n{tmp_path}/a/src\n")
    (sites(env) / "__editable___b_finder.py").write_text(
        "from __future__ import annotations\n"
        f"MAPPING: dict[str, str] = {{'bee': {str(tmp_path / 'b/src/bee')!r}}}\n"
        f"NAMESPACES: dict[str, list[str]] = {{'ns.part': [{str(tmp_path / 'b/lib/ns/part')!r}]}}\n"
    )
    (sites(env) / "__editable__.b.pth").write_text("import __editable___b_finder\n")
    (sites(env) / "__editable___broken_finder.py").write_text("MAPPING = {")
    (sites(env) / "distutils-precedence.pth").write_text("import os\n")
    for name, folder in (("a", "a"), ("c", "c%20d"), ("e", "e")):
        url = json.dumps({"url": f"file://{tmp_path}/{folder}", "dir_info": {"editable": True}})
        install(env, name, "1.0", direct_url__json=url)
    install(env, "f", "1.0", direct_url__json='{"url": "file:///x", "dir_info": {}}')
    assert set(ask(env).roots) == {
        str(tmp_path / name) for name in ("a/src", "b/src", "b/lib", "c d/src", "e")
    }


def test_plugins_of_installs_in_place_are_found(tmp_path: Path, env: Path) -> None:
    """S15: a pytest11 entry point of an editable install; others are not the project's."""
    (tmp_path / "pkg").mkdir()
    url = json.dumps({"url": f"file://{tmp_path}", "dir_info": {"editable": True}})
    points = (
        "[console_scripts]\nx = pkg.cli:main\n\n[pytest11]\none = pkg.plugin\n"
        "two = pkg.other:Plugin [extra]\n"
    )
    install(env, "pkg", "1.0", direct_url__json=url, entry_points__txt=points)
    install(env, "foreign", "1.0", entry_points__txt="[pytest11]\nf = foreign.plugin\n")
    assert ask(env).plugins == ("pkg.other", "pkg.plugin")


def test_the_stamp_changes_with_what_is_installed(tmp_path: Path, env: Path) -> None:
    """S25: an upgrade to a patch level, and a reinstall of the same version."""
    install(env, "one", "1.0.0")
    first = ask(env)
    assert ask(env).stamp == first.stamp
    folder = sites(env) / "one-1.0.0.dist-info"
    folder.rename(sites(env) / "one-1.0.1.dist-info")
    second = ask(env)
    assert second.stamp != first.stamp
    os.utime(sites(env) / "one-1.0.1.dist-info", ns=(1, 1))
    assert ask(env).stamp != second.stamp


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("#!/bin/sh\necho 'no python' >&2; exit 3\n", "no python"),
        ("#!/bin/sh\nexit 3\n", "exit code 3"),
        ("#!/no/such/interpreter\n", "cannot be started"),
        ("#!/bin/sh\necho '{\"version\": [3, 8, 1]}'\n", "Python 3.8"),
    ],
)
def test_what_is_no_interpreter_that_devloop_can_use_is_said(
    tmp_path: Path, script: str, told: str
) -> None:
    """One message, with the key and what to do, and never a traceback."""
    program = tmp_path / "python"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(InterpreterError, match=told) as raised:
        probe(str(program), tmp_path, environment())
    assert raised.value.where == "[python] interpreter"
    assert raised.value.hint


def test_a_missing_pytest_is_said_with_the_command_that_installs_it(env: Path) -> None:
    """With pip where the environment has it, with uv where it has none."""
    with pytest.raises(MissingDistribution) as raised:
        ask(env).require_pytest()
    assert f"uv pip install --python {env}/bin/python pytest" in (raised.value.hint or "")
    install(env, "pip", "24.0")
    with pytest.raises(MissingDistribution) as raised:
        ask(env).require_pytest()
    assert f"{env}/bin/python -m pip install pytest" in (raised.value.hint or "")
    install(env, "pytest", "6.2.5")
    with pytest.raises(MissingDistribution, match="too old"):
        ask(env).require_pytest()


@pytest.mark.parametrize(
    ("version", "wanted", "answer"),
    [
        ("8.2.0", (8, 2), True),
        ("8.10", (8, 9), True),
        ("7.0.0rc1", (7, 0), True),
        ("3.6.1", (3, 7), False),
        ("9", (8, 2), True),
        ("local", (1,), False),
    ],
)
def test_versions_are_compared_by_number(
    version: str, wanted: tuple[int, ...], answer: bool
) -> None:
    """Not as text."""
    assert at_least(version, *wanted) is answer


def test_the_standard_library_is_that_of_the_interpreter(
    tmp_path: Path, interpreter: Callable[[str], str]
) -> None:
    """Modules came and went between the versions (PEP 594, PEP 680)."""
    libraries = {
        version: probe(interpreter(version), tmp_path, environment()).library
        for version in ("3.10", "3.13")
    }
    assert "tomllib" in libraries["3.13"] - libraries["3.10"]
    assert "telnetlib" in libraries["3.10"] - libraries["3.13"]
