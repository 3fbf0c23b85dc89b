"""A command that is started from a zygote is what a cold start is (W14, W15, W21, W23)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from devloop.execute import tree

if TYPE_CHECKING:
    from .conftest import Starter

pytestmark = pytest.mark.anyio

PROBE = """
import sys
early = sorted(sys.modules)
import ctypes, gc, inspect, json, locale, os, resource, signal, subprocess, threading, time
import warnings

def attributes(module):
    found = {}
    for name, value in vars(module).items():
        if not name.startswith("__"):
            continue
        if name == "__builtins__":
            value = [type(value).__name__, getattr(value, "__name__", "")]
        elif name == "__loader__" and value is not None:
            value = [str(type(value)), getattr(value, "name", ""), getattr(value, "path", "")]
        elif name == "__spec__" and value is not None:
            value = [value.name, value.origin, value.parent, value.cached, value.has_location]
        elif name == "__annotations__":
            value = dict(value)
        found[name] = value
    return list(found.items())

def stream(text):
    buffer = text.buffer
    raw = getattr(buffer, "raw", buffer)
    return {
        "types": [type(text).__name__, type(buffer).__name__, type(raw).__name__],
        "text": [text.name, text.mode, text.encoding, text.errors, text.line_buffering,
                 text.write_through, text.newlines, text.isatty(), text.seekable()],
        "raw": [raw.name, raw.mode, raw.closefd, raw.seekable(), raw._blksize],
        "fileno": text.fileno(),
    }

def read(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")

libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
mark = "DEVLOOP_PROCESS"
mine = os.environ[mark]
state = {
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "path": sys.path,
    "flags": str(sys.flags),
    "xoptions": sys._xoptions,
    "warnoptions": sys.warnoptions,
    "executable": [sys.executable, sys._base_executable, sys.prefix, sys.base_prefix],
    "main": attributes(sys.modules["__main__"]),
    "globals are main's": globals() is vars(sys.modules["__main__"]),
    "environ": [[k, v if k != mark else ""] for k, v in os.environ.items()],
    "getenv": [(libc.getenv(k.encode()) or b"").decode("utf-8", "surrogateescape") == v
               for k, v in os.environ.items()],
    "child's environment": subprocess.check_output(
        ["env"], encoding="utf-8", errors="surrogateescape").replace(mine, "").splitlines(),
    "initial environment": [e.replace(mine, "") for e in read("/proc/self/environ").split(chr(0))],
    "cwd": os.getcwd(),
    "umask": os.umask(0o22),
    "streams": [stream(text) for text in (sys.stdin, sys.stdout, sys.stderr)],
    "same": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__],
    "signals": [[n, str(signal.getsignal(n))] for n in range(1, signal.NSIG)
                if n != signal.SIGURG],
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "session": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)],
    "foreground": os.isatty(0) and os.tcgetpgrp(0) == os.getpid(),
    "descriptors": [os.readlink(f"/proc/self/fd/{n}").partition(":")[0]
                    for n in sorted(os.listdir("/proc/self/fd"), key=int)
                    if 200 > int(n) > 2 and os.path.exists(f"/proc/self/fd/{n}")],
    "cmdline": read("/proc/self/cmdline"),
    "comm": read("/proc/self/comm"),
    "exe": os.readlink("/proc/self/exe"),
    "parent": os.getppid(),
    "threads": [len(os.listdir("/proc/self/task")), threading.active_count(),
                threading.main_thread().native_id == os.getpid(),
                threading.current_thread() is threading.main_thread()],
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.garbage)],
    "early": [name for name in early if not name.startswith("_devloop")],
    "hooks": [[getattr(hook, "__name__", str(type(hook))) for hook in sys.meta_path
               if not type(hook).__module__.startswith("_devloop")],
              len(sys.path_hooks)],
    "limits": [sys.getrecursionlimit(), sys.getswitchinterval()]
        + [resource.getrlimit(n) for n in range(16)],
    "nice": os.nice(0),
    "filters": [[f[0], str(f[1]), f[2].__name__, str(f[3]), f[4]] for f in warnings.filters],
    "locale": [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding()],
    "zone": time.tzname,
    "hooked": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__,
               sys.gettrace() is None, sys.getprofile() is None],
    "stack": [frame.function for frame in inspect.stack()],
    "optimised": __debug__,
    "doc": __doc__,
}
print(json.dumps(state))
"""

MODULES = [
    "ctypes", "inspect", "json", "locale", "resource", "signal", "subprocess", "threading",
    "time", "warnings",
]  # fmt: skip

FREED = {"early", "stack"}
"""What may differ: modules that are held, and the one frame of ours."""


def compared(cold: dict[str, Any], warm: dict[str, Any]) -> None:
    """A cold start's state and a warm one's are equal, as far as they can be."""
    for key in cold.keys() | warm.keys():
        if key not in FREED:
            assert warm[key] == cold[key], key
    assert warm["stack"][: len(cold["stack"])] == cold["stack"]
    assert warm["stack"][len(cold["stack"]) :] == ["<module>"]


def in_no_order(state: dict[str, Any]) -> None:
    """A shell that has started the command has put its environment into an order of its own."""
    for key in ("environ", "child's environment", "initial environment"):
        state[key].sort()


async def check(
    start: Starter, *argv: str, terminal: bool = False, shell: bool = False
) -> dict[str, Any]:
    """Compare a probe's cold and warm start; gives what the cold one has said."""
    size = (30, 90) if terminal else None
    cold, warm = (await start.both(*argv, modules=MODULES, size=size)).read()
    if shell:
        in_no_order(cold)
        in_no_order(warm)
    compared(cold, warm)
    known = set(cold["early"])
    assert known <= set(warm["early"])
    return dict(cold)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-P"],
        ["-u"],
        ["-X", "dev"],
        ["-Xutf8=0"],
        ["-W", "error"],
        ["-W", "error", "-Wignore::DeprecationWarning"],
        ["-O"],
        ["-OO"],
        ["-Bs"],
        ["-E"],
        ["-I"],
        ["-S"],
        ["-b", "-q"],
        ["-X", "faulthandler", "-X", "anything=1"],
        ["--check-hash-based-pycs", "always"],
    ],
    ids=" ".join,
)
async def test_a_script_with_options_of_the_interpreter(start: Starter, options: list[str]) -> None:
    """Flags, warnings filters and `sys.path` are those of the options."""
    if sys.version_info < (3, 11) and options == ["-P"]:
        pytest.skip("the option is new in 3.11")
    start.write("probe.py", PROBE)
    await check(start, "python", *options, "probe.py", "one", "--two", "")


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
async def test_streams_in_a_pipe_and_in_a_terminal(start: Starter, terminal: bool) -> None:
    """Buffering, encoding and `isatty` are right for each, and the terminal is controlling."""
    start.write("probe.py", PROBE)
    cold = await check(start, "python", "probe.py", terminal=terminal)
    assert cold["streams"][1]["text"][7] is terminal
    assert cold["foreground"] is terminal


