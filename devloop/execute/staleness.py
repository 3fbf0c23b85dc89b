"""What a process that holds imports was made from, and whether that is still so.

Looked at before each start, so it must cost next to nothing: a `stat` of a file takes some two
microseconds, so that a thousand modules cost less than the start of an interpreter by far.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

import anyio.lowlevel
import anyio.to_thread

from devloop.execute.looked import Looked
from devloop.execute.orders import Preloaded
from devloop.execute.signs import Sign, seen_at, signs
from devloop.inside.variables import KEPT, LATER

OURS = ("DEVLOOP_", "LINES", "COLUMNS")
"""Variables that say nothing to a module, and differ from start to start."""


FRESH = 0.03
"""Seconds for which a look at what is installed is good; a save is a start after some ten
milliseconds, in which there is time for it."""

SOME = 50
"""How many modules are looked at between two turns of the event loop; each takes 2 µs."""


MOST = 8
"""Paths that may have changed while imports were made; where there are more, they have each a
name of their own, and there would be no end to it."""


class Vigil(Protocol):
    """Keeps an eye on files."""

    def quiet(self) -> bool:
        """Whether nothing has happened to any of them since the last call."""

    def close(self) -> None:
        """Watch no longer."""


Watch = Callable[[Collection[str]], "Vigil | None"]
"""Begins to keep an eye on files, given their paths; None where that is not possible."""


def unwatched(paths: Collection[str]) -> None:
    """Keep no eye on any files."""
    del paths


class Origin:
    """What a process that holds imports was made from.

    Make it before that process begins: what is written meanwhile then counts as changed.

    Args:
        program: the path of the interpreter.
        path: the interpreter's `sys.path`, without the project's own folders.
        env: the environment that it begins with.
    """

    def __init__(self, program: str, path: Iterable[str], env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._read: frozenset[str] | None = frozenset()
        folder = os.path.dirname(program)
        around = (folder, os.path.dirname(folder))
        self._interpreter = signs([program, *(os.path.join(one, "pyvenv.cfg") for one in around)])
        folders = [entry for entry in path if _is_folder(entry)]
        starts = [
            os.path.join(entry, name)
            for entry in folders
            for name in _listing(entry)
            if name.endswith((".pth", ".egg-link"))
        ]
        self._installed = signs([*folders, *starts])
        self._modules: dict[str, Sign] = {}
        self._files: dict[str, Sign] = {}
        self._looked = Looked()
        self._born = time.time_ns()
        self.is_told = False
        """What its imports have read beside modules is known."""

        self._other: str | None = None
        """What was not as it had been any more when it was told of."""

        self._began = -FRESH
        """When the last look at the modules began; monotonic, in seconds."""
        self._left: Iterator[tuple[str, Sign]] = iter(())
        """Those of them that it has not come to."""
        self._vigil: Vigil | None = None
        self._sure = False
        """The modules are what they were, unless the vigil has heard of something since."""

    def add(
        self,
        modules: Iterable[str],
        files: Mapping[str, Sign],
        env: frozenset[str] | None,
    ) -> None:
        """Take in what the imports have read.

        Args:
            modules: the files of all modules that were imported.
            files: others that were read, with their signs as of then.
            env: the variables that were read; one that ends in ``*`` stands for all that begin
                so, and None for all there are.
        """
        self._modules.update(signs(modules))
        self._sure = False
        self._files.update(files)
        if self._read is not None:
            self._read = None if env is None else self._read | env

    def add_told(self, traced: Preloaded, known: set[str]) -> None:
        """Take in what another process has told that has imported the same later.

        What has changed since this one began may not be what this one has read.

        Args:
            traced: that.
            known: paths that have been found to do so before, and may at each import: they count
                no more. What is found now is added.
        """
        self.is_told = True
        now = signs(traced.files)
        self.add((), now, traced.env)
        late = [path for path, sign in traced.files.items() if now[path] != sign]
        late += [path for path, sign in now.items() if sign and self._is_late(path)]
        late += [path for path, (mtime, _) in traced.folders.items() if mtime >= self._born]
        there = {key: seen_at(key[0], follow=key[1]) for key in traced.there}
        late += [key[0] for key, seen in traced.there.items() if there[key] != seen]
        self._looked.add(there, traced.folders)
        if len(known) < MOST:
            self._other = next((path for path in late if path not in known), None)
        known.update(late)

    def _is_late(self, path: str) -> bool:
        try:
            return os.stat(path).st_ctime_ns >= self._born
        except (OSError, ValueError):
            return False

    async def keep_an_eye(self, watch: Watch) -> None:
        """Have the modules watched: from now on they are looked at once something has happened.

        All of them have been added by now.

        Args:
            watch: watches them; called in a thread.
        """
        self.close()
        self._vigil = await anyio.to_thread.run_sync(watch, list(self._modules))
        self._began = -FRESH  # what was looked at before may have changed in between

    def close(self) -> None:
        """Watch no longer."""
        if self._vigil is not None:
            self._vigil.close()
        self._vigil, self._sure = None, False

    async def look(self) -> None:
        """Look at the modules now, because `stale` may be asked soon, and had better be quick.

        All else that is to be done goes first; `stale` looks at what is left by then.
        """
        if self._is_sure():
            return
        if time.monotonic() - self._began < FRESH / 2:
            return
        self._began = time.monotonic()
        left = self._left = iter(list(self._modules.items()))
        while some := dict(islice(left, SOME)):
            if _changed(some) is not None:
                self._began = -FRESH
                return
            await anyio.lowlevel.checkpoint()

    def _is_sure(self) -> bool:
        """Whether the modules need not be looked at."""
        if self._vigil is not None and not self._vigil.quiet():
            self._began, self._sure = -FRESH, False
        return self._sure

    def stale(self, env: Mapping[str, str]) -> str | None:
        """Whether a start from it could differ from a cold one.

        Args:
            env: the environment of the start.

        Returns:
            What has changed, as the end of "its imports are of before …"; None where nothing has.
        """
        for paths, what in ((self._interpreter, "the interpreter"), (self._installed, "")):
            if (path := _changed(paths)) is not None:
                return f"{what or path} changed"
        if (name := self._other_variable(env)) is not None:
            return f"${name} changed"
        changed = self._other or _changed(self._files) or self._looked.changed()
        if changed is None and not self._is_sure():
            fresh = time.monotonic() - self._began < FRESH
            changed = _changed(dict(self._left) if fresh else self._modules)
            if changed is not None:
                self._began = -FRESH
            self._sure = changed is None and self._vigil is not None
        return None if changed is None else f"{changed} changed"

    def read_any(self, names: Iterable[str]) -> str | None:
        """One of some environment variables, if it was read.

        Args:
            names: of the variables.
        """
        return next((name for name in names if self._read is None or name in self._read), None)

    def _other_variable(self, env: Mapping[str, str]) -> str | None:
        """A variable that was read and has another value now."""
        own = self._env
        differing = sorted(
            name
            for name in own.keys() | env.keys()
            if own.get(name) != env.get(name) and not name.startswith(OURS)
        )
        if self._read is None:
            return next(iter(differing), None)
        starts = (*KEPT, *LATER, *(name[:-1] for name in self._read if name.endswith("*")))
        return next(
            (name for name in differing if name in self._read or name.startswith(starts)), None
        )


def _changed(files: Mapping[str, Sign]) -> str | None:
    """The first file that is not what it was."""
    stat = os.stat
    for path, sign in files.items():
        try:
            found = stat(path)
        except (OSError, ValueError):
            if sign is not None:
                return path
        else:
            if (found.st_mtime_ns, found.st_size, found.st_ino) != sign:
                return path
    return None


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
