"""Results that are computed once and inherited by every start, until they would be others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from .conftest import Program

pytestmark = pytest.mark.anyio

CATALOG = """
import os, time

def load(path="data.txt", *, strict=False):
    '''Load it.'''
    with open(path) as file:
        return {"data": file.read().strip(), "strict": strict, "at": time.time_ns(),
                "as": os.environ.get("SHOP")}
"""
MAIN = """
from catalog import load
import catalog, other
found = load()
assert found is catalog.load()
print(found["data"], found["as"], found["at"])
"""


@pytest.fixture
def shop(program: Callable[..., Program]) -> Program:
    """A program that loads a file, and prints what is in it, and when it was loaded."""
    shop = program(keep=["catalog:load"])
    shop.write("data.txt", "tea")
    shop.write("catalog.py", CATALOG)
    shop.write("other.py", "X = 1\n")
    shop.write("main.py", MAIN.replace("assert found is catalog.load()\n", ""))
    return shop


async def test_a_result_is_computed_once(shop: Program) -> None:
    """Every start inherits it, whatever is edited beside it."""
    first = await shop.run()
    kept = await shop.again()
    assert kept != first
    assert await shop.run() == kept
    shop.edit("other.py", "X = 2\n")
    assert await shop.run() == kept
    shop.edit("main.py", MAIN)
    assert await shop.again() == kept
    assert shop.said == []


async def test_it_is_computed_anew_when_something_that_it_depends_on_changes(shop: Program) -> None:
    """Its module, what that imports, a file, a variable; a start in the meantime computes it."""
    await shop.run()
    before = await shop.again()

    async def changed() -> str:
        nonlocal before
        found = await shop.run()
        assert found != before
        again = await shop.again()
        assert again not in (found, before)
        assert await shop.run() == again
        before = again
        return found

    (shop.root / "data.txt").write_text("coffee")
    assert (await changed()).startswith("coffee None ")
    shop.env["SHOP"] = "open"
    assert (await changed()).startswith("coffee open ")
    shop.edit("prices.py", "X = 1\n")
    shop.edit("catalog.py", "import prices\n" + CATALOG.replace("strip()", "upper()"))
    assert (await changed()).startswith("COFFEE open ")
    shop.edit("prices.py", "X = 2\n")
    await changed()
    (shop.root / "data.txt").write_text("tea")
    assert (await changed()).startswith("TEA open ")


ROWS = """
import sqlite3, time

def load():
    connection = sqlite3.connect("file:my%20data.db?mode=ro", uri=True)
    try:
        return connection.execute("select count(*) from rows").fetchone()[0], time.time_ns()
    finally:
        connection.close()
"""


async def test_a_database_counts_with_what_was_committed_last(
    program: Callable[..., Program],
) -> None:
    """However it is named, and where a commit changes nothing but its log as well."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", ROWS)
    shop.write("main.py", "from catalog import load\nprint(*load())")
    # Who has it open keeps the log from being moved into the database.
    with closing(sqlite3.connect(shop.root / "my data.db", isolation_level=None)) as writer:
        writer.execute("create table rows (n)")
        await shop.run()
        assert await shop.again() == await shop.run()
        writer.execute("insert into rows values (1)")
        assert (await shop.run()).startswith("1 ")
        writer.execute("pragma journal_mode = wal")
        writer.execute("insert into rows values (2)")
        assert (await shop.run()).startswith("2 ")
        kept = await shop.again()
        assert await shop.run() == kept
        before = (shop.root / "my data.db").read_bytes()
        writer.execute("insert into rows values (3)")
        assert (shop.root / "my data.db").read_bytes() == before
        assert (await shop.run()).startswith("3 ")


LOOKS = """
import os, pathlib, time

def load():
    return {"own": os.path.exists("own.txt"), "more": pathlib.Path("more.txt").is_file(),
            "at": time.time_ns()}
"""


