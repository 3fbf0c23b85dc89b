"""`devloop completion`: the script that completes this command line."""

from __future__ import annotations

import click

from devloop.cli import options


@options.command(
    "completion",
    "bash    echo 'eval \"$(devloop completion bash)\"' >> ~/.bashrc",
    "zsh     echo 'eval \"$(devloop completion zsh)\"' >> ~/.zshrc",
    "fish    devloop completion fish > ~/.config/fish/completions/devloop.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script that lets a shell complete devloop's commands and options."""
    from click.shell_completion import get_completion_class

    from devloop.cli.main import group

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(group, {}, "devloop", "_DEVLOOP_COMPLETE").source())
    return 0
