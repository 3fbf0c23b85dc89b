"""Help pages, rendered by rich-click; it and rich are imported only where one is shown."""

from __future__ import annotations

import click
from rich_click import RichCommand, RichContext, RichGroup

from devloop.cli.options import COMMANDS

LAYOUT = {
    "command_groups": {
        "devloop": [{"name": name, "commands": names} for name, names in COMMANDS.items()]
    },
    "commands_before_options": True,
    "text_paragraph_linebreaks": "\n\n",
    "padding_helptext_first_line": (0, 0, 1, 0),
    "max_width": 100,
}
"""Settings of rich-click."""


def render(ctx: click.Context) -> str:
    """Render the page of a command.

    Args:
        ctx: the command's.

    Returns:
        The page, coloured as standard output calls for.
    """
    ctx.color = True  # rich has decided
    command = ctx.command
    page: RichCommand
    if isinstance(command, click.Group):
        known = (command.get_command(ctx, name) for name in command.list_commands(ctx))
        page = RichGroup(
            name=command.name,
            params=command.params,
            commands=[one for one in known if one is not None],
            invoke_without_command=command.invoke_without_command,
        )
    else:
        page = RichCommand(name=command.name, params=command.params)
    page.help = command.help
    settings = {**command.context_settings, "rich_help_config": LAYOUT}
    context = RichContext(page, info_name=ctx.info_name, parent=ctx.parent, **settings)
    return page.get_help(context)
