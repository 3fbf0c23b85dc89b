"""A faulty configuration, as the user of the command line meets it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        (
            "devloop.toml",
            b"[watch]\ndebouce = '1s'\n",
            "error: devloop.toml:2: watch.debouce: unknown key in [watch]; did you mean debounce?\n"
            "Valid keys: debounce, ignore, on-busy, paths.\n",
        ),
        (
            "pyproject.toml",
            b"[project]\nname = 'x'\n\n[tool.devloop.watch]\ndebounce = 20\n",
            "error: pyproject.toml:5: tool.devloop.watch.debounce: expected a duration with its "
            'unit, such as "20ms", got the number 20: a bare number has no unit\n'
            'Write "20ms" or "20s".\n',
        ),
        ("devloop.toml", b"[watch]\r\npaths = [\r\n", "error: devloop.toml:2: not valid TOML:"),
        ("devloop.toml", b"a = '\xff'", "error: devloop.toml:1: not UTF-8 text"),
        (
            "devloop.toml",
            b"[python]\ninterpreter = 'gone/bin/python'\n",
            "error: devloop.toml:2: python.interpreter: ",
        ),
        (
            "devloop.toml",
            b"[watch]\non-busy = 'queue'\n[tests]\npaths = ['tset']\n",
            'error: devloop.toml:4: tests.paths: there is no "tset" in ',
        ),
        (
            "devloop.toml",
            b"[apps.web]\ncommand = 'true'\nenv-file = '.'\n",
            "error: devloop.toml:3: apps.web.env-file: expected a file of variables, but",
        ),
        ("pyproject.toml", b"[project\n[tool.devloop]\n", "error: pyproject.toml:1:9: not valid"),
    ],
)
def test_a_fault_is_one_message_and_ends_with_4(
    devloop: Run, tmp_path: Path, file: str, content: bytes, expected: str
) -> None:
    """File, line, key, what was expected. Nothing is run, nothing is written."""
    (tmp_path / file).write_bytes(content)
    done = devloop("affected")
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.startswith(expected)
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("command", ["watch", "test", "build", "graph"])
def test_no_command_begins_with_a_faulty_configuration(
    devloop: Run, tmp_path: Path, command: str
) -> None:
    """Whatever was asked for."""
    (tmp_path / "devloop.toml").write_text("[wach]")
    done = devloop(command)
    assert done.returncode == 4
    assert "did you mean watch?" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["devloop.toml"]
