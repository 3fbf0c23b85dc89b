"""Parse workers: real interpreters, real files, real deaths."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import anyio
import msgspec
import psutil
import pytest

from devloop.errors import InterpreterError, ParserLost
from devloop.execute import parsing
from devloop.execute.parsing import Parsers
from devloop.graph.facts import Facts, Import
from devloop.inside import source

pytestmark = pytest.mark.anyio

KILLER = "x = " + "not " * 5000 + "1\n"
"""A source that no interpreter survives whose stack is small."""


@pytest.fixture
def frail(tmp_path: Path) -> str:
    """An interpreter with a small stack."""
    path = tmp_path / "frail-python"
    path.write_text(f'#!/bin/sh\nulimit -s 256\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def write(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def children() -> list[psutil.Process]:
    """The processes that this one has started and that are still there, zombies too."""
    return psutil.Process().children(recursive=True)


async def test_every_file_is_read_and_parsed(tmp_path: Path) -> None:
    """Signature, digest and facts are those of the file; nothing is left running."""
    files = {f"pkg/m{i}.py": f"import m{i + 1}\nx = {i}\n" for i in range(150)}
    write(tmp_path, files)
    calls: list[tuple[int, int]] = []
    before = children()
    async with Parsers(sys.executable, tmp_path, 2) as parsers:
        found = await parsers.parse(files, on_progress=lambda *call: calls.append(call))
        assert len(children()) == len(before) + 1  # kept for single edits
    assert children() == before
    assert found.keys() == files.keys()
    for path, parsed in found.items():
        status = (tmp_path / path).stat()
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        assert parsed.signature == signature
        assert parsed.digest == blake2b(files[path].encode(), digest_size=16).digest()
        own = msgspec.json.encode(source.facts(files[path].encode()))
        assert parsed.facts == msgspec.json.decode(own, type=Facts)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (150, 150)


async def test_single_edits_are_parsed_by_one_worker(tmp_path: Path) -> None:
    """It is started once, when there is something to do, and it reads what is there now."""
    before = len(children())
    async with Parsers(sys.executable, tmp_path) as parsers:
        assert len(children()) == before
        assert await parsers.parse([]) == {}
        pids = set()
        for name in ("a", "b", "c"):
            write(tmp_path, {"mod.py": f"import {name}\n"})
            found = await parsers.parse(["mod.py"])
            assert found["mod.py"].facts.imports == (Import(name),)
            pids |= {child.pid for child in children()}
        assert len(pids) == before + 1


async def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """Vanished files, folders, dangling and circular links, pipes and sockets (P21)."""
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "dangling.py").symlink_to("nowhere.py")
    (tmp_path / "circular.py").symlink_to("circular.py")
    os.mkfifo(tmp_path / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.py"))
        paths = ["folder.py", "dangling.py", "circular.py", "pipe.py", "socket.py", "gone.py"]
        async with Parsers(sys.executable, tmp_path) as parsers:
            assert await parsers.parse(paths) == {}


async def test_a_file_that_cannot_be_read_has_a_problem(tmp_path: Path) -> None:
    """The problem says why; other files are parsed all the same."""
    if os.geteuid() == 0:  # may read everything; but this one, of its own, is not all readable
        bad = "/proc/self/mem"
    else:
        bad = "bad.py"
        write(tmp_path, {bad: ""})
        (tmp_path / bad).chmod(0)
    write(tmp_path, {"good.py": ""})
    async with Parsers(sys.executable, tmp_path) as parsers:
        found = await parsers.parse([bad, "good.py"])
    problem = found[bad].facts.problem
    assert problem is not None
    assert problem.message.startswith("cannot be read: ")
    assert found[bad].digest == b""
    assert found["good.py"].facts.problem is None


async def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    """Its undecodable bytes survive the way to the worker and back (P21)."""
    name = os.fsdecode(b"caf\xe9.py")
    try:
        (tmp_path / name).write_text("import a\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    async with Parsers(sys.executable, tmp_path) as parsers:
        found = await parsers.parse([name])
    assert found[name].facts.imports == (Import("a"),)


async def test_extension_modules_have_a_digest_only(tmp_path: Path) -> None:
    """They are not compiled, however they look."""
    (tmp_path / "fast.so").write_bytes(b"\x7fELF")
    async with Parsers(sys.executable, tmp_path) as parsers:
        found = await parsers.parse(["fast.so"])
    assert found["fast.so"].facts == Facts(found["fast.so"].digest)


async def test_warnings_are_not_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doubtful source compiles, whatever the environment says of warnings."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    write(tmp_path, {"mod.py": "x = '\\d' is 'y'\nassert (x, 'always')\n"})
    async with Parsers(sys.executable, tmp_path) as parsers:
        found = await parsers.parse(["mod.py"])
    assert found["mod.py"].facts.problem is None


async def test_the_projects_files_do_not_reach_the_worker(tmp_path: Path) -> None:
    """Modules named as the standard library's are not imported by it."""
    files = dict.fromkeys(["ast.py", "json.py", "inside.py", "struct.py"], "raise SystemExit\n")
    write(tmp_path, files)
    async with Parsers(sys.executable, tmp_path) as parsers:
        assert (await parsers.parse(files)).keys() == files.keys()


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
async def test_other_interpreters(
    tmp_path: Path, version: str, interpreter: Callable[[str], str]
) -> None:
    """Each parses its own syntax, which devloop's own interpreter may not know."""
    newer = {"3.12": "type A = int\n", "3.13": "class A[T = int]: ...\n", "3.14": "x = t'{y}'\n"}
    files = {"plain.py": "import a\n", "newer.py": newer.get(version, "match a:\n case 1: ...\n")}
    write(tmp_path, files)
    async with Parsers(interpreter(version), tmp_path) as parsers:
        found = await parsers.parse(files)
    assert found["plain.py"].facts.imports == (Import("a"),)
    assert found["newer.py"].facts.problem is None


