"""PYTEST_DONT_REWRITE: what is read by the programs that tests start, told from their words.

Python records itself, if it is let. Of the machine's own programs some read nothing of a project,
and some read just the files that their arguments name. Of any other it cannot be known.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devloop.inside.record_ground import Ground

# What is loaded here is loaded in every Python program that tests start.
# ruff: noqa: PTH109, PTH110, PTH113, PTH118, PTH119, PTH123

HARMLESS = frozenset(
    {
        "true", "false", "echo", "printf", "sleep", "uname", "whoami", "hostname", "id", "date",
        "kill", "ps", "tty", "stty", "tput", "infocmp", "locale", "getconf", "ldconfig", "nproc",
        "arch",
    }
)  # fmt: skip
"""Programs that read nothing of a project, unless an argument names it."""

FILTERS = frozenset({"cat", "head", "tail", "wc", "tac", "rev", "nl", "tr", "cut", "less"})
"""Programs that read their standard input, and the files that arguments name."""

PLACES = ("/bin/", "/sbin/", "/usr/", "/nix/store/", "/opt/homebrew/", "/opt/local/")
"""Where the machine's own programs lie: those of other places are of these names only."""

PREPARING = (b"LESSOPEN=", b"LESSKEY", b"LESSCLOSE=", b"LESSEDIT=")
"""The beginnings of the variables by which `less` is told to read more, or to run something."""

NAMING_FILES = frozenset("koOtT")
"""The options by which it is."""

UNRECORDED_OPTIONS = frozenset("IES")
"""Options of the interpreter by which it would not be recorded."""

SHELL_WORDS = frozenset("|&;<>()$`\\*?[]{}~#\n!=")
"""What makes a command more than one program with its arguments, in a shell."""


class Command:
    """A program that is about to start, with its words.

    Args:
        path: of the program.
        words: its arguments, its own name first.
        folder: where it runs; None is where this process does.
        env: its environment; None for that of this process.
        ground: tells the paths that matter.
    """

    def __init__(
        self,
        path: str,
        words: list[str],
        folder: str | None,
        env: list[bytes] | None,
        ground: Ground,
    ) -> None:
        self.path = path
        self.words = words
        self._folder = folder
        self._env = env
        self._ground = ground

    @property
    def name(self) -> str:
        """The program's."""
        return os.path.basename(self.path)

    def within(self) -> Command | None:
        """The one command that a shell is to run, or this one itself.

        Returns:
            None where the shell will not find it.
        """
        words = self.words
        if len(words) != 3 or words[1] != "-c" or self.name not in ("sh", "bash", "dash"):
            return self
        inner = words[2].split()
        if not inner or not SHELL_WORDS.isdisjoint(words[2]):
            return self
        found = _which(inner[0], self._env)
        if found is None:
            return None
        return Command(found, inner, self._folder, self._env, self._ground)

    def is_python(self) -> bool:
        """Whether it is a Python program."""
        if self.name.startswith(("python", "pypy")):
            return True
        if os.path.realpath(self.path) == os.path.realpath(sys.executable):
            return True
        try:
            with open(self.path, "rb") as file:
                first = file.read(256).partition(b"\n")[0]
        except OSError:
            return False
        return first.startswith(b"#!") and b"python" in first

    def unrecorded(self) -> str | None:
        """The interpreter's own options, where they keep a Python program from recording."""
        options = []
        for word in self.words[1:]:
            if word[:1] != "-" or word == "-" or word[:2] in ("-c", "-m"):
                break
            options.append(word)
        for word in options:
            if word[1:2] != "-" and not UNRECORDED_OPTIONS.isdisjoint(word[1:]):
                return " ".join(options)
        return None

    def reads(self) -> list[str] | None:
        """What a program of the machine's own reads of the project, as dependencies.

        Returns:
            None where that cannot be known.
        """
        if not os.path.realpath(self.path).startswith(PLACES):
            return None
        if self.name in HARMLESS and not any(map(self._is_ours, self.words[1:])):
            return []
        return self._named() if self.name in FILTERS else None

    def _named(self) -> list[str] | None:
        """The files that a filter reads; None where it may do more than that."""
        if os.path.basename(self.words[0]) == "less" and self._less_reads_more():
            return None
        deps = []
        for word in self.words[1:]:
            if word[:1] == "+" or (word[:2] == "--" and "=" in word):
                return None
            path = self._at(word)
            ours = self._ground.path(path) if word[:1] != "-" else None
            if ours is None:
                # An option's own argument may stand in the same word.
                if word[:1] == "-" and os.sep in word:
                    return None
            elif os.path.isfile(path):
                deps.append(f"{'t' if path.endswith('.py') else 'r'} {ours}")
            elif os.path.exists(path):
                return None
            else:
                deps.append(f"x {ours}")
        return deps

    def _less_reads_more(self) -> bool:
        given = pairs(None) if self._env is None else self._env
        if any(one.startswith(PREPARING) for one in given):
            return True
        of = {name: value for name, _, value in (os.fsdecode(one).partition("=") for one in given)}
        options = [word for word in self.words[1:] if word[:1] == "-"]
        options += of.get("LESS", "").split()
        keys = self._ground.path(os.path.join(of.get("HOME", "/"), ".lesskey")) or "/"
        return keys[:1] != "/" or not all(
            word == "--" or (word[:2] != "--" and NAMING_FILES.isdisjoint(word)) for word in options
        )

    def _is_ours(self, word: str) -> bool:
        """Whether an argument names something of the project."""
        path = self._at(word.rpartition("=")[2])
        return os.path.exists(path) and self._ground.path(path) is not None

    def _at(self, word: str) -> str:
        """Where an argument leads, if it is a path."""
        return os.path.join(os.getcwd() if self._folder is None else self._folder, word)


def pairs(env: Any) -> list[bytes]:
    """An environment as a program is given it.

    Args:
        env: a mapping; None for that of this process.
    """
    given = os.environ._data if env is None else env  # type: ignore[attr-defined]
    return [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in given.items()]


def _which(program: str, env: list[bytes] | None) -> str | None:
    if os.sep in program:
        return program if os.path.exists(program) else None
    path = os.environ.get("PATH", os.defpath)
    for one in env or ():
        if one.startswith(b"PATH="):
            path = os.fsdecode(one[5:])
    for folder in path.split(os.pathsep):
        found = os.path.join(folder, program)
        if os.access(found, os.X_OK):
            return found
    return None
