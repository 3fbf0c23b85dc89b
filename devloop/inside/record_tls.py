"""PYTEST_DONT_REWRITE: hear of the certificates and keys that are loaded.

OpenSSL opens them itself, and no audit event tells of that: so the methods of `ssl` that are
given their names are wrapped, once that is imported.
"""

from __future__ import annotations

import functools
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devloop.inside.post_import import when_imported
else:
    when_imported = sys.modules["_devloop_post_import"].when_imported

LOADING = {
    "load_cert_chain": ("certfile", "keyfile"),
    "load_verify_locations": ("cafile", "capath"),
    "load_dh_params": ("path",),
}
"""The methods of contexts, and what they call their first arguments, which are paths."""


def wrap(note: Callable[[Any], None]) -> None:
    """Wrap them.

    Args:
        note: is called with each path before it is opened.
    """

    def act(ssl: Any) -> None:
        for name, paths in LOADING.items():
            setattr(ssl.SSLContext, name, _noting(getattr(ssl.SSLContext, name), paths, note))

    when_imported("ssl", act)


def _noting(real: Any, paths: tuple[str, ...], note: Callable[[Any], None]) -> Any:
    @functools.wraps(real)
    def load(context: Any, *arguments: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        for path in (*arguments[: len(paths)], *map(options.get, paths)):
            if path is not None:
                note(path)
        return real(context, *arguments, **options)

    return load
