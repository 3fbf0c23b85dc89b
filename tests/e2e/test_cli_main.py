"""The command line as a whole: help, exit codes, messages, pipes, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest

import devloop as package
from devloop.cli.main import group
from devloop.cli.options import COMMANDS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SUBCOMMANDS = [name for names in COMMANDS.values() for name in names]


def test_version(started_devloop: Run) -> None:
    """One line, on standard output."""
    done = started_devloop("--version")
    assert done.stdout == f"devloop {package.__version__}\n"
    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command_with_examples(started_devloop: Run, arguments: list[str]) -> None:
    """Without arguments devloop shows its help; it says what to type."""
    done = started_devloop(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    for name in SUBCOMMANDS:
        assert f" {name} " in done.stdout
    assert "devloop watch -- uvicorn main:app" in done.stdout


@pytest.mark.parametrize("columns", ["40", "80", "400"])
@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_command_has_help_that_fits_the_window(devloop: Run, name: str, columns: str) -> None:
    """Every option is explained, in a narrow window too, and no control codes go into a pipe."""
    done = devloop(name, "--help", COLUMNS=columns, TERM="dumb")
    assert done.returncode == 0
    assert f"devloop {name}" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= int(columns)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["wach"], 'error: "wach" is not a command; did you mean `devloop watch`?\n'),
        (["frobnicate"], 'error: "frobnicate" is not a command\n'),
        (["watch", "--onec"], "--once"),
        (["watch", "--debounce", "20"], "expected a duration with its unit"),
        (["watch", "--poll=soon"], "expected a duration with its unit"),
        (["watch", "--poll=0s"], "expected a duration above zero"),
        (["watch", "--debounce=1h"], "expected at most 60s"),
        (["watch", "--on-busy", "panic"], "restart"),
        (["watch", "--once", "--postpone"], "cannot go together"),
        (["test", "--since", "main", "--staged"], "--since and --staged cannot go together"),
        (["test", "--all", "--staged"], "--all and --staged cannot go together"),
        (["test", "--pytest-args", "'"], "--pytest-args: no closing quotation"),
        (["test", "--pytest-args", "-x --pdb"], "--pytest-args: --pdb needs a terminal"),
        (["test", "missing_test.py"], "no such file or folder: missing_test.py"),
        (["test", "--output", "events"], "--output events goes with --reporter jsonl"),
        (["build", "cs"], '"cs" is not a step; did you mean "css"?'),
        (["affected", "--since", "main", "--staged"], "cannot go together"),
        (["-C", "missing", "watch"], "missing"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_a_wrong_command_line_is_named_and_ends_with_4(
    devloop: Run, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    """What was wrong, what may have been meant, and where the help is; never a traceback."""
    (tmp_path / "devloop.toml").write_text('[steps.css]\ncommand = "true"\n')
    done = devloop(*arguments)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_every_flag_has_a_variable_and_the_flag_counts_before_it(
    devloop: Run, tmp_path: Path
) -> None:
    """The flag is taken before the variable; both are, before the configuration is looked at."""
    (tmp_path / "devloop.toml").write_text("[wach]")
    wrong = devloop("watch", DEVLOOP_DEBOUNCE="20")
    assert 'expected a duration with its unit, such as 20ms or 5s, got "20"' in wrong.stderr
    assert "unknown key" in devloop("watch", "--debounce", "5ms", DEVLOOP_DEBOUNCE="20").stderr
    assert "cannot go together" in devloop("test", DEVLOOP_STAGED="1", DEVLOOP_ALL="1").stderr


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_variable_is_named_after_its_flag(name: str) -> None:
    """--on-busy is DEVLOOP_ON_BUSY, whatever the code calls it."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
            named = option.envvar or f"DEVLOOP_{(option.name or '').upper()}"
            assert named == f"DEVLOOP_{flag}"


@pytest.mark.parametrize("name", ["watch", "test", "build", "affected", "graph", "clean"])
def test_where_there_is_no_project_nothing_is_done(devloop: Run, tmp_path: Path, name: str) -> None:
    """The message says what to do."""
    home = tmp_path / "home/empty"
    home.mkdir(parents=True)
    done = devloop(name, cwd=home)
    assert done.returncode == 4
    assert done.stderr.startswith(f"error: no project in {home}")
    assert "devloop init" in done.stderr
    assert list(home.iterdir()) == []


