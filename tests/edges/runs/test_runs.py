"""A run of pytest: what is chosen, in which order, told as it happens, as `python -m pytest`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest

from devloop import events
from devloop.execute import bytecode

if TYPE_CHECKING:
    from tests.edges.runs.conftest import Project

pytestmark = pytest.mark.anyio

ORDERED = """
    pkg/__init__.py
    pkg/test_c.py
        def test_2(): pass
        def test_1(): pass
    test_a.py
        def test_a(): pass
    tests/__init__.py
    tests/test_b.py
        import pytest
        @pytest.mark.parametrize("n", [3, 1, 2])
        def test_n(n): pass
        class TestClass:
            def test_m(self): pass
    tests/test_unchosen.py
        raise RuntimeError("not even imported")
"""


async def test_files_run_in_the_given_order_and_tests_in_their_own(
    project: Callable[[str], Project], start: Literal["warm", "cold"]
) -> None:
    """Files run in the order of the selection, whatever the folders; other files are not read."""
    made = project(ORDERED)
    result = await made.run("tests/test_b.py", "test_a.py", "pkg/test_c.py", workers=0)
    assert list(made.outcomes()) == [
        "tests/test_b.py::test_n[3]",
        "tests/test_b.py::test_n[1]",
        "tests/test_b.py::test_n[2]",
        "tests/test_b.py::TestClass::test_m",
        "test_a.py::test_a",
        "pkg/test_c.py::test_2",
        "pkg/test_c.py::test_1",
    ]
    assert result.finished.outcome == "passed"
    assert result.finished.passed == 7
    assert result.ran.whole == {
        "tests/test_b.py": frozenset(result.collected["tests/test_b.py"]),
        "test_a.py": frozenset({"test_a.py::test_a"}),
        "pkg/test_c.py": frozenset({"pkg/test_c.py::test_1", "pkg/test_c.py::test_2"}),
    }
    assert made.of(events.RunCollected) == [events.RunCollected(total=7)]
    assert made.events[0] == events.RunStarted(selected=3, start=start)
    assert made.events[-1] == result.finished


async def test_only_the_due_tests_of_a_file_run(project: Callable[[str], Project]) -> None:
    """Of a file with nodeids just those run; it is collected wholly, but not known wholly."""
    made = project(ORDERED)
    due = ["tests/test_b.py::test_n[2]", "tests/test_b.py::TestClass::test_m"]
    result = await made.run(("tests/test_b.py", due), "test_a.py", workers=0)
    assert list(made.outcomes()) == [*due, "test_a.py::test_a"]
    assert len(result.collected["tests/test_b.py"]) == 4
    assert result.ran.whole.keys() == {"test_a.py"}
    assert result.deselected == frozenset()


async def test_a_vanished_nodeid_is_resolved_again(project: Callable[[str], Project]) -> None:
    """The whole file runs, as nobody knows what the test is called now; nothing fails for it."""
    made = project(ORDERED)
    result = await made.run(("tests/test_b.py", ["tests/test_b.py::test_n[7]"]), workers=0)
    assert result.finished.outcome == "passed"
    assert len(made.outcomes()) == 4
    assert "tests/test_b.py::test_n[7]" not in result.ran.whole["tests/test_b.py"]


async def test_without_a_selection_everything_that_pytest_finds_runs(
    project: Callable[[str], Project],
) -> None:
    """Doctests and the like are found too, just as without devloop."""
    made = project("""
        pytest.ini
            [pytest]
            addopts = --doctest-glob=*.md
        README.md
            >>> 1 + 1
            2
        test_a.py
            def test_a(): pass
    """)
    await made.run(workers=0)
    assert made.outcomes() == {"README.md::README.md": "passed", "test_a.py::test_a": "passed"}


async def test_results_come_as_they_happen(project: Callable[[str], Project]) -> None:
    """The first test's outcome is told while the second still runs."""
    made = project("""
        test_a.py
            import pathlib, time
            def test_a(): pass
            def test_b():
                while not pathlib.Path("go").exists():
                    time.sleep(0.01)
    """)
    run = made.start("test_a.py", workers=0)
    async with anyio.create_task_group() as group:
        group.start_soon(run.wait)
        await made.until(
            lambda e: isinstance(e, events.TestStarted) and e.nodeid == "test_a.py::test_b"
        )
        assert made.outcomes() == {"test_a.py::test_a": "passed"}
        assert run.remaining() == (("test_a.py::test_b",), ())
        (made.root / "go").touch()
    assert list(made.outcomes().values()) == ["passed", "passed"]


