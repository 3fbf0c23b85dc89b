"""The app in a real server, on a port of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

HERE = Path(__file__).parents[2]


@pytest.fixture
def server(database: Path) -> Iterator[str]:
    """The address of a server with a new database."""
    command = [sys.executable, "-m", "uvicorn", "shop.main:app", "--port", "0"]
    with subprocess.Popen(command, cwd=HERE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            for line in process.stderr:
                if found := re.search(r"running on (http://\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail("the server did not start")
        finally:
            process.terminate()
            process.communicate()


def test_the_page_is_served(server: str, database: Path) -> None:
    with urlopen(server, timeout=5) as response:
        assert "Assam" in response.read().decode()
    assert database.exists()
