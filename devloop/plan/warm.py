"""What is held in memory for the next start of a command, and whether that may be trusted.

A command's first start in a session is a cold one. From what it has imported follows what a
zygote holds for the next one: modules from outside the project, in their order. The first warm
start is compared with a cold one. An edit lies between the two, and may be what makes the
difference; so a difference calls for one more cold start, and only what differs from both
turns warm starts off. What a module imports within a function may come with the first request,
which a warm process may have had before it was asked: so the cold one is given time for that.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

import msgspec

SITES = frozenset({"site-packages", "dist-packages"})
"""Folders of installed distributions, in any layout."""

LEAST_GAIN = 0.2
"""Seconds of imports below which a spare is not worth the processor's time that it takes."""

LEAST_SHARE = 0.25
"""The part of all imports that must lie in what cannot be held, for a spare to be the better."""

BY_THE_COMMAND = ", which the command sets"
"""How the reason ends where a module reads a variable that the command itself sets."""

OF_THE_PROJECT = ", which is the project's"
"""How the reason ends where a module imports one that every start imports anew."""

_NEVER = ("__main__", "__mp_main__", "_devloop")
"""Modules that are each process's own."""


class Shape(msgspec.Struct, frozen=True):
    """What a start came to, as far as a warm one must not differ from a cold one.

    Args:
        modules: of the project, as they were imported; a name with its file.
        path: `sys.path`.
        flags: the interpreter's, in words.
    """

    modules: frozenset[tuple[str, str]] = frozenset()
    path: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Quarantined(msgspec.Struct, frozen=True):
    """A module that must not be held when a process is forked.

    Args:
        distribution: the folder of its distribution's metadata, which names the version: another
            version is tried again. Empty where it is of none.
        reason: what it does.
    """

    distribution: str
    reason: str


