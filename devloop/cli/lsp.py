"""`devloop lsp`: a language server for editors."""

from __future__ import annotations

import click

from devloop.cli import options


@options.command("lsp", "devloop lsp", "devloop lsp --no-start")
@click.option("--no-start", is_flag=True, help="Follow a `watch` that runs; never start one.")
def command(no_start: bool) -> int:
    """Serve an editor over standard input and output, in the language server protocol.

    Failing assertions and errors of steps are diagnostics; above each test stands its last
    outcome, with what runs it and what says why it ran. It needs pygls: pip install 'devloop[lsp]'.
    """
    try:
        import pygls  # noqa: F401
    except ImportError:
        raise click.UsageError(
            "the language server needs pygls: pip install 'devloop[lsp]'"
        ) from None
    from devloop.serve.lsp import serve

    serve(start=not no_start)
    return 0
