"""Make the README's picture of the terminal from a real run: `python -m tests.pictures.terminal`.

A copy of `examples/library` is watched at a pseudo-terminal, broken, and mended; what an emulated
terminal shows then is written as an SVG.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

CHECKOUT = Path(__file__).parents[2]
PICTURE = CHECKOUT / "docs" / "terminal.svg"
COLUMNS, ROWS = 84, 200
LAUNCHER = (
    f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from devloop.cli.main import main; "
    "sys.argv[0] = 'devloop'; main()"
)
SLUG = ("-", "_")
"""What is right, and the mistake in its place.

It is mended in other words: what has passed as it was does not run again.
"""


def main() -> None:
    """Make it."""
    with tempfile.TemporaryDirectory(prefix="devloop-picture-") as folder:
        root = Path(folder, "library")
        shutil.copytree(
            CHECKOUT / "examples" / "library", root, ignore=shutil.ignore_patterns(".*")
        )
        written = run(root).replace(str(root), "~/library")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(written), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")


def run(root: Path) -> str:
    """Watch, break and mend a project; all that was written on the terminal.

    Args:
        root: of the project.
    """
    loud = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    environment = {name: value for name, value in os.environ.items() if name not in loud}
    child = pexpect.spawn(
        sys.executable,
        ["-I", "-c", LAUNCHER, "watch"],
        cwd=str(root),
        env={**environment, "TERM": "xterm-256color"},
        dimensions=(ROWS, COLUMNS),
        timeout=60,
        encoding="utf-8",
    )
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        child.expect(text)
        shown += str(child.before) + str(child.after)

    until("passed")
    until("q quits[^l]*l")
    module = root / "src" / "textkit" / "slug.py"
    text = module.read_text(encoding="utf-8")
    assert f'"{SLUG[0]}"' in text
    time.sleep(1)
    module.write_text(text.replace(f'"{SLUG[0]}"', f'"{SLUG[1]}"'), encoding="utf-8")
    until("failed")
    until("q quits[^l]*l")
    time.sleep(1)
    mended = text.replace(f'"{SLUG[0]}".join(', f'"{SLUG[0]}".join(word for word in ')
    module.write_text(mended, encoding="utf-8")
    until("fixed")
    until("q quits[^l]*l")
    child.send("q")
    child.expect(pexpect.EOF)
    return shown


def picture(written: str) -> str:
    """What a terminal shows, as an SVG.

    Args:
        written: text with its control codes.
    """
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", written))
    rows = [line(screen.buffer[row]) for row in range(screen.cursor.y + 1)]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        for row in rows:
            console.print(row, overflow="crop", no_wrap=True, highlight=False)
        return console.export_svg(title="devloop watch", unique_id="devloop")


def line(row: Mapping[int, Char]) -> Text:
    """One row of a screen.

    Args:
        row: its characters by column.
    """
    text = Text()
    for look, run in itertools.groupby((row[column] for column in range(COLUMNS)), style):
        text.append("".join(char.data for char in run), look)
    text.rstrip()
    return text


def style(char: Char) -> Style:
    """The look of one character.

    Args:
        char: as the emulated terminal has it.
    """
    names = {"brown": "yellow"}
    color = None if char.fg == "default" else names.get(char.fg, char.fg)
    return Style(color=color, bold=char.bold, reverse=char.reverse)


if __name__ == "__main__":
    main()
