"""Saves, runs and steps under `devloop watch` (TRAPS, P8, P11, P13, P20, P22, P25), and flags."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Watching

Watch = Callable[..., "Watching"]
Events = list[dict[str, Any]]

SLEEPER = "import time, {module}\nprint('up', {module}.VALUE, flush=True)\ntime.sleep(600)\n"
"""An app that imports a module."""

SHOP = {"app.py": SLEEPER.format(module="shop"), "shop.py": "VALUE = 0\n"}
"""Such an app with its module."""

GATED = """
import pathlib, time
import shop

def test_gated():
    while not pathlib.Path({gate!r}).exists():
        time.sleep(0.01)
    assert shop.VALUE == {wanted}
"""
"""A test that runs until a file is there."""


def project(root: Path, files: dict[str, str]) -> Path:
    """Make a project."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


def app(more: str = "") -> str:
    """The configuration of an app, `app.py`."""
    command = [sys.executable, "app.py"]
    return f"[apps.web]\ncommand = {command!r}\nready = {{ log = 'up' }}\n{more}\n"


def step(code: str, more: str = "") -> str:
    """The configuration of a step that makes `made.txt` of `made.in` by a Python program."""
    words = [sys.executable, "-c", code]
    return (
        f"[steps.make]\ncommand = {words!r}\ninputs = ['made.in']\noutputs = ['made.txt']\n{more}\n"
    )


def of(kind: str, events: Events) -> Events:
    """The events of a kind."""
    return [event for event in events if event["event"] == kind]


def outcomes(watch: Watching) -> list[str]:
    """What has become of the test runs, in turn."""
    return [event["outcome"] for event in watch.of("run-finished")]


def git(root: Path, *words: str) -> None:
    """Run git."""
    named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(root), *named, *words], check=True, capture_output=True)


# Saves


@pytest.mark.slow
def test_a_branch_switch_is_one_cycle(tmp_path: Path, watching: Watch) -> None:
    """P8: git writes 1,100 files: one cycle, with one restart of the app and one test run."""
    root = project(
        tmp_path / "p",
        {
            "devloop.toml": app(),
            "app.py": SLEEPER.format(module="pkg.m7"),
            "test_it.py": "from pkg import m1090\ndef test_it():\n    assert m1090.VALUE >= 0\n",
            "pkg/__init__.py": "",
        },
    )
    (root / "app.py").write_text("import time, pkg.m7\nprint('up', flush=True)\ntime.sleep(600)\n")
    git(root, "init", "-q", "-b", "main")
    for value in (0, 1):
        for n in range(1100):
            (root / f"pkg/m{n}.py").write_text(f"VALUE = {value}\n")
        git(root, "add", ".")
        git(root, "commit", "-qm", str(value))
        if value == 0:
            git(root, "switch", "-qc", "other")
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.seen = len(watch.events)
    git(root, "switch", "-q", "main")
    events = watch.cycle(outcome="passed")
    assert len(of("cycle-started", events)[0]["changes"]) == 1100
    watch.save("test_it.py", "def test_another():\n    pass\n")
    watch.cycle(outcome="passed")
    assert [e["cycle"] for e in watch.of("run-started")] == [1, 2, 3]
    assert [e["cycle"] for e in watch.of("app-started")] == [1, 2]
    assert len(watch.of("cycle-started")) == 3


def replace(path: Path, text: str) -> None:
    """Save as many editors do: a new file takes the old one's name."""
    other = path.with_name(f".{path.name}.tmp")
    other.write_text(text)
    other.replace(path)


def back_up(path: Path, text: str) -> None:
    """Save as vim does with backupcopy=no: the old file makes way, and goes afterwards."""
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_text(text)
    backup.unlink()


def stream(path: Path, text: str) -> None:
    """Edit with `sed -i`."""
    value = text.split()[-1]
    subprocess.run(["sed", "-i", f"s/= .*/= {value}/", str(path)], check=True)


