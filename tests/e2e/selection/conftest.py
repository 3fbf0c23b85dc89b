"""A small project whose selection is held to plain pytest."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.forked import Forked

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop

SHOP = """
pyproject.toml
    [project]
    name = "shop"
    [tool.pytest.ini_options]
    pythonpath = ["src"]
    [tool.devloop.apps.web]
    command = "python -m shop"
    watch = ["templates/**"]
    [tool.devloop.steps.css]
    command = "true"
    inputs = ["styles/*.css"]
.gitignore
    .devloop/
    __pycache__/
    .pytest_cache/
    .venv/
src/shop/__init__.py
src/shop/__main__.py
    from shop import cart
src/shop/cart.py
    from shop import prices
    def total():
        return prices.PRICE
src/shop/prices.py
    PRICE = 1
src/shop/alone.py
    X = 1
styles/a.css
    a
tests/test_cart.py
    from shop import cart
    def test_total():
        assert cart.total() == 1
    def test_again():
        assert cart.total() == 1
    class TestIt:
        def test_inner(self):
            assert cart.total()
tests/test_alone.py
    from shop import alone
    def test_x():
        assert alone.X == 1
"""


Pytests = Callable[[str, object], Forked]
"""Gives a forked pytest by its interpreter and what is installed for that one."""


class Lab:
    """A small project whose selection is held to plain pytest.

    Args:
        root: its folder.
        devloop: runs the command line.
        environment: of plain pytest.
        pytests: forked pytests.
    """

    def __init__(
        self, root: Path, devloop: Devloop, environment: dict[str, str], pytests: Pytests
    ) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self.green: dict[str, str] = {}
        self.python = sys.executable
        self._devloop = devloop
        self._plain = environment
        self._pytests = pytests

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `devloop` in the project."""
        return self._devloop(*arguments, cwd=self.root, **self.environment)

    def install_in_place(
        self,
        name: str,
        source: str = "src",
        entry_points: str = "",
        version: str = "1.0",
        libraries: str | None = None,
    ) -> None:
        """Give the project an environment in which it is installed in place (PEP 660).

        Args:
            name: of its distribution.
            source: the folder of its modules.
            entry_points: as in ``entry_points.txt``.
            version: of its distribution.
            libraries: a folder of other distributions; None is where our own are.
        """
        command = [sys.executable, "-m", "venv", "--without-pip", str(self.root / ".venv")]
        subprocess.run(command, check=True, capture_output=True)
        self.python = str(self.root / ".venv/bin/python")
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = self.root / ".venv/lib" / python / "site-packages"
        lines = [str(self.root / source), libraries or sysconfig.get_path("purelib")]
        (site / f"{name}.pth").write_text("\n".join(lines) + "\n")
        metadata = site / f"{name}-{version}.dist-info"
        metadata.mkdir()
        described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (metadata / "METADATA").write_text(described)
        (metadata / "entry_points.txt").write_text(entry_points)
        url = {"url": self.root.as_uri(), "dir_info": {"editable": True}}
        (metadata / "direct_url.json").write_text(json.dumps(url))

    @property
    def site(self) -> Path:
        """The folder of what is installed in the project's own environment."""
        (found,) = self.root.glob(".venv/lib/python*/site-packages")
        return found

    def edit(self, path: str, old: str, new: str) -> dict[str, str | None]:
        """The edit that replaces the only occurrence of a text in a file."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        return {path: text.replace(old, new)}

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        settings = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
        command = ["git", *settings, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> dict[str, str | None]:
        """Write files, or delete those that are None; gives what they were."""
        before: dict[str, str | None] = {}
        for path, content in files.items():
            target = self.root / path
            before[path] = target.read_text(encoding="utf-8") if target.exists() else None
            if content is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(textwrap.dedent(content), encoding="utf-8")
        return before

    def record(self) -> None:
        """Run all tests, which pass, so that nothing is due any more."""
        done = self.run("test", "--reporter", "plain")
        assert done.returncode == 0, done.stdout + done.stderr
        self.green = self.outcomes()
        assert set(self.green.values()) <= {"PASSED", "SKIPPED"}, self.green
        assert self.due() == {}

    def due(self, *options: str) -> dict[str, dict[str, Any]]:
        """What `devloop affected` names: the reason of each test."""
        return {t["nodeid"]: t["reason"] for t in self.ask("affected", *options)["tests"]}

    def ask(self, *arguments: str) -> Any:
        """What a question answers in JSON."""
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ran(self, *arguments: str, code: int = 0) -> set[str]:
        """The tests that `devloop test` runs."""
        done = self.run("test", "--reporter", "jsonl", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        events = map(json.loads, done.stdout.splitlines())
        return {event["nodeid"] for event in events if event["event"] == "test-finished"}

    def commit(self, message: str = "A commit") -> None:
        """Commit all that is there, in a repository that is made where there is none."""
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "--all", ".")
        self.git("commit", "-q", "-m", message)

    def outcomes(self) -> dict[str, str]:
        """What plain pytest says of each test, without any bytecode of before.

        A file that cannot be collected stands for its tests; with a broken conftest.py or
        configuration the whole project does.
        """
        for folder in self.root.rglob("__pycache__"):
            if ".venv" not in folder.parts:
                shutil.rmtree(folder)
        arguments = ["-q", "-rA", "-p", "no:cacheprovider"]
        environment = {**self._plain, **self.environment, "COLUMNS": "500"}
        done = self._forked(arguments, environment)
        if done is None:
            done = subprocess.run(
                [self.python, "-B", "-m", "pytest", *arguments],
                cwd=self.root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        if done.returncode not in (0, 1, 2, 5):
            return {"": f"exit code {done.returncode}"}
        found = {}
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("PASSED", "FAILED", "ERROR", "XFAIL", "XPASS"):
                found[rest.partition(" - ")[0]] = word
            elif word == "SKIPPED":
                found[rest.partition("] ")[2].partition(":")[0]] = word
        return found

    def _forked(
        self, arguments: list[str], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str] | None:
        """A run of pytest that finds its own modules imported; None where that may matter."""
        if any(name.startswith("PYTHON") for name in self.environment):
            return None
        installed = self.site.iterdir() if self.python != sys.executable else ()
        stamp = sorted((path.name, path.stat().st_mtime_ns) for path in installed)
        pytest = self._pytests(self.python, stamp)
        modules = [path.relative_to(self.root) for path in self.root.rglob("*.py")]
        own = [path for path in modules if path.parts[0] != ".venv"]
        if pytest.imported & {name for path in own for name in path.with_suffix("").parts}:
            return None
        return pytest(arguments, self.root, environment)

    def changed(self) -> set[str]:
        """The tests whose outcome is not what it was when all was recorded; new ones too."""
        now = self.outcomes()
        if "" in now:
            return set(self.green)
        found: set[str] = set()
        for nodeid in self.green.keys() | now.keys():
            path = nodeid.partition("::")[0]
            if nodeid in now:
                if self.green.get(nodeid) != now[nodeid] and path in now:
                    # The file cannot be collected: none of its tests has the outcome it had.
                    found.update(n for n in self.green if n.startswith(path))
                elif self.green.get(nodeid) != now[nodeid]:
                    found.add(nodeid)
        return found

    def check(self, files: Mapping[str, str | None], *expected: str) -> set[str]:
        """Make an edit, hold what is selected to what plain pytest shows, and take it back.

        Args:
            files: the edit.
            expected: ends of nodeids among those whose outcome it changes, so that a check
                that shows nothing fails.

        Returns:
            What was selected.
        """
        before = self.write(files)
        try:
            selected = set(self.due())
            changed = self.changed()
        finally:
            self.write(before)
        for end in expected:
            assert any(nodeid.endswith(end) for nodeid in changed), (end, changed)
        left_out = {
            nodeid
            for nodeid in changed
            if nodeid not in selected and nodeid.partition("::")[0] not in selected
        }
        assert not left_out, f"{sorted(files)}: {left_out} not among {selected}"
        return selected


@pytest.fixture(scope="session")
def forked_pytests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pytests]:
    """pytest, imported once in our own interpreter, and in the last other one."""
    made: dict[str, tuple[object, Forked]] = {}

    def pytest_of(python: str, installed: object) -> Forked:
        for other, (before, forked) in tuple(made.items()):
            if other not in (python, sys.executable) or (other == python and before != installed):
                made.pop(other)
                forked.close()
        if python not in made:
            folder = tmp_path_factory.mktemp("forked")
            made[python] = installed, Forked("pytest", folder, python, "-B")
        return made[python][1]

    yield pytest_of
    for _, forked in made.values():
        forked.close()


@pytest.fixture
def lab(
    tmp_path: Path,
    devloop: Devloop,
    forked_pytests: Pytests,
    plain_environment: dict[str, str],
    write_tree: Callable[[Path, str], None],
) -> Callable[..., Lab]:
    """Make a project of a tree of text, or of a folder; run and record all its tests."""

    def make(text: str | Path, *, record: bool = True, **environment: str) -> Lab:
        root = text if isinstance(text, Path) else tmp_path / "project"
        if isinstance(text, str):
            write_tree(root, text)
        made = Lab(root, devloop, plain_environment, forked_pytests)
        made.environment.update(environment)
        if record:
            made.record()
        return made

    return make


@pytest.fixture
def shop_tree() -> str:
    """A project with an app, a step and tests, as a tree of text."""
    return SHOP


@pytest.fixture
def shop(lab: Callable[..., Lab], shop_tree: str) -> Lab:
    """That project; its tests have passed, and nothing is due."""
    return lab(shop_tree)


@pytest.fixture(scope="session")
def distribution() -> Callable[..., str]:
    """A folder for PYTHONPATH that holds some distributions, fetched once and kept.

    Where they cannot be had the test is skipped with the reason; with ``CI`` set it fails.
    """

    def fetch(*requirements: str) -> str:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(os.environ.get("DEVLOOP_TEST_CACHE") or Path(base, "devloop-tests"))
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        digest = hashlib.blake2b(" ".join(requirements).encode(), digest_size=8).hexdigest()
        target = cache / f"libraries-{version}-{digest}"
        cache.mkdir(parents=True, exist_ok=True)
        with cache.joinpath(f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers wait for it, and find it there
            if not target.is_dir():
                _install(requirements, target)
        return str(target / "site-packages")

    return fetch


def _install(requirements: tuple[str, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # Compiling takes most of the time, and most modules are never imported.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target"]
        command += [f"{folder}/new/site-packages", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and os.environ.get("CI"):
            pytest.fail(done.stderr)
        if done.returncode:
            pytest.skip(f"{' '.join(requirements)} cannot be had: {done.stderr}")
        Path(folder, "new").rename(target)


@pytest.fixture
def recorded(
    lab: Callable[..., Lab],
    tmp_path: Path,
    distribution: Callable[..., str],
    interpreter: Callable[[str], str],
    write_tree: Callable[[Path, str], None],
) -> Callable[..., Lab]:
    """Make a project whose Python records functions (3.12), run and record all its tests.

    It has an environment of its own in ``.venv``, so that a test may install something there.
    """

    def make(text: str, *requirements: str, record: bool = True) -> Lab:
        root = tmp_path / "project"
        write_tree(root, text)
        made = lab(root, record=False)
        command = [interpreter("3.12"), "-m", "venv", "--without-pip", str(root / ".venv")]
        subprocess.run(command, check=True, capture_output=True)
        made.python = str(root / ".venv/bin/python")
        libraries = distribution("pytest==8.3.5", "pytest-xdist==3.6.1", *requirements)
        (made.site / "libraries.pth").write_text(f"{libraries}\n")
        if record:
            made.record()
        return made

    return make
