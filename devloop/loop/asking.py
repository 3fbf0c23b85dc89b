"""How one-shot commands ask: open the project, read it to the end, print the answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import msgspec

from devloop.config.load import Loaded
from devloop.events import encode
from devloop.loop.project import Project
from devloop.report.paint import Paint


@contextmanager
def opened(loaded: Loaded) -> Iterator[Project]:
    """The project, read to the end.

    Args:
        loaded: its configuration.

    Raises:
        DevloopError: it cannot be read.
    """
    project = Project.open(loaded)
    with project.store:
        if not project.complete:
            import anyio

            anyio.run(_read, project)
        yield project


async def _read(project: Project) -> None:
    from devloop.execute.parsing import Parsers

    async with Parsers(project.interpreter.path, project.root) as parsers:
        await project.indexer.read(parsers)


def answer(
    found: object, form: Literal["text", "json"], text: Callable[[dict[str, Any], Paint], str]
) -> None:
    """Print an answer.

    Args:
        found: what can be made plain values of.
        form: for a person or for a program.
        text: makes lines for a person of the plain values.
    """
    plain = msgspec.to_builtins(found)
    if form == "json":
        sys.stdout.write(encode(plain).decode() + "\n")
    else:
        sys.stdout.write(text(plain, Paint.of(sys.stdout, os.environ)))