async def test_what_it_has_only_looked_for_counts(program: Callable[..., Program]) -> None:
    """A file that comes, and one that goes; what is in one does not matter."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", LOOKS)
    shop.write("main.py", "from catalog import load\nprint(*load().values())")
    own, more = shop.root / "own.txt", shop.root / "more.txt"
    own.write_text("1")
    await shop.run()
    kept = await shop.again()
    assert kept.startswith("True False ")
    own.write_text("other and longer")
    assert await shop.run() == kept

    more.write_text("1")
    assert (await shop.run()).startswith("True True ")
    kept = await shop.again()
    assert await shop.run() == kept
    own.unlink()
    assert (await shop.run()).startswith("False True ")
    kept = await shop.again()
    assert await shop.run() == kept
    more.unlink()
    assert (await shop.run()).startswith("False False ")


ENTRIES = """
import os, time
from pathlib import Path

def sizes(folder):
    with os.scandir(folder) as entries:
        found = sorted(entries, key=os.fspath)
    assert all(isinstance(one, os.DirEntry) for one in found)
    return [f"{one.name}:{one.stat().st_size}" for one in found]

def kinds(folder):
    return [f"{one.name}:{one.is_dir()}" for one in sorted(os.scandir(folder), key=os.fspath)]

def relative(name):
    fd = os.open(os.path.dirname(name), os.O_RDONLY)
    try:
        return os.stat(os.path.basename(name), dir_fd=fd).st_size
    except OSError as error:
        return error.strerror
    finally:
        os.close(fd)

def opened(name):
    fd = os.open(os.path.dirname(name), os.O_RDONLY)
    try:
        with open(os.open(os.path.basename(name), os.O_RDONLY, dir_fd=fd)) as file:
            return len(file.read())
    except OSError as error:
        return error.strerror
    finally:
        os.close(fd)

def below(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)

def link(name):
    try:
        return os.readlink(name)
    except OSError as error:
        return error.strerror

def load():
    return SAYS, time.time_ns()
"""


@pytest.mark.parametrize(
    ("asks", "says", "change"),
    [
        ("sizes('box')", "['a:3', 'b:3']", "echo longer > box/a"),
        ("kinds('box')", "['a:False', 'b:False']", "rm box/a; mkdir box/a"),
        ("kinds('links')", "['in:True', 'to:False']", "rmdir place; touch place"),
        ("[os.path.isdir('box/a')]", "[False]", "rm box/a; mkdir box/a"),
        ("relative('box/a')", "3", "echo longer > box/a"),
        ("relative('box/c')", "No such file or directory", "touch box/c"),
        ("opened('box/a')", "3", "echo longer > box/a"),
        ("opened('box/c')", "No such file or directory", "touch box/c"),
        ("below('box')", "['a', 'b']", "touch box/c"),
        ("link('links/in')", "../place", "ln -sfn ../box links/in"),
        ("link('links/to')", "../nowhere", "ln -sfn ../box links/to"),
        ("link('links/more')", "No such file or directory", "ln -s ../nowhere links/more"),
        ("link('box/a')", "Invalid argument", "ln -sf ../nowhere box/a"),
        ("[os.path.lexists('links/more')]", "[False]", "ln -s ../nowhere links/more"),
        ("[Path('box/a').is_symlink()]", "[False]", "ln -sf b box/a"),
        ("[Path('links/in').resolve().name]", "['place']", "ln -sfn ../box links/in"),
    ],
)
async def test_whatever_it_asks_of_what_it_looks_for_counts(
    program: Callable[..., Program], asks: str, says: str, change: str
) -> None:
    """Size and kind of a folder's entries, what lies relative to one, and where a link leads."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", ENTRIES.replace("SAYS", asks))
    shop.write("main.py", "from catalog import load\nprint(*load())")
    shop.write("box/a", "one")
    shop.write("box/b", "one")
    (shop.root / "place").mkdir()
    (shop.root / "links").mkdir()
    (shop.root / "links/in").symlink_to("../place")
    (shop.root / "links/to").symlink_to("../nowhere")
    await shop.run()
    kept = await shop.again()
    assert kept.startswith(f"{says} ")
    assert await shop.run() == kept

    await anyio.run_process(["sh", "-ec", change], cwd=shop.root)
    found = await shop.run()
    assert not found.startswith(f"{says} ")
    assert (await shop.again()).split()[:-1] == found.split()[:-1]


