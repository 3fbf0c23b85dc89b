"""Ask an app which version it serves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LIMIT = 20.0
"""Seconds within which an app must serve."""


def until_served(port: int, version: str, *, step: float = 0.02) -> float:
    """Wait until an app answers with a version.

    Args:
        port: where it listens, on this machine.
        version: the answer that is waited for.
        step: seconds before an app is asked again that has answered with another version. An
            open connection keeps some servers from stopping, so it is not asked without pause.

    Returns:
        When it did, in seconds since the epoch.

    Raises:
        TimeoutError: it has not.
    """
    end = time.monotonic() + LIMIT
    while (answer := ask(port)) != version:
        if time.monotonic() > end:
            raise TimeoutError(f"{version} was not served within {LIMIT} s, but {answer}")
        time.sleep(0.001 if answer is None else step)
    return time.time()


def ask(port: int) -> str | None:
    """Make one request.

    Args:
        port: where the app listens, on this machine.

    Returns:
        The body; None where nobody answers with 200.
    """
    data = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
            while part := connection.recv(4096):
                data += part
    except OSError:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    return body.decode() if head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) else None


@contextlib.contextmanager
def running(
    command: Sequence[str], root: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and end it with all that is in its group.

    Args:
        command: the program and its arguments.
        root: the folder that it runs in.
        env: its whole environment.
    """
    process = subprocess.Popen(
        command,
        cwd=root,
        env=env,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