async def test_a_test_has_one_outcome_of_all_its_phases(
    project: Callable[[str], Project],
) -> None:
    """Set-up and teardown count; a failure's text is pytest's own, with what was printed."""
    made = project("""
        test_a.py
            import pytest

            @pytest.fixture
            def bad_teardown():
                yield
                raise RuntimeError("after")

            def test_teardown(bad_teardown): pass
            def test_both(bad_teardown):
                print("printed")
                assert [1, 2] == [1, 3]
            def test_setup(no_such_fixture): pass
            def test_skipped(): pytest.skip("no moon")
            @pytest.mark.xfail
            def test_xfailed(): assert 0
            @pytest.mark.xfail
            def test_xpassed(): pass
            @pytest.mark.xfail(strict=True)
            def test_strict(): pass
    """)
    result = await made.run("test_a.py", workers=0)
    assert list(made.outcomes().values()) == [
        "error", "failed", "error", "skipped", "xfailed", "xpassed", "failed",
    ]  # fmt: skip
    both = made.of(events.TestFinished)[1]
    assert both.traceback is not None
    assert both.traceback.startswith("bad_teardown = None\n\n    def test_both(")
    assert "At index 1 diff: 2 != 3" in both.traceback
    assert "RuntimeError: after" in both.traceback
    assert both.captured == (("Captured stdout call", "printed\n"),)
    finished = result.finished
    assert (finished.passed, finished.failed, finished.skipped, finished.errors) == (1, 2, 2, 2)
    assert finished.outcome == "failed"


async def test_a_problem_stands_at_the_innermost_line_of_the_project(
    project: Callable[[str], Project],
) -> None:
    """Not in the standard library, not in a helper that hides itself, else at the test."""
    made = project("""
        src.py
            import json
            def load(text):
                return json.loads(text)
        helper.py
            def check(value):
                __tracebackhide__ = True
                assert value
        test_a.py
            import src, helper
            def test_deep():
                src.load("{")
            def test_hidden():
                helper.check(0)
            def test_fixture(no_such_fixture):
                pass
    """)
    await made.run("test_a.py")
    assert [(d.path, d.line, d.message.partition(":")[0]) for d in made.of(events.Diagnostic)] == [
        ("src.py", 3, "JSONDecodeError"),
        ("test_a.py", 5, "helper.check(0)"),
        ("test_a.py", 6, "fixture 'no_such_fixture' not found"),
    ]
    assert {d.source for d in made.of(events.Diagnostic)} == {"pytest"}


STATE = """
    pytest.ini
        [pytest]
        addopts = -p no:cacheprovider --strict-config --strict-markers
        filterwarnings = error
    conftest.py
        import json, os, signal, sys, threading

        def state():
            import __main__
            links = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
            descriptors = [os.readlink(link) for link in links if os.path.exists(link)]
            return {
                "path": sys.path,
                "argv0": sys.argv[0],
                "main": [__main__.__name__, __main__.__spec__.name, __main__.__file__],
                "environ": sorted(set(os.environ) - {"PYTEST_CURRENT_TEST", "DEVLOOP_PROCESS"}),
                "threads": threading.active_count(),
                "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
                "cwd": os.getcwd(),
                "sockets": len([name for name in descriptors if name.startswith("socket:")]),
                "inherited": sum(os.get_inheritable(int(n)) for n in os.listdir("/proc/self/fd")
                                 if int(n) > 2 and os.path.exists(f"/proc/self/fd/{n}")),
            }
    tests/test_state.py
        import json, os, pathlib, subprocess, sys
        from conftest import state

        def test_state(request):
            pathlib.Path(os.environ["STATE"]).write_text(json.dumps(state()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_tests_meet_what_they_meet_without_devloop(
    project: Callable[[str], Project], tmp_path: Path
) -> None:
    """`sys.path`, `__main__`, environment, threads: all as under `python -m pytest`.

    The one thing more is devloop's socket, which no subprocess inherits.
    """
    made = project(STATE)
    made.env["PYTHONWARNINGS"] = "error"
    seen: dict[str, dict[str, Any]] = {}
    for name in ("plain", "devloop"):
        made.env["STATE"] = str(tmp_path / name)
        if name == "plain":
            command = [made.interpreter.path, "-m", "pytest", "-q"]
            done = await anyio.run_process(command, cwd=made.root, env=made.env, check=False)
            assert done.returncode == 0, done.stdout.decode()
        else:
            result = await made.run("tests/test_state.py", workers=0)
            assert result.finished.outcome == "passed"
        seen[name] = json.loads((tmp_path / name).read_text())
    assert seen["devloop"].pop("sockets") == seen["plain"].pop("sockets") + 1
    assert seen["devloop"] == seen["plain"]
    assert seen["plain"]["path"][0] == str(made.root / "tests")
    assert seen["plain"]["path"][1] == str(made.root)


async def test_nodeids_are_relative_to_the_project_wherever_pytests_rootdir_is(
    project: Callable[[str], Project],
) -> None:
    """A project below the folder of pytest.ini: its nodeids are those that it can be given."""
    made = project("""
        pytest.ini
            [pytest]
        part/tests/test_a.py
            def test_a(): pass
            def test_b(): assert 0
    """)
    due = ["tests/test_a.py::test_b"]
    result = await made.run(("tests/test_a.py", due), root=made.root / "part", workers=0)
    assert made.outcomes() == {"tests/test_a.py::test_b": "failed"}
    assert [d.path for d in made.of(events.Diagnostic)] == ["tests/test_a.py"]
    assert result.collected.keys() == {"tests/test_a.py"}


async def test_what_the_users_options_leave_out_is_told_apart(
    project: Callable[[str], Project],
) -> None:
    """S32: `-m` of the configuration leaves tests out for good, `-k` of one call just this once."""
    made = project("""
        test_a.py
            import pytest
            def test_one(): pass
            def test_two(): pass
            @pytest.mark.usefixtures()
            def test_marked(): pass
    """)
    for_good = await made.run("test_a.py", args=("-m", "not usefixtures"), workers=0)
    assert for_good.deselected == {"test_a.py::test_marked"}
    assert for_good.ran.whole == {
        "test_a.py": frozenset({"test_a.py::test_one", "test_a.py::test_two"})
    }
    once = await made.run("test_a.py", once=("-k", "one"), workers=0)
    assert once.deselected >= {"test_a.py::test_two"}
    assert once.ran.whole.keys() == set()


async def test_last_failed_narrows_a_run_and_is_left_as_pytest_keeps_it(
    project: Callable[[str], Project],
) -> None:
    """With `--lf` nothing is known wholly; a run of other files keeps what had failed."""
    made = project("""
        test_a.py
            def test_bad(): assert 0
            def test_good(): pass
        test_b.py
            def test_b(): pass
    """)
    await made.run("test_a.py", workers=0)
    await made.run("test_b.py", workers=0)
    kept = json.loads((made.root / ".pytest_cache/v/cache/lastfailed").read_text())
    assert kept == {"test_a.py::test_bad": True}
    made.events.clear()
    result = await made.run("test_a.py", args=("--lf",), workers=0)
    assert made.outcomes() == {"test_a.py::test_bad": "failed"}
    assert result.ran.whole == {}


async def test_uncaptured_output_is_passed_through_and_only_that(
    project: Callable[[str], Project],
) -> None:
    """With `-s` what tests print comes as events; pytest's own lines do not."""
    made = project("""
        test_a.py
            import os
            def test_a(): print("from the test")
            def test_b(): os.system("echo from a child")
    """)
    await made.run("test_a.py", args=("-s",), workers=0)
    lines = [line for e in made.of(events.Output) for line in e.text.splitlines()]
    assert lines == ["from the test", "from a child"]
    assert {e.source for e in made.of(events.Output)} == {"tests"}