async def test_a_file_that_kills_its_worker(tmp_path: Path, frail: str) -> None:
    """The worker is replaced; that file has a problem, all others their facts."""
    files = {f"m{i}.py": f"import a{i}\n" for i in range(90)}
    files["m50.py"] = KILLER
    write(tmp_path, files)
    before = children()
    async with Parsers(frail, tmp_path, 2) as parsers:
        found = await parsers.parse(files)
        assert found.keys() == files.keys()
        problem = found["m50.py"].facts.problem
        assert problem is not None
        assert "SIGSEGV" in problem.message or "nested" in problem.message
        assert all(found[p].facts.problem is None for p in files if p != "m50.py")
        again = await parsers.parse(["m50.py"])
        assert again["m50.py"].facts.problem == problem
    left = [child for child in children() if child not in before]
    assert [child for child in left if child.name().startswith("python")] == []


async def test_workers_that_die_again_and_again(tmp_path: Path, frail: str) -> None:
    """After some of them devloop gives up with an error that says so."""
    files = {f"m{i}.py": KILLER for i in range(30)}
    write(tmp_path, files)
    async with Parsers(frail, tmp_path, 2) as parsers:
        with pytest.raises(ParserLost, match=r"one after the other.*SIGSEGV"):
            await parsers.parse(files)


async def test_an_idle_worker_that_was_killed(tmp_path: Path) -> None:
    """The next file is parsed by a new one, and is not blamed."""
    write(tmp_path, {"mod.py": "import a\n"})
    before = {child.pid for child in children()}
    async with Parsers(sys.executable, tmp_path) as parsers:
        await parsers.parse(["mod.py"])
        (worker,) = [child for child in children() if child.pid not in before]
        worker.send_signal(signal.SIGKILL)
        with anyio.fail_after(60):
            while worker.is_running():  # noqa: ASYNC110 - wait() would take its end from asyncio
                await anyio.sleep(0.01)
        found = await parsers.parse(["mod.py"])
    assert found["mod.py"].facts.imports == (Import("a"),)


