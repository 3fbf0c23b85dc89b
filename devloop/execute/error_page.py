"""Answers for an app that cannot start, on the sockets that devloop holds for it.

HTTP/1 alone, one request a connection: what is not that is closed at once. Nothing is said
about the environment, and the source is only shown to those who ask under a name that is
surely this machine's (another site's name may lead here, by DNS rebinding or through a tunnel).
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

import anyio
import anyio.abc
import msgspec

from devloop.execute import editor_links
from devloop.execute.failure import Failure
from devloop.execute.held import Held

HEAD_LIMIT = 32_768
"""Bytes of a request's head; servers commonly refuse longer ones."""

REST_LIMIT = 1 << 20
"""Bytes that are read of a request's body: a connection that is closed on unread data resets,
and the client may never see the answer."""

PATIENCE = 3.0
"""Seconds that one connection may take in all."""

AT_ONCE = 64
"""Connections that are answered at one time; the others wait in the kernel."""

BREATH = 0.1
"""Seconds until the next try where a connection could not be accepted."""

_REQUEST = re.compile(rb"([A-Z]{1,20}) ([^\s\x00-\x20]+) HTTP/1\.[01]\r?\n")
_LOCAL = (".localhost", ".test", ".local", ".lan", ".internal", ".home.arpa")


class ErrorPage:
    """Shows why an app cannot start: ``async with ErrorPage(…) as page``.

    Args:
        held: the app's sockets; `hide` before any is closed.
        root: the project's.
        environ: tells the editor that links are for; None is devloop's own environment.
    """

    def __init__(self, held: Held, root: str, environ: Mapping[str, str] | None = None) -> None:
        self._held = held
        self._root = root
        self._editor = editor_links.template(os.environ if environ is None else environ)
        self._failure: Failure | None = None
        self._token = ""
        self._attended: list[socket.socket] = []
        self._answering = 0
        self._tasks: anyio.abc.TaskGroup

    async def __aenter__(self) -> ErrorPage:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self.hide()
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    @property
    def shown(self) -> bool:
        """Whether it answers now."""
        return self._failure is not None

    def show(self, failure: Failure) -> None:
        """Answer with this from now on, on all that is held; returns at once.

        Args:
            failure: why the app cannot start; takes the place of another one.
        """
        self.hide()
        self._failure = failure
        self._token = secrets.token_urlsafe(12)
        self._attend()

    def hide(self) -> None:
        """Accept no more, from now on; who was accepted is still answered."""
        self._failure = None
        self._ignore()

    def _attend(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._held.sockets:
            # All who share the socket share this; each process sets it when it takes over.
            sock.setblocking(False)
            loop.add_reader(sock, self._accept, sock)
            self._attended.append(sock)

    def _resume(self) -> None:
        if self._failure is not None and not self._attended:
            self._attend()

    def _ignore(self) -> None:
        loop = asyncio.get_running_loop()
        while self._attended:
            loop.remove_reader(self._attended.pop())

    def _accept(self, sock: socket.socket) -> None:
        if self._failure is None:
            return
        try:
            connection, _ = sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            # No descriptor is left: those who wait are no reason to ask at once again.
            self._ignore()
            asyncio.get_running_loop().call_later(BREATH, self._resume)
            return
        connection.setblocking(False)
        self._answering += 1
        if self._answering >= AT_ONCE:
            self._ignore()
        self._tasks.start_soon(self._answer, connection, self._failure, self._token)

    async def _answer(self, connection: socket.socket, failure: Failure, token: str) -> None:
        try:
            with connection, anyio.move_on_after(PATIENCE), suppress(OSError):
                loop = asyncio.get_running_loop()
                head = await _read_head(connection)
                if head is None:
                    return
                await loop.sock_sendall(connection, self._response(head, failure, token))
                connection.shutdown(socket.SHUT_WR)
                left = REST_LIMIT
                while left > 0 and (part := await loop.sock_recv(connection, 1 << 16)):
                    left -= len(part)
        finally:
            self._answering -= 1
            self._resume()

    def _response(self, head: bytes, failure: Failure, token: str) -> bytes:
        from devloop.execute.failure_shown import as_html, as_json, as_text

        line, *fields = head.decode("latin-1").splitlines()
        method = line.split()[0]
        headers: dict[str, str] = {}
        for field in fields:
            name, _, value = field.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        if not is_local(headers.get("host", "")):
            failure = msgspec.structs.replace(
                failure, headline="see where devloop runs", text="", frames=(), changes=()
            )
        kind = _preferred(headers.get("accept", ""))
        if kind == "text/html":
            body = as_html(
                failure, root=self._root, editor=self._editor, token=token, get=method == "GET"
            )
        else:
            body = as_json(failure) if kind == "application/json" else as_text(failure)
        content = body.encode("utf-8", "backslashreplace")
        answer = (
            "HTTP/1.1 503 Service Unavailable\r\n"
            f"Content-Type: {kind}; charset=utf-8\r\n"
            f"Content-Length: {len(content)}\r\n"
            "Connection: close\r\n"
            "Cache-Control: no-store\r\n"
            "Retry-After: 1\r\n"
            "Vary: Accept\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Referrer-Policy: no-referrer\r\n"
            "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"frame-ancestors 'self'; connect-src 'self'; style-src 'nonce-{token}'; "
            f"script-src 'nonce-{token}'\r\n"
            f"X-Devloop-Failure: {token}\r\n\r\n"
        )
        return answer.encode("ascii") + (b"" if method == "HEAD" else content)


def is_local(host: str) -> bool:
    """Whether a request's ``Host`` surely names this machine or one of its network.

    Args:
        host: the header's value, with or without a port.

    Returns:
        True for an address, for a name of one label, and for those that no public zone has.
    """
    import ipaddress

    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return "." not in name or name.endswith(_LOCAL)


async def _read_head(connection: socket.socket) -> bytes | None:
    """A request's head; None where there will be none that we understand."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        part = await asyncio.get_running_loop().sock_recv(connection, 1 << 14)
        head += part
        # TLS begins with a byte that no method has, and HTTP/2 with a line of its own.
        lined = b"\n" in head
        if not part or len(head) > HEAD_LIMIT or not (head[:1].isalpha() and head[:1].isupper()):
            return None
        if lined and not _REQUEST.match(head):
            return None
    return head if _REQUEST.match(head) else None


def _preferred(accept: str) -> str:
    """Which of our three forms a client wants most (RFC 9110 §12.5.1)."""
    best, kind = 0.0, "text/plain"
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                with suppress(ValueError):
                    weight = float(parameter[2:])
        if media == "application/xhtml+xml":
            media = "text/html"
        elif media.endswith("+json"):
            media = "application/json"
        if media in ("text/html", "application/json", "text/plain") and weight > best:
            best, kind = weight, media
    return kind
