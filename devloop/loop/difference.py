"""What differs from a revision: git compares bytes, and selection what the bytes say.

So of each source that differs the content that git holds is parsed as the one in the tree was,
and an edit of comments or formatting is none, as between two runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from threading import Thread

from devloop.execute.parsing import Parsers
from devloop.loop.project import Project
from devloop.select.category import SOURCES
from devloop.select.records import ABSENT
from devloop.watch import revisions
from devloop.watch.revisions import Difference
from devloop.watch.scan import covered


def since(project: Project, revision: str) -> tuple[Difference, ...]:
    """How the tree differs from a revision, as far as it is watched.

    Args:
        project: read to the end.
        revision: anything that git takes for one.

    Raises:
        UsageError: there is no git checkout here, or no such revision.
    """
    return _as_watched(project, revisions.changed_since(project.root, revision))


class Ahead:
    """What differs, found out while the project is being opened: neither needs the other.

    Args:
        root: the project's.
        interpreter: the path of its Python.
        ask: of git, as `changed_since` or `staged` of `watch.revisions`.
    """

    def __init__(
        self, root: Path, interpreter: str, ask: Callable[[Path], tuple[Difference, ...]]
    ) -> None:
        self._root = root
        self._interpreter = interpreter
        self._ask = ask
        self._differences: tuple[Difference, ...] = ()
        self._known: Mapping[str, bytes] = {}
        self._outlines: dict[bytes, bytes] = {}
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="difference")

    def __enter__(self) -> Ahead:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def result(self, project: Project) -> tuple[tuple[Difference, ...], Mapping[str, bytes]]:
        """Wait for it.

        Args:
            project: read to the end; its store is given the outlines.

        Returns:
            How what was asked about differs, as far as it is watched; and by object the
            fingerprints of sources that git holds.

        Raises:
            UsageError: there is no git checkout here, or no such revision.
            DevloopError: the sources could not be parsed.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._outlines:
            project.store.save_outlines(self._outlines)
        return _as_watched(project, self._differences), self._known

    def _run(self) -> None:
        try:
            self._differences = self._ask(self._root)
            if names := objects(self._differences):
                import anyio

                self._known = anyio.run(self._parse, names)
        except Exception as error:
            self._error = error

    async def _parse(self, names: Collection[str]) -> Mapping[str, bytes]:
        async with Parsers(self._interpreter, self._root) as parsers:
            return await fingerprints(self._root, names, parsers, self._outlines.update)


def _as_watched(project: Project, differences: Collection[Difference]) -> tuple[Difference, ...]:
    known = project.codebase.known
    paths = [one.change.path for one in differences]
    missing = {path for path in paths if path not in known and not (project.root / path).exists()}
    # A source counts although it is ignored where it is imported, which cannot be told any more.
    gone = {path for path in missing if path.endswith(SOURCES)}
    if others := missing - gone:
        gone |= covered(project.root, project.config.watch, others)
    return tuple(one for one in differences if one.change.path in known or one.change.path in gone)


def objects(differences: Iterable[Difference]) -> frozenset[str]:
    """The contents that have to be parsed to tell what matters.

    Args:
        differences: from git.

    Returns:
        Names of git's objects.
    """
    return frozenset(
        name
        for one in differences
        if one.change.kind == "modified" and one.change.path.endswith(SOURCES)
        for name in (one.before, one.after)
        if name is not None
    )


async def fingerprints(
    root: Path,
    names: Iterable[str],
    parsers: Parsers,
    keep: Callable[[Mapping[bytes, bytes]], None],
) -> Mapping[str, bytes]:
    """Find the fingerprints of sources that git holds.

    Args:
        root: the project's.
        names: of git's objects.
        parsers: the workers.
        keep: takes the outlines by fingerprint.

    Returns:
        By object; those that are not at hand are left out.
    """
    import anyio.to_thread

    with tempfile.TemporaryDirectory(prefix="devloop-revision-") as folder:
        paths = await anyio.to_thread.run_sync(_written, root, names, Path(folder))
        parsed = await parsers.parse(paths.values(), on_outlines=keep)
    return {name: parsed[path].facts.fingerprint for name, path in paths.items() if path in parsed}


def _written(root: Path, names: Iterable[str], folder: Path) -> Mapping[str, str]:
    """Write contents that git holds into a folder; gives the path of each."""
    paths = {}
    for name, content in revisions.read_objects(root, names):
        path = folder / f"{name}.py"
        path.write_bytes(content)
        paths[name] = str(path)
    return paths


def contents_after(
    differences: Iterable[Difference], known: Mapping[str, bytes], contents: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """The contents of which is asked: those of the tree, but for what is staged.

    Args:
        differences: from git.
        known: the fingerprints of objects.
        contents: of the tree.
    """
    found = dict(contents)
    for one in differences:
        if one.after is not None:
            found[one.change.path] = known.get(one.after, one.after.encode())
        elif one.change.kind == "deleted":
            found.pop(one.change.path, None)
    return found


def changed(
    differences: Iterable[Difference], known: Mapping[str, bytes], contents: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """The paths whose content is another one in what matters to selection.

    Args:
        differences: from git.
        known: the fingerprints of objects; what has none counts as changed.
        contents: as of `contents_after`.

    Returns:
        Each with the content from before.
    """
    found = {}
    for one in differences:
        path = one.change.path
        before = known.get(one.before or "")
        if before is None or before != contents.get(path):
            # Of what is no source any name of the content will do: it is another one.
            found[path] = ABSENT if one.before is None else before or one.before.encode()
    return found
