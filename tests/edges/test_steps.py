"""Steps with real commands, a real guardian and a real store."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from devloop.config.types import Step
from devloop.events import Diagnostic, Event, Output, StepFinished, StepStarted
from devloop.execute import tree
from devloop.execute.guard import Guard
from devloop.execute.steps import RUNS, run_steps
from devloop.store.store import Store

pytestmark = pytest.mark.anyio
E = TypeVar("E", bound=Event)


class Project:
    """A folder with steps, and what has happened in it."""

    def __init__(self, root: Path, guard: Guard, store: Store) -> None:
        self.root = root
        self.guard = guard
        self.store = store
        self.steps: dict[str, Step] = {}
        self.events: list[Event] = []
        self.heard = anyio.Event()
        self.scope = anyio.CancelScope()

    def write(self, path: str, text: str) -> None:
        """Write a file, and the folders above it."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))

    def emit(self, event: Event) -> None:
        """Keep an event, and wake who waits for one."""
        self.events.append(event)
        self.heard.set()
        self.heard = anyio.Event()

    def of(self, kind: type[E]) -> list[E]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def run(self, *names: str, force: bool = False) -> dict[str, str]:
        """Run steps (all, if none is named) and return their outcomes."""
        self.events.clear()
        self.scope = anyio.CancelScope()
        finished = await run_steps(
            self.steps,
            names or tuple(self.steps),
            scope=self.scope,
            guard=self.guard,
            store=self.store,
            root=self.root,
            environment=os.environ,
            emit=self.emit,
            force=tuple(self.steps) if force else (),
        )
        return {step.name: step.outcome for step in finished}

    async def heard_of(self, done: Callable[[], object]) -> None:
        """Wait until the events so far make `done` true."""
        with anyio.fail_after(60):
            while not done():
                await self.heard.wait()

    def message(self, name: str) -> str:
        """What was said of a step at its end."""
        (finished,) = (step for step in self.of(StepFinished) if step.name == name)
        return finished.message or ""


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    """An empty project."""
    with Store.open(tmp_path, stamp="s") as store:
        async with Guard() as guard:
            yield Project(tmp_path, guard, store)


def python(code: str) -> tuple[str, ...]:
    """A command that runs a few lines of Python."""
    return (sys.executable, "-c", textwrap.dedent(code))


COPY = "import pathlib; pathlib.Path('out.txt').write_text(pathlib.Path('in.txt').read_text())"


async def test_a_step_runs_once_for_the_same_content(project: Project) -> None:
    """It is up to date by content, in the next session too; each change of content runs it."""
    project.write("in.txt", "1")
    project.steps["copy"] = Step(command=python(COPY), inputs=("in.txt",), outputs=("out.txt",))
    assert await project.run() == {"copy": "built"}
    assert [type(event) for event in project.events] == [StepStarted, StepFinished]
    assert await project.run() == {"copy": "up-to-date"}
    assert [type(event) for event in project.events] == [StepFinished]
    project.write("in.txt", "1")
    assert await project.run() == {"copy": "up-to-date"}
    project.write("in.txt", "2")
    assert await project.run() == {"copy": "built"}
    assert (project.root / "out.txt").read_text() == "2"
    assert await project.run(force=True) == {"copy": "built"}
    with Store.open(project.root, stamp="another session") as store:
        project.store = store
        assert await project.run() == {"copy": "up-to-date"}


async def test_an_output_that_was_touched_is_made_again(project: Project) -> None:
    """Removed or edited by hand: what the step makes is put back."""
    project.write("in.txt", "1")
    project.steps["copy"] = Step(command=python(COPY), inputs=("in.txt",), outputs=("out.txt",))
    await project.run()
    (project.root / "out.txt").unlink()
    assert await project.run() == {"copy": "built"}
    project.write("out.txt", "by hand")
    assert await project.run() == {"copy": "built"}
    assert (project.root / "out.txt").read_text() == "1"


