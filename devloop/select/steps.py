"""Which steps a change set can have made out of date."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from devloop.config.types import Step
from devloop.events import Reason
from devloop.select.patterns import matches
from devloop.select.selection import SelectedTarget


def affected_steps(
    steps: Mapping[str, Step], touched: Collection[str]
) -> tuple[SelectedTarget, ...]:
    """Find the steps whose inputs a change set touches, and those that need them.

    Whether such a step runs is told by its content hash, when its turn comes.

    Args:
        steps: by name.
        touched: paths whose bytes are other ones.

    Returns:
        The steps, each with its reason.
    """
    reasons: dict[str, Reason] = {}
    for name, step in steps.items():
        for path in sorted(touched):
            if matches(path, step.inputs):
                reasons[name] = Reason("input", (name, path))
                break
    grown = True
    while grown:
        grown = False
        for name, step in steps.items():
            upstream = next((need for need in step.needs if need in reasons), None)
            if name not in reasons and upstream is not None:
                reasons[name] = Reason("needs", (name, *reasons[upstream].chain))
                grown = True
    return tuple(SelectedTarget(name, reasons[name]) for name in steps if name in reasons)


def needed(steps: Mapping[str, Step], names: Collection[str]) -> frozenset[str]:
    """The steps that some steps need, themselves included.

    Args:
        steps: by name.
        names: where to begin.

    Returns:
        All of them, upstream to the last.
    """
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(steps[name].needs)
    return frozenset(found)
