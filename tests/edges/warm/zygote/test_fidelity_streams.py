"""Streams that imports have touched are in a warm command what they are in a cold one (W15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Starter

pytestmark = pytest.mark.anyio

TOUCHED = {
    "a handler is made": """
        import logging
        logging.basicConfig()
        logging.warning("at import")
        """,
    "settings are changed": """
        import sys
        sys.stdout.reconfigure(line_buffering=True, encoding="latin-1", errors="replace")
        sys.stderr.reconfigure(errors="strict")
        """,
    "the end of a line is changed": r"""
        import sys
        sys.stdout.reconfigure(newline="\r\n")
        """,
    "it is replaced": """
        import sys
        old, sys.stdout = sys.stdout, open(1, "w", closefd=False)
        old.write("before ")
        """,
    "it is covered": """
        import io, sys
        old, sys.stderr = sys.stderr, io.StringIO()
        old.write("before ")
        """,
    "it is wrapped": """
        import sys
        class Loud:
            def __init__(self, inner):
                self.inner = inner
            def write(self, text):
                return self.inner.write(text.upper())
        sys.stderr = Loud(sys.stderr)
        """,
    "its buffer is detached": """
        import io, sys
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), "utf-8", line_buffering=True)
        """,
    "it is closed": "import sys\nsys.stdout.close()",
    "the input is closed": "import sys\nsys.stdin.close()",
    "it is taken away": "import sys\nsys.stdout = None",
}
"""What a third-party module does to the standard streams when it is imported."""

MAIN = """
import touching
import logging, os, sys

def attempt(function, *arguments):
    # `print` is among what is tried.
    try:
        return function(*arguments)
    except Exception as error:
        os.write(1, f"{error!r}\\n".encode())

def say(name):
    text = getattr(sys, f"__{name}__")
    known = [text.name, text.closed, text.encoding, text.errors, text.newlines,
             text.line_buffering, text.write_through, text.isatty(), text.fileno()]
    os.write(1, f"{known}\\n".encode())

attempt(print, "first")
for name in ("stdin", "stdout", "stderr"):
    attempt(say, name)
logging.warning("logged")
attempt(lambda: sys.stderr.write("an error\\n"))
if not os.isatty(0):
    attempt(lambda: os.write(1, f"{sys.stdin.read()!r}\\n".encode()))
attempt(print, "caf\\u00e9")
"""


@pytest.mark.parametrize("size", [None, (24, 80)], ids=["pipe", "terminal"])
@pytest.mark.parametrize("name", TOUCHED)
async def test_streams_that_an_import_has_touched(
    start: Starter, name: str, size: tuple[int, int] | None, dedented: Callable[[str], str]
) -> None:
    """They are as it has left them, whatever that is, and what it has written is there."""
    start.env["PYTHONPATH"] = "lib"
    start.write("lib/touching.py", dedented(TOUCHED[name]))
    start.write("main.py", MAIN)
    zygote = await start.zygote("python", "main.py", size=size)
    held = await zygote.preload(["touching"])
    assert not held.unsafe
    cold = await start.cold("python", "main.py", size=size)
    warm = await start.run(await zygote.take(), "python", "main.py", size=size)
    assert await cold.end() == await warm.end()
    assert warm.text == cold.text


UNWRITTEN = {
    "Python": "import sys\nsys.stdout.write('early ')",
    "bytes": "import sys\nsys.stdout.buffer.write(b'early ')",
    "C": "import ctypes\nctypes.CDLL(None).printf(b'early ')",
    "another stream": "kept = open(1, 'w', closefd=False)\nkept.write('early ')",
}


@pytest.mark.parametrize("size", [None, (24, 80)], ids=["pipe", "terminal"])
@pytest.mark.parametrize("by", UNWRITTEN)
@pytest.mark.parametrize("module", ["sitecustomize", "touching"])
async def test_what_is_not_written_out_yet_comes_once(
    start: Starter, module: str, by: str, size: tuple[int, int] | None
) -> None:
    """In each command: what the interpreter's start or an import has left in a buffer."""
    start.env["PYTHONPATH"] = "lib"
    start.write(f"lib/{module}.py", UNWRITTEN[by])
    start.write("main.py", "import sys, touching\nprint('main')\nsys.stdout.flush()")
    (start.root / "lib/touching.py").touch()
    zygote = await start.zygote("python", "main.py", modules=["touching"], size=size)
    first = [await zygote.take(), await zygote.take()]
    lives = [await start.run(blank, "python", "main.py", size=size) for blank in first]
    await zygote.preload(["ctypes", "touching"])
    lives.append(await start.run(await zygote.take(), "python", "main.py", size=size))
    for life in lives:
        await life.end()
        assert life.text.count("early ") == 1
        assert life.text.count("main\n") == 1
