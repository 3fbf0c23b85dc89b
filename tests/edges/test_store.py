"""The store with real files, real processes, and everything that can be wrong with them."""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devloop.graph.facts import Facts, Import
from devloop.plan.measures import Measure, Served
from devloop.plan.steps import StepRecord
from devloop.plan.warm import WarmRecord
from devloop.select.proofs import Proofs
from devloop.select.records import BROKEN, HistoryEntry, Learned, Pass, Records, Verdict
from devloop.store import peek
from devloop.store.database import KEPT
from devloop.store.records import FileRecord
from devloop.store.store import (
    FEW,
    MEASURED,
    MEASURES,
    Store,
)

FILE = FileRecord("a.py", (1, 2, 3, 4), b"digest", Facts(b"f", (Import("os"),)))


WEB = Served("web", 0.04, "warm")


def verdict(nodeid: str, revision: int = 1) -> Verdict:
    """A verdict of a test that passed."""
    return Verdict(nodeid, nodeid.partition("::")[0], "passed", 0.1, revision)


def passed_at(nodeid: str, revision: int) -> Verdict:
    """A verdict of a test that passed on some contents."""
    path = nodeid.partition("::")[0]
    return Verdict(nodeid, path, "passed", 0.1, revision, passes=(Pass(revision),))


def run(*nodeids: str, **more: Any) -> Learned:
    """What a run adds in which these tests passed."""
    deps = tuple(f"n {nodeid}" for nodeid in nodeids)
    return Learned(verdicts=tuple(verdict(nodeid) for nodeid in nodeids), deps=deps, **more)


def remembers(root: Path) -> None:
    """Fail unless the store of `root` keeps what it is given for the next session."""
    with Store.open(root, stamp="s") as store:
        store.save_files([FILE])
    with Store.open(root, stamp="s") as store:
        assert store.load_files() == {"a.py": FILE}
        assert store.notices == []


def python(code: str, *args: str, preload: Path | None = None) -> subprocess.Popen[str]:
    """Start a program that can import devloop."""
    env = os.environ | ({"LD_PRELOAD": str(preload)} if preload else {})
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        text=True,
    )


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Leave no process behind."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_everything_is_there_in_the_next_session(tmp_path: Path) -> None:
    """Files, verdicts, lists of tests and steps survive; what was deleted is gone."""
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE, FileRecord("b.py", (1, 1, 1, 1), b"b")])
        lists = (("b.py", 1), ("c.py", 1))
        assert store.save_run(run("b.py::x", "c.py::x", collected=lists), Records())
        store.save_step("css", StepRecord(b"k", {"app.css": b"1"}, b"m"))
        store.save_step("old", StepRecord(b"k", {}, b"m"))
        store.save_files([], deleted=["b.py"])
        assert store.save_run(Learned(gone=("b.py::x",)), store.load_records())
        store.save_step("old", None)
    with Store.open(tmp_path, stamp="s") as store:
        assert store.load_files() == {"a.py": FILE}
        assert store.load_records().verdicts == {"c.py::x": verdict("c.py::x")}
        assert store.load_records().collected == {"b.py": 1, "c.py": 1}
        assert store.load_steps() == {"css": StepRecord(b"k", {"app.css": b"1"}, b"m")}
        assert store.notices == []


def test_what_is_put_off_is_written_before_anybody_asks(tmp_path: Path) -> None:
    """It waits for time, and never so long that somebody could miss it."""
    with Store.open(tmp_path, stamp="s") as store, Store.open(tmp_path, stamp="s") as other:
        store.save_files([FILE], later=True)
        store.save_outlines({b"d": b"o"}, later=True)
        assert other.load_files() == {}
        assert store.load_outlines([b"d"]) == {b"d": b"o"}
        assert other.load_files() == {"a.py": FILE}
        store.save_files([], ["a.py"], later=True)
        store.save_files([FileRecord("b.py", (1, 1, 1, 1), b"b")])
        assert other.load_files().keys() == {"b.py"}
        store.save_files([FILE], later=True)
        store.catch_up()
        assert other.load_files().keys() == {"a.py", "b.py"}
        for number in range(100):
            store.save_files([FileRecord(f"{number}.py", (1, 1, 1, 1), b"b")], later=True)
        assert len(other.load_files()) > 60, "it does not pile up"
    with Store.open(tmp_path, stamp="s") as store:
        assert len(store.load_files()) == 102