async def test_captured_output_is_not_passed_through(project: Callable[[str], Project]) -> None:
    """Without `-s` nothing that is printed is told, but with a failure."""
    made = project("test_a.py\n    def test_a(): print('from the test')")
    await made.run("test_a.py", workers=0)
    assert not made.of(events.Output)


async def test_a_forked_child_does_not_speak_for_its_test(
    project: Callable[[str], Project],
) -> None:
    """A child of `os.fork` that runs on into pytest tells nothing; its parent's outcome stands."""
    made = project("""
        test_a.py
            import os
            def test_a():
                child = os.fork()
                if child == 0:
                    assert False, "in the child"
                os.waitpid(child, 0)
            def test_b(): pass
    """)
    result = await made.run("test_a.py", workers=0)
    assert made.outcomes() == {"test_a.py::test_a": "passed", "test_a.py::test_b": "passed"}
    assert result.finished.outcome == "passed"


async def test_two_quick_saves_of_one_length_run_the_last_bytes(
    project: Callable[[str], Project],
) -> None:
    """P23: test, helper and a subprocess run what was saved last, whatever is cached."""
    made = project("""
        helper.py
            V = 1
        test_v.py
            import subprocess, sys
            import helper
            W = 1
            def test_v():
                said = subprocess.run(
                    [sys.executable, "-c", "import helper; print(helper.V)"],
                    capture_output=True, text=True, check=True,
                ).stdout
                print(W, helper.V, said)
                assert False
    """)
    assert "PYTHONDONTWRITEBYTECODE" not in made.env
    paths = ["helper.py", "test_v.py"]
    (made.root / "helper.py").write_text("V = 1\n")
    stamp = (made.root / "helper.py").stat().st_mtime_ns
    for value in (1, 2, 3):
        for path in paths:
            file = made.root / path
            file.write_text(file.read_text().replace(f"= {value - 1 or 1}\n", f"= {value}\n"))
            os.utime(file, ns=(stamp, stamp))  # the same second, for certain
        bytecode.drop(paths, made.root)
        made.events.clear()
        await made.run("test_v.py", workers=0)
        (test,) = made.of(events.TestFinished)
        assert test.captured[0][1].split() == [str(value)] * 3
        assert list((made.root / "__pycache__").glob("*.pyc"))


@pytest.mark.slow
async def test_a_run_of_many_tests_needs_no_long_command_line(
    project: Callable[[str], Project],
) -> None:
    """A thousand nodeids of some length, far more than fit into a pipe at once, are handed over."""
    made = project(f"""
        test_many.py
            import pytest
            @pytest.mark.parametrize("n", range(1001))
            def test_with_a_{"long_" * 80}name(n): pass
    """)
    name = f"test_many.py::test_with_a_{'long_' * 80}name"
    due = [f"{name}[{n}]" for n in range(1, 1001)]
    result = await made.run(("test_many.py", due), workers=0)
    assert result.finished.outcome == "passed"
    assert result.finished.passed == 1000
    assert list(made.outcomes()) == due
