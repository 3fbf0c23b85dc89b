"""Workers that a server starts with exec: they retire like those that it forks.

`multiprocessing` gives each process that it starts a pickle of what that needs to know. One more
entry of it, which the process otherwise passes over, has it hear the order to retire. The ledger
goes with it, because the signal may mean something else.
"""

from __future__ import annotations

import os
import sys

from . import ledger, retiring
from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MODULE = "multiprocessing.spawn"
_signal: Any = private("_signal")

_ERRAND = """
import sys
package = type(sys)("_devloop")
package.__path__ = [folder]
sys.modules["_devloop"] = package
try:
    from _devloop import spawned
    spawned.install(folder, sockets, shared)
except Exception:
    pass  # devloop sees that it does not hear, and stops it before it starts another one
finally:
    for name in [name for name in sys.modules if name.partition(".")[0] == "_devloop"]:
        del sys.modules[name]
"""


def patch(
    module: Any,
    folder: str,
    sockets: Callable[[], Iterable[int]],
    shared: Callable[[], int | None],
) -> None:
    """Have the processes retire that are started from here on.

    Args:
        module: `multiprocessing.spawn`.
        folder: where this file is.
        sockets: gives the identities of the sockets that are held.
        shared: gives the descriptor of the ledger; None where there is none.
    """
    real = module.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        """See `multiprocessing.spawn.get_preparation_data`."""
        data: dict[str, Any] = real(name)
        if found := list(sockets()):
            data["_devloop"] = _Errand(folder, found, shared())
        return data

    module.get_preparation_data = get_preparation_data


class _Errand:
    """What is done where it is unpickled.

    Args:
        folder: where this file is.
        sockets: the identities of those that are held.
        shared: the descriptor of the ledger.
    """

    def __init__(self, folder: str, sockets: list[int], shared: int | None) -> None:
        self._names = {"folder": folder, "sockets": sockets}
        self._shared = shared

    def __reduce__(self) -> Any:
        return exec, (_ERRAND, self._names | {"shared": self._passed_on()})

    def _passed_on(self) -> Any:
        """The descriptor as it reaches the process that is being started."""
        if self._shared is None:
            return None
        found: Any = sys.modules["multiprocessing.reduction"].DupFd(self._shared)
        # Where it keeps its number, the process need not load what else would tell it.
        return getattr(found, "fd", found)


def install(folder: str, sockets: list[int], shared: Any) -> None:
    """Hear the order to retire, and have the processes hear it that this one starts.

    Args:
        folder: where this file is.
        sockets: the identities of those that are held.
        shared: the descriptor of the ledger, or what gives it; None where there is none.
    """
    fd: int | None = shared.detach() if hasattr(shared, "detach") else shared
    told = None
    if fd is not None:
        os.set_inheritable(fd, False)
        told = ledger.Ledger(fd)
    if _signal.getsignal(_signal.SIGURG) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGURG, lambda *_: _heard(told, sockets))

    def still_shared() -> int | None:
        return None if told is None else told.fileno()

    patch(sys.modules[MODULE], folder, lambda: sockets, still_shared)


def _heard(told: ledger.Ledger | None, sockets: list[int]) -> None:
    try:
        if told is not None and told.asked() != ledger.RETIRE:
            return
        retiring.take_away(retiring.descriptors({*sockets}))
    except Exception:
        return  # the program hears of no error of ours; devloop sees what is still open