async def test_files_that_come_and_go_are_seen(project: Project) -> None:
    """A pattern's new, renamed and deleted files make a step out of date; others do not."""
    project.write("styles/a/one.css", "1")
    project.write("node_modules/x/dep.css", "1")
    project.steps["css"] = Step(
        command=python("import pathlib; pathlib.Path('app.css').write_text('x')"),
        inputs=("*.css", "!skip.css"),
        outputs=("app.css",),
    )
    assert await project.run() == {"css": "built"}
    project.write("node_modules/x/new.css", "1")
    project.write("styles/skip.css", "1")
    project.write("styles/other.txt", "1")
    assert await project.run() == {"css": "up-to-date"}
    project.write("styles/two.css", "2")
    assert await project.run() == {"css": "built"}
    (project.root / "styles/two.css").rename(project.root / "styles/three.css")
    assert await project.run() == {"css": "built"}
    (project.root / "styles/three.css").unlink()
    assert await project.run() == {"css": "built"}
    assert await project.run() == {"css": "up-to-date"}


async def test_inputs_and_outputs_with_undecodable_names(project: Project) -> None:
    """A file name that is not UTF-8 is an input and an output as any other."""
    name = os.fsdecode(b"in/caf\xe9.txt")
    project.write(name, "1")
    project.write("tool.py", "import shutil; shutil.copytree('in', 'out', dirs_exist_ok=True)")
    project.steps["s"] = Step(
        command=(sys.executable, "tool.py"), inputs=("in/",), outputs=("out",)
    )
    assert await project.run() == {"s": "built"}
    assert await project.run() == {"s": "up-to-date"}
    project.write(name, "2")
    assert await project.run() == {"s": "built"}


async def test_an_output_that_is_not_there_is_a_failure(project: Project) -> None:
    """A command that ends well without its outputs has failed, and the message names them."""
    project.steps["s"] = Step(command=python("pass"), outputs=("a.txt", "b/*.txt", "here"))
    (project.root / "here").mkdir()
    assert await project.run() == {"s": "failed"}
    assert "a.txt, b/*.txt" in project.message("s")
    assert "here" not in project.message("s")


async def test_a_failed_step_is_tried_again(project: Project) -> None:
    """Its output is told, the exit code named, and nothing of it counts as up to date."""
    project.write("in.txt", "1")
    project.steps["s"] = Step(
        command=python("print('one\\ntwo', flush=True); raise SystemExit(3)"), inputs=("in.txt",)
    )
    for _ in range(2):
        assert await project.run() == {"s": "failed"}
        assert project.message("s") == "exit code 3"
        lines = [line for output in project.of(Output) for line in output.text.splitlines()]
        assert lines == ["one", "two"]
        assert {(output.source, output.name) for output in project.of(Output)} == {("step", "s")}


async def test_a_failure_keeps_back_what_needs_it(project: Project) -> None:
    """Steps downstream do not run and say why; steps beside it do; mending it runs them all."""
    project.write("bad", "")
    project.steps = {
        "page": Step(command=python("pass"), needs=("css",)),
        "css": Step(command=python("import os; raise SystemExit(os.path.exists('bad'))")),
        "icons": Step(command=python("pass")),
    }
    assert await project.run() == {"page": "failed", "css": "failed", "icons": "built"}
    assert project.message("page") == "it needs the step css, which failed"
    assert [step.name for step in project.of(StepStarted)].count("page") == 0
    (project.root / "bad").unlink()
    assert await project.run("page") == {"page": "built", "css": "built"}


async def test_what_a_step_needs_is_brought_up_to_date_first(project: Project) -> None:
    """And a step runs again where what it needs has made something else, not otherwise."""
    project.write("tokens.txt", "1")
    make = (
        "import pathlib; pathlib.Path('gen').write_text(pathlib.Path('tokens.txt').read_text()[0])"
    )
    project.steps = {
        "css": Step(command=python("pass"), inputs=("styles/",), needs=("tokens",)),
        "tokens": Step(command=python(make), inputs=("tokens.txt",), outputs=("gen",)),
    }
    assert await project.run("css") == {"css": "built", "tokens": "built"}
    assert await project.run("css") == {"css": "up-to-date"}
    project.write("tokens.txt", "1 and a comment")
    assert await project.run() == {"css": "up-to-date", "tokens": "built"}
    project.write("tokens.txt", "2")
    assert await project.run("css") == {"css": "built", "tokens": "built"}