class WarmRecord(msgspec.Struct, frozen=True):
    """What is known of a command's starts, from one session to the next.

    Args:
        modules: what it imports from outside the project, in order.
        held: those of them that a zygote has held.
        left_out: those that could not be held, each with its reason.
        quarantine: those that are unsafe to hold.
        shape: what the last cold start came to.
        suspect: what the last warm start came to, where it differed from that.
        audited: a warm start came to the same as a cold one.
        off: why it is never started warm.
        spare: what cannot be held takes so long to import that it is started from spares; None
            where that has not been measured.
        refused: why nothing could be held, when that was tried last.
        installed: a digest of what is installed; another one is another chance.
        rewritten: the modules whose assertions pytest has rewritten; of test runs alone.
        anew: paths of the project's modules that cannot be held, and why.
        not_kept: functions whose results cannot be kept, and why.
        not_ahead: why the command does not begin before a start is wanted.
        own: the project's sources that its last start has imported, relative to the root.
        not_handed_over: where it listens on what nobody can take over, as ``:PORT``.
    """

    modules: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    left_out: Mapping[str, str] = {}
    quarantine: Mapping[str, Quarantined] = {}
    shape: Shape | None = None
    suspect: Shape | None = None
    audited: bool = False
    off: str | None = None
    spare: bool | None = None
    refused: str | None = None
    installed: str = ""
    rewritten: tuple[str, ...] = ()
    anew: Mapping[str, str] = {}
    not_kept: Mapping[str, str] = {}
    not_ahead: str | None = None
    own: frozenset[str] = frozenset()
    not_handed_over: tuple[str, ...] = ()

    def for_installed(self, installed: str) -> WarmRecord:
        """The record as far as it holds for what is installed now.

        Args:
            installed: a digest of that.

        Returns:
            A new value; whether warm starts are trusted is found out again after an install.
        """
        if self.installed == installed:
            return self
        # Who only imports what is unsafe may be safe by now.
        unsafe = {
            name: one
            for name, one in self.quarantine.items()
            if one.distribution and not one.reason.startswith("imports ")
        }
        return WarmRecord(self.modules, quarantine=unsafe, installed=installed, own=self.own)

    def learn(self, modules: Iterable[str], own: Collection[str] = ()) -> WarmRecord:
        """Take in what a process has imported.

        Args:
            modules: from outside the project, in order.
            own: the project's.

        Returns:
            A new value; what was known and is not among them goes to the end, because another
            request may import it again. What is the project's by now (a distribution that has
            been installed in place) is forgotten, with the rest of its package.
        """
        found = tuple(modules)
        packages = {name.partition(".")[0] for name in own}
        packages -= {name.partition(".")[0] for name in found}
        rest = set(self.modules).difference(found, own)
        kept = tuple(
            name for name in self.modules if name in rest and name.partition(".")[0] not in packages
        )
        return msgspec.structs.replace(self, modules=(*found, *kept))

    def add(self, modules: Iterable[str]) -> WarmRecord:
        """Take in what is imported late, or in a child that the process forks.

        Args:
            modules: from outside the project, in order.

        Returns:
            A new value; what was not known goes to the end.
        """
        known = set(self.modules)
        new = tuple(name for name in modules if name not in known)
        return msgspec.structs.replace(self, modules=(*self.modules, *new)) if new else self

    def with_own(self, paths: frozenset[str], *, anew: bool = False) -> WarmRecord:
        """Take in which of the project's sources a process has imported.

        Args:
            paths: relative to the root.
            anew: what earlier ones have imported does not count any more.

        Returns:
            A new value.
        """
        own = paths if anew else paths | self.own
        return self if own == self.own else msgspec.structs.replace(self, own=own)

    def audit(self, shape: Shape, *, warm: bool, by_now: bool = False) -> WarmRecord:
        """Take in what a start came to.

        Args:
            shape: of the process.
            warm: it was a warm start.
            by_now: it has told of that before, and has had time since then.

        Returns:
            A new value; its `suspect` or `off` may be set.
        """
        if warm:
            if self.audited or self.shape is None:
                return self
            same = not differences(self.shape, shape)
            return msgspec.structs.replace(self, audited=same, suspect=None if same else shape)
        if self.suspect is None or self.shape is None:
            return msgspec.structs.replace(self, shape=shape)
        # An edit of the project explains what differs from only one of the cold starts around it.
        real = {*self.doubt} & {*differences(shape, self.suspect)}
        if not by_now and real and real <= {*_more(shape, self.suspect)}:
            return self
        off = f"a warm start differs from a cold one: {min(real)}" if real else None
        return msgspec.structs.replace(self, shape=shape, suspect=None, audited=not real, off=off)

    def cut_short(self) -> WarmRecord:
        """Take in that a cold start goes on, and may end before it tells what it comes to.

        Returns:
            A new value; what an earlier one came to says nothing of the next start.
        """
        if self.audited or self.suspect is not None:
            return self
        return msgspec.structs.replace(self, shape=None)

    @property
    def doubt(self) -> tuple[str, ...]:
        """In what the last warm start differed from the cold one before it."""
        if self.suspect is None or self.shape is None:
            return ()
        return differences(self.shape, self.suspect)


def differences(cold: Shape, warm: Shape) -> tuple[str, ...]:
    """In what a warm start differs from a cold one.

    Args:
        cold: what the one came to.
        warm: what the other came to.

    Returns:
        One phrase for each difference.
    """
    found = [f"{name} is not imported" for name, _ in sorted(cold.modules - warm.modules)]
    found += _more(cold, warm)
    if cold.path != warm.path:
        extra = [entry for entry in warm.path if entry not in cold.path]
        missing = [entry for entry in cold.path if entry not in warm.path]
        what = (extra or missing or ["its order"])[0]
        found.append(f"sys.path ({what})")
    if cold.flags != warm.flags:
        changed = sorted({*cold.flags} ^ {*warm.flags})
        found.append(f"the interpreter's flags ({', '.join(changed) or 'their order'})")
    return tuple(found)


def _more(cold: Shape, warm: Shape) -> list[str]:
    """Those of the differences that time may take back: what only the warm start has imported."""
    return [f"{name} is imported" for name, _ in sorted(warm.modules - cold.modules)]


