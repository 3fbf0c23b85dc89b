"""The words that run a test under a debugger, and the port that an editor finds it on."""

from __future__ import annotations

import socket

import pytest

from devloop.errors import UsageError
from devloop.execute.debugging import PORT, command, free_port
from devloop.execute.interpreter import Interpreter


def interpreter(**distributions: str) -> Interpreter:
    """One with some distributions."""
    return Interpreter(
        "/p/python", (3, 12, 0), None, "/p", "/p", (), (), distributions, (), (), frozenset(), ""
    )


def test_pdb_runs_one_test_in_one_process() -> None:
    """With the arguments of the configuration; what would trace as well is turned off."""
    nodeid = "t.py::test"
    plain = ("/p/python", "-m", "pytest", "-q")
    assert command(interpreter(), nodeid, ["-q"]) == (*plain, "--pdb", nodeid)
    full = interpreter(**{"pytest-xdist": "3.6", "pytest-cov": "6"})
    assert command(full, nodeid, ["-q"]) == (*plain, "-n0", "--no-cov", "--pdb", nodeid)


def test_debugpy_waits_for_an_editor_on_this_machine_alone() -> None:
    """Where it is not installed, what installs it is said."""
    words = command(interpreter(debugpy="1.8"), "t.py::test", [], port=5678)
    assert words[1:6] == ("-m", "debugpy", "--listen", "127.0.0.1:5678", "--wait-for-client")
    assert "--pdb" not in words
    with pytest.raises(UsageError, match="debugpy is not installed") as error:
        command(interpreter(pip="24"), "t.py::test", [], port=5678)
    assert "debugpy" in (error.value.hint or "")


def test_a_port_that_somebody_has_is_not_taken() -> None:
    """Another one is, and it is free."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", PORT))
            held.listen()
        except OSError:
            assert held.fileno() >= 0  # somebody else has it: as well
        port = free_port()
    assert port != PORT
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", port))


def test_paths_are_left_alone() -> None:
    """A file that cannot be collected is debugged as a file."""
    assert command(interpreter(), "t.py", [])[-1] == "t.py"