async def test_a_cancelled_parse_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its workers are ended; the next parse is right."""
    files = {f"m{i}.py": "x = [\n" + "1,\n" * 3000 + "]\n" for i in range(400)}
    write(tmp_path, files)
    before = children()
    async with Parsers(sys.executable, tmp_path, 2) as parsers:
        with anyio.CancelScope() as scope:
            await parsers.parse(files, on_progress=lambda *_: scope.cancel())
        assert scope.cancelled_caught
        assert children() == before
        write(tmp_path, {"mod.py": "import a\n"})
        found = await parsers.parse(["mod.py"])
    assert found["mod.py"].facts.imports == (Import("a"),)
    assert children() == before


async def test_several_parses_at_once(tmp_path: Path) -> None:
    """An edit need not wait for a long read."""
    files = {f"m{i}.py": f"import a{i}\n" for i in range(300)}
    write(tmp_path, files)
    found: list[str] = []
    before = children()

    async with Parsers(sys.executable, tmp_path, 1) as parsers:

        async def parse(paths: list[str]) -> None:
            found.extend(await parsers.parse(paths))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parse, list(files))
            tasks.start_soon(parse, ["m7.py"])
    assert sorted(found) == sorted([*files, "m7.py"])
    assert children() == before


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "No such file"),
        ("#!/bin/sh\nexit 0\n", "ended with code 0"),
        ("#!/bin/sh\necho it is broken >&2\necho more >&2\nexit 3\n", "it is broken"),
        ("#!/bin/sh\nkill -9 $$\n", "SIGKILL"),
        ("no program\x00", "Exec format error"),
        ("#!/bin/sh\nprintf '\\0\\0\\0\\2{}'; sleep 600\n", "unreadable"),
    ],
    ids=["missing", "silent", "words", "killed", "no-program", "babble"],
)
async def test_an_interpreter_that_cannot_be_used(
    tmp_path: Path, script: str | None, words: str
) -> None:
    """The error names it, says what happened and what to do (exit code 4)."""
    interpreter = tmp_path / "python"
    if script is not None:
        interpreter.write_text(script)
        interpreter.chmod(0o755)
    write(tmp_path, {"mod.py": ""})
    before = children()
    async with Parsers(str(interpreter), tmp_path) as parsers:
        with pytest.raises(InterpreterError) as caught:
            await parsers.parse(["mod.py"])
    assert str(interpreter) in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.exit_code == 4
    assert children() == before


@pytest.mark.parametrize("version", ["3.9", "3.8", "2.7"])
async def test_an_interpreter_that_is_too_old(
    tmp_path: Path, version: str, interpreter: Callable[[str], str]
) -> None:
    """It is an error with a hint; from Python 3 on it says which version is needed."""
    words = rf"Python {version} is too old, devloop needs 3\.10" if version > "3" else "option"
    write(tmp_path, {"mod.py": ""})
    async with Parsers(interpreter(version), tmp_path) as parsers:
        with pytest.raises(InterpreterError, match=words):
            await parsers.parse(["mod.py"])


async def test_many_files_and_an_interpreter_that_does_not_run(tmp_path: Path) -> None:
    """The error comes bare, not in a group, also where several workers are started."""
    write(tmp_path, {f"m{i}.py": "" for i in range(100)})
    async with Parsers(str(tmp_path / "none"), tmp_path, 2) as parsers:
        with pytest.raises(InterpreterError):
            await parsers.parse([f"m{i}.py" for i in range(100)])


def test_workers_end_with_devloop(tmp_path: Path) -> None:
    """Killed with SIGKILL it cannot tell them: they see that their input has closed (P6)."""
    write(tmp_path, {"mod.py": ""})
    program = textwrap.dedent("""
        import sys, anyio, psutil
        from pathlib import Path
        from devloop.execute.parsing import Parsers

        async def main():
            async with Parsers(sys.executable, Path(sys.argv[1])) as parsers:
                await parsers.parse(["mod.py"])
                print(psutil.Process().children()[0].pid, flush=True)
                await anyio.sleep_forever()

        anyio.run(main)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(source.__file__).parents[2])},
    ) as devloop:
        assert devloop.stdout is not None
        worker = psutil.Process(int(devloop.stdout.readline()))
        devloop.kill()
        _, alive = psutil.wait_procs([worker], timeout=60)
        assert alive == []


def test_what_finds_facts_is_told_by_all_that_it_consists_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what an older devloop has found in a source would be taken for what this one finds."""
    monkeypatch.setattr(parsing, "PACKAGE", tmp_path)
    write(tmp_path, {"inside/parse.py": "x = 1\n", "inside/source.py": "y = 1\n"})
    before = parsing.finder()
    assert parsing.finder() == before
    write(tmp_path, {"inside/source.py": "y = 2\n"})
    assert parsing.finder() != before
