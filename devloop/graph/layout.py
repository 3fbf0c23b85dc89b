"""How a project is laid out: where its modules are, and which files are tests."""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

SOURCES = (".py", ".pyw")
EXTENSION_MODULES = (".so", ".pyd")
TEXTS = (".txt", ".rst")
"""The texts in which pytest looks for doctests where an argument names them."""
TEST_PATTERNS = ("test_*.py", "*_test.py")
PROJECT_FILES = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})


class Layout(msgspec.Struct, frozen=True):
    """Where a project's modules are, and which files are tests.

    Paths are relative to the project's root, with forward slashes; absolute outside it.

    Args:
        roots: the folders that are on ``sys.path``, the deepest first; empty is the project's
            root.
        bases: further folders that may be: Python puts the folder of a script there, and
            tests do the same by themselves. Their modules do not shadow the standard library.
        test_paths: the folders that pytest collects; none is all.
        test_patterns: file names of tests, as pytest's ``python_files``.
        doctest_modules: pytest looks for doctests in every module.
        doctest_globs: names of texts in which it does.
        found: what the names of other files end with in which pytest has found tests, through a
            plugin, as ``.yaml``.
        always: dotted names of modules that every test depends on.
        library: the top-level modules of the standard library.
    """

    roots: tuple[str, ...] = ("",)
    bases: tuple[str, ...] = ()
    test_paths: tuple[str, ...] = ()
    test_patterns: tuple[str, ...] = TEST_PATTERNS
    doctest_modules: bool = False
    doctest_globs: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    library: frozenset[str] = sys.stdlib_module_names
    _folders: dict[str, bool] = {}

    def __post_init__(self) -> None:
        # By folder: whether it is a root. Derived, for the sake of speed only.
        folders = dict.fromkeys(self.bases, False) | dict.fromkeys(self.roots, True)
        msgspec.structs.force_setattr(self, "_folders", folders)

    def module_names(self, path: str) -> tuple[str, ...]:
        """Every dotted name that a file could be imported by.

        Args:
            path: need not exist.

        Returns:
            One for each root above it, the shortest first, then one for each base; none where
            it is not a module.
        """
        head, _, name = path.rpartition("/")
        stem, _, suffix = name.partition(".")
        if suffix not in ("py", "pyw") and not path.endswith(EXTENSION_MODULES):
            return ()
        module = head if stem == "__init__" else f"{head}/{stem}" if head else stem
        by_roots, by_bases = [], []
        folder = module
        while folder and folder != "/":
            folder = folder.rpartition("/")[0]
            is_root = self._folders.get(folder)
            if is_root is None or (not folder and path[0] == "/"):
                continue
            dotted = module[len(folder) + 1 :] if folder else module
            if "." in dotted:
                continue
            dotted = dotted.replace("/", ".")
            if is_root:
                by_roots.append(dotted)
            elif dotted.partition(".")[0] not in self.library:
                by_bases.append(dotted)
        return (*by_roots, *by_bases)

    def is_test(self, path: str) -> bool:
        """Whether pytest collects a file: a module of tests, what may hold doctests or is alike.

        Args:
            path: need not exist.
        """
        return self.is_test_module(path) or self.is_doctest(path) or self.is_found(path)

    def is_found(self, path: str) -> bool:
        """Whether a file is of a kind in which pytest has found tests, through a plugin.

        Args:
            path: need not exist.
        """
        return f"/{path}".endswith(self.found) and self._is_searched(path)

    def is_test_module(self, path: str) -> bool:
        """Whether pytest collects a file as a module of tests.

        Args:
            path: need not exist.
        """
        if not path.endswith(SOURCES):
            return False
        return _is_matched(path, self.test_patterns) and self._is_searched(path)

    def is_doctest(self, path: str) -> bool:
        """Whether pytest runs the examples in a file, if it holds any.

        Args:
            path: need not exist.
        """
        if path.endswith(".py"):
            is_program = path.endswith("__main__.py") and path.rpartition("/")[2] == "__main__.py"
            return self.doctest_modules and not is_program and self._is_searched(path)
        if path.endswith(TEXTS) and path in self.test_paths:
            return True
        return _is_matched(path, self.doctest_globs) and self._is_searched(path)

    def _is_searched(self, path: str) -> bool:
        """Whether pytest looks for tests where a file is."""
        return not self.test_paths or any(_is_below(path, folder) for folder in self.test_paths)

    def conftests(self, path: str) -> tuple[str, ...]:
        """The chain of ``conftest.py`` files that pytest loads before a test file.

        Args:
            path: of a test file, or of a ``conftest.py``, which is not part of its own chain.

        Returns:
            Paths, whether there is such a file or not, the nearest first, up to the root.
        """
        found = []
        folder, _, name = path.rpartition("/")
        if name == "conftest.py":
            if not folder:
                return ()
            folder = folder.rpartition("/")[0]
        while folder:
            found.append(f"{folder}/conftest.py")
            folder = folder.rpartition("/")[0]
        if not path.startswith("/"):
            found.append("conftest.py")
        return tuple(found)