async def test_it_is_told_whether_a_step_made_something_else(project: Project) -> None:
    """Another input with the same output changes nothing; without outputs nobody can know."""
    project.write("in.txt", "1 one")
    code = "import sys; open(sys.argv[1], 'w').write(open('in.txt').read()[0])"
    out, other = (*python(code), "out.txt"), (*python(code), "other.txt")
    project.steps = {
        "declared": Step(command=out, inputs=("in.txt",), outputs=("out.txt",)),
        "undeclared": Step(command=other, inputs=("in.txt",)),
    }
    changed = []
    for text in ("1 one", "1 two", "2 two", "2 two"):
        project.write("in.txt", text)
        await project.run()
        changed.append(tuple(s.changed for s in sorted(project.of(StepFinished), key=_name)))
    assert changed == [(True, True), (False, True), (True, True), (False, False)]


def _name(step: StepFinished) -> str:
    return step.name


async def test_a_step_without_inputs_runs_when_it_is_asked_for(project: Project) -> None:
    """Not for the sake of another one, once it has succeeded."""
    project.steps = {
        "date": Step(command=python("pass")),
        "page": Step(command=python("pass"), inputs=("page.txt",), needs=("date",)),
    }
    assert await project.run("page") == {"date": "built", "page": "built"}
    assert await project.run("page") == {"page": "up-to-date"}
    assert await project.run("date") == {"date": "built"}
    assert await project.run("page") == {"page": "built"}, "date may have made something else"


async def test_independent_steps_run_side_by_side(project: Project) -> None:
    """Two steps that wait for each other's file both end."""
    wait = """
        import pathlib, sys, time
        mine, other = sys.argv[1:]
        pathlib.Path(mine).touch()
        while not pathlib.Path(other).exists():
            time.sleep(0.01)
        """
    project.steps = {
        "a": Step(command=(*python(wait), "a", "b"), timeout="120s"),
        "b": Step(command=(*python(wait), "b", "a"), timeout="120s"),
    }
    assert await project.run() == {"a": "built", "b": "built"}


async def test_a_step_that_mends_its_inputs_settles(project: Project) -> None:
    """A formatter's own edits bring one more run and no third, now or later."""
    project.write("a.txt", "X")
    code = """
        import pathlib
        with open("runs.log", "a") as log:
            log.write("x")
        file = pathlib.Path("a.txt")
        file.write_text(file.read_text().lower())
        """
    project.steps["format"] = Step(command=python(code), inputs=("a.txt",))
    assert await project.run() == {"format": "built"}
    assert project.message("format") == ""
    assert (project.root / "runs.log").read_text() == "xx"
    assert await project.run() == {"format": "up-to-date"}
    project.write("a.txt", "Y")
    assert await project.run() == {"format": "built"}


async def test_an_edit_during_a_run_is_not_lost(project: Project) -> None:
    """What was saved while the step ran is what its outputs are made from in the end."""
    project.write("in.txt", "1")
    code = """
        import pathlib
        text = pathlib.Path("in.txt").read_text()
        print("read", flush=True)
        if text == "1":
            while pathlib.Path("in.txt").read_text() == "1":
                pass
        pathlib.Path("out.txt").write_text(text)
        """
    project.steps["s"] = Step(command=python(code), inputs=("in.txt",), outputs=("out.txt",))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(project.run)
        await project.heard_of(lambda: project.of(Output))
        project.write("in.txt", "2")
    assert (project.root / "out.txt").read_text() == "2"
    assert await project.run() == {"s": "up-to-date"}


async def test_a_step_that_always_changes_its_inputs_does_not_loop(project: Project) -> None:
    """It runs a few times, is told on, and is up to date afterwards."""
    project.write("stamp.txt", "")
    project.steps["s"] = Step(
        command=python("open('stamp.txt', 'a').write('x')"), inputs=("stamp.txt",)
    )
    assert await project.run() == {"s": "built"}
    assert "changes its own inputs" in project.message("s")
    assert (project.root / "stamp.txt").read_text() == "x" * RUNS
    assert await project.run() == {"s": "up-to-date"}


async def test_an_output_that_a_pattern_of_inputs_names_is_no_input(project: Project) -> None:
    """`*.txt` makes `all.txt`: one run, and up to date."""
    project.write("a.txt", "1")
    code = "import time; open('all.txt', 'w').write(str(time.time_ns()))"
    project.steps["s"] = Step(command=python(code), inputs=("*.txt",), outputs=("all.txt",))
    assert await project.run() == {"s": "built"}
    assert project.message("s") == ""
    assert await project.run() == {"s": "up-to-date"}


