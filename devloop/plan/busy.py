"""What happens to work in progress when new content arrives: a pure state machine.

Three modes (`--on-busy`). With *restart* an arrival that touches the work cancels it at once;
one that only adds work lets the current test end first; one that does neither lets it run on.
With *queue* arrivals wait for the end of the work, with *ignore* they begin nothing (they stay
due, and the next cycle takes them along). Whatever the order of events, in the first two modes
the last content that arrived is the content of the last work that began, or was not relevant
to it.
"""

from __future__ import annotations

import enum

import msgspec

from devloop.config.types import OnBusy


class Impact(enum.Enum):
    """What newly arrived content means for the work in progress."""

    NOTHING = "nothing"
    """Nothing that is selected, running or waiting is affected."""
    BESIDE = "beside"
    """Apps or steps are affected, or tests while none run: what runs goes on beside them."""
    ADDS = "adds"
    """More tests are selected; what is running stays valid."""
    TOUCHES = "touches"
    """What is running ran, or may have run, on content that is no longer there."""


class Command(enum.Enum):
    """What is to be done now."""

    NOTHING = "nothing"
    BEGIN = "begin"
    """End the cycle that is there, if there is one, and begin the next; work goes over to it."""
    FINISH_CURRENT = "finish-current"
    """Let the test that is running end, then stop; `ended` follows."""
    INTERRUPT = "interrupt"
    """Cancel the work at once, its teardown runs; `ended` follows."""


class Busy(msgspec.Struct, frozen=True):
    """The state: whether work is in progress, how it was asked to end, and what waits.

    Args:
        mode: what arrivals do while there is work.
        working: work is in progress.
        stopping: the strongest way in which it was asked to end.
        waiting: content has arrived that no cycle has taken up.
    """

    mode: OnBusy = "restart"
    working: bool = False
    stopping: Command = Command.NOTHING
    waiting: bool = False


def arrived(state: Busy, impact: Impact) -> tuple[Busy, Command]:
    """New content has arrived.

    Args:
        state: before.
        impact: what it means for the work in progress; any but NOTHING where there is none.

    Returns:
        The state after, and what is to be done.
    """
    if impact is Impact.NOTHING:
        return state, Command.NOTHING
    if not state.working:
        return _begun(state), Command.BEGIN
    if state.mode == "ignore":
        return state, Command.NOTHING
    if state.mode == "queue":
        return msgspec.structs.replace(state, waiting=True), Command.NOTHING
    if impact is Impact.BESIDE:
        # The work that is there goes over to the next cycle, and so does what waits for its end.
        return state, Command.BEGIN
    after = msgspec.structs.replace(state, waiting=True)
    if state.stopping is Command.INTERRUPT:
        return after, Command.NOTHING
    if impact is Impact.TOUCHES:
        return msgspec.structs.replace(after, stopping=Command.INTERRUPT), Command.INTERRUPT
    if state.stopping is Command.FINISH_CURRENT:
        return after, Command.NOTHING
    return msgspec.structs.replace(after, stopping=Command.FINISH_CURRENT), Command.FINISH_CURRENT


def asked(state: Busy, impact: Impact) -> tuple[Busy, Command]:
    """A person, or a program for one, asks for work, whatever the mode is.

    Args:
        state: before.
        impact: BESIDE where it is no work of the tests', else TOUCHES.

    Returns:
        The state after, and what is to be done.
    """
    as_restart = msgspec.structs.replace(state, mode="restart")
    after, command = arrived(as_restart, impact)
    return msgspec.structs.replace(after, mode=state.mode), command


def ended(state: Busy) -> tuple[Busy, Command]:
    """All work in progress has ended, by itself or because it was asked to.

    Args:
        state: before.

    Returns:
        The state after, and what is to be done.
    """
    if state.waiting:
        return _begun(state), Command.BEGIN
    return Busy(state.mode), Command.NOTHING


def _begun(state: Busy) -> Busy:
    return Busy(state.mode, working=True)