async def test_a_command_whose_sockets_are_handed_over(start: Starter) -> None:
    """All is as it is, but for the finder that waits for other kinds of sockets."""
    start.handover = True
    start.write("probe.py", PROBE)
    await check(start, "python", "probe.py")
    await check(start, "python", "-X", "dev", "-m", "probe")


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONSAFEPATH": "1"},
        {"PYTHONUNBUFFERED": "1"},
        {"PYTHONPATH": "lib:/elsewhere"},
        {"PYTHONIOENCODING": "latin-1:replace"},
        {"PYTHONUTF8": "1"},
        {"PYTHONWARNINGS": "error::UserWarning"},
        {"PYTHONHASHSEED": "7"},
        {"LANG": None},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        {"TZ": "Asia/Tokyo"},
        {"ODD": "\udcff\udcfe", "EMPTY": "", "LINES": "a\nb"},
    ],
    ids=str,
)
async def test_the_environment(start: Starter, variables: dict[str, str | None]) -> None:
    """Python, C and subprocesses see that of the command, in its order; nothing else is in it."""
    for name, value in variables.items():
        if value is None:
            start.env.pop(name, None)
        else:
            start.env[name] = value
    start.write("probe.py", PROBE)
    await check(start, "python", "probe.py")


async def test_what_the_interpreter_does_to_the_environment_at_its_start(start: Starter) -> None:
    """A ``.pth`` file or a `sitecustomize` that sets, changes and removes variables."""
    start.env |= {"PYTHONPATH": "site", "CHANGED": "1", "GONE": "1"}
    code = "import os\nos.environ.update(ADDED='2', CHANGED='2')\ndel os.environ['GONE']\n"
    start.write("site/sitecustomize.py", code)
    start.write("probe.py", PROBE)
    cold = await check(start, "python", "probe.py")
    found = dict(cold["environ"])
    assert (found["ADDED"], found["CHANGED"]) == ("2", "2")
    assert "GONE" not in found


async def test_a_variable_that_was_added_after_the_zygotes_start(start: Starter) -> None:
    """The environment is replaced wholesale: nothing of the zygote's is left."""
    start.write("probe.py", PROBE)
    start.env |= {"OLD": "1", "BOTH": "1", "TZ": "UTC"}
    zygote = await start.zygote("python", "probe.py", modules=MODULES)
    start.env |= {"NEW": "2", "BOTH": "2", "TZ": "Asia/Tokyo"}
    del start.env["OLD"]
    cold = await start.cold("python", "probe.py")
    warm = await start.run(await zygote.take(), "python", "probe.py")
    assert await cold.end() == await warm.end()
    compared(json.loads(cold.text), json.loads(warm.text))
    assert '"OLD"' not in warm.text


