"""Where sockets are bound: the library's class, gevent's, and uvloop, which binds in C.

They are met when they are imported.
"""

from __future__ import annotations

import os
import sys

from .post_import import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def patch_all(
    patch: Callable[[Any], None],
    listened: Callable[[int], None],
    others: dict[str, Callable[[Any], None]],
) -> None:
    """Have them hand over: at once where they are imported already.

    Args:
        patch: patches a class of sockets.
        listened: to be called with the descriptor of each socket that listens.
        others: by the names of more modules, what is to be called with each.
    """

    def socket(module: Any) -> None:
        patch(module.socket)

    def gevent(module: Any) -> None:
        patch(module.socket._gevent_sock_class)

    def uvloop(module: Any) -> None:
        _patch_uvloop(module.Loop, listened)

    acts: dict[str, Callable[[Any], None]] = {
        "socket": socket,
        "uvloop": uvloop,
        "gevent._socket3": gevent,
        **others,
    }
    for name, act in acts.items():
        when_imported(name, act)


def _patch_uvloop(loop: Any, listened: Callable[[int], None]) -> None:
    import contextlib
    import socket

    real_server, real_unix_server = loop.create_server, loop.create_unix_server

    async def create_server(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """See `asyncio.loop.create_server`."""
        if options.get("sock") is not None or not port:
            server = await real_server(self, protocol_factory, host, port, **options)
            _say(server, listened)
            return server
        lookup = {"family": options.pop("family", 0), "flags": options.pop("flags", None)}
        options.pop("reuse_address", None)  # libuv always sets it
        reuse_port = options.pop("reuse_port", None)
        with contextlib.ExitStack() as bound:
            sockets = [
                bound.enter_context(_bound(found, bool(reuse_port)))
                for found in await _resolve(self, host, port, **lookup)
            ]
            servers = [
                await real_server(self, protocol_factory, sock=sock, **options) for sock in sockets
            ]
            bound.pop_all()
        for sock in sockets:
            listened(sock.fileno())
        return servers[0] if len(servers) == 1 else _several(servers)

    async def create_unix_server(
        self: Any, protocol_factory: Any, path: Any = None, **options: Any
    ) -> Any:
        """See `asyncio.loop.create_unix_server`."""
        # It has `os.unlink` from before ours was put there, so paths are freed here.
        cleaned = options.get("cleanup_socket", sys.version_info >= (3, 13))
        if cleaned:
            options["cleanup_socket"] = False
        if path is not None and options.get("sock") is None:
            path = os.fspath(path)
            sock = socket.socket(socket.AF_UNIX)
            try:
                if path[:1] not in (b"\0", "\0"):
                    _free(path)
                sock.bind(path)
                server = await real_unix_server(self, protocol_factory, sock=sock, **options)
            except BaseException:
                sock.close()
                raise
            listened(sock.fileno())
        else:
            server = await real_unix_server(self, protocol_factory, path, **options)
            _say(server, listened)
        return _several([server], _files(server)) if cleaned else server

    loop.create_server, loop.create_unix_server = create_server, create_unix_server


def _say(server: Any, listened: Callable[[int], None]) -> None:
    for sock in server.sockets or ():
        listened(sock.fileno())


def _free(path: Any) -> None:
    import stat

    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116
            os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        pass


async def _resolve(
    loop: Any, host: Any, port: Any, family: int, flags: int | None
) -> Iterable[Any]:
    """The addresses that a server is to listen on, each once, in order."""
    import socket

    hosts = [host] if host is None or isinstance(host, str) else list(host)
    found: dict[Any, None] = {}
    for one in hosts:
        infos = await loop.getaddrinfo(
            one or None,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE if flags is None else flags,
        )
        found.update(dict.fromkeys(infos))
    return found


def _bound(info: Any, reuse_port: bool) -> Any:
    import socket

    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno,
            f"error while attempting to bind on address {address!r}: {error.strerror}",
        ) from None
    return sock


def _files(server: Any) -> dict[str, int]:
    """The paths of a server's Unix sockets, each with what tells it from a later one."""
    found = {}
    for sock in server.sockets:
        path = os.fsdecode(sock.getsockname())
        if path and not path.startswith("\0"):
            found[path] = os.stat(path).st_ino  # noqa: PTH116
    return found


def _several(servers: list[Any], files: dict[str, int] | None = None) -> Any:
    """One server that is several, as uvloop's own can be made with one socket only.

    Args:
        servers: they.
        files: paths that are removed when it is closed, where they are what they were.
    """
    import asyncio
    import contextlib

    class Server(asyncio.AbstractServer):
        """See `asyncio.Server`."""

        @property
        def sockets(self) -> list[Any]:
            """What it listens on."""
            return [sock for server in servers for sock in server.sockets or ()]

        def __getattr__(self, name: str) -> Any:
            return getattr(servers[0], name)

        def close(self) -> None:
            """See `asyncio.Server.close`."""
            for server in servers:
                server.close()
            for path, inode in (files or {}).items():
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(path).st_ino == inode:  # noqa: PTH116
                        os.unlink(path)  # noqa: PTH108

        async def wait_closed(self) -> None:
            """See `asyncio.Server.wait_closed`."""
            for server in servers:
                await server.wait_closed()

        async def start_serving(self) -> None:
            """See `asyncio.Server.start_serving`."""
            for server in servers:
                await server.start_serving()

        async def serve_forever(self) -> None:
            """See `asyncio.Server.serve_forever`."""
            await asyncio.gather(*(server.serve_forever() for server in servers))

        def is_serving(self) -> bool:
            """See `asyncio.Server.is_serving`."""
            return bool(servers[0].is_serving())

        def get_loop(self) -> Any:
            """See `asyncio.Server.get_loop`."""
            return servers[0].get_loop()

    return Server()
