"""The control socket: the loop heard, and asked, from other processes.

Nothing that a client does or leaves undone holds up the loop: each has a queue of its own, which
is bounded, and who does not read it is dropped, and told so as the last thing.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from devloop.events import Event, Notice, Output, to_json
from devloop.loop.actions import Action, Answer, Ask
from devloop.loop.outside import Inside
from devloop.report.standing import Standing
from devloop.serve import address
from devloop.serve.connection import Connection
from devloop.serve.protocol import Act, AskStatus, AskTests, BadRequest, Follow, Id, answer, read
from devloop.serve.snapshot import Snapshot
from devloop.serve.status import Board

MOST = 64
"""Clients at once."""
FAREWELL = 1.0
"""Seconds that clients have in the end to take what was sent to them."""


class ControlServer:
    """What follows a session, and lets others follow it and ask it for something.

    Args:
        root: the project's.
        environ: see `address.listening`.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._standing = Standing()
        self._snapshot = Snapshot(self._standing)
        self._board = Board(self._standing)
        self._clients: set[Connection] = set()
        self._followers: dict[Connection, bool] = {}
        """Those who follow, and whether they want what is printed."""

    def handle(self, event: Event) -> None:
        """Take an event, and hand it on to whoever follows.

        Args:
            event: any.
        """
        self._standing.apply(event)
        self._snapshot.apply(event)
        self._board.apply(event)
        if self._followers:
            line: bytes | None = None
            for client, output in self._followers.items():
                if output or not isinstance(event, Output):
                    line = line or to_json(event) + b"\n"
                    client.send(line)

    @asynccontextmanager
    async def open(self, inside: Inside) -> AsyncIterator[None]:
        """Listen at the project's control socket; without one the session goes on all the same.

        Args:
            inside: the session.
        """
        listening = address.listening(self._root, self._environ)
        try:
            listener = listening.__enter__()
        except OSError as error:
            inside.tell(
                Notice(
                    message=f"there is no control socket: {error}",
                    severity="warning",
                    hint="`devloop status`, `trigger` and `lsp` cannot reach this session.",
                )
            )
            yield
            return
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._accept, listener, tasks, inside)
                try:
                    yield
                finally:
                    with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL):
                        for client in tuple(self._clients):
                            await client.sent()
                    tasks.cancel_scope.cancel()
        finally:
            listening.__exit__(None, None, None)

    async def _accept(self, listener: socket.socket, tasks: TaskGroup, inside: Inside) -> None:
        while True:
            await anyio.wait_readable(listener)
            try:
                connection, _ = listener.accept()
            except OSError:  # it has gone again, or there is no descriptor left for it
                await anyio.sleep(0.05)
                continue
            connection.setblocking(False)
            client = Connection(connection)
            if not address.is_own(connection):
                client.refuse("this devloop belongs to another user")
            elif len(self._clients) >= MOST:
                client.refuse(f"{MOST} clients are connected already")
            else:
                tasks.start_soon(self._attend, client, inside)

    async def _attend(self, client: Connection, inside: Inside) -> None:
        self._clients.add(client)
        try:
            await client.run(lambda line: self._answer(client, line, inside))
        finally:
            self._clients.discard(client)
            self._followers.pop(client, None)
            client.close()

    def _answer(self, client: Connection, line: bytes, inside: Inside) -> None:
        try:
            request = read(line)
        except BadRequest as error:
            client.send(answer("refused", error.id, message=error.message))
            return
        match request:
            case AskStatus():
                client.send(answer("status", request.id, status=self._board.status()))
            case AskTests():
                tests = inside.tests(request.path)
                client.send(answer("tests", request.id, tests=msgspec.to_builtins(tests)))
            case Follow():
                self._follow(client, request)
            case Act():
                client.owe()
                inside.ask(_passed_on(client, request.id, request.action))

    def _follow(self, client: Connection, request: Follow) -> None:
        events = self._snapshot.events()
        lines = [answer("following", request.id, events=len(events))]
        lines += [to_json(event) + b"\n" for event in events]
        client.send(b"".join(lines), bounded=False)
        self._followers[client] = request.output


def _passed_on(client: Connection, number: Id, action: Action) -> Ask:
    def tell(found: Answer) -> None:
        if found.problem is not None:
            line = answer(
                "refused",
                number,
                message=found.problem,
                hint=found.hint,
                elsewhere=found.elsewhere or None,
            )
        else:
            line = answer("done", number, cycle=found.cycle, message=found.message)
        client.pay(line)

    return Ask(action, "control", tell)