def discover(
    files: Iterable[str],
    *,
    roots: Iterable[str] | None = None,
    extra_roots: Iterable[str] = (),
    test_paths: Iterable[str] = (),
    test_patterns: Iterable[str] = TEST_PATTERNS,
    doctest_modules: bool = False,
    doctest_globs: Iterable[str] = (),
    found: Iterable[str] = (),
    always: Iterable[str] = (),
    library: frozenset[str] = sys.stdlib_module_names,
) -> Layout:
    """Tell a project's layout from the paths of its files.

    Args:
        files: all of the project; those that are not Python may be among them.
        roots: as configured. Where they are not: the project's root, the folder of each
            ``pyproject.toml``, ``setup.py`` or ``setup.cfg``, and each ``src`` that holds Python;
            and for every source the first folder upwards that is no package becomes a base.
        extra_roots: known from elsewhere, as folders installed in place.
        test_paths: the folders that pytest collects; none is all.
        test_patterns: file names of tests.
        doctest_modules: pytest looks for doctests in every module.
        doctest_globs: names of texts in which it does.
        found: what the names of other files end with in which it has found tests.
        always: dotted names of modules that every test depends on.
        library: the top-level modules of the standard library of the project's interpreter.

    Returns:
        The layout. Its roots hold also the folders that pytest puts on ``sys.path``: for each
        module that it imports itself and each ``conftest.py`` the first one upwards that is no
        package (pytest, *Import modes*, ``prepend``).
    """
    paths = list(files)
    sources = [path for path in paths if path.endswith(SOURCES)]
    folders = {path.rpartition("/")[0] for path in sources}
    packages = {path.rpartition("/")[0] for path in sources if path.endswith("/__init__.py")}
    base_of = {folder: _base(folder, packages) for folder in folders}
    tops = {_folder(root) for root in extra_roots}
    bases: set[str] = set()
    if roots is not None:
        tops.update(_folder(root) for root in roots)
    else:
        projects = (path.rpartition("/") for path in paths)
        likely = {folder for folder, _, name in projects if name in PROJECT_FILES}
        likely.update(folder for folder in _ancestors(sources) if f"/{folder}".endswith("/src"))
        tops |= {"", *(likely - packages)}
        bases.update(base_of.values())
    layout = Layout(
        test_paths=tuple(map(_folder, test_paths)),
        test_patterns=tuple(test_patterns),
        doctest_modules=doctest_modules,
        doctest_globs=tuple(doctest_globs),
        found=tuple(found),
        always=tuple(dict.fromkeys(always)),
        library=library,
    )
    for path in sources:
        folder, _, name = path.rpartition("/")
        if name == "conftest.py" or layout.is_test(path):
            tops.add(base_of[folder])
    return msgspec.structs.replace(
        layout, roots=_deepest_first(tops), bases=_deepest_first(bases - tops)
    )


def _base(folder: str, packages: set[str]) -> str:
    """The first folder upwards that is no package."""
    while folder in packages:
        folder = folder.rpartition("/")[0]
    return folder


def _deepest_first(folders: set[str]) -> tuple[str, ...]:
    return tuple(sorted(folders, key=lambda one: (-len(one.split("/")) if one else 0, one)))


def _folder(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def _ancestors(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _is_below(path: str, folder: str) -> bool:
    if any(sign in folder for sign in "*?["):  # pytest's `testpaths` may be patterns
        return any(fnmatch.fnmatchcase(above, folder) for above in (path, *_ancestors([path])))
    return not folder or path == folder or path.startswith(folder + "/")


Match = Callable[[str], "re.Match[str] | None"]


def _is_matched(path: str, patterns: tuple[str, ...]) -> bool:
    matches_name, matches_path = _matchers(patterns)
    name = path.rpartition("/")[2]
    return matches_name(name) is not None or matches_path("/" + path) is not None


@lru_cache(maxsize=16)
def _matchers(patterns: tuple[str, ...]) -> tuple[Match, Match]:
    """Match as pytest does: a pattern with a slash is for the whole path."""
    by_name = [fnmatch.translate(p) for p in patterns if "/" not in p]
    by_path = [fnmatch.translate("*/" + p.lstrip("/")) for p in patterns if "/" in p]
    never = "(?!)"
    return re.compile("|".join(by_name) or never).match, re.compile(
        "|".join(by_path) or never
    ).match
