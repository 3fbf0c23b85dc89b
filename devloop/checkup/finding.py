"""What a check finds."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Args:
        subject: what it is about, in a word or two.
        severity: ``error`` where devloop cannot do its work, ``warning`` where it does less or
            does it worse.
        message: what was found.
        mend: what to do about it.
    """

    subject: str
    severity: Severity
    message: str
    mend: str | None = None
