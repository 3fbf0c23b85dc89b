"""Both steps and both apps, as they run in earnest, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with its steps done."""
    copy = tmp_path_factory.mktemp("copy") / "fleet"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("build", ".*"))
    for step in ("words", "page"):
        subprocess.run([sys.executable, "-m", "fleet.build", step], cwd=copy, check=True)
    return copy


@pytest.fixture
def start(built: Path) -> Iterator[Callable[..., str]]:
    """Start an app on a free port and return its address."""
    with ExitStack() as stack:

        def start(module: str, **env: str) -> str:
            command = [sys.executable, "-m", module]
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=built, env={**os.environ, **env}, stdout=-1, text=True
                )
            )
            stack.callback(process.kill)
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            return found[0]

        yield start


def test_the_page_greets_in_the_language_of_its_path(start: Callable[..., str]) -> None:
    greeter = start("fleet.greeter", GREETER_PORT="0")
    port = greeter.rstrip("/").rpartition(":")[2]
    gate = start("fleet.gate", GATE_PORT="0", GREETER_PORT=port)
    with urlopen(f"{gate}fr", timeout=5) as response:
        page = response.read().decode()
    assert "<h1>Bonjour</h1>" in page
    assert "en, fr, ja" in page
