"""The C library, for what Python has no function for; None where this is not Linux."""

from __future__ import annotations

import sys

from .control import private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ctypes: Any = private("ctypes") if sys.platform == "linux" else None
libc: Any = ctypes.CDLL(None, use_errno=True) if ctypes is not None else None
