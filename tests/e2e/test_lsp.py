"""The language server, asked by a real client over standard input and output."""

from __future__ import annotations

import asyncio
import functools
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from tests.e2e.conftest import Devloop, Watching

pytestmark = pytest.mark.anyio

Watch = Callable[..., "Watching"]

PROJECT = """
cart.py
    def total(prices):
        return sum(prices)
tests/test_cart.py
    import cart
    import pytest
    def test_total():
        wrong = "🙂"; assert cart.total([1, 2]) == 4
    class TestMore:
        def test_empty(self):
            assert cart.total([]) == 0
    @pytest.mark.parametrize("price", [1, 2])
    def test_one(price):
        assert cart.total([price]) == price
check.py
    import sys
    text = open("style.txt").read()
    if "bad" in text:
        print("style.txt:2:3: unknown word")
        sys.exit(1)
style.txt
    first
    good
pytest.ini
    [pytest]
    pythonpath = .
devloop.toml
    [steps.style]
    command = ["{python}", "check.py"]
    inputs = ["style.txt"]
    diagnostics = "%f:%l:%c: %m"
"""


class Editor(LanguageClient):
    """An editor that has some folders open."""

    def __init__(self) -> None:
        super().__init__("editor", "1")
        self.shown: dict[str, list[types.Diagnostic]] = {}
        self.messages: list[str] = []
        self.refreshed = 0
        self._news = asyncio.Condition()

        self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(functools.partial(self._show))
        self.feature(types.WINDOW_SHOW_MESSAGE)(functools.partial(self._say))
        self.feature(types.WINDOW_LOG_MESSAGE)(functools.partial(self._say))
        self.feature(types.WORKSPACE_CODE_LENS_REFRESH)(functools.partial(self._refresh))

    async def _show(self, params: types.PublishDiagnosticsParams) -> None:
        async with self._news:
            self.shown[params.uri] = list(params.diagnostics)
            self._news.notify_all()

    async def _say(self, params: types.ShowMessageParams | types.LogMessageParams) -> None:
        async with self._news:
            self.messages.append(params.message)
            self._news.notify_all()

    async def _refresh(self, params: None) -> None:
        async with self._news:
            self.refreshed += 1
            self._news.notify_all()

    async def until(self, check: Callable[[], object], timeout: float = 60.0) -> None:
        """Wait until what was heard is right."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: bool(check())), timeout)
            except asyncio.TimeoutError:
                raise AssertionError((self.shown, self.messages)) from None

    def kill(self) -> None:
        """End the server as a crash would."""
        assert self._server is not None
        with suppress(ProcessLookupError):
            self._server.kill()

    def at(self, path: Path) -> list[types.Diagnostic]:
        """What is shown of a file."""
        return self.shown.get(uri(path), [])

    async def lenses(self, path: Path) -> list[types.CodeLens]:
        """The lenses of a file."""
        params = types.CodeLensParams(types.TextDocumentIdentifier(uri(path)))
        return list(await self.text_document_code_lens_async(params) or [])

    async def titles(self, path: Path, line: int) -> list[str]:
        """What the lenses above a line say."""
        found = await self.lenses(path)
        return [one.command.title for one in found if one.command and one.range.start.line == line]

    async def click(self, path: Path, line: int, title: str) -> Any:
        """Do what a lens does."""
        for one in await self.lenses(path):
            if one.range.start.line == line and one.command and one.command.title == title:
                return await self.workspace_execute_command_async(
                    types.ExecuteCommandParams(one.command.command, one.command.arguments)
                )
        raise AssertionError(title)

    def open(self, path: Path) -> None:
        """Open a file."""
        document = types.TextDocumentItem(uri(path), "python", 1, path.read_text())
        self.text_document_did_open(types.DidOpenTextDocumentParams(document))


def uri(path: Path) -> str:
    """As the protocol writes a path."""
    return str(uris.from_fs_path(str(path)))


@pytest.fixture
def project(tmp_path: Path, write_tree: Callable[[Path, str], None]) -> Path:
    """A project with a failing test and a step."""
    root = tmp_path / "p"
    root.mkdir()
    write_tree(root, PROJECT.replace("{python}", sys.executable))
    return root


@pytest.fixture
def edit(
    devloop_command: tuple[str, ...], plain_environment: dict[str, str], tmp_path: Path
) -> Callable[..., Any]:
    """Start an editor with some folders open, and what it wants of the server."""

    @asynccontextmanager
    async def begin(
        *roots: Path, start: bool = False, polite: bool = True
    ) -> AsyncIterator[Editor]:
        editor = Editor()
        command = [*devloop_command, "lsp", *([] if start else ["--no-start"])]
        await editor.start_io(*command, cwd=tmp_path, env=plain_environment)
        await editor.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(
                    workspace=types.WorkspaceClientCapabilities(
                        code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True)
                    )
                ),
                workspace_folders=[types.WorkspaceFolder(uri(root), root.name) for root in roots],
            )
        )
        editor.initialized(types.InitializedParams())
        try:
            yield editor
            if polite:
                await asyncio.wait_for(editor.shutdown_async(None), 60)
                editor.exit(None)
        except BaseException:
            editor.kill()  # or one would wait for its end
            raise
        finally:
            await editor.stop()  # type: ignore[no-untyped-call]

    return begin


async def test_what_fails_is_shown_where_it_fails_until_it_is_mended(
    project: Path, watching: Watch, edit: Callable[..., Any]
) -> None:
    """A failing assertion, a step's error, in units of UTF-16; saves are seen as they happen."""
    session = watching(project)
    tests, style = project / "tests/test_cart.py", project / "style.txt"
    async with edit(project) as editor:
        await editor.until(lambda: editor.at(tests))
        (shown,) = editor.at(tests)
        assert shown.message == "assert 3 == 4"
        assert shown.severity == types.DiagnosticSeverity.Error
        assert shown.source == "devloop: pytest"
        assert shown.code == "tests/test_cart.py::test_total"
        line = tests.read_text().splitlines()[3]
        assert (shown.range.start.line, shown.range.start.character) == (3, 4)
        assert shown.range.end.character == len(line.encode("utf-16-le")) // 2
        style.write_text("first\nnobad\n")
        await editor.until(lambda: editor.at(style))
        (problem,) = editor.at(style)
        assert (problem.message, problem.source) == ("unknown word", "devloop: style")
        assert (problem.range.start.line, problem.range.start.character) == (1, 2)
        tests.write_text(tests.read_text().replace("== 4", "== 3"))
        await editor.until(lambda: not editor.at(tests))
        assert editor.at(style)
        style.write_text("first\n")
        await editor.until(lambda: not editor.at(style))
        # What is opened or closed is shown all the same.
        tests.write_text(tests.read_text().replace("== 3", "== 4"))
        editor.open(tests)
        await editor.until(lambda: editor.at(tests))
        editor.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri(tests)))
        )
    session.end()


