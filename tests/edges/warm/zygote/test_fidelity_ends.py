"""How a command behaves and ends, warm as cold: exceptions, codes, signals, output (W15, W21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devloop.execute.guard import Ended
from devloop.execute.orders import Declined

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Starter

pytestmark = pytest.mark.anyio

SCRIPTS = {
    "a code": "import sys; sys.exit(3)",
    "no code": "import sys; print('x'); sys.exit()",
    "a text": "import sys; print('first'); sys.exit('so long')",
    "a large code": "import sys; sys.exit(263)",
    "a negative code": "import sys; sys.exit(-1)",
    "an object": "raise SystemExit([1, 2])",
    "at once": "import os; print('lost' if not os.isatty(1) else ''); os._exit(4)",
    "an exception": """
        def inner(n):
            return 1 / n

        def outer():
            try:
                inner(0)
            except ZeroDivisionError as error:
                raise ValueError("of this") from error

        print("before")
        outer()
        """,
    "an exception at the top": "x = {}\nx['missing']",
    "an exception with notes": """
        error = OSError(2, "No such thing", "name")
        if hasattr(error, "add_note"):
            error.add_note("a note")
        raise error
        """,
    "a syntax error": "print('x')\nif True print(1)\n",
    "a wrong indentation": "def f():\nreturn 1\n",
    "a syntax error in a module": "import broken",
    "a missing module": "import nothing_of_that_name",
    "an exception in a module": "import failing",
    "an interrupt": "raise KeyboardInterrupt",
    "an interrupt by signal": """
        import os, signal, time
        print("on")
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(9)
        finally:
            print("finally")
        """,
    "a signal": "import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGTERM)",
    "a segmentation fault": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "abort": "import os; os.abort()",
    "a broken pipe": """
        import os, sys
        read, write = os.pipe()
        os.close(read)
        os.write(write, b"x")
        """,
    "a hook for exceptions": """
        import sys
        def hook(kind, value, trace):
            names = []
            while trace is not None:
                names.append(trace.tb_frame.f_code.co_name)
                trace = trace.tb_next
            print("hook", kind, value, names, value.__traceback__ is not None, __file__)
        sys.excepthook = hook
        def f():
            raise LookupError("x")
        f()
        """,
    "a hook that fails": """
        import sys
        def hook(kind, value, trace):
            raise RuntimeError("in the hook")
        sys.excepthook = hook
        raise LookupError("x")
        """,
    "no hook": "import sys\ndel sys.excepthook\nraise LookupError('x')",
    "at the end": """
        import atexit, sys, threading, time
        def last():
            import __main__
            print("last", getattr(__main__, "__file__", None), sys.excepthook is sys.__excepthook__)
        atexit.register(last)
        atexit.register(print, "first")
        class Late:
            def __del__(self):
                print("deleted")
        late = Late()
        def wait():
            time.sleep(0.05)
            print("thread")
        threading.Thread(target=wait).start()
        print("end of script")
        """,
    "at the end of a failure": """
        import atexit, sys, traceback
        def last():
            names = [f.name for f in traceback.extract_tb(sys.last_traceback)]
            print("last", names, sys.last_type, sys.last_value)
            print([f.name for f in traceback.extract_tb(sys.last_value.__traceback__)])
            print(sys.excepthook is sys.__excepthook__, __name__)
        atexit.register(last)
        def f():
            raise LookupError("x")
        f()
        """,
    "a failure at the end": """
        import atexit
        class Last:
            def __repr__(self):
                return "last"
            def __call__(self):
                1 / 0
        atexit.register(Last())
        print("end")
        """,
    "a thread that fails": """
        import threading
        thread = threading.Thread(target=lambda: 1 / 0, name="one")
        thread.start()
        thread.join()
        print("end")
        """,
    "a thread that does not end": """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        print("end")
        """,
    "warnings": """
        import warnings
        def f():
            warnings.warn("one", stacklevel=1)
            warnings.warn("two", stacklevel=2)
        f()
        warnings.warn("old", DeprecationWarning)
        warnings.warn("of nobody", stacklevel=2)
        warnings.warn("of nobody far away", stacklevel=9)
        """,
    "what a log says": """
        import logging
        logging.basicConfig(format="%(pathname)s %(lineno)d %(funcName)s %(message)s")
        def f(level):
            logging.warning("here", stacklevel=level)
        for level in (1, 2):
            f(level)
        """,
    "every way to print": r"""
        import ctypes, os, subprocess, sys
        libc = ctypes.CDLL(None)
        print("python")
        sys.stdout.flush()
        libc.printf(b"C\n")
        libc.fflush(None)
        os.write(1, b"system\n")
        subprocess.run(["echo", "child"])
        print("error", file=sys.stderr)
        sys.stdout.write("a part")
        libc.printf(b"C at the end\n")
        """,
    "a fork": """
        import os
        print("before", flush=True)
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            print("parent")
        else:
            print("child")
        """,
    "standard input": "import sys; print(repr(sys.stdin.read()), repr(sys.stdin.readline()))",
    "no input": "print(input('? '))",
    "a coroutine": """
        import asyncio
        async def main():
            await asyncio.sleep(0.01)
            raise ValueError("in a coroutine")
        asyncio.run(main())
        """,
    "an exception that cannot be shown": """
        class Odd(Exception):
            def __str__(self):
                raise ValueError
        raise Odd
        """,
    "main's names": """
        import sys, pickle
        class A: pass
        print(pickle.loads(pickle.dumps(A())).__class__ is A, A.__module__)
        import __main__
        print(__main__.A is A, __main__.__dict__ is globals(), sorted(globals()))
        """,
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_command_ends_as_it_would(
    start: Starter, name: str, dedented: Callable[[str], str]
) -> None:
    """What is printed, a traceback included, and the code or signal are the same."""
    start.write("main.py", dedented(SCRIPTS[name]))
    start.write("broken.py", "def f(:\n")
    start.write("failing.py", "def f():\n    raise RuntimeError('x')\nf()\n")
    both = await start.both("python", "main.py", modules=["traceback", "warnings", "threading"])
    both.same()


@pytest.mark.parametrize(
    "name", ["an exception", "at the end", "an interrupt by signal", "a text", "a code", "no code"]
)
async def test_a_module_ends_as_it_would(
    start: Starter, name: str, dedented: Callable[[str], str]
) -> None:
    """The same for ``-m``, whose traceback has the library's own frames."""
    start.write("main.py", dedented(SCRIPTS[name]))
    (await start.both("python", "-m", "main")).same()


