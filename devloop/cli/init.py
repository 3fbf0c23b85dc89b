"""`devloop init`: writes a devloop.toml for the project at hand, and what editors need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devloop.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from devloop.config.survey import Survey
    from devloop.editors.place import Place
    from devloop.editors.setup import Change

EDITORS = ["vscode", "zed", "neovim", "emacs", "jetbrains", "bacon"]


@options.command(
    "init",
    "devloop init",
    "devloop -C services/web init",
    "devloop init --force",
    "devloop init --editor vscode --editor zed",
)
@click.option("--force", is_flag=True, help="Overwrite a devloop.toml that is there.")
@click.option(
    "--editor",
    "editors",
    envvar="DEVLOOP_EDITOR",
    metavar="NAME",
    multiple=True,
    type=click.Choice(EDITORS),
    help=f"Set up an editor instead: {', '.join(EDITORS)}. May be given several times.",
)
@click.option("--yes", is_flag=True, help="With --editor: change the files without asking.")
def command(force: bool, editors: tuple[str, ...], yes: bool) -> int:
    """Look at the project and write a commented devloop.toml, or set up an editor.

    What is found (an interpreter, apps, tests, npm scripts) is set or suggested; the rest is
    there as comments. An editor with a TOML language server completes and checks the file.

    With --editor the files of that editor are completed: VS Code's tasks, problem matcher and
    debugger, Zed's tasks, Neovim's quickfix, Emacs' compile, an external tool of JetBrains; or a
    link for plugins made for bacon. What is there stays, comments too. The difference is shown,
    and nothing is written before you agree.
    """
    from pathlib import Path

    from devloop.config.root import nearest_root

    here = Path.cwd()
    root = nearest_root(here) or here
    if editors:
        return _set_up(editors, root, agreed=yes or force)
    if yes:
        raise click.UsageError("--yes goes with --editor; --force overwrites a devloop.toml")
    return _configure(root, force=force)


def _configure(root: Path, *, force: bool) -> int:
    from devloop.config import schema
    from devloop.config.load import OWN_FILE
    from devloop.config.survey import survey
    from devloop.config.template import render

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


def _set_up(editors: tuple[str, ...], root: Path, *, agreed: bool) -> int:
    """Show what would change, ask, and write."""
    import sys

    from devloop.editors import setup

    changes = setup.changes(editors, _place(root))
    if not changes:
        click.echo(f"Nothing to change: {', '.join(dict.fromkeys(editors))} is set up.")
        return 0
    for change in changes:
        _show(change, root)
    if not agreed:
        if not sys.stdin.isatty():
            raise click.UsageError("nothing was changed; --yes agrees where nobody can be asked")
        number = "this file" if len(changes) == 1 else f"these {len(changes)} files"
        if not click.confirm(f"Write {number}?"):
            click.echo("Nothing was changed.")
            return 0
    for change in changes:
        try:
            setup.write(change)
        except OSError as error:
            raise click.UsageError(
                f"{error.filename} cannot be written: {error.strerror}"
            ) from None
        click.echo(f"Wrote {change.path}")
    for editor in dict.fromkeys(editors):
        if editor in NEXT:
            click.echo(NEXT[editor])
    return 0


NEXT = {
    "vscode": "VS Code: Terminal, Run Task…, devloop: watch",
    "zed": "Zed: `task: spawn`, devloop: watch",
    "neovim": "Neovim: `:set exrc` once in your init.lua, then :Devloop or :make in the project",
    "emacs": "Emacs: M-x compile in a file of the project; it asks once about local variables",
    "jetbrains": "JetBrains: restart the program; then Tools, External Tools, devloop watch",
}
"""How each is used, for who has just set it up."""


def _place(root: Path) -> Place:
    import sys
    from pathlib import Path

    from devloop.editors.jetbrains import settings_folders
    from devloop.editors.place import Place

    return Place(root, _program(root), settings_folders(Path.home(), sys.platform))


def _program(root: Path) -> str:
    """How an editor starts the devloop that runs now."""
    import shutil
    import sys
    from pathlib import Path

    program = Path(sys.prefix, "bin/devloop")
    if program.is_relative_to(root):
        return program.relative_to(root).as_posix()
    return "devloop" if shutil.which("devloop") or not program.exists() else str(program)


def _show(change: Change, root: Path) -> None:
    """Print the difference, as `diff -u` does."""
    import difflib

    inside = change.path.is_relative_to(root)
    name = change.path.relative_to(root).as_posix() if inside else str(change.path)
    if change.link:
        click.secho(f"+ {name} → {change.after}", fg="green", color=options.wants_color())
        return
    before = (change.before or "").splitlines()
    old = "/dev/null" if change.before is None else name
    lines = difflib.unified_diff(before, change.after.splitlines(), old, name, lineterm="")
    for line in lines:
        color = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        click.secho(line, fg=color, color=options.wants_color())
