"""`devloop doctor`: what devloop depends on, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from devloop.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from devloop.checkup.finding import Finding

COLORS = {"ok": "green", "warning": "yellow", "error": "red"}


@options.command("doctor", "devloop doctor", "devloop doctor --format json")
@options.format_option
def command(form: Literal["text", "json"]) -> int:
    """Check what devloop depends on here; each finding comes with its mend.

    Interpreter, pytest, configuration, watching, records, commands. Nothing is changed. The exit
    code is 1 where something must be mended, else 0.
    """
    import os
    from pathlib import Path

    from devloop.checkup.checkup import check
    from devloop.config.root import find_root

    root = find_root(Path.cwd())
    findings = list(check(root, os.environ))
    if form == "json":
        _print_json(root, findings)
    else:
        _print_text(findings)
    return int(any(finding.severity == "error" for finding in findings))


def _print_json(root: Path, findings: Sequence[Finding]) -> None:
    import msgspec

    from devloop.events import printable

    plain = {"v": 1, "root": str(root), "findings": msgspec.to_builtins(findings)}
    for finding in plain["findings"]:
        finding["message"] = printable(finding["message"])
    click.echo(msgspec.json.encode(plain).decode())


def _print_text(findings: Sequence[Finding]) -> None:
    color = options.wants_color()
    width = max(len(finding.subject) for finding in findings)
    indent = " " * (9 + width + 2)
    for finding in findings:
        mark = click.style(f"{finding.severity:<9}", fg=COLORS[finding.severity])
        click.echo(f"{mark}{finding.subject:<{width}}  {finding.message}", color=color)
        for line in (finding.mend or "").splitlines():
            click.echo(indent + line)
    counts = {
        severity: sum(finding.severity == severity for finding in findings) for severity in COLORS
    }
    click.echo(f"\n{counts['ok']} ok, {counts['warning']} to look at, {counts['error']} to mend")