async def test_above_each_test_stands_its_outcome_and_what_one_may_do(
    project: Path, watching: Watch, edit: Callable[..., Any]
) -> None:
    """Also of tests that passed before the editor came; run and why go to the watch."""
    session = watching(project)
    session.wait("cycle-finished")
    tests = project / "tests/test_cart.py"
    async with edit(project) as editor:
        await editor.until(lambda: editor.at(tests))
        editor.open(tests)
        (total, *rest) = await editor.titles(tests, 2)
        assert total.startswith("✗ failed in ")
        assert total.endswith(": assert 3 == 4")
        assert rest == ["run", "why"]
        (empty, *_) = await editor.titles(tests, 5)
        assert empty.startswith("✓ passed in ")
        (one, *_) = await editor.titles(tests, 8)
        assert one.startswith("✓ 2 cases passed in ")
        await editor.click(tests, 5, "run")
        session.wait("cycle-started", trigger="control")
        session.wait("cycle-finished")
        assert [event["nodeid"] for event in session.of("test-finished", cycle=2)] == [
            "tests/test_cart.py::TestMore::test_empty"
        ]
        why = await editor.click(tests, 5, "why")
        assert "tests/test_cart.py" in why
        await editor.until(lambda: any("tests/test_cart.py" in text for text in editor.messages))
        # A buffer that is not saved has its lenses where its tests are.
        change = types.TextDocumentContentChangeWholeDocument("\n\n" + tests.read_text())
        editor.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(2, uri(tests)), [change]
            )
        )
        assert (await editor.titles(tests, 4))[1:] == ["run", "why"]
        refreshed = editor.refreshed
        (project / "cart.py").write_text("def total(prices):\n    return sum(prices) + 0\n")
        await editor.until(lambda: editor.refreshed > refreshed)
    session.end()


