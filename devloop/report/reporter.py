"""What a reporter is, and which one is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TextIO, TypeAlias

from devloop.events import Event
from devloop.report.panel import Panel
from devloop.report.sink import ReaderGone

__all__ = ["Kind", "ReaderGone", "Reporter", "default_kind", "make"]

Kind: TypeAlias = Literal["terminal", "plain", "jsonl"]


class Reporter(Protocol):
    """Consumes events; owns the stream that it was given."""

    ticks: bool
    """Whether `tick` shows anything; the loop need not call it otherwise."""

    def handle(self, event: Event) -> None:
        """Show an event.

        Raises:
            ReaderGone: nobody reads what is written; raised once, later events are dropped.
        """

    def recall(self, event: Event) -> None:
        """Take an event that is known already, as the ground for those that come; show nothing.

        Args:
            event: any.
        """

    def tick(self, now: float) -> None:
        """Let time pass on the screen, some five times a second while a cycle goes on.

        Args:
            now: seconds since the epoch.
        """

    def show(self, data: bytes | None) -> None:
        """Let an app that reads keys have the screen: its prompt, and what is typed there.

        Args:
            data: as the app has written it; None gives the screen back.
        """

    def panel(self, panel: Panel | None) -> None:
        """Show something in the place of the footer.

        Args:
            panel: what a person types into, or the keys there are; None is the footer itself.
        """

    def close(self) -> None:
        """Leave the stream as a reader expects it: no open cycle, no live region."""


def default_kind(stream: TextIO, environ: Mapping[str, str]) -> Kind:
    """The reporter where none was asked for.

    Args:
        stream: standard output.
        environ: the environment.

    Returns:
        ``terminal`` for a person, which is a terminal or whoever forces colours; else ``plain``.
    """
    if _said(environ, "CI"):
        return "plain"
    if _said(environ, "FORCE_COLOR"):
        return "terminal"
    return "terminal" if stream.isatty() and environ.get("TERM") != "dumb" else "plain"


def make(
    kind: Kind,
    stream: TextIO,
    *,
    environ: Mapping[str, str],
    errors: TextIO | None = None,
    output_events: bool = False,
    absolute: bool = False,
    clear: bool = False,
    once: bool = False,
    keys: bool = False,
    columns: Callable[[], int] | None = None,
) -> Reporter:
    """Make a reporter; each is imported only here.

    Args:
        kind: which one.
        stream: standard output.
        environ: the environment (``NO_COLOR``, ``FORCE_COLOR``, ``TERM``).
        errors: where ``jsonl`` writes what apps and steps print.
        output_events: ``jsonl`` gives that as events instead.
        absolute: ``plain`` names files by absolute paths.
        clear: ``terminal`` empties the screen, never the scrollback, when a cycle begins.
        once: one pass and no watching.
        keys: they are obeyed, which ``terminal`` tells.
        columns: the width of the terminal at the moment; asked of the stream where None.

    Returns:
        The reporter.
    """
    if kind == "jsonl":
        from devloop.report.jsonl import JsonlReporter

        return JsonlReporter(stream, errors=None if output_events else errors)
    if kind == "plain":
        from devloop.report.plain import PlainReporter

        return PlainReporter(stream, absolute=absolute)
    from devloop.report.terminal import TerminalReporter

    return TerminalReporter(
        stream, environ=environ, clear=clear, once=once, keys=keys, columns=columns
    )


def _said(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in ("", "0", "false")
