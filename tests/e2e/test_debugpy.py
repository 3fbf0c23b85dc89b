"""`--debugger debugpy`: an editor attaches to the failing test, by the real protocol."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Editor:
    """What an editor does (Debug Adapter Protocol, microsoft.github.io/debug-adapter-protocol).

    Args:
        port: where debugpy listens.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._file = self._socket.makefile("rwb")
        self._number = 0

    def ask(self, command: str, **arguments: Any) -> None:
        """Send a request."""
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command}
        body = json.dumps({**message, "arguments": arguments}).encode()
        self._file.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._file.flush()

    def until(self, **fields: str) -> dict[str, Any]:
        """Read messages up to one with these fields."""
        while True:
            size = 0
            while (line := self._file.readline()).strip() != b"":
                size = int(line.rpartition(b":")[2])
            if not line:
                raise ConnectionResetError("debugpy has closed the connection")
            message: dict[str, Any] = json.loads(self._file.read(size))
            if fields.items() <= message.items():
                return message

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(ConnectionError):
            self._file.close()
        self._socket.close()


def test_an_editor_attaches_to_the_first_failure(
    shell: Callable[[dict[str, str]], Shell], real_environment: Callable[..., str]
) -> None:
    """The keys stay keys meanwhile; what the test prints is shown as lines; `d` ends it."""
    python = real_environment("pytest==8.4.2", "debugpy==1.8.22")
    at = shell(
        {
            "devloop.toml": f"[python]\ninterpreter = {python!r}\n",
            "test_it.py": "def test_bad():\n    word = 'seen'\n    assert word == 'other'\n",
        }
    )
    at.run("watch", "--debugger", "debugpy")
    at.expect("FAIL")
    at.expect("q quits")
    at.child.send("d")
    at.child.expect(r"debugpy waits on 127\.0\.0\.1:(\d+)")
    port = int(str(at.child.match.group(1)))  # type: ignore[union-attr]
    at.child.send("h")
    at.expect("quit")
    at.child.send("\x1b")
    editor = None
    while editor is None:
        try:
            editor = Editor(port)
            editor.ask("initialize", adapterID="python", pathFormat="path")
            editor.ask("attach", justMyCode=True)
            editor.until(event="initialized")
        except ConnectionError:
            # It listens before it can be attached to: until then it closes what comes.
            if editor is not None:
                editor.close()
            editor = None
            at.until(lambda: True)
    path = str(at.root / "test_it.py")
    editor.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 3}])
    editor.ask("configurationDone")
    stopped = editor.until(event="stopped")
    editor.ask("continue", threadId=stopped["body"]["threadId"])
    at.expect("1 failed")
    editor.close()
    at.expect("the debugger has ended")
    at.child.send("q")
    assert at.ended() == 0
    at.alone()