@pytest.mark.parametrize(
    "path", ["./probe.py", "sub/../probe.py", "sub/link.py", "{root}/probe.py"]
)
async def test_a_script_by_any_path(start: Starter, path: str) -> None:
    """`__file__`, `sys.argv` and `sys.path` follow the path that was given, and its links."""
    start.write("probe.py", PROBE)
    (start.root / "sub").mkdir()
    (start.root / "sub/link.py").symlink_to("../probe.py")
    await check(start, "python", path.format(root=start.root), "x")


@pytest.mark.parametrize("name", ["pkg", "pkg.mod", "single", "pkg.deep"])
@pytest.mark.parametrize("way", [["-m"], ["-P", "-m"], ["-um"]], ids=" ".join)
async def test_a_module(start: Starter, name: str, way: list[str]) -> None:
    """``-m`` runs a package, a module of one, a package within one and a single module."""
    if sys.version_info < (3, 11) and "-P" in way:
        pytest.skip("the option is new in 3.11")
    if "-P" in way:
        start.env["PYTHONPATH"] = str(start.root)
    start.write("pkg/__init__.py", "import sys; sys.seen = list(sys.argv)")
    start.write("pkg/__main__.py", '"""Doc."""\n' + PROBE)
    start.write("pkg/deep/__init__.py", "")
    start.write("pkg/deep/__main__.py", PROBE)
    start.write("pkg/mod.py", PROBE)
    start.write("single.py", PROBE)
    await check(start, "python", *way, name, "a", "-b")


@pytest.mark.parametrize("kind", ["shebang", "env", "trampoline"])
async def test_a_console_script(start: Starter, kind: str) -> None:
    """The interpreter that the first line names runs it, with the script's path as argument."""
    head = {
        "shebang": f"#!{sys.executable}\n",
        "env": "#!/usr/bin/env python\n",
        "trampoline": f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n",
    }
    start.write("bin/tool", head[kind] + PROBE)
    (start.root / "bin/tool").chmod(0o755)
    start.env["PATH"] = f"{start.root}/bin:{start.env['PATH']}"
    await check(start, "tool", "serve", "--port", "1", shell=kind == "trampoline")


@pytest.mark.parametrize("handover", [False, True])
async def test_only_what_is_held_is_loaded(start: Starter, handover: bool) -> None:
    """A blank without imports finds just the modules that a cold start finds."""
    start.handover = handover
    start.write("probe.py", "import sys; print(sorted(m for m in sys.modules))")
    cold, warm = (await start.both("python", "probe.py")).cold, ""
    life = await start.warm("python", "probe.py")
    await life.end()
    warm = life.text
    names = [name for name in eval(warm) if not name.startswith("_devloop")]
    assert names == eval(cold)


ASKS = """
import __main__, sys
def see():
    spec = getattr(__main__, "__spec__", None)
    return {"file": getattr(__main__, "__file__", None), "package": __main__.__package__,
            "spec": spec and [spec.name, spec.origin], "argv": list(sys.argv),
            "loader": type(__main__.__loader__).__name__, "path": list(sys.path)}
FOUND = see()
"""


@pytest.mark.parametrize(
    ("argv", "held"),
    [
        (["main.py", "-x"], ["asks"]),
        (["./sub/main.py"], ["asks"]),
        (["-m", "main"], ["asks"]),
        (["-m", "shop"], ["asks"]),
        (["-m", "shop.serve", "1"], ["asks"]),
        (["-m", "tool"], ["asks", "tool", "later"]),
        (["-P", "main.py"], ["asks"]),
        (["-m", "gone"], ["asks"]),
    ],
    ids=" ".join,
)
async def test_an_import_sees_whose_it_is(start: Starter, argv: list[str], held: list[str]) -> None:
    """W23: while libraries are imported to be held, the command looks as it does when cold.

    A package that runs as a module is imported before it is known what runs.
    """
    if argv[0] == "-P" and sys.version_info < (3, 11):
        pytest.skip("it has no such option")
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/asks.py", ASKS)
    start.write("lib/later.py", ASKS)
    start.write("lib/tool/__init__.py", "import asks")
    says = "import asks, json; print(json.dumps(asks.FOUND))"
    start.write("lib/tool/__main__.py", f"import later; print(later.FOUND)\n{says}")
    for name in ("main.py", "sub/main.py", "shop/__main__.py", "shop/serve.py"):
        start.write(name, says)
    start.write("shop/__init__.py", "")
    (await start.both("python", *argv, modules=held)).same()


