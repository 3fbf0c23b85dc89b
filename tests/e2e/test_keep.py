"""The example of a data set that is loaded once, used as a new user would use it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Watching

EXAMPLE = Path(__file__).parents[2] / "examples/keep"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked processes are handed over")


def ask(port: int) -> Any:
    """What the API answers; it may be between two lives."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as response:
                return json.loads(response.read())
        except (URLError, ConnectionError):
            assert time.monotonic() < deadline


@pytest.mark.slow
def test_a_restart_inherits_what_is_loaded(
    tmp_path: Path, watching: Callable[..., Watching], port: int
) -> None:
    """An edit of the API loads nothing; an edit of the data does, and so do its module's."""
    root = tmp_path / "keep"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__", ".devloop"))
    watch = watching(root, UVICORN_PORT=str(port))
    watch.cycle(outcome="passed")
    first = ask(port)
    watch.wait("notice", severity="info")
    api = (root / "cities/api.py").read_text()

    watch.save("cities/api.py", api.replace('"cities":', '"names":'))
    assert watch.wait("app-started")["start"] == "warm"
    watch.cycle(outcome="passed")
    second = ask(port)
    assert second["names"] == first["cities"]
    assert second["loaded"] > first["loaded"]
    watch.save("cities/api.py", api.replace('"cities":', '"all":'))
    watch.cycle(outcome="passed")
    assert ask(port) == {"all": first["cities"], "loaded": second["loaded"]}

    # Nobody restarts for data; the next start that comes sees it.
    data = (root / "cities.csv").read_text(encoding="utf-8")
    watch.save("cities.csv", data.replace("Pune", "Poona"))
    watch.save("cities/api.py", api)
    watch.wait("app-started")  # the first save has a cycle of its own
    watch.cycle(outcome="passed")
    third = ask(port)
    assert "Poona" in third["cities"]
    watch.wait("notice", severity="info")
    watch.save("cities/api.py", api + "\n")
    watch.save("cities/api.py", api.replace('"cities":', '"names":'))
    watch.wait("app-started")  # as above
    watch.cycle(outcome="passed")
    fourth = ask(port)
    assert fourth["names"] == third["cities"]
    assert fourth["loaded"] > third["loaded"]
