"""What happens to an error that nobody foresaw."""

from __future__ import annotations

import os
import platform
import shlex
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from devloop import __version__
from devloop.config import folder
from devloop.config.root import find_root
from devloop.errors import NotAProject


def report(error: BaseException, arguments: Sequence[str]) -> tuple[str, str]:
    """Keep the traceback in a file.

    Args:
        error: what was raised.
        arguments: the command line.

    Returns:
        What happened, in a sentence, and what to do about it.
    """
    message = f"devloop itself has failed: {type(error).__name__}: {error}".rstrip(": ")
    text = (
        f"devloop {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"devloop {shlex.join(arguments)}\n\n"
        f"{''.join(traceback.format_exception(error))}"
    )
    try:
        path = _write(text)
    except OSError as fault:
        return f"{message}\n{text}", f"The report could not be written: {fault}."
    return message, (
        f"The traceback is in {path}.\n"
        "This is a fault in devloop. Please report it with that file; it holds no environment "
        "and no source but the lines in the traceback."
    )


def _write(text: str) -> Path:
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    data = text.encode(errors="backslashreplace")
    try:
        path = folder.make(find_root(Path.cwd())) / name
        path.write_bytes(data)
    except (OSError, NotAProject):
        path = Path(tempfile.gettempdir(), f"devloop-{name}")
        path.write_bytes(data)
    return path
