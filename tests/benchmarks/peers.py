"""Other tools that restart an app, at pinned versions, in a cache of the benchmark's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON = ("starlette==1.10.0", "uvicorn==0.54.0", "watchfiles==1.3.0", "pytest==9.2.0")
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
    def path(self) -> str:
        """PATH with their programs."""
        return os.pathsep.join([str(self.python / "bin"), os.environ.get("PATH", os.defpath)])

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


def install() -> Peers:
    """Install them where they are not yet.

    Raises:
        subprocess.CalledProcessError: the app itself could not be installed.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devloop-benchmarks"
    mark = hashlib.blake2b(
        " ".join((sys.version, sys.prefix, *PYTHON)).encode(), digest_size=6
    ).hexdigest()
    venv = base / f"python-{mark}"
    if not (venv / "complete").exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(venv)])
        _run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *PYTHON])
        (venv / "complete").touch()
    folder = base / NODEMON
    program = folder / "node_modules" / ".bin" / "nodemon"
    why = ""
    if not program.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _run(["npm", "install", "--silent", "--no-fund", "--prefix", str(folder), NODEMON])
        except (OSError, subprocess.CalledProcessError) as error:
            why = f"npm: {error}"
    return Peers(venv, program if program.exists() else None, why)


def _run(command: list[str]) -> None:
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=300
    )
