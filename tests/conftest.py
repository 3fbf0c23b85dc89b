"""What tests of every part use: the async backend, trees of files, and real projects' sources."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

REAL_SOURCES = {
    "flask": (
        "flask==3.1.3",
        "sha256:0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb",
    ),
    "click": (
        "click==8.5.1",
        "sha256:9bbfada76703fd1d784b83eea012e3e8c6a001a876543ef104fa56aaaeb072b4",
    ),
    "httpx": (
        "httpx==0.28.1",
        "sha256:75e98c5f16b0f35b567856f597f06ff2270a374470a5c2392242528e3e3e42fc",
    ),
}
"""Source distributions that ship their tests: what pip is asked for, and its archive's hash."""


def pytest_configure() -> None:
    """Have what tests start hear signals, also where the suite runs below nohup, or behind `&`.

    What is ignored is so in all descendants; what has a handler is as by default after exec.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what takes long on an idle machine ten minutes on a busy one."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("real"):
            item.add_marker(pytest.mark.timeout(600), append=False)


# On a busy machine a case may take a second of which it has had a millisecond.
settings.register_profile(
    "untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# For a second interpreter: it may lack what another has, but does not reason in another way.
settings.register_profile("few", settings.get_profile("untimed"), max_examples=20)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def few_plugins() -> Iterator[None]:
    """The pytest that a test starts leaves plugins out of which hardly any test is.

    Hypothesis's and pytest-timeout's are in our environment for this suite alone; the first imports
    all of Hypothesis at the end of each run. anyio's, which comes with devloop, imports asyncio and
    all of anyio: as long as all else of an empty run.
    """
    with pytest.MonkeyPatch.context() as patch:
        left_out = ("hypothesispytest", "timeout", "anyio")
        patch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in left_out))
        yield


@pytest.fixture
def all_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytest that this test starts has the plugins that it has for a user."""
    monkeypatch.delenv("PYTEST_ADDOPTS")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as devloop does."""
    return "asyncio"


@pytest.fixture(scope="session")
def tree() -> Callable[[str], dict[str, str]]:
    """Read a tree of files from text: a path at the margin, its content indented below it.

    ::

        pkg/__init__.py
        pkg/mod.py
            import os
    """

    def read(text: str) -> dict[str, str]:
        files: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in textwrap.dedent(text).splitlines():
            if line and not line[0].isspace():
                lines = files.setdefault(line.rstrip(), [])
            else:
                lines.append(line)
        return {
            path: (textwrap.dedent("\n".join(body)).rstrip() + "\n") if body else ""
            for path, body in files.items()
        }

    return read


@pytest.fixture(scope="session")
def write_tree(tree: Callable[[str], dict[str, str]]) -> Callable[[Path, str], None]:
    """Write a tree of files, given as `tree` reads it, below a folder."""

    def write(root: Path, text: str) -> None:
        for path, content in tree(text).items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")

    return write


@pytest.fixture(scope="session")
def real_source() -> Callable[[str], Path]:
    """Unpacked sources of flask, click or httpx, by name; shared, so never write into them.

    They are fetched once with pip and kept in a cache of the user's (``DEVLOOP_TEST_CACHE``
    names another folder). Where they cannot be had the test is skipped with the reason; with
    ``CI`` set it fails.
    """

    def fetch(name: str) -> Path:
        requirement, digest = REAL_SOURCES[name]
        target = _cache() / requirement.replace("==", "-")
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(name, requirement, digest, target)
        return target

    return fetch


@pytest.fixture(autouse=True)
def temporary_files(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What the suites of real projects leave among the temporary files goes with them.

    click's tests have `sed` edit such files, which keeps a copy of each.
    """
    if not request.node.get_closest_marker("real"):
        yield
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