@pytest.mark.parametrize("write", [replace, back_up, stream])
def test_five_atomic_saves_are_five_restarts(
    tmp_path: Path, watching: Watch, write: Callable[[Path, str], None]
) -> None:
    """P11: each is seen, and nothing starts while the file is missing."""
    root = project(tmp_path / "p", {"devloop.toml": app(), **SHOP})
    watch = watching(root)
    watch.cycle(outcome="passed")
    for n in range(1, 6):
        watch.seen = len(watch.events)
        write(root / "shop.py", f"VALUE = {n}\n")
        watch.wait("output", text=f"up {n}")
        watch.wait("cycle-finished", outcome="passed")
    assert len(watch.of("app-started")) == 6
    assert watch.of("app-failed") == []
    changed = [change for e in watch.of("cycle-started") for change in e["changes"]]
    assert changed == [{"path": "shop.py", "kind": "modified"}] * 5


@pytest.mark.parametrize("checkout", [True, False])
def test_a_test_that_writes_into_the_tree_does_not_loop(
    tmp_path: Path, watching: Watch, checkout: bool
) -> None:
    """P13: what it was recorded to write is no reason for another run, and no failure."""
    test = (
        "import pathlib, shop, time\n"
        "def test_it():\n"
        "    assert shop.VALUE < 9\n"
        "    pathlib.Path('seen.json').write_text(str(time.time()))\n"
        "    pathlib.Path('run.log').write_text(str(time.time()))\n"
    )
    root = project(tmp_path / "p", {"shop.py": "VALUE = 0\n", "test_it.py": test})
    if checkout:
        git(root, "init", "-q")
    watch = watching(root)
    # What the very first run writes is not known as its own yet, and may break it off.
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("cycle-finished", outcome="passed")
    settled = len(watch.of("run-started"))
    for n in (2, 3):
        watch.save("shop.py", f"VALUE = {n}\n")
        events = watch.cycle(outcome="passed")
        assert len(of("run-started", events)) == 1
    assert len(watch.of("run-started")) == settled + 2