@pytest.mark.parametrize(
    "asks",
    [
        "kinds('box')",
        "[one for _, _, files in os.walk('box') for one in sorted(files)]",
        "[one.name for one in sorted(Path('box').glob('**/*'))]",
        "[Path('box/a').resolve().name, os.path.lexists('box/a')]",
        "[os.path.isfile('box/a'), os.path.isdir('box')]",
    ],
)
async def test_what_is_in_a_file_that_is_only_found_does_not_count(
    program: Callable[..., Program], asks: str
) -> None:
    """A database beside an app changes all the time."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", ENTRIES.replace("SAYS", asks))
    shop.write("main.py", "from catalog import load\nprint(*load())")
    shop.write("box/a", "one")
    await shop.run()
    kept = await shop.again()
    shop.write("box/a", "other and longer")
    assert await shop.run() == kept


async def test_it_stays_the_function_that_it_was(shop: Program) -> None:
    """Other arguments are computed anew; signature, name, docstring and pickle are its own."""
    shop.write(
        "main.py",
        "import inspect, pickle\nfrom catalog import load\nfound = load('data.txt', strict=True)\n"
        "print(inspect.signature(load), load.__name__, load.__module__, load.__doc__,\n"
        "    inspect.getsource(load).count('open'), pickle.loads(pickle.dumps(load)) is load)\n"
        "print(load()['strict'], load('data.txt', strict=1)['at'] != found['at'],\n"
        "    load('data.txt', strict=True) is found)\nprint(found['at'])",
    )
    first = (await shop.run()).splitlines()
    kept = (await shop.again()).splitlines()
    assert first[1] == "False True False"
    assert kept[0] == first[0]
    assert kept[0].endswith("1 True")
    assert kept[1] == "False True True"
    assert (await shop.run()).splitlines()[2] == kept[2]


async def test_arguments_that_are_no_literals(shop: Program) -> None:
    """What nobody can write down is computed by the app; without arguments it is kept."""
    shop.write(
        "main.py",
        "from pathlib import Path\nfrom catalog import load\n"
        "print(load(Path('data.txt'))['at'], load()['at'])",
    )
    await shop.run()
    one, other = (await shop.again()).split()
    again = (await shop.run()).split()
    assert again[0] != one
    assert again[1] == other


async def test_each_is_kept_for_itself(program: Callable[..., Program]) -> None:
    """An edit that spoils one does not spoil the other; at the second time it is computed alone."""
    shop = program(keep=["one:load", "two:load"])
    for name in ("one", "two"):
        shop.write(f"{name}.py", "import time\ndef load():\n    return time.time_ns()\n")
    shop.write("main.py", "import one, two\nprint(one.load(), two.load())")
    await shop.run()
    await shop.again()
    shop.edit("one.py", "import time\ndef load():\n    return time.time_ns() + 1\n")
    await shop.run()
    one, two = (await shop.again()).split()
    shop.edit("one.py", "import time\ndef load():\n    return time.time_ns() + 2\n")
    during = (await shop.run()).split()
    assert during[0] != one
    assert during[1] == two
    after = (await shop.again()).split()
    assert after[0] != one
    assert after[1] == two


async def test_two_functions_of_one_module_are_kept(program: Callable[..., Program]) -> None:
    """Its import is waited for twice."""
    shop = program(keep=["catalog:load", "catalog:names"])
    code = "import time\ndef load():\n    return time.time_ns()\n"
    shop.write("catalog.py", code + "def names():\n    return time.time_ns()\n")
    shop.write("main.py", "import catalog\nprint(catalog.load(), catalog.names())")
    await shop.run()
    kept = await shop.again()
    assert await shop.run() == kept


async def test_a_cached_function_keeps_its_result_itself(program: Callable[..., Program]) -> None:
    """With `functools.cache` the cache is inherited, with all that one can do to it."""
    shop = program(keep=["catalog:load"])
    shop.write(
        "catalog.py",
        "import functools, time\n@functools.cache\ndef load():\n    return time.time_ns()\n",
    )
    shop.write(
        "main.py",
        "from catalog import load\nprint(load(), load.cache_info().misses)\n"
        "load.cache_clear()\nprint(load())",
    )
    await shop.run()
    kept = (await shop.again()).splitlines()
    again = (await shop.run()).splitlines()
    assert kept[0] == again[0]
    assert kept[1] != again[1]


REFUSED = {
    "it is a generator": "def load():\n    yield 1\n",
    "it is asynchronous": "async def load():\n    return 1\n",
    "its result holds a generator": "def load():\n    return [(x for x in 'ab')]\n",
    "its result holds a socket": "import socket\ndef load():\n    return [socket.socket()]\n",
    "leaves a socket open": "import socket\nALL = []\ndef load():\n"
    "    ALL.append(socket.socket())\n",
    "starts a thread": "import threading, time\ndef load():\n"
    "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    "a lock that is held": "import threading\ndef load():\n    lock = threading.Lock()\n"
    "    lock.acquire()\n    return {'lock': lock}\n",
    "its result holds an open file": "def load():\n    return {'file': open(__file__)}\n",
    "it is not a plain function": "class load:\n    pass\n",
    "catalog has no load": "X = 1\n",
    "it fails with ZeroDivisionError: division by zero": "def load():\n    return 1 / 0\n",
    "its result holds an event loop": "import asyncio\nLOOP = None\ndef load():\n    global LOOP\n"
    "    return [Loop()]\nclass Loop(asyncio.AbstractEventLoop):\n    pass\n",
    "catalog prints something": "print('hello')\ndef load():\n    return 1\n",
    "it ends the process": "import os\ndef load():\n    os._exit(1)\n",
    "it fails with TypeError": "def load(path):\n    return path\n",
}


@pytest.mark.parametrize("why", REFUSED)
async def test_what_cannot_be_kept_is_refused(program: Callable[..., Program], why: str) -> None:
    """One line says why, once; the app does what it did."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", REFUSED[why])
    shop.write("main.py", "import catalog\nprint('up')")
    await shop.run()
    assert (await shop.again()).splitlines()[-1] == "up"
    await shop.again()
    assert len(shop.said) == 1
    assert shop.said[0].startswith("catalog:load is not kept: ")
    assert why in shop.said[0]

    shop.edit("catalog.py", "import time\ndef load():\n    return time.time_ns()\n")
    shop.edit("main.py", "import catalog\nprint(catalog.load())")
    await shop.run()
    kept = await shop.again()
    assert await shop.run() == kept


