"""What devloop asks of a command while it runs, and what that tells devloop.

An order is written to the control socket, then SIGURG is sent, which does nothing to a process
that has no handler for it (signal(7)). The handler runs in the main thread, between two
instructions of whatever that does: so what it calls must be short, and must not print.
A forked child hears the signal as well, and finds the order in the ledger (`ledger.py`).
"""

from __future__ import annotations

import os

from . import ledger
from .control import Control, frame, private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FIRST_DESCRIPTOR = 200
"""Programs that number descriptors themselves use low ones; macOS allows 256 of them."""

_fcntl: Any = private("fcntl")
_signal: Any = private("_signal")
_thread: Any = private("_thread")
_answers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
_control: Control | None = None
_ledger: ledger.Ledger | None = None
_forked = False
_pid = 0
"""Whose `_control` is."""
_identity: tuple[int, int] | None = None
_waiting: list[tuple[dict[str, Any], list[int]]] = []
_sending = _thread.allocate_lock()
_hearing = _thread.allocate_lock()
_again = False


def install(control: Control, shared: int | None = None) -> int:
    """Have a way to devloop from now on.

    Args:
        control: the socket; it is closed in whatever is forked from this process.
        shared: a descriptor of the ledger, which is ours from now on, and theirs.

    Returns:
        Its descriptor.
    """
    global _control, _identity, _ledger, _pid
    control.move(FIRST_DESCRIPTOR)
    if shared is not None:
        high = _fcntl.fcntl(shared, _fcntl.F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR)
        os.close(shared)
        _ledger = ledger.Ledger(high)
    _control, _identity, _pid = control, _of(control.fileno()), os.getpid()
    os.register_at_fork(after_in_child=_forget)
    return control.fileno()


def listen() -> None:
    """Hear orders from now on."""
    _signal.signal(_signal.SIGURG, _heard)


def leave() -> None:
    """Hear no orders any more, and keep nothing open for them."""
    if listening():
        _signal.signal(_signal.SIGURG, _signal.SIG_DFL)
    _forget()
    if _ledger is not None:
        _ledger.close()


def listening() -> bool:
    """Whether orders are heard here: the program has put no handler of its own in our place."""
    return _signal.getsignal(_signal.SIGURG) is _heard


def reachable() -> bool:
    """Whether devloop can be told something; in a forked child it cannot."""
    return _ours() is not None


def shared() -> int | None:
    """The descriptor of the ledger; None where there is none, or a program has closed it."""
    return None if _ledger is None else _ledger.fileno()


def on(kind: str, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Say who carries out an order.

    Args:
        kind: the order's ``"m"``.
        answer: called with the order; what it returns is sent back.
    """
    _answers[kind] = answer


def carry_out(order: dict[str, Any]) -> None:
    """Do what an order says, and answer.

    Args:
        order: its ``"m"`` names its kind; one that nobody knows is passed over.
    """
    answer = _answers.get(order["m"])
    found = answer(order) if answer is not None else None
    if found is not None:
        send(found)


def send(message: dict[str, Any], fds: list[int] | None = None) -> None:
    """Tell devloop something; from any thread. Where devloop has gone nothing happens.

    Forked children tell what they have imported, and nothing else.

    Args:
        message: plain values.
        fds: descriptors that go with it; they stay ours, and open until it has been sent.
    """
    if _forked:
        if _ledger is not None and message["m"] == "news":
            _ledger.append(frame(message))
        return
    _waiting.append((message, fds or []))
    # Whoever sends just now, perhaps this thread below a signal handler, sends this one as well.
    while _waiting and _sending.acquire(False):
        try:
            while _waiting:
                message, fds = _waiting.pop(0)
                if (control := _ours()) is not None:
                    control.send(message, fds)
        except OSError:
            # Devloop ends, and will end us; or it has forgotten us, and never asks again.
            _waiting.clear()
        finally:
            _sending.release()


def _ours() -> Control | None:
    """The socket, if a program that closes whatever it finds open has not closed it."""
    return _control if _control is not None and _of(_control.fileno()) == _identity else None


def _of(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _heard(*_: object) -> None:
    """Read what there is. A second signal may come in the midst of that, and leaves it to us."""
    global _again
    if not _forked and os.getpid() != _pid:
        _forget()  # the signal is quicker than what is registered for forks
    _again = True
    while _again and _hearing.acquire(False):
        try:
            _again = False
            _obey()
        finally:
            _hearing.release()


def _obey() -> None:
    if _forked:
        asked = ledger.RETIRE if _ledger is None else _ledger.asked()
        if asked == ledger.RETIRE:
            carry_out({"m": "retire"})
        if asked != ledger.NOTHING:
            carry_out({"m": "news"})
    while (control := _ours()) is not None:
        try:
            got = control.receive(wait=False)
        except OSError:
            return
        if got is None:
            return
        for fd in got[1]:
            os.close(fd)
        carry_out(got[0])


def _forget() -> None:
    """Be a forked child: devloop does not talk to those one by one."""
    global _control, _sending, _hearing, _again, _forked
    _again, _forked = False, True
    _sending, _hearing = _thread.allocate_lock(), _thread.allocate_lock()
    _waiting.clear()
    if (control := _ours()) is not None:
        control.close()
    _control = None
