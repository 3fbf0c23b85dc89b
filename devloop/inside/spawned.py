"""Workers that a server starts with exec: they retire like those that it forks.

`multiprocessing` gives each process that it starts a pickle of what that needs to know. One more
entry of it, which the process otherwise passes over, has it hear the order to retire.
"""

from __future__ import annotations

import sys

from . import retiring
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
    spawned.install(folder, sockets)
except Exception:
    pass  # devloop sees that it does not hear, and stops it before it starts another one
finally:
    for name in [name for name in sys.modules if name.partition(".")[0] == "_devloop"]:
        del sys.modules[name]
"""


def patch(module: Any, folder: str, sockets: Callable[[], Iterable[int]]) -> None:
    """Have the processes retire that are started from here on.

    Args:
        module: `multiprocessing.spawn`.
        folder: where this file is.
        sockets: gives the identities of the sockets that are held.
    """
    real = module.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        """See `multiprocessing.spawn.get_preparation_data`."""
        data: dict[str, Any] = real(name)
        if found := list(sockets()):
            data["_devloop"] = _Errand(folder, found)
        return data

    module.get_preparation_data = get_preparation_data


class _Errand:
    """What is done where it is unpickled.

    Args:
        folder: where this file is.
        sockets: the identities of those that are held.
    """

    def __init__(self, folder: str, sockets: list[int]) -> None:
        self._names = {"folder": folder, "sockets": sockets}

    def __reduce__(self) -> Any:
        return exec, (_ERRAND, self._names)


def install(folder: str, sockets: list[int]) -> None:
    """Hear the order to retire, and have the processes hear it that this one starts.

    Args:
        folder: where this file is.
        sockets: the identities of those that are held.
    """
    if _signal.getsignal(_signal.SIGURG) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGURG, lambda *_: _retire(sockets))
    patch(sys.modules[MODULE], folder, lambda: sockets)


def _retire(sockets: list[int]) -> None:
    try:
        retiring.take_away(retiring.descriptors({*sockets}))
    except Exception:
        return  # the program hears of no error of ours; devloop sees what is still open
