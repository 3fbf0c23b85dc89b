"""PYTEST_DONT_REWRITE: the files that are read and written, listed and looked for.

Audit events (PEP 578) tell of what is opened and listed, `looks.py` of what is looked for.
"""

from __future__ import annotations

import _thread
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devloop.inside import databases, looks
    from devloop.inside import record_askers as askers
    from devloop.inside.record_askers import Askers
    from devloop.inside.record_contexts import Recorder
    from devloop.inside.record_ground import Ground
else:
    askers = sys.modules["_devloop_record_askers"]
    databases = sys.modules["_devloop_databases"]
    looks = sys.modules["_devloop_looks"]

CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SOURCES = (".py", ".pyi")
LIBRARIES_OF_C = ("libc.", "libSystem.", "libpthread.", "libm.")
"""How the libraries are called of whose functions it is known which read files."""

READING_IN_C = frozenset(
    {"fopen", "fopen64", "freopen", "open", "open64", "openat", "openat64", "opendir", "scandir",
     "stat", "lstat", "fstatat", "access", "faccessat", "readlink", "readlinkat", "realpath",
     "glob", "ftw", "nftw", "mmap", "getenv", "secure_getenv", "dlopen", "system", "popen", "execl",
     "execlp", "execle", "execv", "execvp", "execve", "posix_spawn", "posix_spawnp", "syscall"}
)  # fmt: skip
"""Those of them that do, or that start what may."""

SHOWING = frozenset({"traceback", "warnings", "_py_warnings"})
"""The modules that ask for single lines, to show where code stands that runs or has run."""

NAMES_ALONE = frozenset({"fnmatch", "glob", "os", "pathlib", "shutil"})
"""The modules that take nothing but names and kinds from what they scan, or ask anew."""

RESOLVER = os.path.__name__
RESOLVING = frozenset({"realpath", "_joinrealpath"})
"""Those that follow links; what they find on the way does not matter where there is none."""


