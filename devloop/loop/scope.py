"""What of the loop a command wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from devloop.execute.parsing import Parsers
from devloop.loop.debugger import Kind
from devloop.loop.project import Project
from devloop.select.tests import Due


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What of the loop is wanted.

    Args:
        watch: go on after the first cycle.
        apps: run them.
        tests: run them.
        steps: the steps to run at the start, with what they need; None is all.
        force: run steps that are up to date too.
        postpone: begin nothing before the first change.
        choose: what is to be tested at the start, instead of what is due.
        prepare: looks at what `choose` must know, when the project has been read.
        pytest_args: added to those of the configuration.
        debugger: for failing tests.
        keys: obey them, where there is a terminal.
        shadow: run what was left out, once nothing else is to be done.
        poll: seconds between two looks at the tree where notification is not to be used.
    """

    watch: bool = True
    apps: bool = True
    tests: bool = True
    steps: tuple[str, ...] | None = None
    force: bool = False
    postpone: bool = False
    choose: Callable[[Project], Due] | None = None
    prepare: Callable[[Project, Parsers], Awaitable[None]] | None = None
    pytest_args: tuple[str, ...] = ()
    debugger: Kind = "pdb"
    keys: bool = False
    shadow: bool = False
    poll: float | None = None
