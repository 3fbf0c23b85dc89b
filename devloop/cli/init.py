"""`devloop init`: writes a devloop.toml for the project at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from devloop.cli import options

if TYPE_CHECKING:
    from devloop.config.survey import Survey


@options.command("init", "devloop init", "devloop -C services/web init", "devloop init --force")
@click.option("--force", is_flag=True, help="Overwrite a devloop.toml that is there.")
def command(force: bool) -> int:
    """Look at the project and write a commented devloop.toml.

    What is found (an interpreter, apps, tests, npm scripts) is set or suggested; the rest is
    there as comments. An editor with a TOML language server completes and checks the file.
    """
    from pathlib import Path

    from devloop.config import schema
    from devloop.config.load import OWN_FILE
    from devloop.config.root import nearest_root
    from devloop.config.survey import survey
    from devloop.config.template import render

    here = Path.cwd()
    root = nearest_root(here) or here
    path = root / OWN_FILE
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; --force overwrites it")
    found = survey(root)
    try:
        text = render(found, schema=schema.place(root))
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {path}")
    for line in _summary(found):
        click.echo(f"  {line}")
    click.echo("Next: `devloop watch`, or `devloop doctor` to check that all is in place.")
    return 0


def _summary(found: Survey) -> list[str]:
    lines = [f"{app.name}: {app.kind} in {app.path}, as `{app.command}`" for app in found.apps]
    if found.tests:
        lines.append(f"tests: in {', '.join(found.tests)}")
    if found.interpreter:
        lines.append(f"interpreter: {found.interpreter}")
    if found.scripts:
        names = ", ".join(script.name for script in found.scripts)
        lines.append(f"steps, commented out: {names}")
    return lines
