"""The values that selection makes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from devloop.events import Reason


class SelectedFile(msgspec.Struct, frozen=True):
    """A test file that holds tests to run.

    Args:
        path: relative to the root.
        reason: why.
        nodeids: the tests in it that are due; empty means all of them.
        reasons: of single tests, where they have their own.
        listed: which tests it holds is known, and there are others than these.
    """

    path: str
    reason: Reason
    nodeids: tuple[str, ...] = ()
    reasons: Mapping[str, Reason] = {}
    listed: bool = False

    def reason_of(self, nodeid: str) -> Reason:
        """Why a test of the file is selected."""
        return self.reasons.get(nodeid, self.reason)


class SelectedTarget(msgspec.Struct, frozen=True):
    """An app or a step that is affected.

    Args:
        name: its name in the configuration.
        reason: why.
    """

    name: str
    reason: Reason