async def test_a_watch_may_come_and_go(
    project: Path, watching: Watch, edit: Callable[..., Any]
) -> None:
    """What nobody vouches for any more is taken back; the next one is followed by itself."""
    tests = project / "tests/test_cart.py"
    async with edit(project) as editor:
        for number in (signal.SIGINT, signal.SIGKILL):
            session = watching(project)
            await editor.until(lambda: editor.at(tests))
            await asyncio.to_thread(session.end, number)
            await editor.until(lambda: not editor.at(tests))
        editor.open(tests)
        titles = await editor.titles(tests, 2)
        assert titles == ["run", "why"]
        await editor.click(tests, 2, "run")
        await editor.until(lambda: editor.messages)
        assert "no `devloop watch` runs in" in editor.messages[-1]


async def test_several_folders_are_each_followed(
    project: Path, tmp_path: Path, watching: Watch, edit: Callable[..., Any]
) -> None:
    """Opened at the start or later; what was said of one that is closed is taken back."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "test_b.py").write_text("def test_b():\n    assert 1 == 2\n")
    first, second = watching(project), watching(other)
    async with edit(project) as editor:
        await editor.until(lambda: editor.at(project / "tests/test_cart.py"))
        assert not editor.at(other / "test_b.py")
        folder = types.WorkspaceFolder(uri(other), "other")
        editor.workspace_did_change_workspace_folders(
            types.DidChangeWorkspaceFoldersParams(types.WorkspaceFoldersChangeEvent([folder], []))
        )
        await editor.until(lambda: editor.at(other / "test_b.py"))
        editor.workspace_did_change_workspace_folders(
            types.DidChangeWorkspaceFoldersParams(types.WorkspaceFoldersChangeEvent([], [folder]))
        )
        await editor.until(lambda: not editor.at(other / "test_b.py"))
        assert editor.at(project / "tests/test_cart.py")
    first.end()
    second.end()


def watches(root: Path) -> list[psutil.Process]:
    """What runs for a project."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.cwd() == str(root) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            continue
        if ours:
            found.append(process)
    return found


async def gone(root: Path) -> None:
    """Wait until nothing runs there."""
    for _ in range(2000):
        if not await asyncio.to_thread(watches, root):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(watches(root))


@pytest.mark.parametrize("how", ["shutdown", "killed"])
async def test_where_none_runs_it_starts_one_that_ends_with_it(
    project: Path, edit: Callable[..., Any], how: str
) -> None:
    """However it ends itself."""
    tests = project / "tests/test_cart.py"
    async with edit(project, start=True, polite=how == "shutdown") as editor:
        await editor.until(lambda: editor.at(tests))
        assert watches(project)
        if how == "killed":
            editor.kill()
    await gone(project)


async def test_one_that_was_stopped_is_not_started_again(
    project: Path, edit: Callable[..., Any], devloop: Devloop, watching: Watch
) -> None:
    """Its user wants the project for a `watch` of his own, which is followed then."""
    tests = project / "tests/test_cart.py"
    async with edit(project, start=True) as editor:
        await editor.until(lambda: editor.at(tests))
        done = await asyncio.to_thread(devloop, "trigger", "stop", cwd=project)
        assert done.returncode == 0
        await editor.until(lambda: not editor.at(tests))
        session = watching(project)
        await editor.until(lambda: editor.at(tests))
        session.end()


def test_without_pygls_one_is_told_what_to_install(
    tmp_path: Path, devloop: Devloop, plain_environment: dict[str, str]
) -> None:
    """It is an extra."""
    import subprocess

    from tests.e2e.conftest import LAUNCHER

    hidden = LAUNCHER.replace("import sys\n", "import sys\nsys.modules['pygls'] = None\n", 1)
    done = subprocess.run(
        [sys.executable, "-I", "-c", hidden, "lsp"],
        cwd=tmp_path,
        env=plain_environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4
    assert "pip install 'devloop[lsp]'" in done.stderr
