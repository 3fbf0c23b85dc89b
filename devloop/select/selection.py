"""The values that selection makes."""

from __future__ import annotations

import msgspec

from devloop.events import Change, Reason


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


class Selection(msgspec.Struct, frozen=True):
    """What a change set affects.

    Args:
        changes: the change set.
        tests: in the order in which they run.
        apps: to be restarted.
        steps: whose inputs changed.
        all_reason: one sentence, where everything is selected.
        note: what was left alone, and why.
    """

    changes: tuple[Change, ...] = ()
    tests: tuple[SelectedFile, ...] = ()
    apps: tuple[SelectedTarget, ...] = ()
    steps: tuple[SelectedTarget, ...] = ()
    all_reason: str | None = None
    note: str | None = None
