"""Real projects, as their maintainers ship them, and where they are fetched from."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Real:
    """A project, as its maintainers ship it.

    Args:
        name: of its distribution.
        version: of that.
        source: the folder of its modules.
        file: its test file that is run where one is enough.
        packages: what its tests import.
    """

    name: str
    version: str
    source: str
    file: str
    packages: str


REAL = (
    Real("click", "8.5.1", "src", "tests/test_parser.py", "pytest==8.3.5"),
    Real(
        "flask",
        "3.1.3",
        "src",
        "tests/test_json_tag.py",
        "pytest==8.3.5 werkzeug==3.1.3 jinja2==3.1.6 itsdangerous==2.2.0 click==8.1.8 "
        "blinker==1.9.0",
    ),
    Real(
        "httpx",
        "0.28.1",
        ".",
        "tests/models/test_cookies.py",
        "pytest==8.3.4 anyio==4.8.0 certifi httpcore==1.0.7 idna h2==4.1.0 socksio==1.0.0 "
        "trio==0.28.0 trustme==1.2.1 cryptography==44.0.1 uvicorn==0.34.0 chardet==5.2.0 "
        "zstandard==0.23.0 brotli==1.1.0",
    ),
)


def fetch(real: Real, into: Path, python: str = sys.executable) -> Path:
    """Download a source distribution and unpack it.

    Args:
        real: whose.
        into: a folder.
        python: an interpreter that has pip.

    Returns:
        The folder of its sources.

    Raises:
        subprocess.SubprocessError: it could not be had.
    """
    command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", real.name]
    command += ["--dest", str(into), f"{real.name}=={real.version}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with tarfile.open(next(into.glob(f"{real.name}-*.tar.gz"))) as archive:
        archive.extractall(into, filter="data")
    return into / f"{real.name}-{real.version}"
