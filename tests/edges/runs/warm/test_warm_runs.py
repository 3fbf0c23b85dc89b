"""Warm test runs show what cold ones show (W3 to W6, W10, W11, W16, W20, W29).

All that the other files of this folder test holds for both; this is about what could differ.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from devloop import events
from devloop.execute.interpreter import Interpreter
from devloop.execute.run_state import RunResult
from devloop.execute.runs import TestRun
from devloop.execute.warm_tests import POSSIBLE

if TYPE_CHECKING:
    from tests.edges.runs.warm.conftest import Pair

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not POSSIBLE, reason="nothing is forked here"),
]

TESTS = """
    pytest.ini
        [pytest]
        filterwarnings =
            error
            ignore:The configuration option "asyncio_default
        pythonpath = src
        addopts = --strict-markers
        markers = slow: of the project
    src/shop.py
        LOADED = True
        def total(values):
            return sum(values)
    tests/conftest.py
        import pytest
        pytest.register_assert_rewrite("helper")

        @pytest.fixture(scope="session")
        def whole(tmp_path_factory):
            yield tmp_path_factory.mktemp("whole")
            print("torn down")

        @pytest.fixture(params=["a", "b"])
        def letter(request):
            return request.param

        @pytest.fixture
        def broken():
            assert [1, 2] == [1, 3], "in a fixture"
    tests/helper.py
        def check(value):
            assert value == {"b": 1}
    tests/test_all.py
        import logging, os, sys, warnings
        import helper, plain_library, pytest, shop, shape_helpers

        def test_compares(letter):
            assert ["x", letter] == ["x", "a"]

        def test_helper():
            helper.check({"a": 1})

        def test_plugin(shape):
            shape("left", "right")

        def test_marked_by_a_plugin():
            shape_helpers.check_sorted([2, 1])

        def test_library():
            plain_library.check_even(3)

        def test_fixture(broken):
            pass

        def test_captured(capsys, caplog):
            print("to stdout")
            os.write(2, b"to stderr")
            logging.getLogger("shop").warning("logged %s", 1)
            assert capsys.readouterr().out == "nothing"

        def test_warns():
            warnings.warn("of the test", UserWarning)

        def test_warns_as_the_plugin_does():
            warnings.warn("of the plugin", UserWarning)

        @pytest.mark.xfail(strict=True)
        def test_expected():
            assert shop.total([1, 2]) == 4

        @pytest.mark.skip(reason="why not")
        def test_skipped():
            pass

        def test_whole(whole, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            assert whole.exists() and shop.total([1]) == 1

        def test_current():
            assert os.environ["PYTEST_CURRENT_TEST"] == "tests/test_all.py::test_current (call)"
            assert sys.stdin.fileno is not None
    tests/test_broken.py
        import shop
        assert shop.total([1]) == 2
"""


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_warm_run_shows_what_a_cold_one_shows(
    pair: Callable[[str], Pair], workers: int
) -> None:
    """Outcomes, rewritten messages in tests, helpers and plugins, captured output, counts (W16)."""
    made = pair(TESTS)
    cold = await made.cold(workers=workers)
    texts = {nodeid: text for nodeid, _, text, _ in cold["tests"]}
    # What is rewritten says more than "AssertionError"; so does not all of it.
    assert "{'a': 1} == {'b': 1}" in texts["tests/test_all.py::test_helper"]
    assert "'left' == 'right'" in texts["tests/test_all.py::test_plugin"]
    assert "[2, 1] == [1, 2]" in texts["tests/test_all.py::test_marked_by_a_plugin"]
    await made.teach(workers=workers)
    for _ in range(2):
        assert made.shown(await made.run(workers=workers, ahead=not workers)) == cold


@pytest.mark.real
@pytest.mark.slow
async def test_clicks_own_tests_show_the_same(
    pair: Callable[[str], Pair], real_source: Callable[[str], Path]
) -> None:
    """A real suite, with its settings, gives the counts that pytest itself gives, and warm as cold.

    For it a warning is an error, such as pytest's of plugins that were imported before.
    """
    made = pair("unused.py")
    (made.root / "pytest.ini").unlink()
    shutil.copytree(real_source("click"), made.root, dirs_exist_ok=True)
    made.project.env["PYTHONPATH"] = str(made.root / "src")
    command = [made.project.interpreter.path, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    plain = await anyio.run_process(command, cwd=made.root, env=made.project.env)
    cold = await made.cold()
    assert cold["outcome"] == "passed"
    assert cold["counts"][0] > 2000
    assert f"{cold['counts'][0]} passed" in plain.stdout.decode().splitlines()[-1]
    await made.teach()
    assert made.shown(await made.run(ahead=True)) == cold


async def test_other_arguments_are_heeded_at_once(pair: Callable[[str], Pair]) -> None:
    """-x, -k, -p no:… and --assert: what was learned for others is not used for these."""
    made = pair(TESTS)
    await made.teach()
    for args in (("-x",), ("-k", "helper or plugin"), ("-p", "no:shapes"), ("--assert=plain",)):
        cold = await made.cold(args=args)
        assert made.shown(await made.teach(args=args)) == cold
        assert made.project.of(events.RunStarted)[0].start == "cold"
        assert made.shown(await made.run(args=args, ahead=True)) == cold


STATE = """
    pytest.ini
        [pytest]
        pythonpath = src
    src/own.py
        A = 1
    tests/test_state.py
        import faulthandler, gc, json, logging, os, pathlib, re, signal, sys, threading, own

        def kind(fd):
            try:
                return re.sub("[0-9]+", "", os.readlink(f"/proc/self/fd/{fd}"))
            except OSError:
                return None  # that of the listing

        def test_state(request):
            flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name[0] != "_"}
            limit = sys.getrecursionlimit()
            state = {
                "argv": sys.argv[1:], "program": sys.argv[0], "path": sys.path,
                "main": [sys.modules["__main__"].__spec__.name, sys.modules["__main__"].__file__],
                "cwd": os.getcwd(), "umask": os.umask(0o22), "env": sorted(os.environ),
                "flags": repr(flags), "stdin": sys.stdin.__class__.__name__,
                "isatty": [os.isatty(fd) for fd in (0, 1, 2)],
                "handlers": [str(signal.getsignal(n)) for n in range(1, 32)],
                "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
                "threads": threading.active_count(), "fault": faulthandler.is_enabled(),
                "descriptors": sorted(filter(None, map(kind, os.listdir("/proc/self/fd")))),
                "gc": [gc.isenabled(), gc.get_threshold()],
                "logging": [logging.root.level, len(logging.root.handlers)],
                "session": os.getpid() == os.getsid(0), "group": os.getpgrp() == os.getpid(),
                "meta": [type(finder).__name__ for finder in sys.meta_path],
                "options": sorted((k, repr(v)) for k, v in vars(request.config.option).items()),
                "plugins": sorted(
                    name for name, _ in request.config.pluginmanager.list_name_plugin()
                    if not name.isdigit()
                ),
                "root": str(request.config.rootpath), "ini": str(request.config.inipath),
                "bytecode": sys.dont_write_bytecode, "executable": sys.executable, "limit": limit,
            }
            pathlib.Path(os.environ["STATE"]).write_text(json.dumps(state))
