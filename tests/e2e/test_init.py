"""`devloop init` writes a devloop.toml that fits the project."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from devloop.config import schema
from devloop.config.load import Loaded, load

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[[Path, str], None]

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
SRC = """
pyproject.toml
src/shop/__init__.py
src/shop/main.py
    from fastapi import FastAPI
    app = FastAPI()
tests/test_shop.py
    from starlette.applications import Starlette
    app = Starlette()
.env
    A=1
package.json
    {"scripts": {"css": "x", "build:js": "y", "dev": "z", "test": "t", "precss": "p"}}
pnpm-lock.yaml
"""


def uncommented(text: str) -> str:
    """The file with every suggestion taken up."""
    return re.sub(r"^# (?=\[|[a-z-]+ = )", "", text, flags=re.MULTILINE)


@pytest.fixture
def init(devloop: Run, write_tree: Write, tmp_path: Path) -> Callable[[str], Loaded]:
    """Run `devloop init` in a project; its file loads as it is, and with all that it suggests."""

    def run(tree: str) -> Loaded:
        write_tree(tmp_path, tree)
        done = devloop("init")
        assert done.stderr == ""
        assert done.returncode == 0
        file = tmp_path / "devloop.toml"
        assert str(file) in done.stdout
        loaded = load(tmp_path)
        text = file.read_text()
        file.write_text(uncommented(text))
        load(tmp_path)
        file.write_text(text)
        return loaded

    return run


def test_an_empty_folder_gets_a_file_of_comments(
    init: Callable[[str], Loaded], tmp_path: Path
) -> None:
    """Nothing is set, and every table is shown."""
    loaded = init("")
    assert loaded.source == tmp_path / "devloop.toml"
    assert loaded.config == type(loaded.config)()
    text = (tmp_path / "devloop.toml").read_text()
    for table in ("[watch]", "[python]", "# [apps.web]", "[tests]", "# [steps.css]"):
        assert f"\n{table}\n" in text


def test_a_project_in_src(init: Callable[[str], Loaded], tmp_path: Path) -> None:
    """The app is served from where its module is; scripts that make files are suggested."""
    loaded = init(SRC)
    (app,) = loaded.config.apps.values()
    assert app.command == "uvicorn shop.main:app --app-dir src"
    assert app.env_file == ".env"
    assert loaded.config.steps == {}
    text = (tmp_path / "devloop.toml").read_text()
    (tmp_path / "devloop.toml").write_text(uncommented(text))
    full = load(tmp_path).config
    assert full.python.roots == ("src", ".")
    assert full.tests.paths == ("tests",)
    assert {name: step.command for name, step in full.steps.items()} == {
        "css": "pnpm run css",
        "build:js": "pnpm run build:js",
    }


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("main.py\n    api: object = fastapi.FastAPI()", {"web": "uvicorn main:api"}),
        ("app.py\n    app = Flask(__name__)", {"web": "flask --app app run"}),
        (
            "src/blog/__init__.py\n    from flask import Flask\n    site = Flask(__name__)",
            {"web": "flask --app src/blog:site run"},
        ),
        ("manage.py\n    # django", {"web": "python manage.py runserver"}),
        (
            "one/main.py\n    from starlette.applications import Starlette\n    app = Starlette()\n"
            "two/main.py\n    from starlette.applications import Starlette\n    app = Starlette()",
            {"one": "uvicorn one.main:app", "two": "uvicorn two.main:app --port 8001"},
        ),
        ("main.py\n    def make():\n        app = FastAPI()", {}),
        ("main.py\n    app = FastAPI(", {}),
        ("venv/pyvenv.cfg\nvenv/lib/x.py\n    app = FastAPI()", {}),
        ("node_modules/x.py\n    app = FastAPI()", {}),
    ],
)  # fmt: skip
def test_apps_are_found(init: Callable[[str], Loaded], text: str, commands: dict[str, str]) -> None:
    """Those that a module makes when it is imported, each with the command that serves it."""
    apps = init(text).config.apps
    assert {name: app.command for name, app in apps.items()} == commands


def test_an_environment_of_an_unusual_name_is_set(
    init: Callable[[str], Loaded], tmp_path: Path
) -> None:
    """It would not be found by itself."""
    program = tmp_path / "env39/bin/python"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    loaded = init("env39/pyvenv.cfg")
    assert loaded.config.python.interpreter == "env39/bin/python"


def test_names_from_elsewhere_are_quoted(init: Callable[[str], Loaded], tmp_path: Path) -> None:
    """Scripts and files may have any name."""
    init('package.json\n    {"scripts": {"a \\"b\\" \\u0007": "x", "": "y"}}\nwéird dir/x.py')
    assert (tmp_path / "devloop.toml").read_text().count("# [steps.") == 2


def test_a_file_that_is_there_is_kept(devloop: Run, tmp_path: Path) -> None:
    """Unless --force says otherwise."""
    file = tmp_path / "devloop.toml"
    file.write_text("mine")
    done = devloop("init")
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert file.read_text() == "mine"
    assert devloop("init", "--force").returncode == 0
    assert load(tmp_path).source == file


def test_the_schema_is_where_the_file_says(init: Callable[[str], Loaded], tmp_path: Path) -> None:
    """An editor finds it by the file's first line; git does not see it."""
    init("")
    first = (tmp_path / "devloop.toml").read_text().splitlines()[0]
    assert first == "#:schema ./.devloop/schema.json"
    assert (tmp_path / ".devloop/schema.json").read_text() == schema.render()
    assert (tmp_path / ".devloop/.gitignore").read_text() == "*\n"