def test_a_file_that_could_not_be_collected_holds_no_tests(tmp_path: Path) -> None:
    """It is known that it could not, and nothing else of it, in the next session as well."""
    with Store.open(tmp_path, stamp="s") as store:
        assert store.save_run(Learned(collected=(("broken.py", BROKEN),)), Records())
    with Store.open(tmp_path, stamp="s") as store:
        records = store.load_records()
    assert records.collected == {"broken.py": BROKEN}
    assert records.holding() == frozenset()


def test_starts_are_known_for_one_command_of_an_app(tmp_path: Path) -> None:
    """Another command of the same name begins anew, and takes its place."""
    with Store.open(tmp_path, stamp="s") as store:
        store.save_warm("web", "uvicorn", WarmRecord(("a",)))
        store.save_warm("\udce9", "uvicorn", WarmRecord(("\udce9",)))
    with Store.open(tmp_path, stamp="s") as store:
        assert store.load_warm("web", "uvicorn") == WarmRecord(("a",))
        assert store.load_warm("web", "gunicorn") is None
        assert store.load_warm("\udce9", "uvicorn") is None
        store.save_warm("web", "gunicorn", WarmRecord(("b",)))
        assert store.load_warm("web", "uvicorn") is None
        assert store.notices == []


def test_another_interpreter_gets_verdicts_and_no_facts(tmp_path: Path) -> None:
    """Two sessions with different stamps share a store without mixing their facts."""
    with Store.open(tmp_path, stamp="3.10") as old, Store.open(tmp_path, stamp="3.13") as new:
        old.save_files([FILE])
        old.save_run(run("t.py::x"), Records())
        assert new.load_files()["a.py"].facts is None
        assert new.load_records().verdicts == {"t.py::x": verdict("t.py::x")}
        new.save_files([FILE])
        assert new.load_files() == {"a.py": FILE}
        assert old.load_files()["a.py"].facts is None


def test_git_does_not_see_the_folder(tmp_path: Path) -> None:
    """`.devloop/` ignores itself, and a `.gitignore` that a crash left empty is written again."""
    (tmp_path / ".devloop").mkdir()
    (tmp_path / ".devloop/.gitignore").touch()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE])
        status = subprocess.run(
            ["git", "-C", tmp_path, "status", "--porcelain", "-uall"],
            check=True,
            capture_output=True,
        )
    assert status.stdout == b""


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 4000)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _foreign(path: Path) -> None:
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE files (path TEXT)")
    other.commit()
    other.close()


def _other_version(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=999")
    other.close()


def _folder(path: Path) -> None:
    path.unlink()
    (path / "sub").mkdir(parents=True)


def _no_table(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("DROP TABLE verdicts")
    other.commit()
    other.close()


def _other_form(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("UPDATE verdicts SET body = x'00'")
    other.commit()
    other.close()


@pytest.mark.parametrize(
    "spoil", [_garbage, _cut, _foreign, _other_version, _folder, _no_table, _other_form]
)
def test_a_bad_store_is_set_aside(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """It is renamed, one notice says so, nothing of it is used, and the new one works."""
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE])
        store.save_run(run(*(f"t.py::x{n}" for n in range(500))), Records())
    spoil(tmp_path / ".devloop/store.db")
    with Store.open(tmp_path, stamp="s") as store:
        assert store.load_records().verdicts == {}
        assert store.load_files() == {}
        assert len(store.notices) == 1
        assert "set aside" in store.notices[0].message
        assert store.notices[0].severity == "warning"
    assert (tmp_path / ".devloop/store.db.bad-1").exists()
    remembers(tmp_path)


def test_a_damaged_record_costs_the_store_and_no_more(tmp_path: Path) -> None:
    """A flipped bit that SQLite does not see is found when the record is read."""
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE])
    path = tmp_path / ".devloop/store.db"
    data = path.read_bytes()
    assert data.count(b"digest") == 1
    path.write_bytes(data.replace(b"digest", b"digesu"))
    with Store.open(tmp_path, stamp="s") as store:
        assert store.load_files() == {}
        assert [notice.message.startswith("the store was set aside") for notice in store.notices]
    remembers(tmp_path)


def test_few_bad_stores_are_kept(tmp_path: Path) -> None:
    """The newest ones stay, with their numbers counted on."""
    for _ in range(KEPT + 2):
        Store.open(tmp_path, stamp="s").close()
        _garbage(tmp_path / ".devloop/store.db")
    Store.open(tmp_path, stamp="s").close()
    kept = sorted(path.name for path in (tmp_path / ".devloop").glob("store.db.bad-*"))
    assert kept == [f"store.db.bad-{n}" for n in range(3, 3 + KEPT)]