async def test_what_was_refused_is_tried_again_when_it_was_mended(shop: Program) -> None:
    """That is after an edit, or when a file that it has read is another one."""
    (shop.root / "data.txt").unlink()
    shop.edit(
        "main.py",
        "import catalog\ntry:\n    print(catalog.load()['at'])\nexcept OSError:\n    print('none')",
    )
    assert await shop.run() == "none\n"
    assert await shop.again() == "none\n"
    assert len(shop.said) == 1
    assert "FileNotFoundError" in shop.said[0]
    (shop.root / "data.txt").write_text("tea")
    await shop.run()
    kept = await shop.again()
    assert await shop.run() == kept


async def test_a_module_that_the_app_does_not_import(program: Callable[..., Program]) -> None:
    """There is nobody to keep it for, until somebody imports it."""
    shop = program(keep=["catalog:load"])
    shop.write("catalog.py", "import time\ndef load():\n    return time.time_ns()\n")
    shop.write("main.py", "print('up')")
    await shop.run()
    await shop.prepare()
    assert shop.said == ["catalog:load is not kept: the app does not import it"]
    shop.edit("main.py", "import catalog\nprint(catalog.load())")
    await shop.run()
    kept = await shop.again()
    assert await shop.run() == kept


UNHEARD = """
import ctypes
libc = ctypes.CDLL(None)
libc.opendir.restype, libc.closedir.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def parse(path):
    fd = libc.open(path.encode(), 0)
    room = ctypes.create_string_buffer(99)
    libc.read(fd, room, 99)
    libc.close(fd)
    return room.value.decode()

def scan(path):
    libc.closedir(libc.opendir(path.encode()))
"""


