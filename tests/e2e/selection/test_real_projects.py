"""flask, click and httpx as their maintainers ship them, without any configuration of ours.

What ran after an edit is held to an oracle: grimp's downstream modules of the edited one, and
the imports in each test file and its `conftest.py` files, read with `ast`. Who runs programs is
told by an audit hook in plain pytest.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

MakeLab = Callable[..., Any]

FLASK = (
    "pytest==8.3.5",
    "pytest-xdist==3.6.1",
    "werkzeug==3.1.3",
    "jinja2==3.1.6",
    "itsdangerous==2.2.0",
    "click==8.1.8",
    "blinker==1.9.0",
    "markupsafe==3.0.2",
    "asgiref==3.8.1",
    "python-dotenv==1.1.0",
)
HTTPX = (
    "pytest==8.3.4",
    "pytest-xdist==3.6.1",
    "anyio==4.8.0",
    "certifi",
    "httpcore==1.0.7",
    "idna",
    "h2==4.1.0",
    "socksio==1.0.0",
    "brotli==1.1.0",
    "zstandard==0.23.0",
    "trio==0.28.0",
    "trustme==1.2.1",
    "cryptography==44.0.1",
    "uvicorn==0.34.0",
    "chardet==5.2.0",
    "rich==13.9.4",
    "click==8.1.8",
    "pygments==2.19.1",
)
PROGRAMS = """
import json
import os
import shutil
import sys
from pathlib import Path

running = None
found = set()
followed = [sys.executable, *map(shutil.which, ("cat", "head", "less"))]