def test_a_store_that_another_process_holds_for_good_is_set_aside(tmp_path: Path) -> None:
    """After the wait the session goes on with a new store, and the next one finds it."""
    Store.open(tmp_path, stamp="s").close()
    holder = python(
        """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("BEGIN EXCLUSIVE")
        print("held", flush=True)
        sys.stdin.read()
        """,
        str(tmp_path / ".devloop/store.db"),
    )
    with ended(holder):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with Store.open(tmp_path, stamp="s", wait=0.2) as store:
            assert "locked" in store.notices[0].message
            store.save_files([FILE])
        remembers(tmp_path)


def test_a_writer_that_never_ends_costs_no_record(tmp_path: Path) -> None:
    """A save that cannot get its turn takes what is known along into a new store."""
    with Store.open(tmp_path, stamp="s", wait=0.2) as store:
        store.save_run(run("t.py::old"), Records())
        holder = sqlite3.connect(tmp_path / ".devloop/store.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        store.save_run(run("t.py::new"), store.load_records())
        assert "locked" in store.notices[0].message
        assert set(store.load_records().verdicts) == {"t.py::old", "t.py::new"}
    with Store.open(tmp_path, stamp="s") as store:
        assert set(store.load_records().verdicts) == {"t.py::old", "t.py::new"}
    holder.close()


def test_a_store_that_was_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    """`devloop clean` beside a session: later records are found by the next session."""
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE])
        shutil.rmtree(tmp_path / ".devloop")
        store.save_run(run("t.py::x"), Records())
    with Store.open(tmp_path, stamp="s") as store:
        assert set(store.load_records().verdicts) == {"t.py::x"}
        assert store.notices == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """Records live in memory, and one notice says so."""
    (tmp_path / ".devloop").write_text("mine")
    with Store.open(tmp_path, stamp="s") as store:
        store.save_files([FILE])
        assert store.load_files() == {"a.py": FILE}
        assert [notice.severity for notice in store.notices] == ["warning"]
        assert "in memory" in store.notices[0].message
    assert (tmp_path / ".devloop").read_text() == "mine"


