"""Runs that have begun before they are wanted meet what others meet."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from devloop.execute import holders
from devloop.execute.interpreter import Interpreter
from devloop.execute.warm_tests import POSSIBLE

if TYPE_CHECKING:
    from tests.edges.runs.warm.conftest import Pair

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not POSSIBLE, reason="nothing is forked here"),
]

PID = """
    test_it.py
        import os, pathlib
        def test_it():
            pathlib.Path("pid").write_text(str(os.getpid()))
"""


async def outcome(made: Pair) -> str | None:
    """What a run comes to that has gone ahead when something changes."""
    return (await made.run()).finished.outcome


async def gone_ahead(made: Pair) -> int:
    """Wait until the next run has gone ahead; gives its process id."""
    with anyio.fail_after(60):
        while (pid := made.warm.ahead) is None:  # noqa: ASYNC110 - it is told by nobody
            await anyio.sleep(0.01)
    return pid


async def test_a_run_is_the_process_that_has_gone_ahead(pair: Callable[[str], Pair]) -> None:
    """Once for each run, for as long as nothing else changes than the project's modules."""
    made = pair(PID)
    args = ("test_it.py",)
    await made.teach(args=args)
    pids = set()
    for _ in range(3):
        pid = await gone_ahead(made)
        with (made.root / "test_it.py").open("a") as file:
            file.write("# edited\n")
        assert (await made.run(args=args)).finished.outcome == "passed"
        assert int((made.root / "pid").read_text()) == pid
        pids.add(pid)
    assert len(pids) == 3


