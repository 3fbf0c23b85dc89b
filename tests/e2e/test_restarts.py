"""Which apps a save restarts, by what their commands are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_server_of_the_standard_library_runs_on(
    watching: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    """No edit restarts it, until a module of the project hides one that it imports."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "shop.py").write_text("x = 1\n")
    (root / "index.html").write_text("<p>")
    server = ("python", "-m", "http.server", str(port), "--bind", "127.0.0.1")
    watch = watching(root, "--no-tests", "--", *server)
    watch.wait("app-ready")
    watch.wait("cycle-finished")
    watch.save("shop.py", "x = 2\n")
    watch.wait("cycle-finished")
    watch.save("index.html", f"<p>{time.time()}")
    watch.wait("cycle-finished")
    assert len(watch.of("app-started")) == 1
    watch.save("mimetypes.py", "guess_type = inited = None\n")
    watch.wait("app-started")