@pytest.mark.parametrize("existing", [False, True], ids=["new store", "store of another user"])
def test_a_read_only_folder(tmp_path: Path, existing: bool) -> None:
    """Records live in memory; a session that may not write does its work all the same."""
    (tmp_path / ".devloop").mkdir()
    if existing:
        remembers(tmp_path)
    for path in (*tmp_path.joinpath(".devloop").iterdir(), tmp_path / ".devloop", tmp_path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    process = python(
        """
        import os, sys, tempfile
        from pathlib import Path
        from devloop.store.store import FileRecord, Store
        with tempfile.TemporaryDirectory() as folder:
            Store.open(Path(folder), stamp="s").close()  # what it imports late need not be readable
        if os.getuid() == 0:
            os.setuid(65534)
        with Store.open(Path(sys.argv[1]), stamp="s") as store:
            store.save_files([FileRecord("new.py", (1, 2, 3, 4), b"d")])
            print(*store.load_files())
            print(*(notice.message for notice in store.notices), sep="|")
        """,
        str(tmp_path),
    )
    out, _ = process.communicate(timeout=60)
    tmp_path.chmod(0o755)
    (tmp_path / ".devloop").chmod(0o755)
    names, notices = out.splitlines()
    assert "new.py" in names.split()
    assert notices.count("in memory") == 1
    assert "|" not in notices


@pytest.mark.parametrize("room", [100, 60_000], ids=["full at the start", "full later"])
def test_a_full_disk(tmp_path: Path, room: int) -> None:
    """What no longer fits is kept in memory, with all that had been there."""
    process = python(
        """
        import resource, sys
        from pathlib import Path
        from devloop.store.store import FileRecord, Store
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        with Store.open(Path(sys.argv[1]), stamp="s") as store:
            for n in range(300):
                store.save_files([FileRecord(f"{n}.py", (1, 2, 3, 4), b"d" * 1000)])
            print(len(store.load_files()))
            print(*(notice.message for notice in store.notices), sep="|")
        """,
        str(tmp_path),
        str(room),
    )
    out, _ = process.communicate(timeout=60)
    count, notices = out.splitlines()
    assert count == "300"
    assert "in memory" in notices
    with Store.open(tmp_path, stamp="s") as store:
        assert len(store.load_files()) < 300
        assert store.notices == []


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs a C compiler on Linux"
)
def test_a_file_system_without_locks(tmp_path: Path) -> None:
    """The store goes without its write-ahead log, says so, and two processes still take turns."""
    source = tmp_path / "nolocks.c"
    source.write_text(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdarg.h>
        static int call(const char *name, int fd, int command, void *argument) {
            if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) {
                errno = ENOLCK;
                return -1;
            }
            return ((int (*)(int, int, void *))dlsym(RTLD_NEXT, name))(fd, command, argument);
        }
        #define WRAP(name) int name(int fd, int command, ...) { \\
            va_list list; va_start(list, command); void *argument = va_arg(list, void *); \\
            va_end(list); return call(#name, fd, command, argument); }
        WRAP(fcntl)
        WRAP(fcntl64)
        """
    )
    library = tmp_path / "nolocks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", library, source, "-ldl"], check=True)
    root = tmp_path / "project"
    root.mkdir()
    code = """
        import sys
        from pathlib import Path
        from devloop.store.store import FileRecord, Store
        with Store.open(Path(sys.argv[1]), stamp="s", wait=5) as store:
            for n in range(20):
                store.save_files([FileRecord(f"{sys.argv[2]}{n}", (1, 2, 3, 4), b"d")])
            print(*(notice.message for notice in store.notices), sep="|")
        """
    first, second = (python(code, str(root), name, preload=library) for name in "ab")
    for process in (first, second):
        out, _ = process.communicate(timeout=60)
        assert "has no working locks" in out
        assert "|" not in out
    with Store.open(root, stamp="s") as store:
        assert len(store.load_files()) == 40


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """Each learns again from what the others wrote: no revision is used twice, nothing is lost."""
    code = """
        import sys
        from pathlib import Path
        from devloop.graph.graph import Graph
        from devloop.graph.layout import Layout
        from devloop.select.category import category
        from devloop.select.delta import Present
        from devloop.select.learning import learn
        from devloop.select.records import Ran
        from devloop.store.store import Store
        sys.stdin.readline()
        with Store.open(Path(sys.argv[1]), stamp="s") as store:
            name = sys.argv[2]
            for n in range(50):
                ran = Ran({f"{name}.py::x{n}": (f"{name}.py", "passed", 0.1)}, {})
                saved = False
                while not saved:
                    records = store.load_records()
                    graph, contents = Graph.build(Layout(), {}), {f"{name}.py": b"%d" % n}
                    present = Present(graph, records, contents, category, lambda _: {})
                    learned = learn(present, ran, frozenset())
                    saved = store.save_run(learned, records)
            print(*(notice.message for notice in store.notices))
        """
    writers = [python(code, str(tmp_path), name) for name in "abcd"]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert (writer.returncode, out) == (0, "\n")
    with Store.open(tmp_path, stamp="s") as store:
        records = store.load_records()
        assert records.revision == 200
        assert {verdict.revision for verdict in records.verdicts.values()} <= set(range(1, 201))
        assert store.notices == []


def test_a_run_learned_from_old_records_is_refused(tmp_path: Path) -> None:
    """Revisions that another process has added since make `save_run` write nothing."""
    entry = HistoryEntry("a.py", 1, b"1")
    with Store.open(tmp_path, stamp="s") as store:
        assert store.save_run(Learned(entries=(entry,)), Records())
        assert not store.save_run(run("t.py::x"), Records())
        assert store.load_records().verdicts == {}
        assert store.save_run(run("t.py::x"), store.load_records())


def test_a_run_learned_beside_another_one_is_refused(tmp_path: Path) -> None:
    """Two that ran on the same contents would give one number to two dependencies."""
    with Store.open(tmp_path, stamp="s") as store:
        before = store.load_records()
        assert store.save_run(run("t.py::x"), before)
        assert not store.save_run(run("t.py::y"), before)
        assert set(store.load_records().verdicts) == {"t.py::x"}


def test_a_run_is_learned_again_where_the_store_was_made_anew(tmp_path: Path) -> None:
    """A verdict never names a revision that the history does not have."""
    with Store.open(tmp_path, stamp="s") as store:
        assert store.save_run(Learned((HistoryEntry("a.py", 1, b"1"),)), Records())
        shutil.rmtree(tmp_path / ".devloop")
        assert not store.save_run(run("t.py::x"), Records([HistoryEntry("a.py", 1, b"1")]))
        assert store.load_records().revision == 0


def test_the_history_does_not_grow_for_ever(tmp_path: Path) -> None:
    """Contents that every verdict has outlived are dropped; every answer stays the same."""
    last = FEW + 9
    entries = [HistoryEntry("a.py", n, b"%d" % n) for n in range(1, last + 11)]
    learned = Learned(
        (*entries, HistoryEntry("b.py", 1, b"b")),
        (passed_at("t.py::x", last),),
        deps=("n t.py::x",),
    )
    with Store.open(tmp_path, stamp="s") as store:
        store.save_run(learned, Records())
        first, second = store.load_records(), store.load_records()
    for contents in ({"a.py": b"%d" % last, "b.py": b"b"}, {"a.py": b"7"}):
        for revision in (last, last + 5):
            changed = first.changed_since(revision, contents)
            assert second.changed_since(revision, contents) == changed
    assert second.revision == last + 10
    database = sqlite3.connect(tmp_path / ".devloop/store.db")
    assert database.execute("SELECT count(*) FROM history").fetchone() == (12,)
    database.close()


def _written(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def test_a_killed_writer_leaves_whole_runs(tmp_path: Path) -> None:
    """SIGKILL at any moment of a save: the next session finds one run, complete, and no notice."""
    code = """
        import sys
        from pathlib import Path
        from devloop.select.records import HistoryEntry, Learned, Verdict
        from devloop.store.store import Store
        with Store.open(Path(sys.argv[1]), stamp="s") as store:
            print("open", flush=True)
            start = int(sys.argv[2])
            for n in range(start, start + 100_000):
                run = tuple(Verdict(f"t.py::x{i}", "t.py", "passed", 1, n) for i in range(2000))
                entry = HistoryEntry("t.py", n, b"")
                records = store.load_records()
                deps = () if records.deps else tuple(f"n t.py::x{i}" for i in range(2000))
                store.save_run(Learned((entry,), run, (("t.py", n),), deps=deps), records)
                print(n, flush=True)
        """
    last = 0
    log = tmp_path / ".devloop/store.db-wal"
    for kill in range(8):
        with ended(python(code, str(tmp_path), str(last + 1))) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            for _ in range(kill % 4):
                last = int(writer.stdout.readline())
            before, deadline = _written(log), time.monotonic() + 10
            while _written(log) == before and time.monotonic() < deadline:
                pass  # the next run is being written
            writer.send_signal(signal.SIGKILL)
        with Store.open(tmp_path, stamp="s") as store:
            found = store.load_records()
            assert store.notices == []
        assert found.revision >= last
        last = found.revision
        assert len(found.verdicts) == (2000 if last else 0)
        assert {verdict.revision for verdict in found.verdicts.values()} <= {last}
        assert set(found.collected.values()) <= {last}
    check = sqlite3.connect(tmp_path / ".devloop/store.db")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


def test_a_project_whose_path_is_not_utf8(tmp_path: Path) -> None:
    """The store works in a folder with an undecodable name, and with a percent sign in it."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 50%?"))
    root.mkdir()
    remembers(root)