async def test_nothing_of_the_project_is_held_with_what_would_import_it(start: Starter) -> None:
    """A library that looks for a module of the project finds it in each start."""
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/asks.py", "try:\n    import own\nexcept ImportError:\n    own = None\n")
    start.write("lib/plain.py", "")
    start.write("own.py", "print('own')")
    start.write("main.py", "import sys, plain, asks; print(asks.own is sys.modules['own'])")
    assert (await start.both("python", "main.py", modules=["plain", "asks"])).same()


async def test_a_folder_of_the_project_does_not_keep_a_library_out(start: Starter) -> None:
    """One that is called as a library is, and holds no modules, is no library of the project."""
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/asks.py", "print('once')")
    start.write("lib/spaced/inner.py", "print('inner')")
    start.write("asks/data.txt", "")
    start.write("spaced/data.txt", "")
    start.write("main.py", "import asks, spaced.inner; print(len(spaced.__path__))")
    names = ["asks", "spaced", "spaced.inner"]
    zygote = await start.zygote("python", "main.py", modules=names)
    assert set(names) <= set((await zygote.preload(names)).loaded)
    assert "2" in (await start.both("python", "main.py", modules=names)).same()


TITLE = """
import os, subprocess
import setproctitle, sys
LEAST = len(" ".join(sys.orig_argv))
def shown():
    with open("/proc/self/cmdline") as line, open("/proc/self/comm") as name:
        return line.read(), name.read()
print(shown(), flush=True)
print(setproctitle.getproctitle(), shown()[0], flush=True)
os.environ["LATE"] = "set"
setproctitle.setproctitle("another title")
print(setproctitle.getproctitle(), shown(), flush=True)
setproctitle.setproctitle("a long one" * 1000)
print(len(shown()[0].rstrip(chr(0))) >= LEAST)
subprocess.run(["sh", "-c", "echo $LATE $HOME"], check=True)
"""


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "held"),
    [
        ((), ()),
        (("with", "arguments", "of " + 40 * "some length "), ()),
        (("with", "arguments"), ("setproctitle",)),
        (("with", "arguments", "of " + 40 * "some length "), ("setproctitle",)),
        # As gunicorn does, it looks for the title at its import.
        (("with", "arguments"), ("asking",)),
        (("with", "arguments"), ("titled",)),
    ],
)
async def test_a_title(
    start: Starter,
    real_environment: Callable[..., str],
    arguments: tuple[str, ...],
    held: tuple[str, ...],
) -> None:
    """A program that sets its own is shown with that (W23), whether its library is held or not.

    Until it has asked for its title, its words are told apart by zeros.
    """
    python = real_environment("setproctitle==1.3.7")
    start.handover = True
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/asking.py", "import setproctitle\nsetproctitle.getproctitle()\n")
    start.write("lib/titled.py", "import setproctitle\nsetproctitle.setproctitle('first')\n")
    start.write("main.py", f"import {', '.join(held or ('sys',))}\n{TITLE}")
    both = await start.both(python, "main.py", *arguments, modules=held)
    assert "another title" in both.same()


NAME = """
def name():
    with open("/proc/self/comm") as file:
        return file.read()
before = name()
import setproctitle
print(before, name() == before)
"""


@pytest.mark.real
@pytest.mark.slow
async def test_an_import_that_may_set_a_title_sets_none(
    start: Starter, real_environment: Callable[..., str]
) -> None:
    """W23: the kernel's name stays, too, by which Python 3.13 counts the threads of a process."""
    start.handover = True
    start.write("main.py", NAME)
    both = await start.both(real_environment("setproctitle==1.3.7"), "main.py", "x")
    assert both.same().endswith(" True\n")


async def test_where_the_kernel_takes_its_line_from_nowhere_else(start: Starter) -> None:
    """The command line is then written over the old one, and so is the mark (W21)."""
    start.env["PYTHONPATH"] = "lib"
    start.write(
        "lib/fixed.py",
        "import sys\nsys.modules['_devloop.appearing']._map_memory = lambda *_: False",
    )
    start.write("main.py", "import time; print('runs', flush=True); time.sleep(600)")
    life = await start.warm("python", "main.py", "x", modules=["fixed"])
    await life.until("runs")
    line = (await anyio.Path(f"/proc/{life.process.pid}/cmdline").read_text()).rstrip("\0")
    assert line.split("\0") == ["python", "main.py", "x"]
    assert tree.mark(life.process.pid) == life.process.mark
    await life.process.stop()


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
async def test_other_versions(
    start: Starter, version: str, interpreter: Callable[[str], str]
) -> None:
    """The same on other versions of Python."""
    python = interpreter(version)
    start.write("probe.py", PROBE)
    start.write("pkg/__main__.py", PROBE)
    await check(start, python, "probe.py", "x", terminal=True)
    await check(start, python, "-X", "dev", "-m", "pkg", "x")