@pytest.mark.parametrize("name", ["nothing_there", "package", "package.nothing"])
async def test_a_module_that_cannot_be_run(start: Starter, name: str) -> None:
    """The interpreter's message says why."""
    start.write("package/__init__.py", "")
    both = await start.both("python", "-m", name)
    assert both.same()
    assert both.warm_end == Ended(code=1)


@pytest.mark.parametrize("name", ["an exception", "every way to print", "warnings", "a signal"])
async def test_in_a_terminal(start: Starter, name: str, dedented: Callable[[str], str]) -> None:
    """The same where lines are flushed as they are printed."""
    start.write("main.py", dedented(SCRIPTS[name]))
    (await start.both("python", "main.py", modules=["ctypes"], size=(24, 80))).same()


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
@pytest.mark.parametrize(
    "name", ["an exception", "a hook that fails", "at the end of a failure", "at the end"]
)
async def test_other_versions(
    start: Starter,
    name: str,
    version: str,
    interpreter: Callable[[str], str],
    dedented: Callable[[str], str],
) -> None:
    """The same on other versions of Python, whose tracebacks differ."""
    start.write("main.py", dedented(SCRIPTS[name]))
    (await start.both(interpreter(version), "main.py")).same()


@pytest.mark.parametrize("source", [b"x = 1\0", b"x = '\xe9'"], ids=["a null byte", "latin-1"])
async def test_a_script_that_is_no_text_is_declined(start: Starter, source: bytes) -> None:
    """What the interpreter says of it depends on how it reads it: so it is left to that."""
    start.write("main.py", "")
    zygote = await start.zygote("python", "main.py")
    (start.root / "main.py").write_bytes(source)
    with pytest.raises(Declined, match="is not text"):
        await start.run(await zygote.take(), "python", "main.py")


async def test_the_exception_that_ends_it_is_told(start: Starter) -> None:
    """Before it is printed: type, message and frames, the project's without any of ours."""
    start.write("main.py", "import lib\nlib.f()\n")
    start.write("lib.py", "def f():\n    raise ValueError('of', 'this')\n")
    life = await start.warm("python", "main.py")
    assert await life.end() == Ended(code=1)
    assert life.running is not None
    told = [message async for message, _ in life.running.control.receive()]
    (failed,) = [message for message in told if message["m"] == "failed"]
    assert failed["type"] == "ValueError"
    assert failed["message"] == "ValueError: ('of', 'this')"
    assert [(frame["file"], frame["line"]) for frame in failed["frames"]] == [
        (str(start.root / "main.py"), 2),
        (str(start.root / "lib.py"), 2),
    ]
    assert failed["frames"][1]["source"] == "raise ValueError('of', 'this')"
    assert failed["text"] == life.text


async def test_where_a_syntax_error_is(start: Starter) -> None:
    """It has no frame; its file and line are told in the place of one."""
    start.write("main.py", "import lib\n")
    start.write("lib.py", "x = 1\nif x print(1)\n")
    life = await start.warm("python", "main.py")
    await life.end()
    assert life.running is not None
    told = [message async for message, _ in life.running.control.receive()]
    (failed,) = [message for message in told if message["m"] == "failed"]
    assert failed["frames"][-1]["file"] == str(start.root / "lib.py")
    assert failed["frames"][-1]["line"] == 2
    assert failed["frames"][-1]["source"] == "if x print(1)"


async def test_an_exit_is_no_failure(start: Starter) -> None:
    """Nothing is told of an exception where there is none that would be printed."""
    start.write("main.py", "import sys; sys.exit(3)")
    life = await start.warm("python", "main.py")
    assert await life.end() == Ended(code=3)
    assert life.running is not None
    assert [message["m"] async for message, _ in life.running.control.receive()] == []