def test_measures_are_bounded_in_number_and_age(tmp_path: Path) -> None:
    """The latest are kept, the oldest first; what is too old or too much goes by itself."""
    with Store.open(tmp_path, stamp="s") as store:
        for t in (1.0, 2.0):
            store.save_measure(Measure(t, "change", "passed", 0.1))
        assert [one.t for one in peek.measures(tmp_path)] == [1.0, 2.0]
        later = MEASURED + 2.0
        store.save_measure(Measure(later, "change", "passed", 0.1, served=(WEB,)))
        assert [one.t for one in peek.measures(tmp_path)] == [2.0, later]
        assert peek.measures(tmp_path)[1].served == (WEB,)
        for number in range(MEASURES):
            store.save_measure(Measure(later + 1 + number, "key", "failed", 0.1))
        found = peek.measures(tmp_path)
        assert len(found) == MEASURES
        assert found[0].t == later + 1


def test_what_was_written_is_not_kept_in_memory(tmp_path: Path) -> None:
    """SQLite would keep the pages of a whole day, up to two megabytes."""
    try:
        used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    except (AttributeError, OSError):
        pytest.skip("this Python does not tell what SQLite uses")
    used.restype = ctypes.c_int64
    with Store.open(tmp_path, stamp="3.13") as store:
        sizes = []
        for number in range(501):
            store.save_measure(Measure(number + time.time(), "change", "passed", 0.1))
            if number % 500 == 0:
                store.shrink()
                sizes.append(used())
        assert sizes[1] <= sizes[0]


def test_looking_at_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    """Nothing measured, nothing known; a file that is none holds nothing either."""
    assert (peek.measures(tmp_path), peek.verdicts(tmp_path)) == ([], [])
    assert peek.proofs(tmp_path) == Proofs()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".devloop").mkdir()
    (tmp_path / ".devloop/store.db").write_text("no database")
    assert peek.measures(tmp_path) == []