class Files:
    """Notes what is read, written, listed and looked for.

    Args:
        recorder: takes it.
        ground: tells the paths that matter.
        asked: tells who reads.
    """

    def __init__(self, recorder: Recorder, ground: Ground, asked: Askers) -> None:
        self._recorder = recorder
        self._ground = ground
        self._asked = asked
        self._real_stat = os.stat
        self._hears_lines = False
        self._saying: dict[str, bool] = {}
        self._shown: dict[int, str] = {}
        """For each thread the source of which it has lines read now, noted line by line."""

    def handlers(self) -> dict[str, Callable[[tuple[Any, ...]], None]]:
        """What is to be called with the arguments of an audit event, by its name."""
        return {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.scandir": self._scanned,
            "os.mkdir": lambda arguments: self._write(arguments[0], arguments[2]),
            "os.rename": lambda arguments: self._write(arguments[1], arguments[3]),
            "os.link": lambda arguments: self._write(arguments[1], arguments[3]),
            "os.symlink": lambda arguments: self._write(arguments[1], arguments[2]),
            "os.truncate": lambda arguments: self._write(arguments[0]),
            "sqlite3.connect": self._connected,
            "ctypes.dlopen": self._loaded,
            "ctypes.dlsym": self._found_in_c,
        }

    def wrap(self) -> None:
        """Hear of what is looked for."""
        looks.wrap(self._looking)
        within = self._recorder.within
        looks.wrap(lambda real: looks.Opening(real, within, self._opened_below), ("open",))

    def wrap_lines(self) -> None:
        """Hear of lines that are had from memory, whoever has read them before."""
        import linecache

        real, shown, thread = linecache.getlines, self._shown, _thread.get_ident
        self._hears_lines = True

        def getlines(filename: str, module_globals: Any = None) -> list[str]:
            path = self._lines(filename)
            if path is None:
                return real(filename, module_globals)
            mine = thread()
            shown[mine] = path
            try:
                return real(filename, module_globals)
            finally:
                shown.pop(mine, None)

        linecache.getlines = looks.named_as(real, getlines)

    def opens(self, name: Any) -> None:
        """Something that is no Python is given a path to open.

        Args:
            name: of a file or a folder, as it was given.
        """
        recorder = self._recorder
        if recorder.broken or _thread.get_ident() in recorder.within:
            return
        try:
            with recorder.at_work():
                if os.path.isdir(name):  # noqa: PTH112
                    self._listed((name,))
                else:
                    self._opened((name, None, os.O_RDONLY))
        except Exception as error:
            recorder.broke(error)

    def _lines(self, filename: Any) -> str | None:
        """Lines of a file are asked for.

        Returns:
            Its path, where it is a source of which a single line is to be shown, and that is noted.
        """
        recorder = self._recorder
        if recorder.broken or not isinstance(filename, str):
            return None
        try:
            line = _shown_line(sys._getframe(2))
            noted, known = ("t", filename, line), recorder.top.looked
            if ("t", filename, 0) in known or (line and noted in known):
                return self._ground.source(filename) if line else None
            path = self._ground.source(filename)
            if path is None:
                return None
            who, _, frame = self._asked.who()
            if who == askers.RUNNER or self._asked.reads_to_no_effect(frame):
                return None
            known.add(noted)
            if not line:
                self._read(path)
            elif not self._is_own(path):
                recorder.add(f"t {path}:{line}")
            return path if line else None
        except Exception as error:
            recorder.broke(error)
            return None

    def _looking(self, real: Any) -> Any:
        note = self._looked

        def look(path: Any, *arguments: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            at = options.get("dir_fd") if options else None
            try:
                found = real(path, *arguments, **options)
            except (FileNotFoundError, NotADirectoryError):
                note(path, None, at)
                raise
            note(path, found, at)
            return found

        return looks.named_as(real, look)

    def _exists(self, path: Any) -> bool:
        try:
            self._real_stat(path)
        except (OSError, ValueError):
            return False
        return True

    def _looked(self, name: Any, found: Any, at: int | None) -> None:
        """Something was looked for.

        Args:
            name: as it was given.
            found: what came of it; None where it is not there.
            at: the descriptor of the folder that the name begins in; None is the current one.
        """
        recorder = self._recorder
        if name.__class__ is int or recorder.broken or _thread.get_ident() in recorder.within:
            return
        try:
            if at is not None and (name := looks.below(name, at)) is None:
                return
            text = name if name.__class__ is str else os.fsdecode(name)
            if found is False:  # `os.access` does not tell what is missing from what is forbidden
                found = self._exists(text) or None
            noted = (found is None, text)
            if noted in recorder.top.looked:
                return
            path = self._ground.path(text)
            if path is None:
                if text[:1] == "/":
                    recorder.top.looked.add(noted)
                return
            asker = sys._getframe(2)
            if asker.f_globals.get("__name__") == RESOLVER and asker.f_code.co_name in RESOLVING:
                return
            who, through, frame = self._asked.whose(asker)
            if who in (askers.RUNNER, askers.IMPORTING):
                return
            names = {one.f_code.co_name for one in through}
            if text[:1] == "/":
                self._recorder.top.looked.add(noted)
            if self._is_own(path):
                return
            if found is None:
                self._recorder.add(f"x {path}")
            elif through and through[0].f_globals.get("__name__") == "linecache":
                if self._shown.get(_thread.get_ident()) == path or (
                    self._hears_lines and through[0].f_code.co_name == "checkcache"
                ):
                    return  # of what is shown then, each line is noted
                if not self._asked.reads_to_no_effect(frame):
                    self._recorder.add(f"t {path}")
            elif names.isdisjoint(looks.ASKING) and stat.S_ISREG(getattr(found, "st_mode", 0)):
                self._read(path)  # its size, or its time
            else:
                self._recorder.add(f"e {path}")
        except Exception as error:
            self._recorder.broke(error)

    def _is_own(self, path: str) -> bool:
        """Whether this process has made it, or a folder above it, or this test has written it."""
        made, writer = self._recorder.made, self._recorder.rewritten.get(path)
        if writer is not None and writer in self._recorder.owner.with_used():
            return True
        while made:
            if path in made:
                return True
            path, slash, _ = path.rpartition("/")
            if not slash:
                break
        return False

    def _opened_below(self, name: str, flags: Any) -> None:
        try:
            with self._recorder.at_work():
                self._opened((name, None, flags))
        except Exception as error:
            self._recorder.broke(error)

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        name, _, flags = arguments
        if name.__class__ is int:
            return
        changing = flags & CHANGING if flags.__class__ is int else 0
        recorder = self._recorder
        noted = ("r", name)
        if not changing and noted in recorder.top.looked:
            return
        path = self._ground.path(name)
        if path is None:
            shared = None if changing else self._ground.shared(name)
            if shared is not None and self._asked.who()[0] == askers.PROJECT:
                self._read(shared)
            return
        who, _, frame = self._asked.who()
        if who in (askers.RUNNER, askers.IMPORTING):
            return
        if not changing and self._shown.get(_thread.get_ident()) == path:
            return
        if changing:
            if not self._exists(name):
                recorder.made.add(path)
            elif flags & os.O_TRUNC:
                recorder.rewritten[path] = recorder.owner
            elif not flags & os.O_WRONLY:
                self._read(path)
            recorder.add(f"w {path}")
            return
        if name.__class__ is str and name[:1] == "/":
            recorder.top.looked.add(noted)
        if not (path.endswith(SOURCES) and self._asked.reads_to_no_effect(frame)):
            self._read(path)

    def _read(self, path: str) -> None:
        if self._is_own(path):
            return
        if path.endswith(SOURCES):
            self._recorder.add(f"t {path}")
        elif self._exists(self._absolute(path)):
            self._recorder.add(f"r {path}")
        else:
            self._recorder.add(f"x {path}")

    def _absolute(self, path: str) -> str:
        return path if path[:1] == "/" else f"{self._ground.root}/{path}"

    def _listed(self, arguments: tuple[Any, ...]) -> None:
        self._list(arguments)

    def _list(self, arguments: tuple[Any, ...]) -> tuple[str, Any] | None:
        """Note that a folder is listed; gives its path, and the frame that has called for it."""
        name = "." if not arguments or arguments[0] is None else arguments[0]
        name = looks.path_of(name) if name.__class__ is int else name
        path = self._ground.path(name)
        if path is None or self._is_own(path):
            return None
        who, through, frame = self._asked.who()
        if who in (askers.RUNNER, askers.IMPORTING):
            return None
        there = self._exists(name)
        self._recorder.add(f"l {path}" if there else f"x {path}")
        return (path, through[0] if through else frame) if there else None

    def _scanned(self, arguments: tuple[Any, ...]) -> None:
        """A folder is listed with entries that know more than names; to ask them has no event."""
        path, caller = self._list(arguments) or ("", None)
        if caller is None:
            return
        if caller.f_globals.get("__name__", "").partition(".")[0] in NAMES_ALONE:
            return
        if not self._says_stat(caller.f_code.co_filename):
            return
        folder = self._absolute(path)
        for entry in os.listdir(folder):
            inner = self._ground.path(f"{folder}/{entry}")
            if inner is not None and self._is_file(inner):
                self._read(inner)

    def _is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(self._real_stat(self._absolute(path)).st_mode)
        except (OSError, ValueError):
            return False

    def _says_stat(self, filename: str) -> bool:
        """Whether a source names what tells a file's size and times, anywhere in it."""
        known = self._saying.get(filename)
        if known is None:
            try:
                with open(filename, "rb") as file:  # noqa: PTH123
                    known = b"stat" in file.read()
            except OSError:
                known = True
            self._saying[filename] = known
        return known

    def _write(self, name: Any, at: int = -1) -> None:
        name = name if at < 0 else looks.below(name, at)
        path = None if name.__class__ is int else self._ground.path(name)
        if path is not None and self._asked.who()[0] not in (askers.RUNNER, askers.IMPORTING):
            if not self._exists(name):
                self._recorder.made.add(path)
            self._recorder.add(f"w {path}")

    def _connected(self, arguments: tuple[Any, ...]) -> None:
        name = next(iter(databases.files_of(arguments[0])), None)
        path = None if name is None else self._ground.path(name)
        if path is None:
            return
        if not self._exists(name):
            self._recorder.made.add(path)
            self._recorder.add(f"w {path}")
        else:
            self._read(path)

    def _loaded(self, arguments: tuple[Any, ...]) -> None:
        name = arguments[0]
        if isinstance(name, (str, bytes)) and b"/" in os.fsencode(name):
            path = self._ground.path(name)
            if path is not None:
                self._read(path)

    def _found_in_c(self, arguments: tuple[Any, ...]) -> None:
        """The project takes a function of a C library: what that reads, nobody tells."""
        library, name = arguments
        file = str(getattr(library, "_name", None) or "libc.").rpartition("/")[2]
        if type(library).__name__ == "PyDLL" or self._asked.who()[0] != askers.PROJECT:
            return
        if file.startswith(LIBRARIES_OF_C) and name not in READING_IN_C:
            return
        dep = f"o calls {name} of a C library: what that reads cannot be known"
        self._recorder.add(dep)
        if self._recorder.owner.kind != "module":
            # It is kept in the library's object: whoever has that may call it.
            self._recorder.add_to_process(dep)


def _shown_line(frame: Any) -> int:
    """The line that is asked for in order to show it; 0 for all lines of a file.

    Args:
        frame: of who asks for lines.
    """
    asker = frame.f_back
    if (
        asker is None
        or frame.f_code.co_name != "getline"
        or frame.f_globals.get("__name__") != "linecache"
        or asker.f_globals.get("__name__") not in SHOWING
    ):
        return 0
    line = frame.f_locals.get("lineno")
    return line if line.__class__ is int and line > 0 else 0
