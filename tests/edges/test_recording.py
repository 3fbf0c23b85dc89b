"""What is recorded of tests while they run: on what each of them depends, and who owns it."""

from __future__ import annotations

import functools
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from devloop.execute.guard import Guard
from devloop.execute.interpreter import Interpreter, probe
from devloop.select.recorded import Deps, Recording
from tests.edges.runs.conftest import Project, clean_environment

pytestmark = pytest.mark.anyio

NEEDED = (
    "pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-xdist", "execnet",
    *(("exceptiongroup", "tomli", "typing-extensions") if sys.version_info < (3, 11) else ()),
)  # fmt: skip
"""They hold nothing compiled for one version."""

Record = Callable[..., Awaitable[Recording]]


@pytest.fixture(scope="session")
def environment(
    interpreter: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Interpreter]:
    """An environment of another Python that has the pytest and xdist of this one."""

    @functools.cache
    def make(version: str) -> Interpreter:
        folder = tmp_path_factory.mktemp("environment")
        command = [interpreter(version), "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(command, check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        for name in NEEDED:
            for file in importlib.metadata.files(name) or ():
                top = file.parts[0]
                if top not in {"..", "__pycache__"} and not (packages / top).exists():
                    (packages / top).symlink_to(str(file.locate()).removesuffix(str(file)) + top)
        return probe(str(folder / "bin/python"), folder, clean_environment())

    return make


@pytest.fixture(params=["3.12", "3.13"])
def python(
    request: pytest.FixtureRequest, environment: Callable[[str], Interpreter]
) -> Interpreter:
    """A Python that tells functions apart."""
    return environment(request.param)


@pytest.fixture
def record(
    python: Interpreter,
    guard: Guard,
    tmp_path: Path,
    write_tree: Callable[[Path, str], None],
) -> Record:
    """Run a project, given as a tree, and give what was recorded; all of its tests pass."""

    async def run(
        tree: str, *, rerun: bool = False, again: bool = False, **more: object
    ) -> Recording:
        root = tmp_path / "project"
        if not rerun:
            root.mkdir(exist_ok=again)
            (root / "pytest.ini").write_text("[pytest]\n")
            write_tree(root, tree)
        project = Project(root, guard, python)
        project.env |= more.pop("env", {})  # type: ignore[call-overload]
        result = await project.run(**more)
        assert result.finished.outcome == "passed", (result.finished, project.events)
        recording = result.ran.recording
        assert recording is not None
        assert set(recording.tests) == set(result.ran.outcomes)
        return recording

    return run


def of(recording: Recording, test: str) -> Deps:
    """What a test of ``test_a.py`` depends on by itself, without its own function."""
    return recording.tests[f"test_a.py::{test}"] - {f"f test_a.py::{test}"}


# Functions


async def test_each_test_has_the_functions_that_it_ran(record: Record) -> None:
    """Also those that another test has run before it; methods, closures and lambdas are told."""
    recording = await record("""
        lib.py
            class A:
                def m(self): return helper()
                @property
                def p(self): return (lambda: 1)()
            def helper(): return 1
            def unused(): return 2
            def outer():
                def inner(): return [helper() for _ in (1,)]
                return inner()
        test_a.py
            import lib
            def test_m(): lib.A().m()
            def test_again(): lib.A().m(); lib.A().m()
            def test_p(): lib.A().p
            def test_outer(): lib.outer()
            def test_none(): pass
    """)
    assert of(recording, "test_m") == {"f lib.py::A.m", "f lib.py::helper"}
    assert of(recording, "test_again") == of(recording, "test_m")
    assert of(recording, "test_p") == {"f lib.py::A.p"}
    assert of(recording, "test_outer") == {
        "f lib.py::outer", "f lib.py::outer.<locals>.inner", "f lib.py::helper",
    }  # fmt: skip
    assert of(recording, "test_none") == set()


async def test_functions_of_one_name_are_told_apart(record: Record) -> None:
    """A property's getter from its setter, and each function that a dispatcher was given."""
    recording = await record("""
        lib.py
            import functools
            class A:
                @property
                def p(self): return self._p
                @p.setter
                def p(self, value): self._p = (lambda: value)()
            @functools.singledispatch
            def kind(value): return "any"
            @kind.register
            def _(value: int): return "int"
            @kind.register
            def _(value: str): return "str"
        test_a.py
            import lib
            def test_set(): lib.A().p = 1
            def test_get():
                a = lib.A()
                a._p = 1
                assert a.p
            def test_int(): lib.kind(1)
            def test_str(): lib.kind("")
    """)
    assert of(recording, "test_set") == {"f lib.py::A.p#2"}
    assert of(recording, "test_get") == {"f lib.py::A.p#1"}
    assert of(recording, "test_int") == {"f lib.py::_#1"}
    assert of(recording, "test_str") == {"f lib.py::_#2"}


async def test_a_module_asked_for_a_private_name_is_told_apart(record: Record) -> None:
    """As each import from it does, and pytest; what a test asks for by name is something else."""
    recording = await record("""
        lib.py
            def __getattr__(name):
                if name == "old": return 1
                raise AttributeError(name)
            class A:
                def __getattr__(self, name): raise AttributeError(name)
        test_a.py
            import lib
            def test_import(): from lib import A
            def test_asked(): hasattr(lib, "_x"); hasattr(lib, "__path__")
            def test_object(): hasattr(lib.A(), "__path__")
            def test_old(): assert lib.old
            def test_import_again(): from lib import A
            def test_missing(): hasattr(lib, "new")
    """)
    refused, asked = "f lib.py::__getattr__#_", "f lib.py::__getattr__"
    assert of(recording, "test_import") == of(recording, "test_asked") == {refused}
    assert of(recording, "test_object") == {"f lib.py::A.__getattr__"}
    assert of(recording, "test_old") == of(recording, "test_missing") == {asked}
    assert of(recording, "test_import_again") == {asked}


async def test_what_is_resumed_is_the_doing_of_who_resumes_it(record: Record) -> None:
    """Generators, coroutines, throw, close and cancelled tasks (S7, S7b)."""
    recording = await record("""
        lib.py
            import asyncio
            def gen():
                try:
                    yield 1
                    yield after()
                except ValueError:
                    thrown()
                finally:
                    closed()
                yield 2
            def after(): pass
            def thrown(): pass
            def closed(): pass
            async def task():
                try: await asyncio.sleep(60)
                finally: cancelled()
            def cancelled(): pass
        test_a.py
            import asyncio, lib
            made = [lib.gen() for _ in range(3)]
            def test_begin():
                for one in made: next(one)
            def test_resume(): next(made[0])
            def test_throw(): made[1].throw(ValueError)
            def test_close(): made[2].close()
            def test_cancel():
                async def main():
                    task = asyncio.ensure_future(lib.task())
                    await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                asyncio.run(main())
    """)
    assert of(recording, "test_begin") == {"f lib.py::gen"}
    assert of(recording, "test_resume") == {"f lib.py::gen", "f lib.py::after"}
    assert of(recording, "test_throw") == {
        "f lib.py::gen", "f lib.py::thrown", "f lib.py::closed",
    }  # fmt: skip
    assert of(recording, "test_close") == {"f lib.py::gen", "f lib.py::closed"}
    assert {"f lib.py::task", "f lib.py::cancelled"} <= of(recording, "test_cancel")


async def test_threads_and_tasks_belong_to_the_test_that_runs(record: Record) -> None:
    """A thread that outlives the test that started it is the later test's doing too."""
    recording = await record("""
        lib.py
            import queue
            jobs, done = queue.Queue(), queue.Queue()
            def work():
                while job := jobs.get():
                    job()
                    done.put(1)
            def one(): pass
            def two(): pass
        test_a.py
            import lib, threading
            def test_1():
                threading.Thread(target=lib.work, daemon=True).start()
                lib.jobs.put(lib.one); lib.done.get()
            def test_2(): lib.jobs.put(lib.two); lib.done.get()
    """)
    assert {"f lib.py::work", "f lib.py::one"} <= of(recording, "test_1")
    assert "f lib.py::two" in of(recording, "test_2")
    assert "f lib.py::one" not in of(recording, "test_2")


async def test_what_is_cached_is_told_with_what_it_reached(record: Record) -> None:
    """`lru_cache`, `cached_property`, other decorators, and functions known as such (S8)."""
    recording = await record(
        """
        lib.py
            import functools
            cached = functools.lru_cache(maxsize=None)
            @functools.lru_cache
            def f(): return deep() + open("data.txt").read()
            def deep(): return ""
            class A:
                @functools.cached_property
                def p(self): return deeper()
            def deeper(): return 1
            a = A()
            known = {}
            def memoize(function):
                def wrapper():
                    if "x" not in known: known["x"] = function()
                    return known["x"]
                return wrapper
            @memoize
            def g(): return deepest()
            def deepest(): return 1
            table = {}
            def own():
                if not table: table[1] = bottom()
                return table
            def bottom(): return 1
            def called(): return deeper()
            called = cached(called)
            def reify(function): return lambda: function()
            @reify
            def late(): return deeper()
        data.txt
            1
        test_a.py
            import lib
            def test_1(): lib.f(); lib.a.p; lib.g(); lib.own(); lib.called(); lib.late()
            def test_2(): lib.f(); lib.a.p; lib.g(); lib.own(); lib.called(); lib.late()
        """,
        memos=("lib.py::own",),
    )
    assert recording.memos["lib.py::f"] >= {"f lib.py::deep", "r data.txt"}
    assert recording.memos["lib.py::A.p"] >= {"f lib.py::deeper"}
    assert recording.memos["lib.py::g"] >= {"f lib.py::deepest"}
    assert recording.memos["lib.py::own"] >= {"f lib.py::bottom"}
    assert recording.memos["lib.py::called"] >= {"f lib.py::deeper"}
    assert recording.memos["lib.py::late"] >= {"f lib.py::deeper"}
    assert {"f lib.py::f", "f lib.py::own"} <= of(recording, "test_1")
    assert "f lib.py::deep" not in of(recording, "test_1")


async def test_what_was_kept_before_an_exception_is_met_too(record: Record) -> None:
    """A function that ends by raising has kept its result on the object all the same (S8)."""
    recording = await record(
        """
        lib.py
            class App:
                kept = None
                def get(self):
                    if self.kept is None:
                        self.kept = make()
                        raise LookupError
                    return self.kept
            def make(): return 1
            app = App()
        test_a.py
            import lib, pytest
            def test_1():
                with pytest.raises(LookupError): lib.app.get()
            def test_2(): lib.app.get()
        """,
        memos=("lib.py::App.get self",),
    )
    assert "f lib.py::make" in recording.memos["lib.py::App.get"]


async def test_lists_that_were_used_up_are_told_apart(record: Record) -> None:
    """Not by their addresses, which others get: only what several tests have met counts (S8)."""
    recording = await record(
        """
        lib.py
            queue = ["a"]
            def use_up(chunks):
                while chunks: make(chunks[-1]); del chunks[-1]
            def use_up_all(chunks):
                while chunks: make_all(chunks[-1]); del chunks[-1]
            def make(chunk): return chunk
            def make_all(chunk): return chunk
            def own(): chunks = ["b"]; use_up(chunks); return len(chunks)
        test_a.py
            import lib
            def test_1(): lib.own(); lib.use_up_all(lib.queue)
            def test_2(): lib.own(); lib.use_up_all(lib.queue)
        """,
        memos=("lib.py::use_up chunks", "lib.py::use_up_all chunks"),
    )
    assert "f lib.py::make" not in recording.memos.get("lib.py::use_up", ())
    assert "f lib.py::make_all" in recording.memos["lib.py::use_up_all"]


# Who owns it


async def test_a_fixture_owns_what_it_does(record: Record) -> None:
    """Every test that uses it has its set-up and its finalizer, however early it ran (S5, S6)."""
    recording = await record("""
        lib.py
            def make(): pass
            def drop(): pass
            def small(): pass
            def after(): pass
            def dynamic(): pass
        test_a.py
            import lib, pytest
            @pytest.fixture(scope="session")
            def db():
                lib.make()
                yield
                lib.drop()
            @pytest.fixture
            def table(db, request):
                lib.small()
                request.addfinalizer(lib.after)
            @pytest.fixture(scope="module")
            def late():
                lib.dynamic()
            def test_1(table): pass
            def test_2(db): pass
            def test_3(request): request.getfixturevalue("table"); request.getfixturevalue("late")
            def test_4(late): pass
            def test_5(): pass
    """)
    db = {"f test_a.py::db", "f lib.py::make", "f lib.py::drop"}
    table = {"f test_a.py::table", "f lib.py::small", "f lib.py::after"}
    late = {"f test_a.py::late", "f lib.py::dynamic"}
    assert of(recording, "test_1") == db | table
    assert of(recording, "test_2") == db
    assert of(recording, "test_3") == db | table | late
    assert of(recording, "test_4") == late
    assert of(recording, "test_5") == set()


async def test_set_up_of_classes_modules_and_packages_is_shared(record: Record) -> None:
    """`setup_module`, `setup_class`, `setUpClass` and a package's are what all their tests have."""
    recording = await record("""
        lib.py
            def a(): pass
            def b(): pass
            def c(): pass
            def d(): pass
            def e(): pass
        pkg/__init__.py
            import lib
            def setup_module(): lib.a()
            def teardown_module(): lib.e()
        pkg/test_b.py
            import lib, unittest
            def setup_module(): lib.b()
            class TestOld(unittest.TestCase):
                @classmethod
                def setUpClass(cls): lib.c()
                def test_1(self): pass
                def test_2(self): pass
            class TestNew:
                def setup_class(cls): lib.d()
                def test_1(self): pass
                def test_2(self): pass
    """)
    for number in (1, 2):
        old = recording.tests[f"pkg/test_b.py::TestOld::test_{number}"]
        new = recording.tests[f"pkg/test_b.py::TestNew::test_{number}"]
        assert {f"f lib.py::{name}" for name in "abce"} <= old
        assert {f"f lib.py::{name}" for name in "abde"} <= new
        assert "f lib.py::d" not in old


async def test_an_import_owns_what_its_body_does(record: Record) -> None:
    """Which test imports a module first does not matter; who imported it is told (S4, S36)."""
    recording = await record("""
        lib.py
            import registry, os
            class A(registry.Base): pass
            LEVEL = os.environ.get("LEVEL")
            DATA = open("data.txt").read()
            try:
                import no_such_module
            except ImportError: pass
        registry.py
            class Base:
                def __init_subclass__(cls): note(cls)
            def note(cls): pass
        lazy.py
            def f(): pass
        data.txt
            1
        test_a.py
            import lib
            def test_1():
                import lazy
                lazy.f()
            def test_2():
                import lazy
        test_b.py
            import importlib
            lib = importlib.import_module("li" + "b")
            def test_b(): pass
    """)
    assert recording.modules["lib.py"] == {
        "f registry.py::Base.__init_subclass__", "f registry.py::note", "m registry.py",
        "v LEVEL", "r data.txt", "i no_such_module",
    }  # fmt: skip
    assert recording.imports["lib.py"] == {"registry.py"}
    assert recording.imports["test_a.py"] == {"lib.py"}
    assert of(recording, "test_1") == {"a lazy.py", "m lazy.py", "f lazy.py::f"}
    assert list(recording.ran_in) == ["test_a.py::test_1", "test_a.py::test_2", "test_b.py::test_b"]
    assert recording.modules["test_b.py"] == {"m lib.py"}


async def test_what_collection_reads_belongs_to_the_file(record: Record) -> None:
    """The list of a parametrization (S17); what a hook does concerns all tests."""
    recording = await record("""
        conftest.py
            import lib
            def pytest_collection_modifyitems(): lib.order()
            def pytest_generate_tests(metafunc): lib.generate()
        lib.py
            import json
            def cases(): return json.load(open("cases.json"))
            def order(): pass
            def generate(): pass
        cases.json
            [1, 2]
        test_a.py
            import lib, pytest
            def pytest_generate_tests(metafunc):
                metafunc.parametrize("n", lib.cases())
            def test_n(n): pass
    """)
    assert recording.collections["test_a.py"] >= {
        "m test_a.py", "r cases.json", "f lib.py::cases", "f lib.py::generate",
    }  # fmt: skip
    assert "f lib.py::order" in recording.processes["main"]
    assert recording.tests["test_a.py::test_n[1]"] == {"f test_a.py::test_n"}


# Files, folders, variables


async def test_paths_that_begin_in_an_open_folder_are_told(record: Record) -> None:
    """Of an event that does not tell of the folder, and of descriptors that are listed."""
    recording = await record("""
        sub/b.txt
            2
        sub/deep/c.txt
            3
        test_a.py
            import os, pytest
            @pytest.fixture
            def sub():
                fd = os.open("sub", os.O_RDONLY)
                yield fd
                os.close(fd)
            def test_open(sub): os.close(os.open("b.txt", os.O_RDONLY, dir_fd=sub))
            def test_opener(sub):
                open("b.txt", opener=lambda path, flags: os.open(path, flags, dir_fd=sub)).close()
            def test_missing(sub):
                with pytest.raises(FileNotFoundError): os.open("no.txt", os.O_RDONLY, dir_fd=sub)
            def test_size(sub): assert os.stat("b.txt", dir_fd=sub).st_size
            def test_access(sub): assert not os.access("no.txt", os.R_OK, dir_fd=sub)
            def test_absolute(sub):
                os.close(os.open(os.path.abspath("sub/b.txt"), os.O_RDONLY, dir_fd=sub))
            def test_list(sub): assert sorted(os.listdir(sub)) == ["b.txt", "deep"]
            def test_scan(sub): list(os.scandir(sub))
            def test_walk(sub): list(os.fwalk(".", dir_fd=sub))
            def test_write(sub):
                os.mkdir("made", dir_fd=sub)
                os.close(os.open("made/d.txt", os.O_CREAT | os.O_WRONLY, dir_fd=sub))
                os.close(os.open("sub/made/d.txt", os.O_RDONLY))
                os.rename("made/d.txt", "e.txt", src_dir_fd=sub, dst_dir_fd=sub)
    """)
    own = {
        test: {one for one in of(recording, f"test_{test}") if one[0] != "f"} - {"r sub"}
        for test in (
            "open", "opener", "missing", "size", "access", "absolute", "list", "scan", "walk",
            "write",
        )
    }  # fmt: skip
    assert own["open"] == own["absolute"] == own["size"] == {"r sub/b.txt"}
    assert "r sub/b.txt" in own["opener"]
    assert own["missing"] == own["access"] == {"x sub/no.txt"}
    assert own["list"] == {"l sub"}
    assert own["scan"] == {"l sub", "r sub/b.txt"}, "an entry may be asked for its size"
    assert {"l sub", "l sub/deep"} <= own["walk"]
    assert own["write"] == set(), "it has made all of that itself"


async def test_reads_listings_and_lookups_are_told(record: Record) -> None:
    """Through whatever function of the library, relative to whatever folder (S18, S20)."""
    recording = await record("""
        a.txt
            1
        sub/b.txt
            2
        pkg/__init__.py
        pkg/res.txt
            3
        test_a.py
            import glob, importlib.resources, inspect, mmap, os, pathlib, pkgutil, sqlite3
            import linecache, traceback, pytest
            def test_open(): open("a.txt").read()
            def test_os(): os.close(os.open("a.txt", os.O_RDONLY))
            def test_mmap():
                with open("a.txt", "rb") as f: mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
            def test_chdir(monkeypatch):
                monkeypatch.chdir("sub"); pathlib.Path("b.txt").read_text()
            def test_resource(): importlib.resources.files("pkg").joinpath("res.txt").read_text()
            def test_missing(): assert not pathlib.Path("no.txt").exists() and not os.access("n", 4)
            def test_missing_open():
                with pytest.raises(FileNotFoundError): open("no.txt")
            def test_there(): assert os.path.isdir("sub") and os.path.isfile("a.txt")
            def test_size(): assert os.path.getsize("a.txt")
            def test_list(): os.listdir("sub")
            def test_glob(): glob.glob("sub/*.txt")
            def test_glob_of_one(): assert not list(pathlib.Path("sub").glob("none.txt"))
            def test_modules(): list(pkgutil.iter_modules(["pkg"]))
            def test_database():
                with pytest.raises(sqlite3.DatabaseError):
                    sqlite3.connect("a.txt").execute("select 1 from t")
            def test_source(): inspect.getsource(test_open)
            def test_source_again(): inspect.getsource(test_open)
            def test_line(): linecache.getline(__file__, 1)
            def test_line_again(): linecache.getline(__file__, 2)
            def test_trace():
                try: 1 / 0
                except ZeroDivisionError: traceback.format_exc()
            def test_trace_again():
                try: 1 / 0
                except ZeroDivisionError: traceback.format_exc()
            def test_failure_of_ours(): pytest.fail.Exception
    """)
    for test in ("open", "os", "mmap", "size"):
        assert of(recording, f"test_{test}") == {"r a.txt"}, test
    assert "r sub/b.txt" in of(recording, "test_chdir")
    assert "r pkg/res.txt" in of(recording, "test_resource")
    assert of(recording, "test_missing") == {"x no.txt", "x n"}
    assert of(recording, "test_missing_open") == {"x no.txt"}
    assert of(recording, "test_there") == {"e sub", "e a.txt"}
    assert of(recording, "test_list") == {"l sub"}
    assert "l sub" in of(recording, "test_glob")
    # Python 3.12 and earlier list the folder also for a name that is spelled out.
    assert of(recording, "test_glob_of_one") & {"x sub/none.txt", "l sub"}
    assert "l pkg" in of(recording, "test_modules")
    assert "r a.txt" in of(recording, "test_database")
    for test in ("source", "source_again", "line", "line_again"):
        assert "t test_a.py" in of(recording, f"test_{test}"), test
    # What a traceback shows is the line at which it stands, and none other.
    compiled = {"x <unknown>"}  # since 3.13 it compiles the line, and its error looks for that
    assert of(recording, "test_trace") - compiled == {"t test_a.py:27"}
    assert of(recording, "test_trace_again") - compiled == {"t test_a.py:30"}
    assert of(recording, "test_failure_of_ours") == set()


async def test_what_a_test_has_made_is_not_what_it_depends_on(record: Record) -> None:
    """Its own files and folders, and those of ``tmp_path``; they are told as written."""
    recording = await record("""
        test_a.py
            import pathlib
            def test_own():
                out = pathlib.Path("out")
                assert not out.exists()
                out.mkdir()
                (out / "a.txt").write_text("1")
                assert (out / "a.txt").read_text() == "1" and list(out.iterdir())
            def test_tmp(tmp_path):
                (tmp_path / "a").write_text("1")
                assert (tmp_path / "a").read_text()
    """)
    assert of(recording, "test_own") == set()
    assert of(recording, "test_tmp") == set()
    assert recording.written == {"out", "out/a.txt"}


async def test_a_file_that_a_test_writes_anew_is_its_own_alone(record: Record) -> None:
    """It may be put back: another test reads what was there before. What is new is everybody's."""
    recording = await record("""
        data.txt
            1
        made.txt
            1
        test_a.py
            import pytest
            def write(name):
                with open(name, "w") as file: file.write("1")
            def read(name): return open(name).read()
            @pytest.fixture(scope="module")
            def made(): write("made.txt")
            def test_writer(): write("data.txt"); read("data.txt"); write("new.txt")
            def test_other(): read("data.txt"); read("new.txt")
            def test_user(made): read("made.txt")
            def test_nobody(): read("made.txt")
    """)
    reads = {
        name: {dep for dep in of(recording, f"test_{name}") if dep[0] == "r"}
        for name in ("writer", "other", "user", "nobody")
    }
    assert reads == {
        "writer": set(), "other": {"r data.txt"}, "user": set(), "nobody": {"r made.txt"},
    }  # fmt: skip


async def test_what_tools_keep_is_told_from_what_has_a_similar_name(record: Record) -> None:
    """A workflow, and settings of git and of coverage, are the project's."""
    recording = await record("""
        .github/ci.yml
            1
        .gitattributes
            1
        .coveragerc
            1
        .coverage
            1
        .coverage.host.1
            1
        .tox/log.txt
            1
        test_a.py
            import pathlib
            def test():
                for path in (".github/ci.yml", ".gitattributes", ".coveragerc", ".coverage",
                             ".coverage.host.1", ".tox/log.txt"):
                    pathlib.Path(path).read_text()
    """)
    assert of(recording, "test") == {"r .github/ci.yml", "r .gitattributes", "r .coveragerc"}


async def test_files_of_the_machine_are_told_where_the_project_reads_them(record: Record) -> None:
    """Not those of the interpreter, of the kernel, or that other packages read for themselves."""
    recording = await record("""
        test_a.py
            import os, pathlib
            def test_read(): pathlib.Path("/etc/passwd").read_text()
            def test_kernel(): open("/proc/self/status").read(); open("/dev/null").read()
            def test_library(): open(os.__file__).read()
    """)
    assert of(recording, "test_read") == {"r /etc/passwd"}
    assert of(recording, "test_kernel") == of(recording, "test_library") == set()


async def test_certificates_that_are_loaded_are_told(record: Record) -> None:
    """OpenSSL opens them itself, and no audit event tells of that (S20)."""
    recording = await record("""
        ca.pem
            no certificate
        key.pem
            no key
        folder/here.pem
            no certificate
        test_a.py
            import pathlib, ssl, pytest
            def test_authority():
                with pytest.raises(ssl.SSLError): ssl.create_default_context(cafile="ca.pem")
            def test_folder():
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(capath=b"folder")
            def test_chain():
                with pytest.raises(ssl.SSLError):
                    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                        pathlib.Path("ca.pem"), keyfile="key.pem")
            def test_missing():
                with pytest.raises(FileNotFoundError): ssl.create_default_context(cafile="no.pem")
            def test_text():
                with pytest.raises(ssl.SSLError): ssl.create_default_context(cadata="none")
            def test_shown(): assert ssl.SSLContext.load_cert_chain.__name__ == "load_cert_chain"
    """)
    assert of(recording, "test_authority") == {"r ca.pem"}
    assert of(recording, "test_folder") == {"l folder"}
    assert of(recording, "test_chain") == {"r ca.pem", "r key.pem"}
    assert of(recording, "test_missing") == {"x no.pem"}
    assert of(recording, "test_text") == of(recording, "test_shown") == set()


async def test_functions_of_c_libraries_make_tests_opaque(record: Record) -> None:
    """What they read nobody tells; not those of which it is known that they read nothing (S20)."""
    tree = """
        data.txt
            1
        test_a.py
            import ctypes
            def test_here(): ctypes.CDLL(None).{}
            def test_python(): ctypes.pythonapi.Py_IsInitialized()
    """
    (reason,) = (d for d in of(await record(tree.format("fopen")), "test_here") if d[0] == "o")
    assert reason == "o calls fopen of a C library: what that reads cannot be known"
    recording = await record(tree.format("getpid"), again=True)
    assert of(recording, "test_here") == of(recording, "test_python") == set()


async def test_a_function_of_a_c_library_is_anyones_who_comes_later(record: Record) -> None:
    """The library's object keeps it: a later test that calls it looks for nothing."""
    recording = await record("""
        lib.py
            import ctypes
            libc = ctypes.CDLL(None)
        test_a.py
            import lib
            def test_1(): lib.libc.fopen
            def test_2(): lib.libc.fopen
    """)
    assert any(dep[0] == "o" for dep in recording.processes["main"])


async def test_variables_are_told_where_they_are_the_given_ones(record: Record) -> None:
    """Whatever way they are read; not what a test has set itself, nor what changes all the time."""
    recording = await record(
        """
        test_a.py
            import os
            def test_get(): os.environ.get("MODE"); os.getenv("NOT_SET"); "IN" in os.environ
            def test_item(): os.environ["MODE"]
            def test_own(monkeypatch):
                monkeypatch.setenv("MODE", "other")
                assert os.environ["MODE"] == "other"
            def test_all(): dict(os.environ)
            def test_copy(monkeypatch):
                monkeypatch.setenv("MADE", "here")
                os.environ.copy()
            def test_text(): str(os.environ)
            def test_volatile(): os.environ["PYTEST_CURRENT_TEST"]
        """,
        env={"MODE": "fast"},
    )
    assert of(recording, "test_get") == {"v MODE", "v NOT_SET", "v IN"}
    assert of(recording, "test_item") == {"v MODE"}
    assert of(recording, "test_own") == set()
    assert {"v *", "v MODE"} <= of(recording, "test_all")
    assert of(recording, "test_copy") == of(recording, "test_all") == of(recording, "test_text")
    assert of(recording, "test_volatile") == set()
    # The C library reads one, and pytest the other, where nobody hears of it.
    assert {"v TZ", "v PYTEST_ADDOPTS"} <= recording.processes["main"]


async def test_failed_imports_and_distributions_are_told(record: Record) -> None:
    """`importorskip`, `find_spec` and an import that is caught (S24, S25)."""
    recording = await record("""
        test_a.py
            import importlib.util, pytest
            def test_skip(): pytest.importorskip("no_such_one")
            def test_find(): assert importlib.util.find_spec("no_such_two") is None
            def test_caught():
                try: import no_such_three.sub
                except ImportError: pass
    """)
    assert of(recording, "test_skip") == {"i no_such_one"}
    assert of(recording, "test_find") == {"i no_such_two"}
    assert of(recording, "test_caught") == {"i no_such_three"}


async def test_texts_that_are_tests_are_what_they_depend_on(record: Record) -> None:
    """Doctests of a text file, and of a module."""
    recording = await record(
        """
        notes.txt
            >>> 1 + 1
            2
        lib.py
            def f():
                '''
                >>> f()
                1
                '''
                return 1
        """,
        args=("--doctest-modules", "--doctest-glob=*.txt"),
    )
    assert "r notes.txt" in recording.tests["notes.txt::notes.txt"]
    assert {"t lib.py", "f lib.py::f"} <= recording.tests["lib.py::lib.f"]


# Programs


async def test_programs_in_python_are_recorded_inside(record: Record) -> None:
    """Started directly, through a shell, forked or by `multiprocessing`, and killed (S21)."""
    recording = await record("""
        lib.py
            def f(): return g()
            def g(): return 1
            def forever():
                import time
                print("up", flush=True)
                time.sleep(600)
        app.py
            import lib, os, sys
            lib.f()
            open("data.txt").read()
            print(any("record_child" in str(p) for p in sys.path))
            print("DEVLOOP_RECORD" in os.environ)
        data.txt
            1
        test_a.py
            import multiprocessing, os, subprocess, sys
            def test_direct():
                done = subprocess.run([sys.executable, "-m", "app"], capture_output=True, text=True)
                assert done.stdout == "False\\nFalse\\n"
            def test_shell(): subprocess.run(f"{sys.executable} -m app", shell=True, check=True)
            def test_system(): assert os.system(f"{sys.executable} app.py") == 0
            def test_fork():
                pid = os.fork()
                if not pid:
                    import lib
                    lib.f(); os._exit(0)
                os.waitpid(pid, 0)
            def test_spawned():
                import lib
                process = multiprocessing.get_context("spawn").Process(target=lib.f)
                process.start(); process.join()
            def test_killed():
                line = [sys.executable, "-c", "import lib; lib.forever()"]
                with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
                    process.stdout.readline()
                    process.kill()
            def test_environment():
                done = subprocess.run(["env"], env={"A": "1"}, capture_output=True, text=True)
                assert done.stdout == "A=1\\n"
    """)
    app = {"m app.py", "m lib.py", "f lib.py::f", "f lib.py::g", "r data.txt"}
    for test in ("direct", "shell", "system"):
        assert of(recording, f"test_{test}") >= app, test
    assert of(recording, "test_fork") >= {"m lib.py", "f lib.py::g"}
    assert of(recording, "test_spawned") >= {"m lib.py", "f lib.py::g"}
    assert of(recording, "test_killed") >= {"m lib.py", "f lib.py::forever"}
    opaque = [t for t, deps in recording.tests.items() if any(d[0] == "o" for d in deps)]
    assert opaque == ["test_a.py::test_environment"]


async def test_what_cannot_be_recorded_makes_a_test_opaque(record: Record) -> None:
    """Other programs, and interpreters that are told to be alone; with the reason."""
    recording = await record("""
        run.sh
            cat data.txt
        data.txt
            1
        test_a.py
            import subprocess, sys
            def test_script(): subprocess.run(["sh", "run.sh"], check=True)
            def test_alone(): subprocess.run([sys.executable, "-I", "-c", ""], check=True)
            def test_harmless(): subprocess.run(["true"], check=True)
    """)
    (reason,) = (dep for dep in of(recording, "test_script") if dep[0] == "o")
    assert reason == "o runs sh: what that reads cannot be known"
    assert any(dep.startswith("o ") for dep in of(recording, "test_alone"))
    assert not any(dep.startswith("o ") for dep in of(recording, "test_harmless"))


async def test_programs_that_only_read_what_they_are_given_are_followed(record: Record) -> None:
    """Filters read their input and the files that are named, and have no other effect."""
    recording = await record("""
        data.txt
            1
        cat
            #!/bin/sh
            /bin/cat data.txt
        sub/one.txt
            1
        test_a.py
            import os, shutil, subprocess
            def run(*words, **more):
                subprocess.run(words, input=b"1", stdout=subprocess.PIPE, **more)
            def test_stream(): run("cat"); run("head", "-n", "-1"); run("wc", "-")
            def test_file(): run("cat", "data.txt", "--", "sub/none.txt")
            def test_folder(): run("cat", "sub")
            def test_elsewhere(): run("cat", "one.txt", cwd="sub")
            def test_shell(): subprocess.run("cat data.txt", shell=True)
            def test_option(): run("wc", "--files0-from=data.txt")
            def test_own(): os.chmod("cat", 0o700); run("./cat")
    """)

    def met(test: str) -> Deps:
        return of(recording, test) - {"f test_a.py::run", "v PATH", "x -1"}

    assert met("test_stream") == set()
    assert met("test_file") == {"r data.txt", "x sub/none.txt"}
    assert met("test_elsewhere") == {"r sub/one.txt"}
    assert met("test_shell") == {"r data.txt"}
    for test in ("folder", "option", "own"):
        assert any(dep[0] == "o" for dep in met(f"test_{test}")), test


@pytest.mark.skipif(shutil.which("less") is None, reason="the pager is not installed")
async def test_a_pager_is_followed_where_nothing_tells_it_to_read_more(record: Record) -> None:
    """Neither an option, nor a variable, nor a file of keys in the project."""
    recording = await record("""
        data.txt
            1
        test_a.py
            import os, subprocess
            def run(*words, **more):
                env = {**os.environ, "LESS": "", "HOME": "/", **more}
                subprocess.run(["less", *words], input=b"1", stdout=subprocess.PIPE, env=env)
            def test_plain(): run("-R"); run(LESS="-FRX"); run("-R", "data.txt")
            def test_log(): run("-o/dev/null")
            def test_runs(): run(LESSOPEN="|-cat %s")
            def test_keys(): run(LESS="-kdata.txt")
            def test_home(): run(HOME=os.getcwd())
            def test_does(): run("+!true")
    """)
    assert {d for d in of(recording, "test_plain") if d[0] in "orx"} == {"r data.txt"}
    for test in ("log", "runs", "keys", "home", "does"):
        assert any(dep[0] == "o" for dep in of(recording, f"test_{test}")), test


# Ways to run


SEVERAL = """
    lib.py
        def f(n): return n
        def make(): pass
        def drop(): pass
    test_a.py
        import lib, pytest
        @pytest.fixture(scope="session")
        def made():
            lib.make()
            yield
            lib.drop()
        @pytest.mark.parametrize("n", range(6))
        def test_n(n, made): lib.f(n)
"""


async def test_workers_record_what_one_process_records(record: Record) -> None:
    """Each worker's process is told apart."""
    alone = await record(SEVERAL)
    workers = await record(SEVERAL, rerun=True, workers=2)
    assert workers.tests == alone.tests
    assert workers.modules == alone.modules
    assert workers.collections == alone.collections
    assert set(workers.ran_in.values()) == {"gw0", "gw1"}
    everything = {"f lib.py::f", "f lib.py::make", "f lib.py::drop", "f test_a.py::made"}
    assert all(deps >= everything for deps in alone.tests.values())


async def test_nothing_is_recorded_where_nobody_wants_it(
    guard: Guard, python: Interpreter, tmp_path: Path
) -> None:
    """`[tests] record = false`: the tests find the interpreter as it is."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(
        "import os, sys\n"
        "def test_a():\n"
        "    assert all(sys.monitoring.get_tool(n) is None for n in range(6))\n"
        "    assert type(os.stat).__name__ == 'builtin_function_or_method'\n"
    )
    result = await Project(tmp_path, guard, python).run(record=False)
    assert result.finished.passed == 1
    assert result.ran.recording is None


async def test_a_broken_off_run_keeps_what_is_whole(record: Record, tmp_path: Path) -> None:
    """A test whose fixture was never torn down has no record: nobody knows what that would do."""
    from devloop.execute.recorded import Recorded
    from devloop.inside.record_contexts import Context, Recorder

    recorder = Recorder("main")
    fixture, first, second = (
        Context("fixture", "1"), Context("test", "a::t1"), Context("test", "a::t2"),
    )  # fmt: skip
    for test in (first, second):
        recorder.enter(test)
        recorder.add("f a.py::f")
        recorder.leave(test)
        recorder.finish(test)
    first.uses.add(fixture)
    recorder.enter(fixture)
    recorder.leave(fixture)
    recorded = Recorded(probe(sys.executable, tmp_path, clean_environment()))
    news = recorder.news()
    assert news is not None
    recorded.take(news)
    assert set(recorded.recording(str).tests) == {"a::t2"}


@pytest.mark.parametrize("version", ["3.10" if sys.version_info < (3, 11) else "3.11"])
async def test_before_3_12_modules_are_told(
    guard: Guard,
    environment: Callable[[str], Interpreter],
    tmp_path: Path,
    write_tree: Callable[[Path, str], None],
    version: str,
) -> None:
    """The files whose bodies ran, and what is read meanwhile; the rest is as ever."""
    write_tree(
        tmp_path,
        """
        pytest.ini
            [pytest]
        lib.py
            import other
            DATA = open("data.txt").read()
        other.py
        lazy.py
        data.txt
            1
        test_a.py
            import lib
            def test_1(): import lazy; open("data.txt")
        """,
    )
    result = await Project(tmp_path, guard, environment(version)).run()
    recording = result.ran.recording
    assert recording is not None
    assert recording.tests["test_a.py::test_1"] == {"p lazy.py", "r data.txt"}
    assert recording.modules["lib.py"] == {"p other.py", "r data.txt"}
    assert recording.imports["lib.py"] == {"other.py"}
    assert recording.collections["test_a.py"] == {"p test_a.py"}


async def test_a_fault_of_the_recorder_fails_no_test(record: Record) -> None:
    """All tests of the process are opaque from then on, with the reason."""
    recording = await record("""
        conftest.py
            import sys
            sys.modules["_devloop_record_files"].Files._read = None
        a.txt
            1
        test_a.py
            def test_a(): open("a.txt")
    """)
    (reason,) = (dep for dep in recording.processes["main"] if dep[0] == "o")
    assert reason.startswith("o the recorder failed: TypeError")


async def test_other_tools_keep_their_events(record: Record) -> None:
    """A debugger or coverage that monitors beside it hears of every call it has not turned off."""
    recording = await record("""
        lib.py
            def f(): pass
        test_a.py
            import lib, sys
            def test_a():
                monitoring, heard = sys.monitoring, []
                def begin(code, _):
                    if code is lib.f.__code__: heard.append(1)
                monitoring.use_tool_id(monitoring.COVERAGE_ID, "another")
                monitoring.register_callback(
                    monitoring.COVERAGE_ID, monitoring.events.PY_START, begin)
                monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.PY_START)
                for _ in range(10): lib.f()
                monitoring.restart_events()
                for _ in range(10): lib.f()
                monitoring.set_events(monitoring.COVERAGE_ID, 0)
                monitoring.free_tool_id(monitoring.COVERAGE_ID)
                assert len(heard) == 20
            def test_b(): lib.f()
    """)
    assert "f lib.py::f" in of(recording, "test_a")
    assert of(recording, "test_b") == {"f lib.py::f"}


async def test_a_function_that_runs_often_is_told_in_each_test(record: Record) -> None:
    """Events that are turned off where they come often are armed again for the next owner."""
    recording = await record("""
        lib.py
            def f(): pass
            def g():
                while True: yield f()
        test_a.py
            import lib, pytest
            @pytest.fixture(scope="module")
            def made():
                for _ in range(100): lib.f()
            def test_1(made):
                for _ in range(100): lib.f()
            def test_2():
                generator = lib.g()
                for _ in range(100): next(generator)
            def test_3(): lib.f()
            def test_4(made): pass
    """)
    made = {"f test_a.py::made", "f lib.py::f"}
    assert of(recording, "test_1") == of(recording, "test_4") == made
    assert of(recording, "test_2") == {"f lib.py::f", "f lib.py::g"}
    assert of(recording, "test_3") == {"f lib.py::f"}
