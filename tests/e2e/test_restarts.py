"""Which apps a save restarts, by what their commands are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from devloop.store.peek import warm


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


SERVER = """
import os
import sys
from wsgiref.simple_server import make_server

name = open("which.cfg").read().strip()
exec(f"import {name}")
app = sys.modules[name].app
with make_server("127.0.0.1", int(os.environ["SERVE_AT"]), app) as server:
    server.serve_forever()
"""

APP = """
import parts

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [parts.TEXT]
"""


def test_what_no_word_names_restarts_an_app_that_has_imported_it(
    watching: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    """The server's own file is all that its command tells; the rest it was seen to import."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "serve.py").write_text(SERVER)
    (root / "which.cfg").write_text("shop\n")
    (root / "shop.py").write_text(APP)
    (root / "parts.py").write_text("TEXT = b'one'\n")
    (root / "other.py").write_text("")
    watch = watching(root, "--no-tests", "--", "python", "serve.py", SERVE_AT=str(port))
    name = watch.wait("app-ready")["name"]
    watch.wait("cycle-finished")
    # It tells of its imports when it is up; until then its words are all that is known.
    deadline = time.monotonic() + 60
    while name not in warm(root) or "parts.py" not in warm(root)[name].own:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    watch.save("other.py", "x = 1\n")
    watch.wait("cycle-finished")
    assert len(watch.of("app-started")) == 1
    watch.save("parts.py", "TEXT = b'two'\n")
    watch.wait("app-ready")
    with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        assert answer.read() == b"two"
