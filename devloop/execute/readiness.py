"""When an app is ready: it answers, it listens, it has said so, or it has lived for a second."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio
import anyio.abc

from devloop.config.types import Ready

ALIVE = 1.0
"""Seconds of life that count as ready where nothing else is known."""

CHECK_TIMEOUT = 2.0
"""Seconds that one answer may take; a first request may well compile templates."""

_PACE = ((1.0, 0.005), (10.0, 0.025), (float("inf"), 0.25))
"""Until which age, in seconds, how long to wait between two checks: most apps start quickly."""


async def until_ready(
    ready: Ready | None,
    listens: Callable[[int | None], Awaitable[str]],
    said: anyio.Event,
    *,
    serves: bool = False,
    held: bool = False,
) -> str | None:
    """Wait until an app is ready. It does not end by itself where the app never is.

    Args:
        ready: how the app shows it; None takes its first listen, or a second of life.
        listens: waits until this process of the app listens, on any port or on a certain one.
        said: set when a line of its output has matched ``ready.log``.
        serves: it is known to listen some day, so that a second of life proves nothing.
        held: devloop holds sockets for it: these take connections before it does.

    Returns:
        Where it listens, where that is known.
    """
    if ready is not None and ready.log is not None:
        await said.wait()
        return None
    if ready is not None and ready.http is not None:
        url = ready.http
        if held:
            await listens(None)
        return await _poll(lambda: _answers(url))
    if ready is not None and ready.port is not None:
        port = ready.port
        if held:
            await listens(port)
        return await _poll(lambda: _accepts(port))
    with anyio.move_on_after(None if serves else ALIVE):
        return await listens(None)
    return None


def pause(age: float) -> float:
    """How long to wait between two looks at something that starts.

    Args:
        age: seconds since its start.

    Returns:
        Seconds.
    """
    return next(length for until, length in _PACE if age < until)


async def _poll(check: Callable[[], Awaitable[str | None]]) -> str:
    begin = anyio.current_time()
    while (found := await check()) is None:  # noqa: ASYNC110 - nobody tells
        await anyio.sleep(pause(anyio.current_time() - begin))
    return found


async def _answers(url: str) -> str | None:
    """Whether any response comes whose status is below 500."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host = parts.hostname or "127.0.0.1"
    port = parts.port or (443 if secure else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = f"[{host}]" if ":" in host else host
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {name}:{port}\r\n"
        "User-Agent: devloop\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    with anyio.move_on_after(CHECK_TIMEOUT):
        try:
            stream: anyio.abc.ByteStream = await anyio.connect_tcp(host, port)
            async with stream:
                if secure:
                    stream = await _encrypted(stream, host)
                await stream.send(request.encode("ascii", "backslashreplace"))
                status = await _status(stream)
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        return url if status is not None and status < 500 else None
    return None


async def _encrypted(stream: anyio.abc.ByteStream, host: str) -> anyio.abc.ByteStream:
    from anyio.streams.tls import TLSStream

    # A development certificate is nobody's who could vouch for it, and nothing is told to it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await TLSStream.wrap(
        stream, hostname=host, ssl_context=context, standard_compatible=False
    )


async def _status(stream: anyio.abc.ByteStream) -> int | None:
    head = b""
    while b"\r\n" not in head and len(head) < 1024:
        head += await stream.receive(1024)
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return int(words[1])


async def _accepts(port: int) -> str | None:
    """Whether a connection is accepted on the port, over IPv4 or IPv6."""
    for host in ("127.0.0.1", "::1"):
        with anyio.move_on_after(CHECK_TIMEOUT):
            try:
                stream = await anyio.connect_tcp(host, port)
            except OSError:
                continue
            await stream.aclose()
            return f":{port}"
    return None