@pytest.fixture
def real_copy(real_source: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of such sources of the test's own, to be edited."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(real_source(name), tmp_path / name))

    return copy


@pytest.fixture(scope="session")
def real_environment() -> Callable[..., str]:
    """The interpreter of a virtual environment with some requirements; shared, so only to be run.

    It is made once and kept as `real_source` keeps sources, with the same reasons to skip.
    """

    def make(*requirements: str) -> str:
        version = f"{sys.version_info.major}{sys.version_info.minor}"
        target = _cache() / "-".join([f"venv{version}", *requirements]).replace("==", "-")

        def is_there() -> bool:
            # The interpreter that it was made with may be gone, or its links lead nowhere.
            return (target / "complete").exists() and (target / "bin/python").exists()

        if not is_there():
            target.parent.mkdir(parents=True, exist_ok=True)
            with (target.parent / f"{target.name}.lock").open("w") as lock:
                # Its scripts name its path, so it is made where it stays: by one at a time.
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not is_there():
                    shutil.rmtree(target, ignore_errors=True)
                    # That of an environment may go with it, as CI's does.
                    base = str(Path(sys.executable).resolve())
                    made = [base, "-m", "venv", "--without-pip", str(target)]
                    subprocess.run(made, check=True)
                    command = [sys.executable, "-m", "pip", "--python", str(target / "bin/python")]
                    # Compiling takes most of the time, and most modules are never imported.
                    command += ["install", "--quiet", "--no-compile"]
                    command += ["--only-binary", ":all:", *requirements]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    if done.returncode:
                        _unavailable(" ".join(requirements), done.stderr.strip())
                    (target / "complete").touch()
        return str(target / "bin/python")

    return make


@pytest.fixture(scope="session")
def server_environment(real_environment: Callable[..., str]) -> Callable[[], str]:
    """The interpreter of a virtual environment with the servers of servers.txt."""

    def make() -> str:
        text = Path(__file__).with_name("servers.txt").read_text(encoding="utf-8")
        return real_environment(*(line for line in text.splitlines() if line[0] != "#"))

    return make


@pytest.fixture(scope="session")
def interpreter() -> Callable[[str], str]:
    """The path of an interpreter of a version, as ``3.13``; skips where there is none."""

    @cache
    def find(version: str) -> str:
        pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
        there = map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))
        on_path = shutil.which(f"python{version}")  # may be a shim, which takes its time
        for candidate in filter(None, (sys.executable, *there, on_path)):
            code = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
            found = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
            told, _, path = found.stdout.strip().partition(" ")
            if told == version:  # a shim may be there without an interpreter
                return path
        pytest.skip(f"no Python {version} on this machine")

    return find


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Find ports that nobody listens on, and that nobody else is given before the test's end.

    The kernel gives none of them to clients, and other tests and suites on this machine pass over
    them: the UDP port beside each is held meanwhile.
    """
    with ExitStack() as held:

        def find() -> int:
            while True:
                number = random.randrange(12_000, 32_000, 2)
                with ExitStack() as attempt, suppress(OSError):
                    sign = attempt.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                    sign.bind(("127.0.0.1", number + 1))
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", number))
                    held.push(attempt.pop_all())
                    return number

        yield find


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    """One such port."""
    return free_port()


def _cache() -> Path:
    if named := os.environ.get("DEVLOOP_TEST_CACHE"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "devloop-tests"


def _download(name: str, requirement: str, digest: str, target: Path) -> None:
    """Fetch and unpack; the last step is one rename, so that parallel workers may race."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(f"{requirement} --hash={digest}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", name, "--dest", folder, "--requirement", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            _unavailable(requirement, "pip did not end within 300 s")
        archives = list(Path(folder).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            _unavailable(requirement, done.stderr.strip() or "no archive came")
        unpacked = Path(folder, "unpacked")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(unpacked, filter="data")
        (inner,) = unpacked.iterdir()
        try:
            inner.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def _unavailable(requirement: str, why: str) -> NoReturn:
    message = f"the source distribution of {requirement} cannot be had: {why}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