async def test_a_step_that_takes_too_long_is_stopped(project: Project) -> None:
    """With all that it has started; it has failed, and the message says after how long."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=0)"
    project.steps["s"] = Step(command=("sh", "-c", "sleep 600 & wait"), timeout="200ms")
    project.steps["t"] = Step(command=python(code + "; import time; time.sleep(600)"), timeout="1s")
    assert await project.run() == {"s": "failed", "t": "failed"}
    assert "had not ended after 0.2 s" in project.message("s")
    assert "had not ended after 1 s" in project.message("t")


async def test_what_a_step_leaves_behind_is_ended(project: Project) -> None:
    """A background process neither outlives the step nor keeps the pass waiting."""
    project.steps["s"] = Step(command=("sh", "-c", "sleep 600 & echo $!"))
    assert await project.run() == {"s": "built"}
    (output,) = project.of(Output)
    # It may yet wait to be reaped.
    assert tree.started(int(output.text)) is None


async def test_a_cancelled_pass_stops_what_runs(project: Project) -> None:
    """What ran is stopped and told, what waited never began, and both are run the next time."""
    project.write("in.txt", "1")
    slow = """
        import os, time
        print(os.getpid(), flush=True)
        if not os.path.exists("quick"):
            time.sleep(600)
        """
    project.steps = {
        "slow": Step(command=python(slow), inputs=("in.txt",)),
        "after": Step(command=python("pass"), inputs=("in.txt",), needs=("slow",)),
    }
    outcomes: dict[str, str] = {}

    async def run() -> None:
        outcomes.update(await project.run())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await project.heard_of(lambda: project.of(Output))
        project.scope.cancel()
    assert outcomes == {"slow": "cancelled", "after": "cancelled"}
    assert [step.name for step in project.of(StepFinished)] == ["slow"]
    assert tree.started(int(project.of(Output)[0].text)) is None
    project.write("quick", "")
    assert await project.run() == {"slow": "built", "after": "built"}


async def test_problems_become_diagnostics(project: Project) -> None:
    """With paths from the root, wherever the command runs; colours are no part of them."""
    project.write("web/tool.py", "")
    line = "\\x1b[1mstyle.scss:3:5:\\x1b[0m no such mixin"
    outside = "/elsewhere/x.scss:1:1: warning: odd"
    up = "../top.scss:2:1: bad"
    project.steps["s"] = Step(
        command=python(f"print('{line}\\n{outside}\\n{up}\\nDone.'); raise SystemExit(1)"),
        cwd="web",
        diagnostics="%f:%l:%c: %m",
    )
    assert await project.run() == {"s": "failed"}
    found = [(d.path, d.line, d.column, d.severity, d.message) for d in project.of(Diagnostic)]
    assert found == [
        ("web/style.scss", 3, 5, "error", "no such mixin"),
        ("/elsewhere/x.scss", 1, 1, "warning", "odd"),
        ("top.scss", 2, 1, "error", "bad"),
    ]
    assert {problem.source for problem in project.of(Diagnostic)} == {"s"}
    assert isinstance(project.events[-1], StepFinished)


async def test_problems_of_a_step_that_ends_well_are_warnings(project: Project) -> None:
    """Unless the tool itself calls them errors."""
    project.steps["s"] = Step(
        command=python("print('a.x:1:1: odd\\na.x:2:1: error: bad')"), diagnostics="%f:%l:%c: %m"
    )
    assert await project.run() == {"s": "built"}
    assert [problem.severity for problem in project.of(Diagnostic)] == ["warning", "error"]


async def test_a_command_that_is_not_there(project: Project) -> None:
    """The step has failed, and the message names the program."""
    project.steps["s"] = Step(command="no-such-program --now")
    assert await project.run() == {"s": "failed"}
    assert "no-such-program" in project.message("s")


async def test_the_environment_of_a_step(project: Project) -> None:
    """Its own variables come on top, its folder is its own, and standard input is empty."""
    (project.root / "sub").mkdir()
    code = """
        import os, sys
        print(os.environ["A"], os.path.basename(os.getcwd()), len(sys.stdin.read()))
        """
    project.steps["s"] = Step(command=python(code), env={"A": "here"}, cwd="sub")
    assert await project.run() == {"s": "built"}
    assert project.of(Output)[0].text == "here sub 0"
