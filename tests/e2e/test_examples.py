"""The examples, used as a new user would use them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
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

pytestmark = pytest.mark.usefixtures("all_plugins")

EXAMPLES = Path(__file__).parents[2] / "examples"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Event = dict[str, Any]
TESTS = {"library": 7, "shop": 8, "fleet": 5}
TOLD_APART = sys.version_info >= (3, 12)
"""Whether it is known which functions a test has run."""


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Copy an example into a git repository of its own."""

    def copy(name: str) -> Path:
        made = ("build", "__pycache__", ".devloop", ".*_cache", "app.css", "shop.db")
        root = tmp_path / name
        shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(*made))
        git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "Begin"], check=True)
        return root

    return copy


@pytest.fixture
def ports(free_port: Callable[[], int]) -> dict[str, str]:
    """Ports for the apps that nobody listens on."""
    return {name: str(free_port()) for name in ("UVICORN_PORT", "GREETER_PORT", "GATE_PORT")}


def events(output: str) -> list[Event]:
    """What a jsonl reporter has printed; each line must be an event."""
    return [json.loads(line) for line in output.splitlines()]


def of(kind: str, found: list[Event]) -> list[Event]:
    """The events of a kind."""
    return [event for event in found if event["event"] == kind]


def edit(path: Path, old: str, new: str) -> None:
    """Replace a piece of a file that is there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def listens(port: str) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(port))) == 0


@pytest.mark.parametrize("name", TESTS)
def test_the_tests_pass_without_devloop(copied: Callable[[str], Path], name: str) -> None:
    """An example is a project as any other: `python -m pytest` in it is green, without warnings."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=copied(name),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{TESTS[name]} passed" in done.stdout


@pytest.mark.parametrize("name", TESTS)
def test_one_pass_does_all_and_a_second_nothing(
    copied: Callable[[str], Path], started_devloop: Run, ports: dict[str, str], name: str
) -> None:
    """Steps are built, apps become ready, tests pass; then all is up to date and nothing is due."""
    root = copied(name)
    words = ("-C", root, "watch", "--once", "--reporter", "jsonl")
    done = started_devloop(*words, **ports)
    assert done.returncode == 0, done.stdout + done.stderr
    first = events(done.stdout)
    apps = {"library": set(), "shop": {"web"}, "fleet": {"greeter", "gate", "heartbeat"}}[name]
    steps = {"library": [], "shop": ["css"], "fleet": ["words", "page"]}[name]
    assert [event["name"] for event in of("step-finished", first)] == steps
    assert {event["outcome"] for event in of("step-finished", first)} <= {"built"}
    assert {event["name"] for event in of("app-ready", first)} == apps
    (run,) = of("run-finished", first)
    assert (run["outcome"], run["passed"]) == ("passed", TESTS[name])
    (cycle,) = of("cycle-finished", first)
    assert cycle["outcome"] == "passed"
    assert not any(map(listens, ports.values()))

    done = started_devloop(*words, "--no-app", **ports)
    assert done.returncode == 0, done.stdout + done.stderr
    second = events(done.stdout)
    assert {event["outcome"] for event in of("step-finished", second)} <= {"up-to-date"}
    assert of("run-started", second) == []
    assert of("app-started", second) == []


def test_an_edit_selects_what_imports_it(
    copied: Callable[[str], Path], started_devloop: Run
) -> None:
    """In the library: those tests and no others, with the chain; a comment selects nothing."""
    root = copied("library")
    assert started_devloop("-C", root, "test").returncode == 0
    width = root / "src/textkit/width.py"
    edit(width, "    return text +", "    # A comment changes nothing.\n    return text +")
    affected = json.loads(started_devloop("-C", root, "affected", "--format", "json").stdout)
    assert affected["tests"] == []

    edit(width, "columns - width(text)", "columns - len(text)")
    affected = json.loads(started_devloop("-C", root, "affected", "--format", "json").stdout)
    assert {test["nodeid"].partition("::")[0] for test in affected["tests"]} == {
        "tests/test_width.py",
        "tests/test_table.py",
    }
    chains = [test["reason"]["chain"] for test in affected["tests"]]
    chain = ["tests/test_table.py", "src/textkit/table.py", "src/textkit/width.py"]
    assert (["tests/test_table.py", "src/textkit/width.py::pad"] if TOLD_APART else chain) in chains

    done = started_devloop("-C", root, "test", "--reporter", "jsonl")
    assert done.returncode == 1
    (run,) = of("run-finished", events(done.stdout))
    assert (run["passed"], run["failed"]) == (1 if TOLD_APART else 3, 2)
    assert {problem["path"] for problem in of("diagnostic", events(done.stdout))} == {
        "tests/test_width.py",
        "tests/test_table.py",
    }

    edit(width, "columns - len(text)", "columns - width(text)")
    done = started_devloop("-C", root, "test", "--reporter", "jsonl")
    assert done.returncode == 0
    assert of("cycle-finished", events(done.stdout))[0]["failing"] == 0


