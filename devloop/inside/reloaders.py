"""Reloaders that a program starts itself, as ``app.run(debug=True)`` does: they stay off.

devloop restarts the app. Beside another one that does, each save restarts it twice, and what
serves is a process that devloop did not start: connections to it are reset. A reloader that the
command line turns on is turned off there (`devloop.plan.reloader`).
"""

from __future__ import annotations

from .post_import import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def install(tell: Callable[[str], None]) -> None:
    """Keep them off from here on.

    Args:
        tell: called with the name of what would have reloaded, when it would have begun.
    """

    def werkzeug(module: Any) -> None:
        def run_with_reloader(main_func: Callable[[], None], *_: Any, **__: Any) -> None:
            """Run at once what would be run in another process."""
            tell("werkzeug")
            main_func()

        module.run_with_reloader = run_with_reloader

    def uvicorn(module: Any) -> None:
        real: Any = module.Config.should_reload.fget

        def should_reload(self: Any) -> bool:
            """See uvicorn's `Config.should_reload`."""
            if real(self):
                tell("uvicorn")
            return False

        module.Config.should_reload = property(should_reload)

    when_imported("werkzeug._reloader", werkzeug)
    when_imported("uvicorn.config", uvicorn)
