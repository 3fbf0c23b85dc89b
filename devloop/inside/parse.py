"""The parse worker: it reads sources, and texts of examples, and finds their facts.

It runs in the project's interpreter, started in the project's root, and is asked with frames of
`messages`: ``{"m": "parse", "paths": [...]}`` is answered by ``{"m": "parsed", "files": [...]}``,
one entry a path: null where there is no such file, else ``[signature, digest, facts, outline]``
with the facts as `source` gives them, bytes in base64. The worker ends when its standard input
does.
"""

from __future__ import annotations

import gc
import os
import platform
import stat
import sys
import warnings
from binascii import b2a_base64
from hashlib import blake2b
from pathlib import Path
from typing import Any

from . import messages
from .codes import DIGEST_SIZE
from .source import problem
from .source import read as read_source
from .source import text as text_facts

EXTENSION_MODULES = (".so", ".pyd")
SOURCES = (".py", ".pyw")
TRIES = 5
"""How often a file is read that changes meanwhile."""


def main() -> None:
    """Answer requests until the other side closes."""
    warnings.simplefilter("ignore")
    answers, requests = os.dup(1), os.dup(0)
    os.dup2(2, 1)  # whatever prints must not end up between the frames
    hello = {"m": "hello", "version": messages.VERSION, "python": platform.python_version()}
    messages.write(answers, hello)
    # Syntax trees are large, and free of cycles: collecting while they grow finds nothing.
    gc.disable()
    gc.freeze()
    try:
        while (request := messages.read(requests)) is not None:
            files = [read(path) for path in request["paths"]]
            messages.write(answers, {"m": "parsed", "files": files})
            gc.collect()
    except BrokenPipeError:
        sys.exit(1)


def read(path: str) -> list[Any] | None:
    """Read one file and find its facts.

    Args:
        path: relative to the working folder, or absolute.

    Returns:
        Signature (size, mtime_ns, ctime_ns, inode), digest of the content, facts and outline;
        None where there is no such file, or it is not a regular one.
    """
    try:
        # Opening a named pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC)
    except PermissionError as error:
        return _unreadable(path, error)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            for _ in range(TRIES):
                before = os.fstat(descriptor)
                if not stat.S_ISREG(before.st_mode):
                    return None
                file.seek(0)
                content = file.readall()
                after = os.fstat(descriptor)
                if _signature(before) == _signature(after) and after.st_size == len(content):
                    break
    except OSError as error:
        return _unreadable(path, error)
    digest = blake2b(content, digest_size=DIGEST_SIZE).digest()
    text = _text(digest)
    if path.endswith(EXTENSION_MODULES):
        return [_signature(after), text, [text], ""]
    if not path.endswith(SOURCES):
        return [_signature(after), text, text_facts(content, text), ""]
    found, outline = read_source(content)
    return [_signature(after), text, found, _text(outline)]


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _signature(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _unreadable(path: str, error: OSError) -> list[Any] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return [_signature(status), "", problem(b"", f"cannot be read: {error.strerror}"), ""]
