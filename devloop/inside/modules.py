"""What a command has imported, for devloop to learn from."""

from __future__ import annotations

import sys

from .preload import file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def loaded() -> dict[str, Any]:
    """All modules, in the order in which their imports ended, and what else a start settles.

    That is `sys.modules`' own order: the import system puts each module there once more at its
    end (``_load_unlocked`` in importlib/_bootstrap.py).
    """
    names = [name for name in list(sys.modules) if not name.startswith("_devloop")]
    return {
        "m": "loaded",
        "modules": [[name, file_of(name)] for name in names],
        "path": [entry for entry in sys.path if isinstance(entry, str)],
        "flags": list(sys.flags),
        "main": file_of("__main__"),
    }