"""


async def test_tests_meet_what_they_meet_in_a_cold_run(
    pair: Callable[[str], Pair], tmp_path: Path
) -> None:
    """Arguments, paths, flags, environment, descriptors, handlers, options, plugins."""
    made = pair(STATE)
    made.project.env["STATE"] = str(tmp_path / "state")
    await made.teach()
    seen = []
    for kind in ("cold", "warm", "ahead"):
        if kind == "cold":
            shown = await made.cold()
        else:
            shown = made.shown(await made.run(ahead=kind == "ahead"))
        assert shown["outcome"] == "passed", shown
        seen.append(json.loads((tmp_path / "state").read_text()))
    cold, *others = ({k: re.sub(r"0x\w+", "", repr(v)) for k, v in one.items()} for one in seen)
    assert others == [cold, cold]


async def test_two_runs_draw_different_numbers(pair: Callable[[str], Pair]) -> None:
    """random, uuid and temporary names; also of a generator that a plugin made (W6)."""
    made = pair("""
        tests/test_drawn.py
            import pathlib, pytest_shapes, random, tempfile, uuid
            def test_drawn():
                drawn = [random.random(), uuid.uuid4().hex, tempfile.mktemp()]
                drawn.append(pytest_shapes.NUMBERS.random())
                assert pytest_shapes.KNOWN.random() == random.Random(1).random()
                with open("drawn", "a") as file:
                    print(*drawn, file=file)
    """)
    await made.teach()
    for _ in range(2):
        await made.run()
    lines = [line.split() for line in (made.root / "drawn").read_text().splitlines()]
    assert len(lines) == 3
    assert all(len(set(column)) == 3 for column in zip(*lines, strict=True))


async def test_edited_helpers_are_what_the_next_run_uses(pair: Callable[[str], Pair]) -> None:
    """A helper, a conftest.py, a module that others took a name from, a cycle (W10, W11)."""
    made = pair("""
        conftest.py
            import pytest
            @pytest.fixture
            def number(): return 1
        leaf.py
            X = 1
        taker.py
            from leaf import X
        first.py
            import second
            def name(): return "first" + second.end()
        second.py
            import first
            def end(): return "1"
        test_it.py
            import first, taker
            def test_it(number):
                assert (number, taker.X, first.name()) == (1, 1, "first1")
    """)
    assert (await made.teach()).finished.outcome == "passed"
    edits = {
        "conftest.py": ("return 1", "return 2"),
        "leaf.py": ("X = 1", "X = 2"),
        "second.py": ('"1"', '"2"'),
    }
    for path, (old, new) in edits.items():
        text = (made.root / path).read_text()
        for content, outcome in ((text.replace(old, new), "failed"), (text, "passed")):
            for cache in made.root.rglob("__pycache__"):
                for file in cache.iterdir():
                    file.unlink()
            (made.root / path).write_text(content)
            assert (await made.run()).finished.outcome == outcome, path


async def test_what_a_plugin_read_from_the_environment_is_read_anew(
    pair: Callable[[str], Pair],
) -> None:
    """Another value has the next run start cold, and say why (W7)."""
    made = pair("""
        test_kind.py
            import os, pytest_shapes
            def test_kind():
                assert pytest_shapes.KIND == os.environ.get("KIND", "none")
    """)
    await made.teach()
    await made.run()
    made.project.env["KIND"] = "other"
    assert (await made.teach()).finished.outcome == "passed"
    (started,) = made.project.of(events.RunStarted)
    assert (started.start, started.reason) == ("cold", "$KIND changed")
    assert "$KIND changed" in made.project.of(events.Notice)[0].message
    assert (await made.run()).finished.outcome == "passed"


async def test_a_file_that_a_plugin_read_is_read_anew(
    pair: Callable[[str], Pair], shapes: Interpreter
) -> None:
    """Wherever it lies: what was made of it at import is not held (W7)."""
    made = pair("test_it.py\n    import reads_settings\n    def test_it(): pass")
    site, settings = Path(shapes.sites[0]), made.root / "settings.txt"
    (site / "reads_settings.py").write_text(f"VALUE = open({str(settings)!r}).read()\n")
    settings.write_text("one")
    try:
        await made.teach()
        assert (await made.run()).finished.outcome == "passed"
        reason = None
        with anyio.fail_after(60):
            # What is read is found out when a first warm run has long been possible.
            while reason is None:
                settings.write_text(settings.read_text() + "more")
                await made.teach()
                reason = made.project.of(events.RunStarted)[0].reason
        assert reason == f"{settings} changed"
    finally:
        (site / "reads_settings.py").unlink()


async def test_what_a_conftest_sets_comes_before_what_reads_it(
    pair: Callable[[str], Pair], shapes: Interpreter
) -> None:
    """A library that has read a variable before is not held; a run that met one is repeated."""
    made = pair("""
        conftest.py
        test_mode.py
            import plain_library, reads_mode
            def test_mode(wanted="default"):
                assert reads_mode.MODE == wanted
    """)
    module = Path(shapes.sites[0], "reads_mode.py")
    reads = "import os\nMODE = os.environ.get('MODE', 'default')\n"
    module.write_text(reads)  # noqa: ASYNC240 - nothing else goes on
    try:
        await made.teach()
        assert (await made.run()).finished.outcome == "passed"
        (made.root / "conftest.py").write_text("import os\nos.environ['MODE'] = 'test'\n")
        test = made.root / "test_mode.py"
        test.write_text(test.read_text().replace('"default"', '"test"'))
        result = await made.teach()
        assert result.finished.outcome == "passed"
        starts = [started.start for started in made.project.of(events.RunStarted)]
        assert starts == ["warm", "cold"]
        assert (await made.run()).finished.outcome == "passed"
    finally:
        module.unlink()  # noqa: ASYNC240


async def test_a_module_of_the_projects_own_hides_one_that_is_held(
    pair: Callable[[str], Pair],
) -> None:
    """As it does in a cold run; and from then on it is held no more."""
    made = pair("""
        tests/test_hidden.py
            import plain_library
            def test_hidden():
                assert plain_library.__file__.endswith("site-packages/plain_library.py")
    """)
    await made.teach()
    assert (await made.run()).finished.outcome == "passed"
    (made.root / "tests/plain_library.py").write_text("def check_even(number): pass\n")
    result = await made.teach()
    assert result.finished.outcome == "failed"
    (started,) = made.project.of(events.RunStarted)
    assert started.reason == "the project has a module plain_library of its own"
    assert (await made.run()).finished.outcome == "failed"


async def test_what_imports_the_project_is_not_held(
    pair: Callable[[str], Pair], shapes: Interpreter
) -> None:
    """A library from outside that imports the code under test: that is never old code."""
    site = Path(shapes.sites[0])
    (site / "uses_shop.py").write_text("import pytest_shapes.more, shop\nVALUE = shop.VALUE\n")
    made = pair("""
        shop.py
            VALUE = 1
        test_it.py
            import uses_shop
            def test_it():
                assert uses_shop.VALUE == 1
    """)
    made.project.env["PYTHONPATH"] = str(made.root)
    try:
        await made.teach()
        assert (await made.run()).finished.outcome == "passed"
        (made.root / "shop.py").write_text("VALUE = 2222\n")
        assert (await made.run()).finished.outcome == "failed"
    finally:
        (site / "uses_shop.py").unlink()


async def test_a_run_that_dies_harms_no_other(pair: Callable[[str], Pair]) -> None:
    """It is a runner failure; the next one starts warm again."""
    made = pair("""
        test_it.py
            import os, pathlib, signal
            def test_it():
                if pathlib.Path("die").exists():
                    os.kill(os.getpid(), int(pathlib.Path("die").read_text()))
    """)
    await made.teach()
    for number in (signal.SIGSEGV, signal.SIGKILL):
        (made.root / "die").write_text(str(int(number)))
        result = await made.run()
        assert result.finished.outcome == "runner-failed"
        assert signal.Signals(number).name in (result.finished.message or "")
        (made.root / "die").unlink()
        assert (await made.run()).finished.outcome == "passed"


async def test_a_killed_zygote_takes_no_run_with_it(pair: Callable[[str], Pair]) -> None:
    """The run goes on, can be interrupted, and tears down; the next one is warm again (W29)."""
    made = pair("""
        test_it.py
            import pathlib, pytest, time
            @pytest.fixture
            def held():
                pathlib.Path("held").touch()
                yield
                pathlib.Path("held").unlink()
            def test_it(held):
                pathlib.Path("begun").touch()
                while not pathlib.Path("go").exists():
                    time.sleep(0.01)
    """)
    (made.root / "go").touch()
    await made.teach()
    (made.root / "go").unlink()
    for interrupted in (False, True):
        (made.root / "begun").unlink(missing_ok=True)
        run = made.start(warm=True)
        made.warm.foresee(run.plan)
        with anyio.fail_after(60):
            while not made.warm.ready:  # noqa: ASYNC110 - it is told by nobody
                await anyio.sleep(0.01)
            async with anyio.create_task_group() as tasks:
                results: list[RunResult] = []

                async def follow(run: TestRun, results: list[RunResult]) -> None:
                    results.append(await run.wait())

                tasks.start_soon(follow, run, results)
                while not (made.root / "begun").exists():  # noqa: ASYNC110 - of another process
                    await anyio.sleep(0.01)
                for pid in made.warm.pids:
                    psutil.Process(pid).kill()
                if interrupted:
                    run.interrupt()
                else:
                    (made.root / "go").touch()
        assert results[0].finished.outcome == ("cancelled" if interrupted else "passed")
        assert not (made.root / "held").exists()
        (made.root / "go").unlink(missing_ok=True)


async def test_a_zygote_that_has_died_is_replaced(pair: Callable[[str], Pair]) -> None:
    """The run that finds it so starts cold and says why; the one after that is warm again (W20)."""
    made = pair("test_it.py\n    def test_it(): pass")
    await made.teach()
    await made.run()
    for pid in made.warm.pids:
        psutil.Process(pid).kill()
    with anyio.fail_after(60):
        while made.warm.ready:  # noqa: ASYNC110 - it is told by nobody
            await anyio.sleep(0.01)
    assert (await made.teach()).finished.outcome == "passed"
    (started,) = made.project.of(events.RunStarted)
    assert (started.start, started.reason) == ("cold", "the process that held its imports died")
    assert (await made.run()).finished.outcome == "passed"


async def test_what_is_promised_for_the_end_of_a_process_is_done(
    pair: Callable[[str], Pair],
) -> None:
    """Threads are waited for, exit functions run, files are written, C's too."""
    made = pair("""
        test_it.py
            import atexit, ctypes, pathlib, tempfile, threading, time, weakref

            LOG = open("log", "w")
            class Thing: pass
            THING = Thing()
            weakref.finalize(THING, pathlib.Path("finalized").touch)
            HELD = tempfile.TemporaryDirectory(dir=".")
            atexit.register(pathlib.Path("exited").touch)

            def late():
                threading.main_thread().join()
                pathlib.Path("joined").touch()

            def test_it():
                LOG.write("not flushed")
                threading.Thread(target=late).start()
                libc = ctypes.CDLL(None)
                libc.fopen.restype = ctypes.c_void_p
                file = ctypes.c_void_p(libc.fopen(b"stream", b"w"))
                libc.fputs(b"of the C library", file)
    """)
    kinds = []
    for kind in ("cold", "teach", "warm"):
        if kind == "cold":
            await made.cold()
        elif kind == "teach":
            await made.teach()
        else:
            await made.run()
        names = {path.name for path in made.root.iterdir() if not path.name.startswith(("_", "."))}
        kinds.append((names, *((made.root / name).read_text() for name in ("log", "stream"))))
        for name in names - {"test_it.py", "pytest.ini"}:
            (made.root / name).unlink()
    assert kinds[0][0] == {
        "test_it.py", "pytest.ini", "log", "finalized", "exited", "joined", "stream",
    }  # fmt: skip
    assert kinds[0][1:] == ("not flushed", "of the C library")
    assert kinds[1] == kinds[2] == kinds[0]


