"""`devloop doctor` names what is wrong, with its mend."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devloop.checkup import files
from devloop.config.types import Watch
from devloop.store.presence import hold

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[[Path, str], None]


@pytest.fixture
def doctor(devloop: Run, write_tree: Write, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run `devloop doctor` on a tree; gives what it found that is not well, by subject."""

    def run(tree: str, **environment: str) -> dict[str, Any]:
        write_tree(tmp_path, tree)
        done = devloop("doctor", "--format", "json", **environment)
        assert done.stderr == ""
        report = json.loads(done.stdout)
        assert report["v"] == 1
        assert report["root"] == str(tmp_path)
        bad = [finding for finding in report["findings"] if finding["severity"] != "ok"]
        assert done.returncode == int(any(finding["severity"] == "error" for finding in bad))
        assert all(finding["mend"] for finding in bad)
        return {finding["subject"]: finding for finding in bad}

    return run


def test_a_healthy_project_has_nothing_to_mend(
    devloop: Run, write_tree: Write, tmp_path: Path
) -> None:
    """Everything that was looked at is listed; nothing is changed."""
    write_tree(tmp_path, "pyproject.toml\ntests/test_it.py\n    def test_it(): pass")
    done = devloop("doctor")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith(" ok, 0 to look at, 0 to mend")
    for subject in ("interpreter", "pytest", "git", "watch limit", "store", "file system"):
        assert f"ok       {subject}" in done.stdout
    assert "nothing is remembered yet" in done.stdout
    assert "test files: 1" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "tests"]


def test_outside_a_project_there_is_nothing_to_look_at(devloop: Run, tmp_path: Path) -> None:
    """As for every other command."""
    home = tmp_path / "home"
    home.mkdir()
    done = devloop("doctor", cwd=home)
    assert done.returncode == 4
    assert "no project" in done.stderr


def test_a_faulty_configuration_does_not_end_the_examination(
    doctor: Callable[..., dict[str, Any]],
) -> None:
    """It is one finding among others."""
    found = doctor("devloop.toml\n    [wach]\njson.py")
    assert "did you mean watch?" in found["configuration"]["message"]
    assert found["configuration"]["severity"] == "error"
    assert "json.py" in found["sys.path"]["message"]


@pytest.mark.parametrize(
    ("config", "subject", "severity", "message"),
    [
        ("[apps.web]\ncommand = 'no-such-program x'", "app web", "error", "no-such-program"),
        ("[apps.web]\ncommand = './missing'", "app web", "error", "missing"),
        ("[apps.web]\ncommand = 'sh'\ncwd = 'gone'", "app web", "error", "gone"),
        ("[apps.web]\ncommand = 'sh'\nenv-file = 'gone'", "app web", "warning", "gone"),
        ("[steps.a]\ncommand = 'no-such-program'", "step a", "error", "no-such-program"),
        ("[steps.a]\ncommand = 'sh'\ninputs = ['*.x']", "step a", "warning", "*.x"),
        ("[watch]\npaths = ['gone']", "watch.paths", "error", "gone"),
        ("[python]\nroots = ['gone']", "python.roots", "error", "gone"),
        ("[tests]\npaths = ['gone']", "tests.paths", "error", "gone"),
    ],
)
def test_what_is_configured_is_looked_for(
    doctor: Callable[..., dict[str, Any]],
    tmp_path: Path,
    config: str,
    subject: str,
    severity: str,
    message: str,
) -> None:
    """Programs, folders, files: what is not there is named."""
    (tmp_path / "devloop.toml").write_text(config)
    found = doctor("")
    assert set(found) == {subject}
    assert found[subject]["severity"] == severity
    assert message in found[subject]["message"]


