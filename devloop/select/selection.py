"""The values that selection makes."""

from __future__ import annotations

import msgspec

from devloop.events import Reason


class SelectedFile(msgspec.Struct, frozen=True):
    """A test file that holds tests to run.

    Args:
        path: relative to the root.
        reason: why.
        nodeids: the tests in it that are due; empty means all of them.
    """

    path: str
    reason: Reason
    nodeids: tuple[str, ...] = ()


class SelectedTarget(msgspec.Struct, frozen=True):
    """An app or a step that is affected.

    Args:
        name: its name in the configuration.
        reason: why.
    """

    name: str
    reason: Reason
