"""Make the README's picture of imports anew: ``python -m tests.pictures.graph`` (needs Chromium).

It shows `examples/shop` as `devloop graph --format html` draws it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.pages.conftest import NAMES, Browser

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/shop"
FOCUS = "shop/prices.py"
WIDTH, HEIGHT = 1100, 430


def main() -> int:
    """Write `docs/graph-light.png` and `docs/graph-dark.png`."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.stderr.write("no browser is installed: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(EXAMPLE, Path(folder, "shop")))
        command = [sys.executable, "-m", "devloop", "-C", str(copy), "graph", FOCUS]
        command += ["--format", "html"]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        page = Path(folder, "graph.html")
        page.write_bytes(done.stdout)
        browser = Browser(program, Path(folder, "profile"))
        try:
            for dark in (False, True):
                browser.open(page, width=WIDTH, height=HEIGHT, dark=dark)
                target = ROOT / f"docs/graph-{'dark' if dark else 'light'}.png"
                target.parent.mkdir(exist_ok=True)
                browser.picture(target)
                sys.stdout.write(f"{target.relative_to(ROOT)}\n")
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