async def test_coverage_counts_the_same_lines(pair: Callable[[str], Pair]) -> None:
    """pytest-cov measures from before the first import of the project's own modules."""
    made = pair("""
        shop.py
            def a():
                return 1
            def b():
                return 2
        test_it.py
            import shop
            def test_it():
                assert shop.a() == 1
    """)
    if "pytest-cov" not in made.project.interpreter.distributions:
        pytest.skip("pytest-cov is not installed")
    args: tuple[str, ...] = ("--cov=shop", "--cov-report=json:covered.json", "-W", "error")
    args += ("-W", "ignore:The configuration option")

    def covered() -> Any:
        import json

        files = json.loads((made.root / "covered.json").read_text())["files"]
        return {path: (one["executed_lines"], one["missing_lines"]) for path, one in files.items()}

    assert (await made.cold(args=args))["outcome"] == "passed"
    cold = covered()
    (made.root / "covered.json").unlink()
    await made.teach(args=args)
    (made.root / "covered.json").unlink()
    assert (await made.run(args=args, ahead=True)).finished.outcome == "passed"
    assert covered() == cold != {}


@pytest.mark.parametrize("how", [{"workers": 2}, {"args": ("-n", "2")}])
async def test_workers_are_forked_and_one_that_dies_is_replaced(
    pair: Callable[[str], Pair], how: dict[str, Any]
) -> None:
    """They hold what the zygote holds, whoever asks for them, and are else those of a cold run."""
    made = pair("""
        tests/test_it.py
            import os, pathlib, pytest, sys
            @pytest.mark.parametrize("n", range(6))
            def test_it(n):
                names = {k: v for k, v in os.environ.items() if k.startswith("PYTEST_XDIST")}
                names.pop("PYTEST_XDIST_TESTRUNUID")
                names.pop("PYTEST_XDIST_WORKER")
                forked = pathlib.Path("forked")
                with open("seen", "a") as file:
                    forked.write_text(str("_devloop.blank" in sys.modules))
                    print(names, sys.argv[1:], sys.path, os.getcwd(), file=file)
                if n == 3 and pathlib.Path("die").exists():
                    os._exit(3)
    """)
    seen = []
    await made.cold(**how)
    seen.append(set((made.root / "seen").read_text().splitlines()))
    (made.root / "seen").unlink()
    await made.teach(**how)
    (made.root / "seen").unlink()
    await made.run(**how)
    seen.append(set((made.root / "seen").read_text().splitlines()))
    assert (made.root / "forked").read_text() == "True"
    assert seen[1] == seen[0]
    (made.root / "die").touch()
    cold = await made.cold(**how)
    assert made.shown(await made.run(**how)) == cold
    assert ("tests/test_it.py::test_it[3]", "failed") in [test[:2] for test in cold["tests"]]


async def test_a_warm_run_records_what_was_read_before_it(pair: Callable[[str], Pair]) -> None:
    """What a held module has read of the environment, and imported in vain, as if it did so now."""
    made = pair(TESTS)
    await made.teach()
    result = await made.run()
    assert result.ran.recording is not None
    deps = result.ran.recording.processes["main"]
    assert {"v KIND", "i no_such_library"} <= deps
    assert "v *" not in deps, "what devloop itself reads is no test's doing"