def test_the_command_works_in_another_folder(devloop: Run, tmp_path: Path) -> None:
    """-C is as if one had changed there first; DEVLOOP_DIRECTORY is the same."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.py").touch()
    assert str(project) in devloop("-C", project, "clean").stdout
    assert str(project) in devloop("clean", DEVLOOP_DIRECTORY=str(project)).stdout


@pytest.mark.parametrize(
    ("shell", "marks"), [("bash", "complete -o"), ("zsh", "#compdef devloop"), ("fish", "complete")]
)
def test_completion_prints_a_script_for_each_shell(devloop: Run, shell: str, marks: str) -> None:
    """The script calls devloop, which completes commands and options."""
    done = devloop("completion", shell)
    assert done.returncode == 0
    assert marks in done.stdout
    assert "_DEVLOOP_COMPLETE" in done.stdout


def test_commands_and_options_are_completed(devloop: Run) -> None:
    """What the scripts ask for."""
    commands = devloop(_DEVLOOP_COMPLETE="bash_complete", COMP_WORDS="devloop ", COMP_CWORD="1")
    assert {line.removeprefix("plain,") for line in commands.stdout.split()} >= {*SUBCOMMANDS}
    options = devloop(
        _DEVLOOP_COMPLETE="bash_complete", COMP_WORDS="devloop watch --on", COMP_CWORD="2"
    )
    assert options.stdout.split() == ["plain,--once", "plain,--on-busy"]


def test_colours_are_for_terminals_and_for_who_forces_them(started_devloop: Run) -> None:
    """NO_COLOR forbids them, FORCE_COLOR demands them."""
    assert "\x1b" not in started_devloop("wach").stderr
    assert "\x1b[31m" in started_devloop("wach", FORCE_COLOR="1").stderr
    assert "\x1b" not in started_devloop("wach", FORCE_COLOR="1", NO_COLOR="1").stderr


def test_a_reader_that_goes_away_is_no_error(
    devloop_command: Sequence[str], plain_environment: dict[str, str], tmp_path: Path
) -> None:
    """`devloop … | head` ends quietly, as any program that a SIGPIPE ends."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*devloop_command, "--help"],
        env=plain_environment,
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


BROKEN = """
import sys
sys.path.insert(0, {repository!r})
import devloop.cli.clean
import devloop.config.root
from devloop.cli.main import run

def fail(start):
    raise {error}

find_root = devloop.config.root.find_root
devloop.config.root.find_root = lambda start: (
    setattr(devloop.config.root, "find_root", find_root), fail(start)
)
sys.exit(run(["clean"]))
"""


@pytest.mark.parametrize("inside", [True, False])
def test_an_unforeseen_error_is_one_message_and_a_file(
    tmp_path: Path, plain_environment: dict[str, str], inside: bool
) -> None:
    """The traceback goes into the project's .devloop/, or where temporary files go."""
    folder = tmp_path / "home/project"
    folder.mkdir(parents=True)
    if inside:
        (folder / "main.py").touch()
    done = run_broken(folder, plain_environment | {"TMPDIR": str(tmp_path)}, "ValueError('odd')")
    assert done.returncode == 3
    assert done.stderr.startswith("error: devloop itself has failed: ValueError: odd\n")
    assert "Traceback" not in done.stderr
    (report,) = (folder / ".devloop" if inside else tmp_path).glob("*crash-*.txt")
    assert str(report) in done.stderr
    assert "ValueError: odd" in report.read_text()
    assert f"devloop {package.__version__}, Python " in report.read_text()


def test_an_interrupt_ends_with_130(tmp_path: Path, plain_environment: dict[str, str]) -> None:
    """Quietly."""
    done = run_broken(tmp_path, plain_environment, "KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "")


def run_broken(
    folder: Path, environment: dict[str, str], error: str
) -> subprocess.CompletedProcess[str]:
    """Run `devloop clean` with an error where the project is looked for."""
    program = BROKEN.format(repository=str(Path(__file__).parents[2]), error=error)
    return run_program(program, folder, environment)


def run_program(
    code: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run some code in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def imported_by(program: str, launcher: str, environment: dict[str, str], folder: Path) -> set[str]:
    """The modules that are imported once a program has run with devloop's own path."""
    code = launcher.replace("main()", "") + program
    code += "import json\nprint(json.dumps(list(sys.modules)))\n"
    done = run_program(code, folder, environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_quick_command_imports_little(
    devloop_command: Sequence[str], plain_environment: dict[str, str], tmp_path: Path
) -> None:
    """rich, psutil, anyio and the file watcher are imported by those who use them."""
    program = (
        "from devloop.cli.main import run\n"
        "from devloop.cli import affected, build, test, watch, why, graph\n"
        "from devloop.cli.options import find_project\n"
        "assert run(['--version']) == 0\n"
        "find_project(command=('x',))\n"
    )
    imported = imported_by(program, devloop_command[-1], plain_environment, tmp_path)
    assert not imported & {
        "rich",
        "rich_click",
        "psutil",
        "anyio",
        "asyncio",
        "watchfiles",
        "pathspec",
        "sqlite3",
    }


def test_what_has_nothing_to_do_imports_no_more_than_it_needs(
    devloop: Run, devloop_command: Sequence[str], plain_environment: dict[str, str], tmp_path: Path
) -> None:
    """A question about known sources starts no event loop; a run without apps has no psutil."""
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    assert devloop("test").returncode == 0
    asked, ran = (
        imported_by(
            f"from devloop.cli.main import run\nassert run([{name!r}]) == 0\n",
            devloop_command[-1],
            plain_environment,
            tmp_path,
        )
        for name in ("affected", "test")
    )
    assert not asked & {"asyncio", "ssl", "psutil", "rich", "rich_click"}
    assert not ran & {"psutil", "rich", "rich_click"}


def test_sigpipe_is_what_the_exit_code_says() -> None:
    """141 is what a shell shows for a program that SIGPIPE ended."""
    from devloop.cli.main import READER_GONE

    assert READER_GONE == 128 + signal.SIGPIPE