async def test_settings_of_now_are_those_that_count(pair: Callable[[str], Pair]) -> None:
    """They are edited after the run has gone ahead."""
    made = pair("""
        test_it.py
            import warnings
            def test_it():
                warnings.warn("here")
    """)
    await made.teach()
    await gone_ahead(made)
    (made.root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    assert await outcome(made) == "failed"


async def test_the_root_of_a_run_is_that_of_now(pair: Callable[[str], Pair]) -> None:
    """A setup.py makes its folder the root, though pytest never opens it."""
    made = pair("""
        sub/test_it.py
            import pathlib
            def test_it(request):
                below = request.config.rootpath.name == "sub"
                assert pathlib.Path("sub/setup.py").exists() == below
    """)
    (made.root / "pytest.ini").unlink()
    await made.teach(args=("sub",))
    await gone_ahead(made)
    (made.root / "sub/setup.py").touch()
    assert (await made.run(args=("sub",))).finished.outcome == "passed"


async def test_modules_are_run_as_they_are_cached_when_they_are_wanted(
    pair: Callable[[str], Pair],
) -> None:
    """Their code is made ahead, and may be another one by then: a test's, and a helper's."""
    made = pair("""
        helper.py
            VALUE = 1
        test_it.py
            import helper, pathlib
            def test_it():
                pathlib.Path("seen").write_text(f"{helper.VALUE} 1")
    """)
    await made.teach()
    assert await outcome(made) == "passed"
    for value in ("22", "333"):
        await gone_ahead(made)
        (made.root / "helper.py").write_text(f"VALUE = {value}\n")
        text = (made.root / "test_it.py").read_text()
        (made.root / "test_it.py").write_text(re.sub(r" \d+\"", f' {value}"', text))
        assert await outcome(made) == "passed"
        assert (made.root / "seen").read_text() == f"{value} {value}"


async def test_fixtures_of_plugins_are_found_whoever_has_put_them_there(
    pair: Callable[[str], Pair],
) -> None:
    """Those that plugins define, and one that a conftest.py adds to a plugin."""
    made = pair("""
        conftest.py
            import pytest, pytest_shapes
            @pytest.fixture
            def late():
                return 3
            pytest_shapes.added = late
            del late
        test_it.py
            def test_it(shape, added, tmp_path):
                assert shape(added, 3)
    """)
    assert (await made.teach()).finished.outcome == "passed"
    await gone_ahead(made)
    assert await outcome(made) == "passed"


async def test_a_plugin_of_the_projects_own_is_imported_when_it_is_wanted(
    pair: Callable[[str], Pair],
) -> None:
    """One that pytest loads with its options, before any conftest.py."""
    made = pair("""
        pytest.ini
            [pytest]
            addopts = -p own
        own.py
            VALUE = 1
        test_it.py
            import own
            def test_it():
                assert own.VALUE == 1
    """)
    await made.teach()
    pid = await gone_ahead(made)
    (made.root / "own.py").write_text("VALUE = 2222\n")
    assert await outcome(made) == "failed"
    assert pid != await gone_ahead(made)


async def test_what_a_plugin_reads_of_the_project_is_read_when_it_is_wanted(
    pair: Callable[[str], Pair], shapes: Interpreter
) -> None:
    """It is recorded then, like all that tests depend on: the run does not go ahead."""
    plugin = Path(shapes.sites[0]) / "reads_options.py"
    plugin.write_text("""
def pytest_addoption(parser):
    parser.addoption("--value", default=open("settings.txt").read())
""")
    made = pair("""
        settings.txt
            one
        test_it.py
            def test_it(request):
                assert request.config.option.value.strip() == open("settings.txt").read().strip()
    """)
    made.project.env["PYTEST_PLUGINS"] = "reads_options"
    try:
        await made.teach()
        with anyio.fail_after(60):
            while made.warm.refused_ahead is None:  # noqa: ASYNC110 - it is told by nobody
                await anyio.sleep(0.01)
        assert made.warm.refused_ahead == "it has a plugin that reads settings.txt"
        for text in ("two", "three"):
            (made.root / "settings.txt").write_text(text)
            assert await outcome(made) == "passed"
    finally:
        plugin.unlink()


async def test_a_file_elsewhere_that_a_plugin_reads_is_read_anew(
    pair: Callable[[str], Pair], shapes: Interpreter, tmp_path: Path
) -> None:
    """One that it reads when it declares its options, which is before the run is wanted."""
    settings, plugin = tmp_path / "settings.txt", Path(shapes.sites[0]) / "reads_elsewhere.py"
    settings.write_text("one")
    plugin.write_text(f"""
def pytest_addoption(parser):
    parser.addoption("--value", default=open({str(settings)!r}).read())
""")
    made = pair(f"""
        test_it.py
            def test_it(request):
                assert request.config.option.value == open({str(settings)!r}).read()
    """)
    made.project.env["PYTEST_PLUGINS"] = "reads_elsewhere"
    try:
        await made.teach()
        for text in ("two", "three"):
            await gone_ahead(made)
            settings.write_text(text)
            assert await outcome(made) == "passed"
    finally:
        plugin.unlink()


@pytest.mark.parametrize(
    "acts",
    [
        "open('seen', 'a').write('x')",
        "import socket; socket.socket().bind(('127.0.0.1', 0)); open('seen', 'a').write('x')",
        "import threading; threading.Thread(target=open, args=('seen', 'a')).start()",
        "print('seen', flush=True)",
    ],
)
async def test_what_others_would_see_is_not_done_ahead(
    pair: Callable[[str], Pair], shapes: Interpreter, acts: str
) -> None:
    """A plugin that writes, listens, starts a thread or prints when it declares its options."""
    plugin = Path(shapes.sites[0]) / "acts.py"
    plugin.write_text(f"def pytest_addoption(parser):\n    {acts}\n")
    made = pair(PID)
    made.project.env["PYTEST_PLUGINS"] = "acts"
    try:
        await made.teach()
        (made.root / "seen").unlink(missing_ok=True)
        for _ in range(2):
            assert await outcome(made) == "passed"
        with anyio.fail_after(60):
            while made.warm.refused_ahead is None:  # noqa: ASYNC110 - it is told by nobody
                await anyio.sleep(0.01)
        assert made.warm.ahead is None
        seen = made.root / "seen"
        assert not seen.exists() or len(seen.read_text()) <= 2
    finally:
        plugin.unlink()


async def test_one_that_has_gone_ahead_and_is_killed_harms_no_run(
    pair: Callable[[str], Pair],
) -> None:
    """The run starts cold, if nobody has noticed by then, and the next one is warm (W20)."""
    made = pair(PID)
    await made.teach()
    pid = await gone_ahead(made)
    psutil.Process(pid).kill()
    assert (await made.teach()).finished.outcome == "passed"
    assert int((made.root / "pid").read_text()) != pid
    assert await outcome(made) == "passed"


async def test_a_run_while_another_zygote_takes_the_place_of_the_one_it_asks(
    pair: Callable[[str], Pair], shapes: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a warm one, from the other: what runs import is learned from each of them."""
    # Here a run waits until the other zygote is made, which takes long on a busy machine.
    monkeypatch.setattr(holders, "PATIENCE", 60.0)
    site = Path(shapes.sites[0])
    held, late = site / "held_at_fork.py", site / "late_library.py"
    held.write_text(textwrap.dedent("""
        import os, time
        def hold():
            try:
                os.rename("hold", "asked")
            except FileNotFoundError:
                return
            time.sleep(600)
        os.register_at_fork(before=hold)
        """))  # fmt: skip
    late.write_text(textwrap.dedent("""
        import os, time
        if "zygote.py" in open("/proc/self/cmdline").read():
            open("making", "w").close()
            while not os.path.exists("make"):
                time.sleep(0.01)
        """))  # fmt: skip
    made = pair(PID)
    made.project.env["PYTEST_PLUGINS"] = "held_at_fork"
    try:
        await made.teach()
        await gone_ahead(made)
        (made.root / "test_it.py").write_text("def test_it():\n    import late_library\n")
        assert await outcome(made) == "passed"
        await exists(made.root / "making")
        _, holder, *ready = made.warm.pids
        for pid in ready:
            psutil.Process(pid).kill()
        with anyio.fail_after(60):
            while made.warm.pids[1:] != [holder]:  # noqa: ASYNC110 - it is told by nobody
                await anyio.sleep(0.01)
        (made.root / "hold").touch()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(made.run)  # which sees that it is warm
            await exists(made.root / "asked")
            (made.root / "make").touch()
        assert holder not in made.warm.pids
    finally:
        held.unlink()
        late.unlink()


async def test_what_is_read_of_the_environment_ahead_of_a_run_is_recorded(
    pair: Callable[[str], Pair], shapes: Interpreter
) -> None:
    """What a plugin reads before the first conftest.py; and nothing that pytest itself reads."""
    plugin = Path(shapes.sites[0]) / "reads_early.py"
    plugin.write_text(textwrap.dedent("""
        import os
        def pytest_addoption(parser):
            parser.addoption("--early", default=os.environ.get("EARLY"))
        """))  # fmt: skip
    made = pair(PID)
    made.project.env["PYTEST_PLUGINS"] = "reads_early"
    try:
        recorded = []
        for ahead in (False, True):
            if ahead:
                pid = await gone_ahead(made)
                result = await made.run()
                assert int((made.root / "pid").read_text()) == pid
            else:
                result = await made.teach()
            assert result.ran.recording is not None
            deps = result.ran.recording.processes["main"]
            recorded.append({dep for dep in deps if dep.startswith("v ")})
        # What held modules have read when they were imported is known of warm runs alone.
        assert "v EARLY" in recorded[0] <= recorded[1]
        assert not {"v *", "v PYTEST_DEBUG"} & recorded[1]
    finally:
        plugin.unlink()


async def exists(path: Path) -> None:
    """Wait for a file."""
    with anyio.fail_after(60):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - nobody tells
            await anyio.sleep(0.01)
