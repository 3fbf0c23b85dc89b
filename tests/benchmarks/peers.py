"""Other tools that restart an app, at pinned versions, in a cache of the benchmark's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.session import environment

PYTHON = ("starlette==1.10.0", "uvicorn==0.54.0", "watchfiles==1.3.0", "pytest==9.2.0")
FRAMEWORKS = (
    *PYTHON,
    "django==5.2.19",
    "fastapi==0.165.0",
    "flask==3.1.3",
    "granian[reload]==2.8.7",
    "gunicorn==27.0.1",
    "pandas==3.1.1",
    "sqlalchemy==2.1.9",
    "uvicorn-hmr==0.1.1.8",
)
NODEMON = "nodemon@3.1.14"
OVERLAPPING = "nodemon, not waiting"
"""It waits for its shell to end and not for what that runs, unless the one becomes the other. So
the new app starts while the old one still stops, and fails where that takes too long."""


@dataclass(frozen=True)
class Peers:
    """Where they are.

    Args:
        python: the folder of the virtual environment of the app, of uvicorn and of watchfiles.
        nodemon: its program; None where it could not be installed.
        why: it could not.
    """

    python: Path
    nodemon: Path | None
    why: str = ""

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the Python ones are found."""
        return environment_of(self.python)

    def commands(self, port: int) -> dict[str, list[str]]:
        """How each runs the shop and restarts it.

        Args:
            port: where it shall listen.
        """
        serve = f"uvicorn shop.main:app --port {port} --log-level warning"
        found = {
            "uvicorn --reload": [*serve.split(), "--reload"],
            "watchfiles": ["watchfiles", "--filter", "python", serve, "."],
        }
        if self.nodemon is not None:
            words = [str(self.nodemon), "--quiet", "--ext", "py", "--signal", "SIGTERM", "--exec"]
            found["nodemon"] = [*words, f"exec {serve}"]
            found[OVERLAPPING] = [*words, serve]
        return found


def environment_of(venv: Path) -> dict[str, str]:
    """The environment in which the programs of a virtual environment are found.

    Args:
        venv: its folder.
    """
    path = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", os.defpath)])
    return environment(PATH=path, VIRTUAL_ENV=str(venv))


def recent_python() -> str:
    """The path of a Python 3.12, which uvicorn-hmr needs; our own where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    found = [str(path) for path in sorted(pyenv.glob("3.12.*/bin/python"))]
    return next(filter(None, (*found, shutil.which("python3.12"))), sys.executable)


def install_python(packages: Sequence[str], python: str = sys.executable) -> Path:
    """Install packages into a virtual environment of their own, where they are not yet.

    Args:
        packages: with their versions.
        python: the path of its interpreter.

    Returns:
        Its folder.

    Raises:
        subprocess.CalledProcessError: they could not be installed.
    """
    mark = hashlib.blake2b(
        " ".join((sys.version, sys.prefix, python, *packages)).encode(), digest_size=6
    ).hexdigest()
    venv = _cache() / f"python-{mark}"
    if not (venv / "complete").exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run([python, "-m", "venv", str(venv)])
        _run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])
        (venv / "complete").touch()
    return venv


def install() -> Peers:
    """Install them where they are not yet.

    Raises:
        subprocess.CalledProcessError: the app itself could not be installed.
    """
    venv = install_python(PYTHON)
    folder = _cache() / NODEMON
    program = folder / "node_modules" / ".bin" / "nodemon"
    why = ""
    if not program.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _run(["npm", "install", "--silent", "--no-fund", "--prefix", str(folder), NODEMON])
        except (OSError, subprocess.CalledProcessError) as error:
            why = f"npm: {error}"
    return Peers(venv, program if program.exists() else None, why)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devloop-benchmarks"


def _run(command: list[str]) -> None:
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=300
    )
