"""Where a project's control socket is, and who may use it.

It is `.devloop/control.sock`. Where that path is too long for a socket (or its file system has
none) the name is a symbolic link to one in the user's own folder for such things, so whoever
looks for it looks in one place.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from devloop.config import folder

NAME = "control.sock"
LONGEST = 103 if sys.platform == "darwin" else 107
"""Bytes that the path of a socket may have (`sun_path` in unix(7)), its end left out."""
WAITING = 64
"""Connections that the system holds until they are accepted."""
_LOCAL_PEERCRED = 0x001
"""From sys/un.h of macOS; the `socket` module does not name it."""


class InUse(OSError):
    """Another process answers at the address."""


@contextmanager
def listening(root: Path, environ: Mapping[str, str]) -> Iterator[socket.socket]:
    """Listen at a project's control socket; afterwards nothing is left of it.

    Whatever a devloop that was killed has left there is replaced.

    Args:
        root: the project's.
        environ: ``XDG_RUNTIME_DIR`` names the user's folder for sockets.

    Yields:
        The socket, which does not block.

    Raises:
        InUse: another process answers there.
        OSError: no socket can be had.
    """
    named = folder.make(root) / NAME
    listener, path = _bound(named, root, environ)
    try:
        mine = _file_at(path)
        try:
            yield listener
        finally:
            # Closed before it is unlinked: who finds the name must not find it dead for long.
            listener.close()
            if _file_at(path) == mine:
                with suppress(OSError):
                    path.unlink()
            if path != named and _leads_to(named, path):
                with suppress(OSError):
                    named.unlink()
    finally:
        listener.close()


def path_of(root: Path) -> Path:
    """Where a project's control socket is, if there is one.

    Args:
        root: the project's.

    Raises:
        OSError: there is none.
    """
    named = root / folder.NAME / NAME
    path = named.readlink() if named.is_symlink() else named
    if len(os.fsencode(path)) > LONGEST:
        raise FileNotFoundError(path)
    return path


def connect(root: Path, *, timeout: float) -> socket.socket:
    """Connect to a project's control socket.

    Args:
        root: the project's.
        timeout: seconds that it may take, and each later call on the socket.

    Returns:
        The connection.

    Raises:
        OSError: nobody listens there, or it is another user's.
    """
    path = path_of(root)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def is_own(connection: socket.socket) -> bool:
    """Whether a process of our own user, or of root, is at the other end.

    Args:
        connection: a Unix socket.

    Returns:
        True also where the system does not tell; there the mode of the file must do.
    """
    if sys.platform == "darwin":
        # struct xucred begins with its version and the effective user (sys/ucred.h).
        _, user = struct.unpack_from("=II", connection.getsockopt(0, _LOCAL_PEERCRED, 76))
    elif hasattr(socket, "SO_PEERCRED"):
        size = struct.calcsize("3i")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, user, _ = struct.unpack("3i", credentials)
    else:
        return True
    return user in (os.geteuid(), 0)


def _bound(named: Path, root: Path, environ: Mapping[str, str]) -> tuple[socket.socket, Path]:
    """A listening socket, in the project or else in the user's own folder."""
    failure: OSError | None = None
    if len(os.fsencode(named)) <= LONGEST:
        try:
            return _bind(named), named
        except InUse:
            raise
        except OSError as error:  # a file system without sockets
            failure = error
    try:
        path = _elsewhere(root, environ)
        listener = _bind(path)
    except InUse:
        raise
    except OSError as error:
        raise failure or error from None
    try:
        named.unlink(missing_ok=True)
        named.symlink_to(path)
    except OSError:
        listener.close()
        path.unlink(missing_ok=True)
        raise
    return listener, path


def _bind(path: Path) -> socket.socket:
    if path.is_symlink():
        path.unlink()
    elif path.is_socket():
        if _answers(path):
            raise InUse(f"another process answers at {path}")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux makes the file with the socket's own mode; elsewhere chmod comes a moment later,
        # and until then only credentials keep others out.
        with suppress(OSError):
            os.fchmod(listener.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        listener.bind(str(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.listen(WAITING)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _elsewhere(root: Path, environ: Mapping[str, str]) -> Path:
    """A path in a folder that is the user's own.

    Raises:
        OSError: there is none.
    """
    import hashlib
    import tempfile

    given = environ.get("XDG_RUNTIME_DIR", "")
    home = Path(given) if given and Path(given).is_dir() else Path(tempfile.gettempdir())
    place = home / (f"devloop-{os.geteuid()}" if home != Path(given) else "devloop")
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{place} is not a folder of this user alone")
    return place / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.sock"


def _answers(path: Path) -> bool:
    """Whether a process still listens at a socket that was found."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _leads_to(link: Path, path: Path) -> bool:
    try:
        return link.readlink() == path
    except OSError:
        return False
