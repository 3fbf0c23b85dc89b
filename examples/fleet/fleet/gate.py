"""An app: the page, with a greeting that the greeter is asked for."""

import os
from pathlib import Path
from urllib.request import urlopen

from fleet.server import serve


def greeting(path: str) -> str:
    """Ask the greeter."""
    port = os.environ.get("GREETER_PORT", "8101")
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        return str(response.read().decode())


if __name__ == "__main__":
    page = Path("build/page.html").read_text(encoding="utf-8")
    serve("GATE_PORT", 8100, lambda path: page.replace("{greeting}", greeting(path)))