def test_a_package_of_a_larger_repository_gets_its_own_file(
    devloop: Run, write_tree: Write, tmp_path: Path
) -> None:
    """A configuration further up is neither overwritten nor in the way."""
    write_tree(tmp_path, "devloop.toml\npackages/one/pyproject.toml")
    inner = tmp_path / "packages/one"
    assert devloop("init", cwd=inner).returncode == 0
    assert (inner / "devloop.toml").exists()
    assert (tmp_path / "devloop.toml").read_text() == ""


def test_a_folder_that_cannot_be_written_is_a_message(devloop: Run, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / ".devloop").touch()
    done = devloop("init")
    assert done.returncode == 4
    assert "cannot be written" in done.stderr


def test_an_editors_files_are_shown_and_written(devloop: Run, tmp_path: Path) -> None:
    """With --yes nobody is asked; what is there stays, and a second time changes nothing."""
    tasks = tmp_path / ".vscode/tasks.json"
    tasks.parent.mkdir()
    tasks.write_text('{\n  // mine\n  "tasks": [],\n}\n')
    done = devloop("init", "--editor", "vscode", "--editor", "zed", "--yes", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert '+      "label": "devloop: watch",' in done.stdout
    assert "-  // mine" not in done.stdout
    assert tasks.read_text().startswith('{\n  // mine\n  "tasks": [\n')
    assert (tmp_path / ".zed/tasks.json").exists()
    assert not (tmp_path / "devloop.toml").exists()
    again = devloop("init", "--editor", "zed", "--editor", "vscode")
    assert (again.returncode, again.stdout) == (0, "Nothing to change: zed, vscode is set up.\n")


def test_nobody_to_ask_changes_nothing(devloop: Run, tmp_path: Path) -> None:
    """Without a terminal the difference is shown, and what to pass."""
    done = devloop("init", "--editor", "emacs")
    assert done.returncode == 4
    assert "+++ .dir-locals.el" in done.stdout
    assert "--yes" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert devloop("init", "--yes").returncode == 4


@pytest.mark.parametrize(("answer", "there"), [("n", False), ("", False), ("y", True)])
def test_a_person_is_asked(
    devloop_command: tuple[str, ...],
    plain_environment: dict[str, str],
    tmp_path: Path,
    answer: str,
    there: bool,
) -> None:
    """The difference comes first; only a yes writes."""
    child = pexpect.spawn(
        devloop_command[0],
        [*devloop_command[1:], "init", "--editor", "bacon"],
        cwd=str(tmp_path),
        env=plain_environment,
        encoding="utf-8",
        timeout=120,
    )
    child.expect(r"\.bacon-locations → \.devloop/locations")
    child.expect(r"Write this file\? \[y/N\]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (tmp_path / ".bacon-locations").is_symlink() == there


def test_jetbrains_tools_are_those_of_the_user(devloop: Run, tmp_path: Path) -> None:
    """They go among the settings of the program; without one that is said."""
    done = devloop("init", "--editor", "jetbrains", "--yes")
    assert done.returncode == 4
    assert "Start it once" in done.stderr
    ide = tmp_path / "home/.config/JetBrains/PyCharm2026.1"
    ide.mkdir(parents=True)
    assert devloop("init", "--editor", "jetbrains", "--yes").returncode == 0
    assert "devloop watch" in (ide / "tools/External Tools.xml").read_text()


def test_the_devloop_of_the_project_is_the_one_that_editors_start(tmp_path: Path) -> None:
    """One that lies in the project's environment is named from the project's folder."""
    environment = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (environment / "bin/devloop").touch()
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}; from devloop.cli.main import run; "
        "sys.exit(run(['init', '--editor', 'zed', '--yes']))"
    )
    command = [str(environment / "bin/python"), "-c", program]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    text = (tmp_path / ".zed/tasks.json").read_text()
    assert '"command": "$ZED_WORKTREE_ROOT/.venv/bin/devloop"' in text
