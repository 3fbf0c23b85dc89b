"""Where a problem is shown that no line of a source is known for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devloop.report.plain import PROBLEM

Run = Callable[..., "subprocess.CompletedProcess[str]"]

CONFIG = """\
[apps.web]
command = "no-such-program"

[steps]
css.command = "python -c 'raise SystemExit(2)'"

[tests]
args = ["--no-such-option"]
"""


def places(stdout: str) -> list[tuple[str, str]]:
    """Place and message of each problem line."""
    found = [match for line in stdout.splitlines() if (match := PROBLEM.match(line))]
    return [(f"{one['path']}:{one['line']}", one["message"]) for one in found]


def write(root: Path, **files: str) -> None:
    """Write files; a dot in a name is written as two underscores."""
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize("shared", [False, True])
def test_what_fails_as_a_whole_is_shown_at_its_table(
    devloop: Run, tmp_path: Path, shared: bool
) -> None:
    """In devloop.toml as in pyproject.toml, as lines and as events."""
    name, text, before = "devloop.toml", CONFIG, 0
    if shared:
        name, text, before = "pyproject.toml", "[project]\nname = 'x'\n" + CONFIG, 2
        for table in ("apps.web", "steps", "tests"):
            text = text.replace(f"[{table}]", f"[tool.devloop.{table}]")
    (tmp_path / name).write_text(text)
    write(tmp_path, test_a__py="def test_a(): pass\n")
    done = devloop("watch", "--once", "--reporter", "plain")
    assert done.returncode != 0
    found = places(done.stdout)
    wanted = [f"{name}:{line + before}" for line in (1, 5, 7)]
    assert [place for place, _ in found] == wanted, done.stdout + done.stderr
    for (_, message), start in zip(found, ("app web: ", "step css: ", ""), strict=True):
        assert message.startswith(start)
    done = devloop("watch", "--once", "--reporter", "jsonl")
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    told = {e["source"]: (e["path"], e["line"]) for e in events if e["event"] == "diagnostic"}
    assert told == {
        "web": (name, 1 + before),
        "css": (name, 5 + before),
        "pytest": (name, 7 + before),
    }


def test_what_an_app_printed_comes_before_its_table(devloop: Run, tmp_path: Path) -> None:
    """The innermost frame of the project is where a person has to look."""
    write(
        tmp_path,
        devloop__toml='[apps.web]\ncommand = "python main.py"\n',
        main__py="import shop\n",
        shop__py="\n\nx = 1 / 0\n",
    )
    done = devloop("watch", "--once", "--reporter", "plain")
    place, message = places(done.stdout)[-1]
    assert place == "shop.py:3"
    assert message.startswith("app web: it ended with exit code 1 before it was ready: ZeroDiv")


def test_a_command_given_by_hand_is_shown_at_what_it_names(devloop: Run, tmp_path: Path) -> None:
    """Without a configuration: the file that it enters, or else one that marks the project."""
    write(tmp_path, main__py="raise SystemExit(3)\n", pyproject__toml="[project]\nname = 'x'\n")
    watch = ("watch", "--once", "--reporter", "plain", "--")
    done = devloop(*watch, "python", "main.py")
    assert [place for place, _ in places(done.stdout)] == ["main.py:1"]
    done = devloop(*watch, "python", "-c", "raise SystemExit(3)")
    assert [place for place, _ in places(done.stdout)] == ["pyproject.toml:1"]


def test_a_step_that_waits_for_a_failed_one_is_no_problem_of_its_own(
    devloop: Run, tmp_path: Path
) -> None:
    """The one that failed is; it was told once."""
    write(
        tmp_path,
        devloop__toml="[steps.a]\ncommand = 'false'\n[steps.b]\ncommand = 'true'\nneeds = ['a']\n",
    )
    done = devloop("build", "--reporter", "plain")
    assert done.returncode == 1
    assert [place for place, _ in places(done.stdout)] == ["devloop.toml:1"]
    assert "step b: failed: it needs the step a" in done.stdout