def test_programs_of_the_project_s_environment_are_found(
    doctor: Callable[..., dict[str, Any]],
) -> None:
    """They come first on PATH; inputs that another step makes need not be there yet."""
    assert not doctor(
        "devloop.toml\n"
        "    [apps.web]\n    command = 'pytest'\n"
        "    [steps.a]\n    command = 'sh'\n    outputs = ['out/*.css']\n"
        "    [steps.b]\n    command = 'sh'\n    inputs = ['out/all.css']\n",
        PATH="/usr/bin:/bin",
    )


def test_an_interpreter_without_pytest(
    doctor: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The command that installs it is given."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True, timeout=120
    )
    found = doctor("test_it.py")
    assert found["pytest"]["severity"] == "error"
    assert f"{tmp_path}/.venv/bin/python" in found["pytest"]["mend"]


def test_an_interpreter_that_does_not_run(
    doctor: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """A file of that name is not enough."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    program.chmod(0o755)
    found = doctor("devloop.toml\n    [python]\n    interpreter = './python'")
    assert "broken" in found["interpreter"]["message"]


def test_variables_that_change_imports(doctor: Callable[..., dict[str, Any]]) -> None:
    """They work for every Python that is started."""
    assert "/somewhere" in doctor("main.py", PYTHONPATH="/somewhere")["sys.path"]["message"]


def test_a_port_that_is_taken(doctor: Callable[..., dict[str, Any]]) -> None:
    """The app could not listen there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = (
            f"devloop.toml\n    [apps.web]\n    command = 'sh'\n    ready = {{ port = {port} }}"
        )
        assert str(port) in doctor(config)["app web"]["message"]
        url = f"ready = {{ http = 'http://localhost:{port}/' }}"
        config = f"devloop.toml\n    [apps.web]\n    command = 'sh'\n    {url}"
        assert str(port) in doctor(config)["app web"]["message"]


def test_a_foreign_folder_in_the_store_s_place(doctor: Callable[..., dict[str, Any]]) -> None:
    """Nothing is written into it."""
    assert doctor("main.py\n.devloop/other")["store"]["severity"] == "error"


def test_another_watch_is_no_fault(devloop: Run, tmp_path: Path) -> None:
    """It is mentioned; a second `watch` and `clean` refuse to begin."""
    (tmp_path / "main.py").touch()
    with hold(tmp_path):
        assert f"one runs here, pid {os.getpid()}" in devloop("doctor").stdout
        for command in ("watch", "clean"):
            done = devloop(command)
            assert done.returncode == 4
            assert f"(pid {os.getpid()})" in done.stderr
    assert "no `devloop watch` runs here" in devloop("doctor").stdout


def test_a_watch_limit_that_is_too_low(write_tree: Write, tmp_path: Path) -> None:
    """The command that raises it is given."""
    write_tree(tmp_path, "a/x.py\nb/y.py\nnode_modules/z/z.js")
    limits = tmp_path / "limits"
    limits.mkdir()
    (limits / "max_user_watches").write_text("2\n")
    survey = files.survey(tmp_path, Watch())
    found = {f.subject: f for f in files.watching(tmp_path, Watch(), survey, limits=limits)}
    assert found["watch limit"].severity == "warning"
    assert "sysctl fs.inotify.max_user_watches" in (found["watch limit"].mend or "")
    assert found["ignored"].message == "node_modules/"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_folder_that_cannot_be_read(
    doctor: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """It is not watched."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    assert "closed" in doctor("main.py")["folders"]["message"]
    closed.chmod(0o700)


PROJECT = """
pyproject.toml
    [project]
    name = "Nowhere.Known"
    dependencies = ["click>=8", "no_such[x]>=2", "no-such", "gone; python_version < '3'", {more}]
    [tool.pytest.ini_options]
    pythonpath = [{path}]
src/nowhere/__init__.py
"""


def test_what_the_project_needs_is_looked_for(doctor: Callable[..., dict[str, Any]]) -> None:
    """By the names in pyproject.toml, in whichever spelling; those with a marker are left out."""
    found = doctor(PROJECT.format(more="", path="'src'"))
    assert found.keys() == {"dependencies"}
    assert found["dependencies"]["severity"] == "warning"
    assert found["dependencies"]["message"].endswith("in pyproject.toml: no_such, no-such")
    assert "python3 -m venv .venv" in found["dependencies"]["mend"]
    found = doctor(PROJECT.format(more="'a','b','c','d'", path="'src'") + "uv.lock\n")
    assert found["dependencies"]["message"].endswith("no_such, no-such, a, b, c and 1 more")
    assert found["dependencies"]["mend"] == "Run: uv sync"


def test_sources_that_no_test_can_import_are_named(doctor: Callable[..., dict[str, Any]]) -> None:
    """A project in src/ is imported as installed: not at all, or another copy than is edited."""
    found = doctor(PROJECT.format(more="", path=""))
    assert "Nowhere.Known is not installed" in found["src"]["message"]
    assert 'pythonpath = ["src"]' in found["src"]["mend"]
    found = doctor(PROJECT.format(more="", path="").replace("Nowhere.Known", "Click"))
    assert "Click is installed as a copy" in found["src"]["message"]


@pytest.mark.parametrize("text", ["[project", "project = 1", "[project]\n    dependencies = 1"])
def test_a_strange_pyproject_needs_nothing(
    doctor: Callable[..., dict[str, Any]], text: str
) -> None:
    """What is wrong with it is no matter of what is installed."""
    assert "dependencies" not in doctor(f"pyproject.toml\n    {text}\nmain.py")


def test_a_folder_is_no_environment_file(doctor: Callable[..., dict[str, Any]]) -> None:
    """It is said in words, and is an error: `watch` does not begin with it."""
    found = doctor(
        "devloop.toml\n    [apps.web]\n    command = 'sh'\n    env-file = 'conf'\nconf/a"
    )
    assert found["app web"]["message"] == 'its env-file, "conf", is a folder'
    assert found["app web"]["severity"] == "error"


def test_folders_of_one_name_are_counted(tmp_path: Path) -> None:
    """What is ignored in many places is one entry; git's own folder is none."""
    for name in (".git", "a/__pycache__", "b/__pycache__", "node_modules"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("__pycache__/\nnode_modules/\n")
    survey = files.survey(tmp_path, Watch())
    found = {finding.subject: finding for finding in files.watching(tmp_path, Watch(), survey)}
    assert found["ignored"].message == "node_modules/, __pycache__/ in 2 places"


def test_a_file_that_is_broken_is_one_finding(doctor: Callable[..., dict[str, Any]]) -> None:
    """It holds devloop's settings and pytest's; where they are two files, both are named."""
    broken = "pyproject.toml\n    [project\nmain.py\n"
    assert doctor(broken).keys() == {"configuration"}
    found = doctor(f"{broken}devloop.toml\n    [wach]\n")
    assert found["configuration"]["message"].startswith("pyproject.toml:1:9")
    found = doctor("pyproject.toml\npytest.ini\n    [pytest\ndevloop.toml\n    [wach]\n")
    assert found.keys() == {"configuration", "pytest's settings"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (">=3.10", None),
        (">=3.10, !=3.9.*, <4", None),
        (">=3.99", "and pyproject.toml says >=3.99"),
        ("<3.10", "and pyproject.toml says <3.10"),
        ("3.12", '"3.12" in pyproject.toml says no versions'),
    ],
)
def test_the_interpreter_is_one_that_the_project_takes(
    doctor: Callable[..., dict[str, Any]], wanted: str, message: str | None
) -> None:
    """An installer would refuse another one, and tests may fail there for no other reason."""
    found = doctor(f'pyproject.toml\n    [project]\n    requires-python = "{wanted}"\n')
    assert found.keys() == (set() if message is None else {"requires-python"})
    if message is not None:
        assert found["requires-python"]["severity"] == "warning"
        assert message in found["requires-python"]["message"]