@pytest.fixture
def silent(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a library lies that is known to read files in C, and one that imports it late."""
    libraries = tmp_path_factory.mktemp("libraries")
    (libraries / "lxml.py").write_text(UNHEARD)
    late = "def parse(path):\n    import lxml\n    return lxml.parse(path)"
    (libraries / "late.py").write_text(late)
    return str(libraries)


async def kept_anew(shop: Program, beginning: str) -> str:
    """What is kept now, after it was computed anew: what begins so."""
    assert (await shop.run()).startswith(beginning)
    kept = await shop.again()
    assert kept.startswith(beginning)
    assert await shop.run() == kept
    return kept


async def test_what_a_library_in_c_reads_counts(
    program: Callable[..., Program], silent: str
) -> None:
    """Nothing of Python's tells of it; the kernel does, of whatever lies in the project."""
    shop = program(keep=["catalog:load"])
    shop.env["PYTHONPATH"] = silent
    shop.write("catalog.py", "import lxml, time\ndef load():\n    lxml.scan('box')\n"
               "    return lxml.parse('box/data.xml'), time.time_ns()")  # fmt: skip
    shop.write("main.py", "from catalog import load\nprint(*load())")
    shop.write("box/data.xml", "one")
    shop.write("page.html", "one")
    await shop.run()
    kept = await shop.again()
    assert kept.startswith("one ")
    shop.edit("page.html", "two")
    assert await shop.run() == kept

    shop.write("box/data.xml", "two")  # and nobody tells of that, as where git ignores it
    kept = await kept_anew(shop, "two ")
    shop.write("box/more.xml", "two")
    assert await shop.run() != kept


async def test_what_a_library_in_c_may_have_read_counts(
    program: Callable[..., Program], silent: str
) -> None:
    """Where nobody knew that it would be there: any file that is no source, nor a by-product."""
    shop = program(keep=["catalog:load"])
    shop.env["PYTHONPATH"] = silent
    load = "def load():\n    return late.parse('data.xml'), time.time_ns()"
    shop.write("catalog.py", f"import late, time\n{load}")
    shop.write("main.py", "import other\nfrom catalog import load\nprint(*load())")
    shop.write("other.py", "X = 1\n")
    shop.write("data.xml", "one")
    await shop.run()
    kept = await shop.again()
    assert kept.startswith("one ")
    shop.edit("other.py", "X = 2\n")
    shop.edit("app.log", "more")
    assert await shop.run() == kept
    shop.edit("data.xml", "two")
    await kept_anew(shop, "two ")


async def test_what_a_module_reads_by_a_library_in_c_counts(
    program: Callable[..., Program], silent: str
) -> None:
    """It is held until that changes."""
    shop = program()
    shop.env["PYTHONPATH"] = silent
    shop.write("data.xml", "one")
    shop.write("catalog.py", "import lxml, time\nDATA = lxml.parse('data.xml'), time.time_ns()")
    shop.write("main.py", "import catalog\nprint(*catalog.DATA)")
    await shop.run()
    held = await shop.again()
    assert held.startswith("one ")
    assert await shop.run() == held
    shop.write("data.xml", "two")
    assert (await shop.run()).startswith("two ")
    assert (await shop.again()).startswith("two ")


@pytest.mark.parametrize(
    ("does", "what"),
    [
        ("subprocess.run(['true'])", "runs a program"),
        ("socket.socket().connect_ex(('127.0.0.1', 9))", "connects to something"),
        ("open('data.txt').read()", None),
    ],
)
async def test_it_is_said_where_it_learns_what_nobody_can_watch(
    program: Callable[..., Program], does: str, what: str | None
) -> None:
    """It is kept all the same: whoever keeps what a service gives has meant to."""
    shop = program(keep=["catalog:load"])
    shop.write("data.txt", "one")
    shop.write("catalog.py", f"import socket, subprocess, time\ndef load():\n    {does}\n"
               "    return time.time_ns()")  # fmt: skip
    shop.write("main.py", "from catalog import load\nprint(load())")
    await shop.run()
    kept = await shop.again()
    assert await shop.run() == kept
    (note,) = shop.noted
    assert note.startswith("catalog:load is kept; it took ")
    assert note.endswith(f" (it {what}: what it learns by that is not watched)" if what else " s")
