"""The language server: what stands as diagnostics, outcomes as lenses, for any editor.

It follows the `watch` of each project that the editor has open, or starts one that ends with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

import devloop
from devloop.config.root import find_root
from devloop.errors import DevloopError, NotAProject
from devloop.report.paint import Paint
from devloop.report.standing import Problem
from devloop.report.tables import explained
from devloop.serve.lenses import RUN, WHY, lenses
from devloop.serve.testcode import places
from devloop.serve.watched import Watched

REST = 0.05
"""Seconds for which news is gathered before it is published."""
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


class Server(LanguageServer):
    """One for an editor.

    Args:
        start: start a `watch` where none runs.
    """

    def __init__(self, *, start: bool) -> None:
        super().__init__("devloop", devloop.__version__)
        self._start = start
        self._watched: dict[Path, Watched] = {}
        self._tasks: dict[Path, asyncio.Task[None]] = {}
        self._published: dict[Path, dict[str, list[types.Diagnostic]]] = {}
        self._stirred: set[Path] = set()

    def add(self, folders: Iterable[str]) -> None:
        """Follow the projects of some folders.

        Args:
            folders: their URIs.
        """
        for uri in folders:
            root = self._root(uri)
            if root is None or root in self._watched:
                continue
            watched = Watched(root, start=self._start, changed=self._stir, say=self._say)
            self._watched[root] = watched
            self._tasks[root] = asyncio.ensure_future(watched.run())

    async def remove(self, folders: Iterable[str]) -> None:
        """Follow them no longer, and take back what was said of them.

        Args:
            folders: their URIs.
        """
        for uri in folders:
            root = self._root(uri)
            if root is None or root not in self._watched:
                continue
            await self._end(self._tasks.pop(root))
            del self._watched[root]
            for published in self._published.pop(root, {}):
                self._tell(published, [])

    async def end(self) -> None:
        """End all that was started."""
        for root in tuple(self._tasks):
            await self._end(self._tasks.pop(root))

    def project_of(self, uri: str) -> tuple[Watched, str] | None:
        """The project that a document belongs to, the innermost one.

        Args:
            uri: of the document.

        Returns:
            It, and the document's path relative to its root; None where there is none.
        """
        path = Path(uris.to_fs_path(uri) or "").resolve()
        holding = [root for root in self._watched if path.is_relative_to(root)]
        if not holding:
            return None
        root = max(holding, key=lambda one: len(one.parts))
        return self._watched[root], path.relative_to(root).as_posix()

    def of_root(self, root: str) -> Watched:
        """The project at a root, as a lens has named it.

        Raises:
            NotAProject: it is not open any more.
        """
        found = self._watched.get(Path(root))
        if found is None:
            raise NotAProject(f"{root} is not open")
        return found

    async def _end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _root(self, uri: str) -> Path | None:
        try:
            return find_root(Path(uris.to_fs_path(uri) or os.curdir))
        except NotAProject as error:
            self._log(error.message)
            return None

    def _stir(self, watched: Watched) -> None:
        """Publish soon: a run brings news by the hundred."""
        if watched.root not in self._stirred:
            self._stirred.add(watched.root)
            asyncio.get_running_loop().call_later(REST, self._publish, watched)

    def _publish(self, watched: Watched) -> None:
        root = watched.root
        self._stirred.discard(root)
        if root not in self._watched:
            return
        before = self._published.get(root, {})
        now = self._diagnostics(root, watched.problems)
        for uri in {*before, *now}:
            if before.get(uri, []) != now.get(uri, []):
                self._tell(uri, now.get(uri, []))
        self._published[root] = now
        workspace = self.client_capabilities.workspace
        if workspace is not None and workspace.code_lens is not None:
            self.workspace_code_lens_refresh(None)

    def _diagnostics(
        self, root: Path, problems: Iterable[Problem]
    ) -> dict[str, list[types.Diagnostic]]:
        found: dict[str, list[types.Diagnostic]] = {}
        lines: dict[str, list[str]] = {}
        for problem in problems:
            uri = uris.from_fs_path(str(root / problem.path))
            if uri is None:
                continue
            if uri not in lines:
                lines[uri] = self._lines(uri)
            found.setdefault(uri, []).append(
                types.Diagnostic(
                    range=_range(lines[uri], problem),
                    message=problem.message,
                    severity=_SEVERITIES[problem.severity],
                    source=f"devloop: {problem.source}",
                    code=problem.nodeid,
                )
            )
        return found

    def _lines(self, uri: str) -> list[str]:
        try:
            return list(self.workspace.get_text_document(uri).lines)
        except (OSError, ValueError):  # not there, or no text
            return []

    def _tell(self, uri: str, diagnostics: list[types.Diagnostic]) -> None:
        params = types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics)
        self.text_document_publish_diagnostics(params)

    def _say(self, message: str) -> None:
        params = types.ShowMessageParams(type=types.MessageType.Warning, message=message)
        self.window_show_message(params)

    def _log(self, message: str) -> None:
        params = types.LogMessageParams(type=types.MessageType.Info, message=message)
        self.window_log_message(params)


def serve(*, start: bool) -> None:
    """Serve the editor at standard input and output until it leaves.

    Args:
        start: start a `watch` where none runs.
    """
    make(start=start).start_io()


def make(*, start: bool) -> Server:
    """Make a server with all that it can do.

    Args:
        start: start a `watch` where none runs.
    """
    server = Server(start=start)

    @server.feature(types.INITIALIZED)
    def initialized(ls: Server, params: types.InitializedParams) -> None:
        folders = [folder.uri for folder in ls.workspace.folders.values()]
        if not folders and ls.workspace.root_uri:
            folders = [ls.workspace.root_uri]
        ls.add(folders)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders_changed(ls: Server, params: types.DidChangeWorkspaceFoldersParams) -> None:
        await ls.remove(folder.uri for folder in params.event.removed)
        ls.add(folder.uri for folder in params.event.added)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def code_lens(ls: Server, params: types.CodeLensParams) -> list[types.CodeLens]:
        project = ls.project_of(params.text_document.uri)
        if project is None:
            return []
        watched, path = project
        text = ls.workspace.get_text_document(params.text_document.uri).source
        tests = places(path, text)
        known = await watched.known(path) if tests else {}
        return [
            types.CodeLens(
                range=types.Range(types.Position(one.line, 0), types.Position(one.line, 0)),
                command=types.Command(
                    title=one.title, command=one.command, arguments=[str(watched.root), one.nodeid]
                ),
            )
            for one in lenses(tests, known)
        ]

    @server.command(RUN)
    async def run(ls: Server, root: str, nodeid: str) -> None:
        try:
            await ls.of_root(root).run_test(nodeid)
        except DevloopError as error:
            ls._say(str(error))

    @server.command(WHY)
    async def why(ls: Server, root: str, nodeid: str) -> str:
        try:
            found = await ls.of_root(root).why(nodeid)
        except DevloopError as error:
            ls._say(str(error))
            return ""
        text = "" if found is None else explained(found, Paint())
        params = types.ShowMessageParams(type=types.MessageType.Info, message=text.strip())
        ls.window_show_message(params)
        return text

    @server.feature(types.SHUTDOWN)
    async def shutdown(ls: Server, params: None) -> None:
        await ls.end()

    return server


def _range(lines: list[str], problem: Problem) -> types.Range:
    """The part of its line that a problem is about, in UTF-16 units, as the protocol counts."""
    number = problem.line - 1
    text = lines[number].rstrip() if number < len(lines) else ""
    start = problem.column - 1
    if start <= 0:
        start = len(text) - len(text.lstrip())
    start = min(start, len(text))
    return types.Range(
        types.Position(number, _units(text[:start])), types.Position(number, _units(text))
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
