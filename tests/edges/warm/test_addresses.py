"""An address has one name, however it is written."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from devloop.inside import addresses

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX


@pytest.mark.parametrize(
    ("family", "address", "name"),
    [
        (INET, ("127.0.0.1", 80), "127.0.0.1:80"),
        (INET, ("", 80), "0.0.0.0:80"),
        (INET, (b"127.0.0.1", 80), "127.0.0.1:80"),
        (INET, ("127.1", 80), "127.0.0.1:80"),
        (INET6, ("::1", 80), "[::1]:80"),
        (INET6, ("0:0:0:0:0:0:0:1", 80, 0, 0), "[::1]:80"),
        (INET6, ("", 80), "[::]:80"),
        (INET6, ("fe80::1", 80, 0, 7), "[fe80::1%7]:80"),
        (UNIX, "\0name", "unix:@name"),
        (UNIX, b"/run/./app.sock", "unix:/run/app.sock"),
    ],
)
def test_two_spellings_have_one_name(family: int, address: Any, name: str) -> None:
    """Whatever `bind` takes."""
    assert addresses.name(family, address) == name


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (INET, ("127.0.0.1", 0)),
        (INET, ("127.0.0.1",)),
        (INET, "127.0.0.1:80"),
        (INET, None),
        (INET, ("no such host.invalid", 80)),
        (UNIX, ""),
        (UNIX, 7),
        (socket.AF_PACKET if hasattr(socket, "AF_PACKET") else 99, ("lo", 1)),
    ],
)
def test_what_the_kernel_chooses_or_refuses_has_none(family: int, address: Any) -> None:
    """The real `bind` says what is wrong with it."""
    assert addresses.name(family, address) is None


def test_a_relative_path_and_a_link_lead_to_the_same_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is resolved; the last part is the socket itself, and may not exist yet."""
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path)
    wanted = f"unix:{os.path.realpath(tmp_path)}/run/app.sock"
    for spelling in ("run/app.sock", "link/app.sock", "./run/../link/app.sock"):
        assert addresses.name(UNIX, spelling) == wanted
    assert addresses.path(wanted) == wanted.removeprefix("unix:")
    assert addresses.port(wanted) is None


def test_parts_of_a_name() -> None:
    """An IPv6 address has colons of its own; what is abstract has no path."""
    assert addresses.port("[::1]:8000") == "8000"
    assert addresses.path("127.0.0.1:8000") is None
    assert addresses.path("unix:@name") is None


def test_a_file_in_a_sockets_place_is_another_one(tmp_path: Path) -> None:
    """Device and inode tell; what is no socket counts as nothing."""
    path = tmp_path / "app.sock"
    found = []
    for name in ("first", "second"):
        with socket.socket(UNIX) as sock:
            sock.bind(str(path))
        found.append(addresses.file_at(str(path)))
        path.rename(tmp_path / name)
    assert None not in found
    assert found[0] != found[1]
    path.write_text("")
    assert addresses.file_at(str(path)) is None
    assert addresses.file_at(str(tmp_path / "nothing")) is None
