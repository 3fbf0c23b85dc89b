"""Records and runs: what did not run is not clean, what has been seen before is not run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROJECT = """
pytest.ini
    [pytest]
    pythonpath = .
lib.py
    A = 1
    def one():
        return 1
    def two():
        return 2
other.py
    def three():
        return 3
tests/test_lib.py
    import lib
    def test_one():
        assert lib.one()
    def test_two():
        assert lib.two() == 2
    def test_a():
        assert lib.A == 1
tests/test_other.py
    import other
    def test_three():
        assert other.three() == 3
"""


def names(lab: Any) -> set[str]:
    """The names of the tests that are due."""
    return {nodeid.rpartition("::")[2] for nodeid in lab.due()}


def test_going_back_to_content_seen_before_selects_nothing(recorded: MakeLab) -> None:
    """S30: a branch switch there and back; each content is tested once."""
    project = recorded(PROJECT)
    main = {
        **project.edit("lib.py", "return 1", "return 1.0"),
        "other.py": "def three(): return 3.0\n",
    }
    before = project.write(main)
    assert names(project) == {"test_one", "test_three"}
    assert project.ran() == {"tests/test_lib.py::test_one", "tests/test_other.py::test_three"}
    assert project.due() == {}
    project.write(before)
    assert project.due() == {}
    project.write(main)
    assert project.due() == {}
    project.write(project.edit("other.py", "3.0", "3.5"))
    assert names(project) == {"test_three"}


def test_a_failure_is_due_until_it_passes_on_what_it_failed_on(recorded: MakeLab) -> None:
    """S34: an edit elsewhere does not hide it; taking the edit back ends it where that passed."""
    project = recorded(PROJECT)
    before = project.write(project.edit("lib.py", "return 2", "return 4"))
    assert project.ran(code=1) == {"tests/test_lib.py::test_two"}
    project.write(project.edit("other.py", "return 3", "return 3.0"))
    assert {"test_two", "test_three"} <= names(project)
    assert "test_one" not in names(project)
    assert project.run("test", "--pytest-args", "-k test_three").returncode == 0
    assert names(project) == {"test_two"}
    project.write(before)
    # It has passed on this content; yet it failed last, and running it again is never wrong.
    assert names(project) <= {"test_two"}
    assert project.run("test").returncode == 0
    assert project.due() == {}


def test_what_did_not_run_is_not_clean(recorded: MakeLab) -> None:
    """S32: `-x`, `-k` and a crash leave the rest due; what ended before is kept."""
    project = recorded(PROJECT)
    project.write(project.edit("lib.py", "A = 1\n", "A = 2\nB = 1\nimport os\n"))
    assert {"test_one", "test_two", "test_a"} <= names(project)
    assert project.run("test", "--pytest-args", "-x").returncode == 1
    assert "test_a" in names(project)
    assert "test_three" not in names(project)
    project.write(project.edit("lib.py", "A = 2", "A = 1"))
    assert project.run("test", "--pytest-args", "-k test_a").returncode == 0
    project.write(project.edit("lib.py", "return 2", "import os; os._exit(3)"))
    assert project.run("test").returncode == 3
    assert "test_two" in names(project)


def test_nothing_changes_nothing_is_due(recorded: MakeLab) -> None:
    """S33: comments, blank lines, a reformat, a touch; and a data file that nobody reads."""
    project = recorded(PROJECT)
    lib = project.root.joinpath("lib.py").read_text()
    project.root.joinpath("lib.py").touch()
    assert project.due() == {}
    project.write(
        {
            "lib.py": f"# first\n\n{lib}\n\n# last\n".replace(
                "return 1\n", "return (\n        1\n    )\n"
            )
        }
    )
    assert project.due() == {}
    project.write({"unread.bin": "x"})
    assert project.due() == {}


VOLATILE = """
pytest.ini
    [pytest]
    pythonpath = .
lib.py
    def one():
        return 1
tests/test_ids.py
    import time
    import pytest
    import lib
    @pytest.mark.parametrize("n", [str(time.time_ns())])
    def test_clock(n):
        assert lib.one() == 1
    def test_still():
        pass
"""


def test_ids_that_are_new_each_time(recorded: MakeLab) -> None:
    """S35: an id that is gone fails nothing; an edit that it ran selects the file's new ids."""
    project = recorded(VOLATILE)
    assert project.due() == {}
    project.write(project.edit("lib.py", "return 1", "return 2"))
    assert project.due()
    ran = project.ran(code=1)
    assert any("test_clock" in nodeid for nodeid in ran)


COPIES = """
pytest.ini
    [pytest]
conftest.py
    import os
    import pytest
    @pytest.fixture(autouse=True)
    def restored():
        before = os.environ.copy()
        yield
        os.environ.clear()
        os.environ.update(before)
tests/test_it.py
    def test_it():
        pass
"""


def test_another_terminal_selects_nothing(recorded: MakeLab) -> None:
    """S33: a copy of the environment holds what differs from one terminal to the next, too."""
    project = recorded(COPIES)
    project.environment.update(SSH_TTY="/dev/pts/9", TMUX_PANE="%7", VSCODE_PID="1")
    assert project.due() == {}
    project.environment["SHOP_MODE"] = "plain"
    (reason,) = project.due().values()
    assert (reason["kind"], reason["chain"][-1]) == ("variable", "the environment")


SPREAD = """
pytest.ini
    [pytest]
    pythonpath = .
    addopts = -n 2
lib.py
    def one():
        return 1
    def two():
        return 2
tests/test_one.py
    import lib
    def test_one():
        assert lib.one() == 1
tests/test_two.py
    import lib
    def test_two():
        assert lib.two() == 2
"""


def test_records_of_several_processes(recorded: MakeLab) -> None:
    """With pytest-xdist each test has its own record all the same."""
    project = recorded(SPREAD)
    found = project.check(project.edit("lib.py", "return 1", "return 3"), "::test_one")
    assert {nodeid.rpartition("::")[2] for nodeid in found} == {"test_one"}