def test_an_edit_of_the_shop_reaches_all_levels(
    copied: Callable[[str], Path], started_devloop: Run
) -> None:
    """Tests of every level that run what changed; the style sheet's are left alone."""
    root = copied("shop")
    assert started_devloop("-C", root, "test").returncode == 0
    edit(root / "shop/prices.py", "count >= 10", "count > 9")
    affected = json.loads(started_devloop("-C", root, "affected", "--format", "json").stdout)
    levels = {"tests/unit/test_prices.py", "tests/integration/test_pages.py"}
    if not TOLD_APART:
        # The page that the server is asked for shows no price.
        levels.add("tests/e2e/test_server.py")
    assert {test["nodeid"].partition("::")[0] for test in affected["tests"]} == levels
    assert [app["name"] for app in affected["apps"]] == ["web"]
    assert affected["steps"] == []


def test_a_broken_style_sheet_is_a_problem_at_its_place(
    copied: Callable[[str], Path], started_devloop: Run
) -> None:
    """The step fails with a diagnostic, and mending the file mends it."""
    root = copied("shop")
    edit(root / "styles/base.css", "  max-width: 40rem;\n}", "  max-width: 40rem;\n}}")
    done = started_devloop("-C", root, "build", "--reporter", "jsonl")
    assert done.returncode == 1
    (problem,) = of("diagnostic", events(done.stdout))
    assert (problem["path"], problem["line"], problem["column"]) == ("styles/base.css", 6, 2)
    assert (problem["severity"], problem["source"]) == ("error", "css")
    assert of("step-finished", events(done.stdout))[0]["outcome"] == "failed"

    edit(root / "styles/base.css", "}}", "}")
    assert started_devloop("-C", root, "build").returncode == 0
    assert (root / "static/app.css").read_text().startswith("body{font-family:sans-serif;")


def test_steps_run_in_the_order_of_their_needs(
    copied: Callable[[str], Path], started_devloop: Run
) -> None:
    """A new language makes both steps out of date; one that fails keeps the other back."""
    root = copied("fleet")
    assert started_devloop("-C", root, "build").returncode == 0
    (root / "words/de.txt").write_text("hello Hallo\n", encoding="utf-8")
    done = started_devloop("-C", root, "build", "--reporter", "jsonl")
    assert done.returncode == 1
    outcomes = [(e["name"], e["outcome"]) for e in of("step-finished", events(done.stdout))]
    assert outcomes == [("words", "failed"), ("page", "failed")]
    assert [e["name"] for e in of("step-started", events(done.stdout))] == ["words"]
    (problem,) = of("diagnostic", events(done.stdout))
    assert (problem["path"], problem["line"]) == ("words/de.txt", 1)

    (root / "words/de.txt").write_text("hello: Hallo\n", encoding="utf-8")
    done = started_devloop("-C", root, "build", "--reporter", "jsonl")
    assert done.returncode == 0
    outcomes = [(e["name"], e["outcome"]) for e in of("step-finished", events(done.stdout))]
    assert outcomes == [("words", "built"), ("page", "built")]
    assert "de, en, fr, ja" in (root / "build/page.html").read_text()


def page(port: str, path: str) -> str:
    """What the fleet's gate answers; its greeter may be between two lives."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as response:
                return str(response.read().decode())
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise


def test_the_fleet_follows_an_edit(
    copied: Callable[[str], Path], watching: Callable[..., Watching], ports: dict[str, str]
) -> None:
    """A word is edited: the steps run, the greeter restarts, the gate and the script live on."""
    root = copied("fleet")
    watch = watching(root, **ports)
    first = watch.cycle()
    assert {event["name"] for event in of("app-ready", first)} == {"greeter", "gate", "heartbeat"}
    assert "<h1>こんにちは</h1>" in page(ports["GATE_PORT"], "/ja")

    edit(root / "words/ja.txt", "こんにちは", "やあ")
    second = watch.cycle(outcome="passed")
    steps = {event["name"]: event["outcome"] for event in of("step-finished", second)}
    assert steps == {"words": "built", "page": "built"}
    assert [event["name"] for event in of("app-ready", second)] == ["greeter"]
    assert "<h1>やあ</h1>" in page(ports["GATE_PORT"], "/ja")

    edit(root / "fleet/gate.py", '"8101"', '"8102"')
    third = watch.cycle()
    assert [event["name"] for event in of("app-ready", third)] == ["gate"]
    assert "<h1>やあ</h1>" in page(ports["GATE_PORT"], "/ja")

    assert watch.end() == 0
    watch.wait("session-finished", code=0)
    assert not any(map(listens, ports.values()))
