"""Keep what is the project's own out of a process that holds imports.

An edit of it must be seen by the next start; so it must not come in with what is held.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CROSSED: dict[str, str] = {}
"""The modules that have imported something of the project, with its name."""


class Fence:
    """Keeps modules of the project out, while it lasts, and notes who wants to import one.

    Args:
        outside: the folders of what is not the project's own.
    """

    def __init__(self, outside: list[str]) -> None:
        ours = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
        self._outside = tuple(folder.rstrip(os.sep) + os.sep for folder in (ours, *outside))

    def __enter__(self) -> Fence:
        finder: Any = self
        sys.meta_path.insert(0, finder)
        return self

    def __exit__(self, *_: object) -> None:
        finder: Any = self
        sys.meta_path.remove(finder)

    def find_spec(self, name: str, path: Any = None, target: object = None) -> None:
        """Find nothing, and let nothing of the project be found by those who come next.

        Raises:
            ModuleNotFoundError: the module is the project's.
        """
        if not self._is_own(name, path):
            return
        frame: Any = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == "<module>":
                CROSSED.setdefault(frame.f_globals.get("__name__", ""), name)
            frame = frame.f_back
        raise ModuleNotFoundError(f"{name} is the project's", name=name)

    def _places(self, name: str, path: Any) -> list[str]:
        for finder in sys.meta_path:
            if finder is self or type(finder).__name__ == "AssertionRewritingHook":
                continue
            spec = finder.find_spec(name, path)
            if spec is not None:
                origin = [spec.origin] if spec.has_location and spec.origin else []
                return [*origin, *(spec.submodule_search_locations or ())]
        return []

    def _is_own(self, name: str, path: Any) -> bool:
        return any(
            not f"{place}{os.sep}".startswith(self._outside) for place in self._places(name, path)
        )


class FolderFence(Fence):
    """Keeps out just what lies in one folder; what has other places, too, is let in.

    Args:
        folder: the one that comes first on the command's `sys.path`; None keeps out nothing.
    """

    def __init__(self, folder: str | None) -> None:
        super().__init__([])
        self._folder = folder

    def _is_own(self, name: str, path: Any) -> bool:
        places = [] if path is not None or self._folder is None else self._places(name, path)
        own = f"{self._folder}{os.sep}{name}"
        return bool(places) and all(place.startswith(own) for place in places)
