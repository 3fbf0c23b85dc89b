"""What can be asked of a running loop, whoever asks: a key, the control socket, a hook.

Each action is a frozen value with one JSON form, ``{"action": "restart", "app": "web"}``, in
which absent fields have their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, TypeAlias

import msgspec

from devloop.config.fault import nearest
from devloop.config.types import Config
from devloop.errors import UsageError
from devloop.select.focus import Focus

By: TypeAlias = Literal["key", "control"]
"""Who asks; the trigger of the cycle that comes of it."""


class Action(msgspec.Struct, frozen=True, tag_field="action", omit_defaults=True):
    """Something that a loop can be asked for."""


class RunAll(Action, frozen=True, tag="all"):
    """Run all tests, once, whatever the filters are."""


class RunFailed(Action, frozen=True, tag="failed"):
    """Run the tests that failed when they last ran, once."""


class Rerun(Action, frozen=True, tag="rerun"):
    """Run again what ran last; with filters, all that they let through."""


class FailedOnly(Action, frozen=True, tag="failed-only"):
    """From now on run only tests that failed when they last ran, or no longer so.

    Args:
        on: which; None is the other of the two.
    """

    on: bool | None = None


class FilterPaths(Action, frozen=True, tag="filter-paths"):
    """Run the tests of some files, and from now on only these.

    Args:
        words: all of which a file's path holds; none takes the filter away.
    """

    words: str = ""


class FilterNames(Action, frozen=True, tag="filter-names"):
    """Run the tests with some names, and from now on only these.

    Args:
        words: all of which a test's name holds; none takes the filter away.
    """

    words: str = ""


class ClearFilters(Action, frozen=True, tag="clear-filters"):
    """Take all filters away, that of failed tests too."""


class RunTests(Action, frozen=True, tag="test"):
    """Run tests as `devloop test` does, once; what does not run stays as it is.

    Args:
        paths: only what lies there: folders, files and nodeids. None is everywhere.
        all: those that are not due too.
        since: those that the changes since this revision reach, instead of those that are due.
    """

    paths: tuple[str, ...] = ()
    all: bool = False
    since: str | None = None


class RunSince(Action, frozen=True, tag="since"):
    """Run the tests that the changes since a revision reach, once.

    Args:
        revision: anything that git takes for one.
    """

    revision: str


class Restart(Action, frozen=True, tag="restart"):
    """Restart an app.

    Args:
        app: its name; None is all of them.
    """

    app: str | None = None


class RunStep(Action, frozen=True, tag="step"):
    """Run a step, up to date or not; what it needs is brought up to date first.

    Args:
        name: in the configuration.
    """

    name: str


class Pause(Action, frozen=True, tag="pause"):
    """Begin nothing on a change until told to, or do so again. What is asked for runs all the same.

    Args:
        on: which; None is the other of the two.
    """

    on: bool | None = None


class Why(Action, frozen=True, tag="why"):
    """Say why the last cycle ran what it ran.

    Args:
        target: a nodeid, a test file, a step or an app; None is all of it.
    """

    target: str | None = None


class Debug(Action, frozen=True, tag="debug"):
    """Run a failing test under a debugger at the terminal.

    Args:
        nodeid: which; None is the first that fails.
    """

    nodeid: str | None = None


class Quit(Action, frozen=True, tag="stop"):
    """End devloop, and all that it has started."""


AnyAction: TypeAlias = (
    RunAll
    | RunFailed
    | Rerun
    | FailedOnly
    | FilterPaths
    | FilterNames
    | ClearFilters
    | RunTests
    | RunSince
    | Restart
    | RunStep
    | Pause
    | Why
    | Debug
    | Quit
)
"""All of them, for decoding."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of an action.

    Args:
        cycle: the number of the cycle that carries it out; None where none does.
        message: why nothing runs for it, in one sentence.
        problem: it cannot be carried out, for this reason.
        hint: what to do about that.
        elsewhere: the asker may do it without the loop, and does not disturb it.
    """

    cycle: int | None = None
    message: str | None = None
    problem: str | None = None
    hint: str | None = None
    elsewhere: bool = False


class Ask(msgspec.Struct, frozen=True):
    """An action on its way to the loop.

    Args:
        action: what is asked for.
        by: who asks.
        answer: called once, from the loop, when it is known what becomes of it.
    """

    action: Action
    by: By
    answer: Callable[[Answer], None] | None = None


def require_known(action: Action, config: Config) -> None:
    """See to it that what an action names is there.

    Args:
        action: any.
        config: what is configured.

    Raises:
        UsageError: it names an app or a step that is not.
    """
    if isinstance(action, Restart):
        if not config.apps:
            raise UsageError("there is no app to restart", hint="None is configured.")
        if action.app is not None:
            _require("app", action.app, config.apps)
    elif isinstance(action, RunStep):
        _require("step", action.name, config.steps)


def _require(kind: str, name: str, names: Collection[str]) -> None:
    if name in names:
        return
    meant = nearest(name, names)
    there = f"Configured: {', '.join(names)}." if names else "None is configured."
    raise UsageError(
        f"there is no {kind} {name}", hint=f"Did you mean {meant}? {there}" if meant else there
    )


def definite(action: Action, *, paused: bool, failed_only: bool) -> Action:
    """What a toggle asks for.

    Args:
        action: any; but for a toggle it is given back as it is.
        paused: whether the loop is.
        failed_only: whether only failed tests run.
    """
    if isinstance(action, Pause) and action.on is None:
        return Pause(not paused)
    if isinstance(action, FailedOnly) and action.on is None:
        return FailedOnly(not failed_only)
    return action


def focused(focus: Focus, action: Action) -> Focus:
    """What is worked on after an action.

    Args:
        focus: before.
        action: any, and definite.

    Returns:
        The same where the action is not about that.
    """
    if isinstance(action, FailedOnly):
        return msgspec.structs.replace(focus, failed_only=bool(action.on))
    if isinstance(action, FilterPaths):
        return msgspec.structs.replace(focus, paths=action.words.strip())
    if isinstance(action, FilterNames):
        return msgspec.structs.replace(focus, names=action.words.strip())
    if isinstance(action, ClearFilters):
        return Focus()
    return focus


def described(action: Action) -> str:
    """What an action asks for, in a few words: what its cycle is headed with.

    Args:
        action: any, and definite.
    """
    match action:
        case RunAll():
            return "all tests"
        case RunFailed():
            return "failed tests"
        case Rerun():
            return "rerun"
        case FailedOnly(on):
            return "failed tests only" if on else "all that is due"
        case FilterPaths(words):
            return f"files with {words}" if words else "no path filter"
        case FilterNames(words):
            return f"tests with {words}" if words else "no name filter"
        case ClearFilters():
            return "no filters"
        case RunTests(paths, everything, since):
            what = "all tests" if everything else f"changed since {since}" if since else "due tests"
            return f"{what} in {', '.join(paths)}" if paths else what
        case RunSince(revision):
            return f"changed since {revision}"
        case Restart(app):
            return f"restart {app}" if app is not None else "restart"
        case RunStep(name):
            return f"step {name}"
        case Pause():
            return "go on"
        case _:
            return str(type(action).__struct_config__.tag)
