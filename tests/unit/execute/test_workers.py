"""How many workers a run is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devloop.errors import MissingDistribution
from devloop.execute import workers
from devloop.execute.interpreter import Interpreter
from devloop.execute.workers import Workers, from_environment, makespan, names_xdist


def interpreter(**distributions: str) -> Interpreter:
    """One that has these."""
    return Interpreter(
        path="/env/bin/python", version=(3, 12, 0), cache_tag="cpython-312", prefix="/env",
        base_prefix="/usr", sys_path=(), sites=(), roots=(), plugins=(), stamp="",
        library=frozenset(),
        distributions={k.replace("_", "-"): v for k, v in distributions.items()},
    )  # fmt: skip


WITH = interpreter(pytest="8.0", pytest_xdist="3.8.0", pip="24")
WITHOUT = interpreter(pytest="8.0")


def choose(
    setting: Any, seconds: list[float | None], interpreter: Interpreter, **more: Any
) -> Workers:
    """Choose for a project whose tests do run side by side."""
    return workers.choose(setting, seconds, interpreter, lambda: True, **more)


def test_tests_that_never_ran_side_by_side_are_not_made_to() -> None:
    """However long they take; from half a minute on it is said what could be done."""
    alone = workers.choose("auto", [10.0] * 20, WITH, lambda: False, cpus=4)
    assert alone.count == 0
    assert alone.args == ()
    assert "workers = 4" in (alone.notice or "")
    fewer = workers.choose("auto", [20.0] * 2, WITH, lambda: False, cpus=4)
    assert fewer.notice == alone.notice  # one sentence, so that a session says it once
    assert workers.choose("auto", [1.0] * 20, WITH, lambda: False, cpus=4) == Workers()


def test_nothing_is_advised_on_a_guess() -> None:
    """Before a run was measured nobody knows that the tests take long (a first pass)."""
    guessed = workers.choose("auto", [None] * 1000, WITH, lambda: False, cpus=4)
    assert guessed == Workers()
    partly = workers.choose("auto", [5.0, *[None] * 99], WITH, lambda: False, cpus=4)
    assert partly == Workers()


def test_a_project_that_names_xdist_runs_its_tests_side_by_side(tmp_path: Path) -> None:
    """In any of the files that say what its tests need."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert not names_xdist(tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "tests.txt").write_text("pytest\npytest-xdist==3.8\n")
    assert names_xdist(tmp_path)


def test_a_short_run_is_one_process() -> None:
    """What takes a second or two is not worth starting workers for."""
    assert choose("auto", [0.5] * 4, WITH, cpus=4) == Workers()


def test_a_long_run_gets_workers_that_take_whole_files_in_order() -> None:
    """Up to one a core, never more than there are files."""
    chosen = choose("auto", [10.0] * 20, WITH, cpus=4)
    assert chosen.count == 4
    assert chosen.ours
    assert chosen.args == ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    assert choose("auto", [10.0] * 3, WITH, cpus=8).count == 3


def test_an_older_xdist_is_not_given_an_option_that_it_does_not_know() -> None:
    """`--no-loadscope-reorder` came with 3.7."""
    older = interpreter(pytest="8.0", pytest_xdist="3.6.1")
    assert "--no-loadscope-reorder" not in choose("auto", [10.0] * 20, older, cpus=2).args


def test_one_long_file_is_not_worth_workers() -> None:
    """Files are not split, so the longest one sets the time."""
    assert choose("auto", [60.0, 1.0, 1.0], WITH, cpus=4) == Workers()
    assert choose("auto", [60.0], WITH, cpus=4) == Workers()
    assert choose("auto", [60.0] * 2, WITH, cpus=1) == Workers()


def test_an_unknown_file_counts_as_the_others_do() -> None:
    """Without any knowledge a file counts a tenth of a second."""
    assert choose("auto", [5.0, None, None, None], WITH, cpus=2).count == 2
    assert choose("auto", [None] * 10, WITH, cpus=2) == Workers()
    assert choose("auto", [None] * 200, WITH, cpus=2).count == 2


def test_a_number_is_taken_as_it_is() -> None:
    """Even for one test; and zero turns off what pytest's settings ask for."""
    assert choose(3, [0.1], WITH) == Workers(3, ("-n", "3"))
    assert choose(0, [60.0] * 9, WITH) == Workers()
    assert choose(0, [60.0], WITH, addopts=("-n", "auto")) == Workers(args=("-n0",))
    assert choose(0, [60.0], WITHOUT, addopts=("-n", "auto")) == Workers()


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("-n2",), 2),
        (("--numprocesses=2",), 2),
        (("--numprocesses", "2"), 2),
        (("-n", "3", "-n0"), 0),
        (("-n", "logical"), 4),
        (("-n1000",), 32),
        (("--tx=popen",), 0),
        (("-n",), 0),
    ],
)
def test_the_users_own_arguments_decide(options: tuple[str, ...], count: int) -> None:
    """Whatever setting and prediction are; so many workers as they plainly ask for are ready."""
    assert choose("auto", [60.0] * 9, WITH, args=options, cpus=4) == Workers(count)
    assert choose(4, [60.0] * 9, WITH, args=options, cpus=4) == Workers(count)
    assert choose(4, [60.0] * 9, WITHOUT, args=options, cpus=4) == Workers()


def test_workers_of_pytests_settings_stand_unless_the_run_is_known_to_be_short() -> None:
    """A project with `-n auto` still gets the verdict of one quick test at once."""
    assert choose("auto", [60.0] * 9, WITH, addopts=("-n", "auto"), cpus=4) == Workers(4)
    assert choose("auto", [None], WITH, addopts=("-n", "auto"), cpus=4) == Workers(4)
    assert choose("auto", [0.1], WITH, addopts=("-n", "auto"), cpus=4) == Workers(args=("-n0",))


@pytest.mark.parametrize("options", [("-s",), ("--pdb",), ("-p", "no:xdist")])
def test_what_does_not_go_with_workers_keeps_them_away(options: tuple[str, ...]) -> None:
    """Uncaptured output and a debugger need one process."""
    assert choose("auto", [60.0] * 9, WITH, addopts=options, cpus=4) == Workers()


def test_a_missing_xdist_is_said_when_it_would_help() -> None:
    """As a hint for `auto`; as an error for a number, with the command that mends it."""
    hint = choose("auto", [60.0] * 9, WITHOUT, cpus=4).notice
    assert hint is not None
    assert "uv pip install --python /env/bin/python pytest-xdist" in hint
    assert choose("auto", [0.1], WITHOUT, cpus=4).notice is None
    with pytest.raises(MissingDistribution) as raised:
        choose(2, [0.1], WITHOUT)
    assert raised.value.exit_code == 4


def test_makespan_gives_the_next_file_to_the_first_free_worker() -> None:
    """In order, as `--dist loadfile` does."""
    assert makespan([3.0, 1.0, 1.0, 1.0], 2) == 3.0
    assert makespan([1.0, 1.0, 3.0], 2) == 4.0
    assert makespan([], 2) == 0.0


def test_pytest_addopts_that_cannot_be_split_is_left_to_pytest() -> None:
    """It says so itself."""
    assert from_environment({"PYTEST_ADDOPTS": "-n 2"}) == ("-n", "2")
    assert from_environment({"PYTEST_ADDOPTS": "'"}) == ()