def heed(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
        program = os.fsdecode(arguments[0])
        if running and program not in followed and shutil.which(program) not in followed:
            found.add(running)


def pytest_runtest_logstart(nodeid):
    global running
    running = nodeid


def pytest_sessionfinish():
    Path(__file__).with_suffix(".json").write_text(json.dumps(sorted(found)))


sys.addaudithook(heed)
"""


def test_flask(
    lab: MakeLab,
    real_copy: Callable[[str], Path],
    distribution: Callable[..., str],
    watching: Callable[..., Any],
) -> None:
    """All its tests run at the start; then those that an edit reaches, and no others."""
    project = lab(real_copy("flask"), record=False)
    project.install_in_place("flask", version="3.1.3", libraries=distribution(*FLASK))
    watch = watching(project.root)
    first = cycle(watch)
    assert finished(first)["outcome"] == "passed", failures(first)
    tests = {path for path in files_of(first) if path.startswith("tests/")}
    assert tests == {f"tests/{path.name}" for path in project.root.glob("tests/test_*.py")}

    append(project.root / "src/flask/json/tag.py")
    second = cycle(watch)
    assert files_of(second) == oracle(project.root, "src", "flask", "flask.json.tag", tests)

    append(project.root / "tests/test_config.py")
    third = cycle(watch)
    assert files_of(third) == {"tests/test_config.py"}

    # Found by a name in a string only: what the command line is given in a test.
    append(project.root / "tests/test_apps/cliapp/factory.py")
    fourth = cycle(watch)
    assert "tests/test_cli.py" in files_of(fourth)
    assert finished(fourth)["outcome"] == "passed", failures(fourth)
    assert watch.end() in (0, 130)


def test_click(
    lab: MakeLab, real_copy: Callable[[str], Path], watching: Callable[..., Any]
) -> None:
    """An edit of a test runs it, and who runs programs; one of the package runs what imports it."""
    project = lab(real_copy("click"), record=False, TRAP_MARK=uuid.uuid4().hex)
    project.install_in_place("click", version="8.5.1")
    watch = watching(project.root, **project.environment)
    first = cycle(watch)
    assert finished(first)["outcome"] == "passed", failures(first)
    assert project.due() == {}
    append(project.root / "tests/test_parser.py")
    second = cycle(watch)
    edited = {nodeid for nodeid in ran(first) if nodeid.startswith("tests/test_parser.py::")}
    # What a pager or an editor reads is not known: any edit may be it.
    opaque = starting_programs(project)
    assert ran(second) == edited | opaque
    kinds = {nodeid: reason["kind"] for nodeid, reason in reasons(second).items()}
    assert kinds == dict.fromkeys(edited, "edited") | dict.fromkeys(opaque, "opaque")
    assert watch.end() in (0, 130)
    assert project.due() == {}
    append(project.root / "src/click/shell_completion.py")
    tests = {nodeid.partition("::")[0] for nodeid in project.due()}
    assert tests == oracle(project.root, "src", "click", "click.shell_completion", files_of(first))


@pytest.mark.usefixtures("all_plugins")  # its tests are marked for anyio's
def test_httpx(
    lab: MakeLab,
    real_copy: Callable[[str], Path],
    distribution: Callable[..., str],
    watching: Callable[..., Any],
) -> None:
    """`--once` runs what is due: all, then what an edit reaches, then nothing."""
    # They copy the environment before each test: so it is one and the same for all commands.
    project = lab(real_copy("httpx"), record=False, TRAP_MARK=uuid.uuid4().hex)
    project.install_in_place("httpx", ".", version="0.28.1", libraries=distribution(*HTTPX))
    first = once(watching, project)
    counts = finished(first)
    assert counts["passed"] > 1300, failures(first)
    # Some fail, by the versions of what is installed; these stay due.
    failed = {test["nodeid"] for test in failures(first)}
    assert set(project.due()) == failed
    append(project.root / "httpx/_decoders.py")
    tests = {nodeid.partition("::")[0] for nodeid in project.due()}
    assert tests == oracle(project.root, ".", "httpx", "httpx._decoders", files_of(first))
    (project.root / "httpx/_decoders.py").write_text(
        (project.root / "httpx/_decoders.py").read_text().replace("\n_EDITED = 1\n", "")
    )
    append(project.root / "tests/test_utils.py")
    second = once(watching, project)
    edited = {nodeid for nodeid in ran(first) if nodeid.startswith("tests/test_utils.py::")}
    assert ran(second) == edited | failed
    assert set(project.due()) == {test["nodeid"] for test in failures(second)}


def once(watching: Callable[..., Any], project: Any) -> list[dict[str, Any]]:
    """The events of `devloop watch --once`, which ends by itself."""
    watch = watching(project.root, "--once", **project.environment)
    watch.wait("session-finished", timeout=300)
    assert watch.process.wait(60) in (0, 1), str(watch)
    return list(watch.events)


def cycle(watch: Any, seconds: float = 300.0) -> list[dict[str, Any]]:
    """Go on to the next end of a cycle; all of the cycle's events."""
    number = watch.wait("cycle-finished", seconds)["cycle"]
    return [event for event in watch.events if event.get("cycle") == number]


def finished(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The end of a cycle's run."""
    (found,) = [event for event in events if event["event"] == "run-finished"]
    return found


def failures(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tests of a cycle that did not pass."""
    return [e for e in events if e.get("outcome") in ("failed", "error") and "nodeid" in e]


def files_of(events: list[dict[str, Any]]) -> set[str]:
    """The files of the tests that ran."""
    return {nodeid.partition("::")[0] for nodeid in ran(events)}


def ran(events: list[dict[str, Any]]) -> set[str]:
    """The tests that ran."""
    return {event["nodeid"] for event in events if event["event"] == "test-finished"}


def reasons(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Why each test of a cycle was to run."""
    (plan,) = [event for event in events if event["event"] == "plan"]
    return {test["nodeid"]: test["reason"] for test in plan["tests"]}


def append(path: Path) -> None:
    """Edit a source, in a way that is no comment and breaks nothing."""
    path.write_text(path.read_text(encoding="utf-8") + "\n_EDITED = 1\n", encoding="utf-8")


def starting_programs(project: Any) -> set[str]:
    """The tests that start programs that are not followed, told by pytest and an audit hook.

    Python is, and so are the machine's own filters and pagers.
    """
    plugin = project.root.parent / "programs.py"
    plugin.write_text(PROGRAMS, encoding="utf-8")
    subprocess.run(
        [project.python, "-B", "-m", "pytest", "-q", "-p", "programs", "-p", "no:cacheprovider"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(plugin.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=300,
    )
    return set(json.loads(plugin.with_suffix(".json").read_text(encoding="utf-8")))


def oracle(root: Path, source: str, package: str, module: str, tests: set[str]) -> set[str]:
    """The test files that a module reaches, told without devloop."""
    program = (
        "import grimp, json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "graph = grimp.build_graph(sys.argv[2], cache_dir=None)\n"
        "found = graph.find_downstream_modules(sys.argv[3]) | {sys.argv[3]}\n"
        "print(json.dumps(sorted(found)))\n"
    )
    command = [sys.executable, "-c", program, str(root / source), package, module]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    reached = set(json.loads(done.stdout))
    found: set[str] = set()
    for test in tests:
        path = root / test
        folders = [folder for folder in path.parents if folder.is_relative_to(root)]
        conftests = [folder / "conftest.py" for folder in folders]
        names = {n for one in (path, *conftests) if one.exists() for n in imported(one)}
        if not names.isdisjoint(reached):
            found.add(test)
    return found


def imported(path: Path) -> set[str]:
    """The modules that a file imports, with the packages above them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            found.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return found