@pytest.mark.slow
def test_a_save_while_the_project_is_read_is_not_lost(tmp_path: Path, watching: Watch) -> None:
    """P5: the app starts before a cold graph is complete; what is saved meanwhile restarts it."""
    body = "".join(f"def f{n}(a, b=1):\n    return [a, b, {n}]\n" for n in range(40))
    files = {f"pkg/m{n}.py": f"import os\n{body}" for n in range(600)}
    files |= {
        "devloop.toml": app(),
        "app.py": SLEEPER.format(module="zz.shop"),
        "zz/shop.py": "VALUE = 0\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root)
    watch.wait("output", text="up 0")
    watch.save("zz/shop.py", "VALUE = 1\n")
    watch.wait("output", text="up 1")
    watch.cycle(outcome="passed")
    watch.save("zz/shop.py", "VALUE = 2\n")
    watch.wait("output", text="up 2")


def test_half_a_file_is_not_the_last_word(tmp_path: Path, watching: Watch) -> None:
    """P22: a file that is written in many parts, slowly: what runs in the end is all of it."""
    root = project(tmp_path / "p", {"devloop.toml": app(), **SHOP})
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.seen = len(watch.events)
    with (root / "shop.py").open("w") as file:
        for n in range(20):
            file.write(f"VALUE = (\n    {n}\n")
            file.flush()
            time.sleep(0.03)  # the trap's slow writer
            file.write(")\n")
        file.flush()
    watch.wait("output", text="up 19")
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = 'next'\n")
    watch.wait("output", text="up next")


# Saves while tests run


def test_a_cancelled_run_tears_down(tmp_path: Path, watching: Watch) -> None:
    """P20: a save interrupts a test; its fixture's resource is released before the next run."""
    resource, gate = tmp_path / "resource", tmp_path / "gate"
    conftest = (
        "import os, pytest\n"
        "@pytest.fixture(scope='session', autouse=True)\n"
        "def resource():\n"
        f"    os.mkdir({str(resource)!r})\n"
        "    yield\n"
        f"    os.rmdir({str(resource)!r})\n"
    )
    test = GATED.format(gate=str(gate), wanted=1)
    root = project(
        tmp_path / "p", {"conftest.py": conftest, "test_it.py": test, "shop.py": "VALUE = 0\n"}
    )
    watch = watching(root)
    watch.wait("test-started")
    watch.until(resource.is_dir)
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("run-finished", outcome="cancelled")
    assert not resource.exists()
    watch.wait("test-started")
    gate.touch()
    watch.cycle(outcome="passed")
    assert outcomes(watch) == ["cancelled", "passed"]
    assert [e["outcome"] for e in watch.of("cycle-finished")] == ["cancelled", "passed"]


def test_a_document_saved_meanwhile_stops_nothing(tmp_path: Path, watching: Watch) -> None:
    """P25: a README save during a run: it goes on, and no other follows; nor for an app's edit."""
    gate = tmp_path / "gate"
    files = {
        "devloop.toml": app(),
        "app.py": "import time\nprint('up', flush=True)\ntime.sleep(600)\n",
        "test_it.py": GATED.format(gate=str(gate), wanted=0),
        "shop.py": "VALUE = 0\n",
        "README.md": "Hello\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root)
    watch.wait("test-started")
    watch.save("README.md", "Good day\n")
    watch.save("app.py", files["app.py"].replace("600", "900"))
    changes: list[str] = []
    while changes[-1:] != ["app.py"]:
        changes += [change["path"] for change in watch.wait("cycle-started")["changes"]]
    assert changes == ["README.md", "app.py"]
    watch.wait("app-ready")
    assert outcomes(watch) == []
    gate.touch()
    watch.wait("run-finished", outcome="passed", passed=1)
    watch.cycle(outcome="passed")
    assert len(watch.of("run-started")) == 1


def test_queued_content_waits_for_the_end_of_the_run(tmp_path: Path, watching: Watch) -> None:
    """`--on-busy queue`: the run that is touched goes on to its end; then the last content runs."""
    gate = tmp_path / "gate"
    test = GATED.format(gate=str(gate), wanted=2)
    root = project(tmp_path / "p", {"test_it.py": test, "shop.py": "VALUE = 0\n"})
    watch = watching(root, "--on-busy", "queue")
    watch.wait("test-started")
    watch.save("shop.py", "VALUE = 1\n")
    watch.save("shop.py", "VALUE = 2\n")
    # Seen when another file's change, which begins nothing either, has been: but nothing says so.
    gate.touch()
    assert of("run-finished", watch.cycle())[0]["outcome"] == "failed"
    events = watch.cycle(outcome="passed")
    assert of("cycle-started", events)[0]["changes"] == [{"path": "shop.py", "kind": "modified"}]
    assert outcomes(watch) == ["failed", "passed"]


def test_ignored_content_is_taken_along_by_the_next(tmp_path: Path, watching: Watch) -> None:
    """`--on-busy ignore`: a save during a run begins nothing; the next one takes it along."""
    gate = tmp_path / "gate"
    test = GATED.format(gate=str(gate), wanted=2)
    other = "import other\ndef test_other():\n    assert other.VALUE == 0\n"
    root = project(
        tmp_path / "p",
        {
            "test_it.py": test,
            "shop.py": "VALUE = 0\n",
            "other.py": "VALUE = 0\n",
            "test_other.py": other,
        },
    )
    watch = watching(root, "--on-busy", "ignore")
    watch.wait("test-started", nodeid="test_it.py::test_gated")
    watch.save("shop.py", "VALUE = 2\n")
    time.sleep(0.5)  # nothing tells that it was ignored
    gate.touch()
    events = watch.cycle(outcome="failed")
    assert of("run-finished", events)[0]["outcome"] == "failed"
    assert len(watch.of("cycle-started")) == 1
    watch.save("other.py", "VALUE = 0.0\n")
    events = watch.cycle(outcome="passed")
    assert {e["nodeid"] for e in of("test-finished", events)} == {
        "test_it.py::test_gated",
        "test_other.py::test_other",
    }


def test_an_edit_during_collection_is_not_lost(tmp_path: Path, watching: Watch) -> None:
    """While pytest collects, a module changes that it has imported: the last content is tested."""
    gate, reached = tmp_path / "gate", tmp_path / "reached"
    test = (
        "import pathlib, time\n"
        "import shop\n"
        f"pathlib.Path({str(reached)!r}).touch()\n"
        f"while not pathlib.Path({str(gate)!r}).exists():\n"
        "    time.sleep(0.01)\n"
        "def test_it():\n"
        "    assert shop.VALUE == 1\n"
    )
    root = project(tmp_path / "p", {"test_it.py": test, "shop.py": "VALUE = 0\n"})
    watch = watching(root)
    watch.until(reached.exists)
    watch.save("shop.py", "VALUE = 1\n")
    watch.until(lambda: not (root / "__pycache__").exists() or True)
    gate.touch()
    watch.wait("run-finished", outcome="passed", passed=1)
    watch.cycle(outcome="passed")


# Steps


def test_a_failing_step_holds_back_what_needs_it(tmp_path: Path, watching: Watch) -> None:
    """Neither the app nor the tests that need a step start on what it left; mending starts both."""
    code = "t = open('made.in').read(); assert t != 'bad'; open('made.txt', 'w').write(t)"
    config = step(code) + app(more="needs = ['make']") + "[tests]\nneeds = ['make']\n"
    files = {
        "devloop.toml": config,
        "made.in": "bad",
        "app.py": "import time\n"
        "print('up', open('made.txt').read(), flush=True)\ntime.sleep(600)\n",
        "test_it.py": "def test_it():\n    assert open('made.txt').read()\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root)
    events = watch.cycle(outcome="failed")
    assert of("step-finished", events)[0]["outcome"] == "failed"
    (plan,) = of("plan", events)
    assert "it needs the step make, which failed" in plan["note"]
    assert "they need the step make, which failed" in plan["note"]
    assert watch.of("app-started") == watch.of("run-started") == []
    watch.save("made.in", "good")
    watch.wait("output", text="up good")
    watch.cycle(outcome="passed")
    assert outcomes(watch) == ["passed"]
    watch.save("made.in", "bad")
    watch.cycle(outcome="failed")
    assert watch.of("app-exited") == []
    assert len(watch.of("run-started")) == 1


def test_edits_while_a_step_runs_are_not_lost(tmp_path: Path, watching: Watch) -> None:
    """Its input changes: it begins anew. A source changes: app and tests take that along."""
    gate, reached = tmp_path / "gate", tmp_path / "reached"
    code = (
        "import os, time; t = open('made.in').read();"
        f"open({str(reached)!r} + t, 'w').close()\n"
        f"while t == '1' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "open('made.txt', 'w').write(t)"
    )
    config = step(code) + app(more="needs = ['make']") + "[tests]\nneeds = ['make']\n"
    files = {
        "devloop.toml": config,
        "made.in": "1",
        "shop.py": "VALUE = 0\n",
        "app.py": "import shop, time\n"
        "print('up', shop.VALUE, open('made.txt').read(), flush=True)\ntime.sleep(600)\n",
        "test_it.py": "import shop\ndef test_it():\n"
        "    assert (shop.VALUE, open('made.txt').read()) == (1, '2')\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root)
    watch.until(Path(f"{reached}1").exists)
    watch.save("shop.py", "VALUE = 1\n")
    watch.save("made.in", "2")
    watch.wait("step-finished", outcome="cancelled")
    watch.wait("step-finished", outcome="built")
    watch.wait("output", text="up 1 2")
    watch.cycle(outcome="passed")
    assert outcomes(watch) == ["passed"]
    assert len(watch.of("app-started")) == 1


# The configuration


def test_a_broken_configuration_leaves_the_old_one_in_force(
    tmp_path: Path, watching: Watch
) -> None:
    """It is shown with its line, and what runs goes on; a sound one is taken up."""
    config = app() + "env = { KIND = 'old' }\n"
    source = (
        "import os, shop, time\n"
        "print('up', os.environ['KIND'], shop.VALUE, flush=True)\ntime.sleep(600)\n"
    )
    root = project(
        tmp_path / "p", {"devloop.toml": config, "app.py": source, "shop.py": "VALUE = 0\n"}
    )
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", config.replace("env =", "envv ="))
    notice = watch.wait("notice", severity="error")
    assert "devloop.toml:" in notice["message"]
    assert "envv" in notice["message"]
    watch.save("devloop.toml", "[[[\n")
    assert "devloop.toml:1" in watch.wait("notice", severity="error")["message"]
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("output", text="up old 1")
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", config.replace("old", "new"))
    watch.wait("output", text="up new 1")
    watch.cycle(outcome="passed")
    numbers = [e["cycle"] for e in watch.of("cycle-started")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers == [e["cycle"] for e in watch.of("cycle-finished")]
    watch.save("shop.py", "VALUE = 2\n")
    watch.wait("output", text="up new 2")
    assert len([w for w in watch.started().values() if w.endswith("app.py")]) == 1


def test_a_configuration_broken_while_another_is_taken_up(tmp_path: Path, watching: Watch) -> None:
    """The last sound one is taken up, and the fault is told; nothing ends."""
    config = app() + "env = { KIND = 'old' }\nstop-timeout = '120s'\n"
    source = (
        "import os, shop, signal, sys, time\n"
        "def stop(*_):\n"
        "    os.write(1, b'stopping\\n')\n"
        "    while not os.path.exists('go.log'):\n"
        "        time.sleep(0.02)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('up', os.environ['KIND'], flush=True)\n"
        "while True:\n"
        "    time.sleep(0.05)\n"
    )
    root = project(
        tmp_path / "p", {"devloop.toml": config, "app.py": source, "shop.py": "VALUE = 0\n"}
    )
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", config.replace("old", "new"))
    watch.wait("output", text="stopping")
    watch.save("devloop.toml", "[[[\n")
    (root / "go.log").touch()
    assert "devloop.toml:1" in watch.wait("notice", severity="error")["message"]
    watch.wait("output", text="up new")
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", config.replace("old", "mended"))
    watch.wait("output", text="up mended")
    watch.cycle(outcome="passed")


def test_a_comment_in_the_configuration_is_no_change(tmp_path: Path, watching: Watch) -> None:
    """A configuration that says the same as before restarts nothing."""
    root = project(tmp_path / "p", {"devloop.toml": app(), **SHOP})
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", app() + "# for later\n")
    watch.save("shop.py", "VALUE = 1\n")
    watch.wait("output", text="up 1")
    assert len(watch.of("app-started")) == 2


def test_a_configuration_that_comes_later_is_taken_up(tmp_path: Path, watching: Watch) -> None:
    """`devloop.toml` is written while devloop watches a project that had none."""
    files = {
        **SHOP,
        "test_it.py": "def test_it():\n    pass\n",
        "pyproject.toml": "[project]\nname = 'p'\nversion = '1'\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root)
    watch.cycle(outcome="passed")
    watch.save("devloop.toml", app())
    watch.wait("output", text="up 0")


# Flags


def test_one_pass(tmp_path: Path, devloop: Devloop) -> None:
    """`--once`: steps, apps and tests, then the end; the exit code says whether all is good."""
    files = {
        "devloop.toml": app(),
        **SHOP,
        "test_it.py": "import shop\ndef test_it():\n    assert shop.VALUE == 0\n",
    }
    root = project(tmp_path / "p", files)
    done = devloop("watch", "--once", "--reporter", "jsonl", "--output", "events", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("app-ready", "run-finished", "app-exited", "session-finished"):
        assert done.stdout.count(f'"event": "{kind}"'.replace(": ", ":")) == 1, done.stdout
    (root / "shop.py").write_text("VALUE = 1\n")
    assert devloop("watch", "--once", cwd=root).returncode == 1
    (root / "shop.py").write_text("VALUE = (\n")
    assert devloop("watch", "--once", cwd=root).returncode == 1


def test_one_pass_fails_with_its_app(tmp_path: Path, devloop: Devloop) -> None:
    """`--once`: an app that does not start makes the exit code 1, its traceback is shown."""
    files = {"devloop.toml": app(), "app.py": "import no_such_module\n"}
    done = devloop("watch", "--once", cwd=project(tmp_path / "p", files))
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stdout


def test_nothing_begins_before_the_first_change(tmp_path: Path, watching: Watch) -> None:
    """`--postpone`: no app, no test and no step until a save; then all of them."""
    files = {
        "devloop.toml": step("open('made.txt', 'w').write('x')") + app(),
        "made.in": "",
        **SHOP,
        "test_it.py": "def test_it():\n    pass\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root, "--postpone")
    for n in range(1, 1000):
        # Nothing says when it watches; what is saved before that is no change to it.
        watch.save("shop.py", f"VALUE = {n}\n")
        time.sleep(0.1)
        if watch.of("cycle-started"):
            break
    watch.wait("cycle-finished", outcome="passed")
    first = next(e for e in watch.events if e["event"] not in ("session-started", "notice"))
    assert (first["event"], first["trigger"]) == ("cycle-started", "change")
    assert watch.of("step-finished", outcome="built")
    assert watch.of("app-ready")
    assert outcomes(watch)[-1] == "passed"


@pytest.mark.parametrize(("flag", "left_out"), [("--no-app", "app"), ("--no-tests", "run")])
def test_a_part_can_be_left_out(tmp_path: Path, watching: Watch, flag: str, left_out: str) -> None:
    """`--no-app` leaves the apps alone, `--no-tests` the tests; the other part goes on."""
    files = {
        "devloop.toml": app(),
        **SHOP,
        "test_it.py": "import shop\ndef test_it():\n    assert shop.VALUE >= 0\n",
    }
    root = project(tmp_path / "p", files)
    watch = watching(root, flag)
    watch.cycle(outcome="passed")
    watch.save("shop.py", "VALUE = 1\n")
    watch.cycle(outcome="passed")
    counts = {kind: len(watch.of(f"{kind}-started")) for kind in ("app", "run")}
    assert counts == {"app": 2, "run": 2, left_out: 0}


def test_a_second_watch_is_refused(tmp_path: Path, watching: Watch, devloop: Devloop) -> None:
    """It names the first one; `test` works beside it, and the first goes on undisturbed."""
    files = {"test_it.py": "import shop\ndef test_it():\n    pass\n", "shop.py": "VALUE = 0\n"}
    root = project(tmp_path / "p", files)
    watch = watching(root)
    watch.cycle(outcome="passed")
    done = devloop("watch", cwd=root)
    assert done.returncode == 4
    assert f"pid {watch.process.pid}" in done.stderr
    assert devloop("test", cwd=root).returncode == 0
    watch.save("shop.py", "VALUE = 1\n")
    watch.cycle(outcome="passed")


@pytest.mark.slow
def test_ctrl_c_while_the_project_is_read(tmp_path: Path, watching: Watch) -> None:
    """Ctrl-C during a cold start on 1,000 files: it ends, with exit code 0, and the next works."""
    body = "".join(f"def f{n}(a, b=1):\n    return [a, b, {n}]\n" for n in range(60))
    files = {f"pkg/m{n}.py": f"import os\nfrom pkg import m{n // 2}\n{body}" for n in range(1000)}
    files["test_it.py"] = "def test_it():\n    pass\n"
    root = project(tmp_path / "p", files)
    watch = watching(root, "--no-tests")
    watch.wait("progress")
    assert watch.end(signal.SIGINT) == 0
    assert watch.of("session-finished", code=0)
    watch.until_nothing_is_left()
    again = watching(root)
    again.cycle(outcome="passed")
    again.save("test_it.py", "from pkg import m999\ndef test_it():\n    pass\n")
    again.cycle(outcome="passed")
