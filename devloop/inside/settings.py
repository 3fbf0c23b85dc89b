"""What only the start of an interpreter settles: options, and some environment variables."""

from __future__ import annotations

import os

from .variables import KEPT

# ruff: noqa: PTH109

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .become import Birth


def differs(order: dict[str, Any], birth: Birth) -> str | None:
    """What keeps a command from being started here: it can be settled by a start only.

    Args:
        order: what is to run.
        birth: how this interpreter was started.

    Returns:
        The reason, in one line; None where there is none.
    """
    if order["options"] != birth.options:
        return "the interpreter's options differ"
    os.chdir(order["cwd"])
    if os.getcwd() != birth.cwd:
        return "its working folder differs"
    new, old = _settings(order["env"]), _settings(birth.env)
    if birth.env.get("LC_CTYPE") in COERCED and "LC_CTYPE" not in new:
        del old["LC_CTYPE"]
    for name in sorted(new.keys() | old.keys()):
        if new.get(name) != old.get(name):
            return f"the environment variable {name} differs: it is read when Python starts"
    return None


def _settings(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(KEPT)}


COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python sets LC_CTYPE to where the locale is C (PEP 538)."""

VARIABLES = [f"{start}*" for start in KEPT]
"""Those of `variables.KEPT`, as devloop is told of variables that were read."""
