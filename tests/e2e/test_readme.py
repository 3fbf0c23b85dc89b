"""The README is true: its commands run, its examples load, its table is complete."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from devloop.cli.init import EDITORS
from devloop.cli.options import COMMANDS
from devloop.config.load import load
from devloop.config.types import DIAGNOSTIC_TOOLS, Config, OnBusy
from devloop.editors import setup
from devloop.loop.keys import ACTIONS, PROMPTS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Watch = Callable[..., "Watching"]

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

pytestmark = pytest.mark.usefixtures("all_plugins")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SET_UP = [text.strip() for kind, _, text in BLOCKS if kind == "sh" and "venv" in text]
USE = [
    line.partition("#")[0].strip()
    for kind, _, text in BLOCKS
    if kind == "sh"
    for line in text.splitlines()
    if line.startswith("devloop")
]


def keys(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a table and of the tables in it, with its default."""
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.encode_name}"
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        tables = list(_tables(field.type))
        if not tables or name.endswith(".ready"):
            yield name, default
        for table, many in tables:
            yield from keys(table, f"{name}.NAME." if many else f"{name}.")


def _tables(kind: Any, many: bool = False) -> Iterator[tuple[type[msgspec.Struct], bool]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind, many
    for inner in getattr(kind, "__args__", ()):
        yield from _tables(inner, many or getattr(kind, "__origin__", None) is dict)


def as_toml(value: Any) -> str:
    """A default as it would stand in the file."""
    return "{}" if value == {} else json.dumps(value)


def test_the_table_has_every_key_with_its_default() -> None:
    """No key is missing, none is made up, and the defaults are those of the code."""
    rows = dict(re.findall(r"^\| `([\w.-]+)` \| (.+?) \|", README, re.MULTILINE))
    rows = {name: cell for name, cell in rows.items() if "." in name}
    expected = dict(keys(Config))
    assert list(rows) == sorted(rows, key=list(expected).index)
    assert set(rows) == set(expected)
    for name, default in expected.items():
        if default is msgspec.NODEFAULT:
            assert rows[name] == "required"
        elif default is None:
            assert "`" not in rows[name]
        else:
            assert rows[name] == f"`{as_toml(default)}`", name


def test_words_that_keys_take_are_named() -> None:
    """The choices of `on-busy` and the tools of `diagnostics` are all there."""
    for word in (*OnBusy.__args__, *DIAGNOSTIC_TOOLS):  # type: ignore[attr-defined]
        assert f"`{word}`" in README


@pytest.mark.parametrize(
    ("file", "text"),
    [(file or "devloop.toml", text) for kind, file, text in BLOCKS if kind == "toml"],
)
def test_every_configuration_loads(tmp_path: Path, file: str, text: str) -> None:
    """An example of a configuration has no fault and is not passed over."""
    (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "src").mkdir()
    interpreter = tmp_path / ".venv/bin/python"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(sys.executable)
    loaded = load(tmp_path)
    assert loaded.config != Config()
    assert loaded.source == tmp_path / file


def test_every_editor_is_shown() -> None:
    """The table of editors is that of the command, which knows all that there are."""
    assert list(EDITORS) == list(setup.EDITORS)
    table = README[README.index("| `--editor` |") :].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == EDITORS


def test_every_command_is_shown() -> None:
    """Each subcommand that a user would type stands in the README, and none that is not there."""
    shown = {line.split()[1] for line in USE}
    there = {name for names in COMMANDS.values() for name in names}
    assert shown <= there
    assert there - shown == {"completion"}


@pytest.fixture
def project(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> Path:
    """A small project in git that has all that the README's commands speak of."""
    root = tmp_path / "project"
    write_tree(
        root,
        """
        main.py
            from starlette.applications import Starlette
            app = Starlette()
        tests/test_main.py
            import main
            def test_app():
                assert main.app
        devloop.toml
            [steps.page]
            command = "python -c \\"open('page', 'w')\\""
            outputs = ["page"]
        .gitignore
            page
            __pycache__
        pytest.ini
            [pytest]
            pythonpath = .
        """,
    )
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "Begin"], check=True)
    return root


@pytest.mark.parametrize("line", USE)
def test_every_command_runs(
    project: Path, started_devloop: Run, watching: Watch, line: str
) -> None:
    """Each line of the README does its work and ends well."""
    _, *words = shlex.split(line)
    if words[0] == "init":
        (project / "devloop.toml").unlink()
    if words[0] in ("status", "trigger"):
        watching(project, UVICORN_PORT="0").wait("cycle-finished")
    done = started_devloop(*words, cwd=project, DEVLOOP_ONCE="1", UVICORN_PORT="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    """What `.ci/run` takes from the README is the end of the second set-up line."""
    (expression,) = re.findall(r"sed -n '(.*)' README\.md", (ROOT / ".ci/run").read_text())
    taken = subprocess.run(
        ["sed", "-n", expression, "README.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert SET_UP[1].endswith(f".venv/bin/{taken.strip()}")
    assert taken == "python -m pytest -n auto\n"


@pytest.mark.slow
def test_the_first_command_works_on_a_fresh_machine(tmp_path: Path) -> None:
    """From a copy of the checkout, with nothing but Python: installed, run, ended by itself."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    copy = tmp_path / "devloop"
    for name in filter(None, os.fsdecode(names).split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    python = tmp_path / "bin/python3"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith(("PYTHON", "VIRTUAL_ENV", "DEVLOOP_", "PYTEST_"))
    }
    done = subprocess.run(
        ["sh", "-c", SET_UP[0]],
        cwd=copy,
        # Most of what is installed is never imported here.
        env={**kept, "PATH": f"{python.parent}:{os.defpath}", "PIP_COMPILE": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_the_table_of_keys_is_complete() -> None:
    """Every key that does something is in it, and none else."""
    section = README.partition("## Keys")[2].partition("## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`(.+?)`", row)}
    named = {"\r": "Enter", "\n": "Enter", " ": "space"}
    there = {named.get(key, key) for key in (*ACTIONS, *PROMPTS)}
    assert told == there | {"h", "?"}


def test_the_pictures_are_there() -> None:
    """What the README shows lies beside it."""
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert "docs/terminal.svg" in pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
