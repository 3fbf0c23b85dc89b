"""What an import sees of the command that it is made for, before that runs.

A script is known from the start. Of a module it is known what runs once its package is imported:
until then ``-m`` stands in `sys.argv`, and ``__main__`` is empty (`runpy`).
"""

from __future__ import annotations

import os
import sys

from . import become

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any


class Scene:
    """Has ``__main__``, `sys.argv` and `sys.path` look, while it lasts, as they do in the command.

    Args:
        entry: the command's `kind` and `target`.
        modules: those that will be imported.

    Attributes:
        first: the folder that comes first on `sys.path`; None where none does.
    """

    def __init__(self, entry: dict[str, str], modules: Collection[str]) -> None:
        self.first: str | None = None
        self._kind, self._target = entry["kind"], entry["target"]
        self._modules = modules
        self._main = vars(sys.modules["__main__"])
        self._before: dict[str, Any] = {}
        self._spec: Any = None

    def __enter__(self) -> Scene:
        if become.PLACEHOLDER in sys.path:
            self.first = become.first(self._kind, self._target)
            sys.path[sys.path.index(become.PLACEHOLDER)] = self.first
        if self._kind == "script":
            from _frozen_importlib_external import SourceFileLoader

            loader = SourceFileLoader("__main__", self._main["__file__"])
            self._put(__loader__=loader, __cached__=None)
        else:
            self._spec = _spec_of(self._target)
            self.importing()
        return self

    def __exit__(self, *_: object) -> None:
        for index, entry in enumerate(sys.path):
            if entry is self.first:  # where the same folder stands elsewhere that is another one
                sys.path[index] = become.PLACEHOLDER
        for name, value in self._before.items():
            if value is _MISSING:
                self._main.pop(name, None)
            else:
                self._main[name] = value
        if "__spec__" in self._before:
            sys.argv[:1] = ["-m"]

    def importing(self) -> None:
        """A module is about to be imported."""
        spec = self._spec
        if spec is None or spec.parent in {*self._modules}.difference(sys.modules):
            return
        self._spec = None
        sys.argv[:1] = [spec.origin]
        self._put(
            __file__=spec.origin,
            __cached__=spec.cached,
            __loader__=spec.loader,
            __package__=spec.parent,
            __spec__=spec,
        )

    def places(self) -> Iterator[str]:
        """Where the module is looked for that runs, up to where it is."""
        folders = sys.path
        parts = [] if self._kind == "script" else [*self._target.split("."), "__main__"]
        for part in parts:
            for folder in folders:
                package, module = f"{folder}/{part}/__init__.py", f"{folder}/{part}.py"
                yield package
                if os.path.isfile(package):  # noqa: PTH113
                    break
                yield module
                if os.path.isfile(module):  # noqa: PTH113
                    return
            else:
                return
            folders = [f"{folder}/{part}"]

    def _put(self, **names: Any) -> None:
        self._before.update((name, self._main.get(name, _MISSING)) for name in names)
        self._main.update(names)


_MISSING = object()


def _spec_of(module: str) -> Any:
    """What runs for ``-m``, found without an import of anything; None where that is not."""
    path: Any = None
    name = ""
    for part in module.split("."):
        spec = _find(f"{name}.{part}".lstrip("."), path)
        if spec is None:
            return None
        name, path = spec.name, spec.submodule_search_locations
    spec = spec if path is None else _find(f"{name}.__main__", path)
    return spec if spec is not None and spec.has_location and os.path.isabs(spec.origin) else None  # noqa: PTH117


def _find(name: str, path: Any) -> Any:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except Exception:
            return None  # it wants the packages above to be imported
        if spec is not None:
            return spec
    return None