def third_party(
    modules: Iterable[tuple[str, str | None]], root: str, library: str
) -> tuple[str, ...]:
    """The modules that come from outside the project.

    Args:
        modules: names and files, in order; a file is None for what is built in.
        root: the project's folder.
        library: the folder of the standard library.

    Returns:
        Their names, in order. What has no file needs no holding, or comes with its parts.
    """
    return tuple(
        name
        for name, file in modules
        if file is not None
        and not name.startswith(_NEVER)
        and not is_first_party(file, root, library)
    )


def first_party(
    modules: Iterable[tuple[str, str | None]], root: str, library: str
) -> frozenset[tuple[str, str]]:
    """The modules that are the project's own, with their files.

    Args:
        modules: names and files; a file is None for what is built in.
        root: the project's folder.
        library: the folder of the standard library.
    """
    return frozenset(
        (name, file)
        for name, file in modules
        if file is not None and not name.startswith(_NEVER) and is_first_party(file, root, library)
    )


def within(modules: Iterable[tuple[str, str]], root: str) -> frozenset[str]:
    """The files of modules that lie in the project's folder, relative to it.

    Args:
        modules: names and files.
        root: the project's folder.
    """
    start = root.rstrip(os.sep) + os.sep
    return frozenset(file[len(start) :] for _, file in modules if file.startswith(start))


def is_first_party(file: str, root: str, library: str) -> bool:
    """Whether a module is the project's own, by its file: an environment in the project is not.

    Args:
        file: absolute.
        root: the project's folder.
        library: the folder of the standard library.

    Returns:
        True also for what is installed in place, wherever it lies.
    """
    if library and file.startswith(library + os.sep):
        return False
    inside = file[len(root) :] if file.startswith(root.rstrip(os.sep) + os.sep) else file
    return not is_of_sites(inside)


def is_of_sites(path: str) -> bool:
    """Whether a path leads through a folder of installed distributions."""
    # Not by pathlib, which interns each part: what each start tells of would wear out the table of
    # interned strings, and to make that anew takes some megabytes.
    return not SITES.isdisjoint(path.split(os.sep))  # noqa: PTH206


def held_back(
    modules: Iterable[str], exclude: Collection[str], quarantine: Mapping[str, Quarantined]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What a zygote may hold.

    Args:
        modules: what the command imports, in order.
        exclude: modules and packages that the configuration excludes.
        quarantine: those that are unsafe.

    Returns:
        What may be held, in order, and the rest with the reason of each.
    """
    out: dict[str, str] = {}
    may = []
    for name in modules:
        if any(is_within(name, package) for package in exclude):
            out[name] = "excluded by the configuration"
        elif unsafe := next((q for m, q in quarantine.items() if is_within(name, m)), None):
            out[name] = unsafe.reason
        else:
            may.append(name)
    return tuple(may), out


def wants_spare(times: Mapping[str, float], out: Collection[str]) -> bool:
    """Whether starts should come from spares: each imports everything, but before it is needed.

    Args:
        times: seconds that each module takes.
        out: those that a zygote cannot hold, so that every start imports them.
    """
    lost = sum(seconds for name, seconds in times.items() if name in out)
    return lost >= max(LEAST_GAIN, LEAST_SHARE * sum(times.values()))


def is_of_the_command(reason: str) -> bool:
    """Whether a module is left out for what the command does, and may be held after an edit.

    Args:
        reason: why it is left out.
    """
    return reason.endswith(BY_THE_COMMAND)


def is_crossing(reason: str) -> bool:
    """Whether a module is left out for what it imports of the project.

    Args:
        reason: why it is left out.
    """
    return reason.endswith(OF_THE_PROJECT)


def is_within(name: str, package: str) -> bool:
    """Whether a module is another one or lies in it."""
    return name == package or name.startswith(f"{package}.")


def library_of(modules: Iterable[tuple[str, str | None]]) -> str:
    """The folder of the standard library.

    Args:
        modules: names and files; `os` is always among what a process has imported.
    """
    found = next((file for name, file in modules if name == "os" and file), "")
    return os.path.dirname(found)  # noqa: PTH120
