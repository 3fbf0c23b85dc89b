"""PYTEST_DONT_REWRITE: the modules that are imported, and those that cannot be."""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devloop.inside import record_askers as askers
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Recorder
    from devloop.inside.record_ground import Ground
else:
    askers = sys.modules["_devloop_record_askers"]


class Imports:
    """Notes imports.

    Args:
        recorder: takes them.
        ground: tells the project's files.
        asked: tells who imports.
        module: the kind of dependency that an imported module of the project is.
    """

    def __init__(self, recorder: Recorder, ground: Ground, asked: Askers, *, module: str) -> None:
        self._recorder = recorder
        self._ground = ground
        self._asked = asked
        self._module = module
        self._seen = 0
        self._library = sys.stdlib_module_names

    def handlers(self) -> dict[str, Callable[[tuple[Any, ...]], None]]:
        """What is to be called with the arguments of an audit event, by its name."""
        return {"import": self._importing}

    def wrap(self) -> None:
        """Hear of modules that are asked for by a name that is not written down."""
        real = importlib.import_module

        def import_module(name: str, package: str | None = None) -> Any:
            __tracebackhide__ = True
            module = real(name, package)
            self._asked_for(module)
            return module

        import_module.__doc__, import_module.__module__ = real.__doc__, real.__module__
        importlib.import_module = import_module
        # Whoever is asked last is asked for what nobody has found.
        sys.meta_path.append(self)

    def find_spec(self, name: str, _: object, __: object = None) -> None:
        """A module was looked for, and is not there."""
        if name.partition(".")[0] in self._library:
            return
        try:
            importer = self._asked.importer()
            # A library is imported once, by whichever test comes first.
            if importer == askers.PROJECT:
                self._recorder.add(f"i {name}")
            elif importer == askers.OTHER:
                self._recorder.add_to_process(f"i {name}")
        except Exception as error:
            self._recorder.broke(error)

    def _asked_for(self, module: Any) -> None:
        try:
            file = getattr(module, "__file__", None)
            path = self._ground.source(file) if isinstance(file, str) else None
            if path is not None and self._asked.importer() == askers.PROJECT:
                self._recorder.add(f"{self._module} {path}")
        except Exception as error:
            self._recorder.broke(error)

    def _importing(self, arguments: tuple[Any, ...]) -> None:
        """An import begins; what is already there is not imported again."""
        name, file = arguments[0], arguments[1]
        if isinstance(file, str) and (path := self._ground.path(file)) is not None:
            self._recorder.add_to_process(f"r {path}")  # an extension module
        top = name.partition(".")[0]
        if self._recorder.flat and top not in self._library:
            # This process may be killed: nobody can look at its modules in the end.
            self._recorder.add(f"d {top}")

    def distributed(self) -> None:
        """Note the installed files that have been imported by now."""
        modules = sys.modules
        if len(modules) == self._seen:
            return
        self._seen = len(modules)
        for name, module in list(modules.items()):
            if "." in name or name in self._library or name.startswith("_devloop"):
                continue
            file = getattr(module, "__file__", None) or next(
                iter(getattr(module, "__path__", ())), None
            )
            if isinstance(file, str) and "/site-packages/" in file:
                self._recorder.add_to_process(f"d {name}")
