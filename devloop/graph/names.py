"""Which names a file wants: the module names, and subtrees of them, that it depends on.

Edges of the graph are by wanted name. Whoever has the name is imported: so a file that is
added, deleted, renamed, or shadows another one changes no importer's names, and nothing is
resolved anew.

A *wanted name* is one of

- ``a.b``: the modules of that name,
- ``a.b.*``: those, and all below,
- ``/src``: every module below that folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from sys import intern

import msgspec

from devloop.graph.facts import Facts, Import
from devloop.graph.layout import Layout

KINDS = (
    "imports",
    "package",
    "conftest",
    "plugin",
    "always",
    "listed",
    "string",
    "dynamic",
    "typing",
)
"""Of edges; where several join the same two files, the first one counts."""

IMPORTS, PACKAGE, CONFTEST, PLUGIN, ALWAYS, LISTED, STRING, DYNAMIC, TYPING = range(len(KINDS))


class Wants(msgspec.Struct, frozen=True, gc=False):
    """The names that a file wants.

    Args:
        names: in the order of their kinds.
        kinds: of the edges by each name, indexes into `KINDS`.
    """

    names: tuple[str, ...] = ()
    kinds: bytes = b""

    @property
    def running(self) -> tuple[str, ...]:
        """Those that are wanted when the file runs."""
        first = self.kinds.find(TYPING)
        return self.names if first == -1 else self.names[:first]

    @property
    def typing(self) -> tuple[str, ...]:
        """Those that are wanted by type checkers alone."""
        first = self.kinds.find(TYPING)
        return () if first == -1 else self.names[first:]

    def items(self) -> Iterator[tuple[str, int]]:
        """Names and kinds."""
        return zip(self.names, self.kinds, strict=True)


def wanted(path: str, facts: Facts, layout: Layout) -> Wants:
    """The names that a file wants.

    Args:
        path: of the file.
        facts: what it says.
        layout: of the project.
    """
    found = _kinds_by_name(path, facts, layout)
    names = sorted(found, key=found.__getitem__)
    return Wants(tuple(names), bytes(map(found.__getitem__, names)))


def _kinds_by_name(path: str, facts: Facts, layout: Layout) -> dict[str, int]:
    own = layout.module_names(path)
    packages = _packages(path, own)
    found: dict[str, int] = {}
    typing: list[Import] = []
    for one in facts.imports:
        if one.typing:
            typing.append(one)
        else:
            for name in _imported(one, packages):
                found[name] = IMPORTS
    for one in (facts.examples or ()) if layout.is_doctest(path) else ():
        for name in _imported(one, packages):
            found.setdefault(name, IMPORTS)
    for name in own:
        for parent in prefixes(name)[:-1]:
            found.setdefault(parent, PACKAGE)
    for plugin in facts.plugins:
        for name in prefixes(plugin):
            found.setdefault(name, PLUGIN)
    for listed in facts.listed:
        for name in (*prefixes(listed), subtree(_listed_package(listed))):
            found.setdefault(name, LISTED)
    for text in facts.strings:
        for name in prefixes(text.partition(":")[0]):
            found.setdefault(name, STRING)
    for start in facts.dynamic:
        names: Iterable[str]
        if not start:
            names = _unknown(path, own, facts.imports)
        elif start.startswith("."):
            level = len(start) - len(start.lstrip("."))
            bases = _bases(level, packages)
            names = [subtree(f"{base}.{start[level:]}".rstrip(".")) for base in bases]
        else:
            names = (*prefixes(start), subtree(start))
        for name in names:
            found.setdefault(name, DYNAMIC)
    for one in typing:
        for name in _imported(one, packages):
            found.setdefault(name, TYPING)
    return found


def imported(path: str, one: Import, own: tuple[str, ...]) -> list[str]:
    """The names of the modules that an import may be of.

    Args:
        path: of the file that it stands in.
        one: the import.
        own: the names of the file.

    Returns:
        Each after those of the packages above it.
    """
    return [*_imported(one, _packages(path, own))]


def wanted_always(layout: Layout) -> tuple[str, ...]:
    """The names that every test wants."""
    return tuple(dict.fromkeys(name for one in layout.always for name in prefixes(one)))


def had(path: str, names: Iterable[str]) -> list[str]:
    """The wanted names that a module answers to.

    Args:
        path: of its file.
        names: its own.

    Returns:
        Each name, and each subtree and folder that it is in.
    """
    found = []
    for name in names:
        found.append(name)
        found += [above + ".*" for above in prefixes(name)]
    while path and path != "/":
        path = path.rpartition("/")[0]
        found.append("/" + path)
    return found


def subtree(name: str) -> str:
    """The wanted name of a package with all below it."""
    return intern(name + ".*")


@lru_cache(maxsize=1 << 15)
def prefixes(name: str) -> tuple[str, ...]:
    """A dotted name's beginnings.

    Args:
        name: as ``a.b.c``.

    Returns:
        ``a``, ``a.b`` and ``a.b.c``.
    """
    found = []
    end = name.find(".")
    while end != -1:
        found.append(intern(name[:end]))
        end = name.find(".", end + 1)
    found.append(intern(name))
    return tuple(found)


def _packages(path: str, own: tuple[str, ...]) -> tuple[str, ...]:
    is_package = path.rpartition("/")[2].partition(".")[0] == "__init__"
    return own if is_package else tuple(name.rpartition(".")[0] for name in own)


def _imported(one: Import, packages: tuple[str, ...]) -> Iterator[str]:
    modules: Iterable[str]
    if one.level:
        bases = _bases(one.level, packages)
        modules = [f"{base}.{one.module}" for base in bases] if one.module else bases
    else:
        modules = (one.module,)
    for module in modules:
        yield from prefixes(module)
        for name in one.names:
            if name != "*":
                yield intern(f"{module}.{name}")


def _bases(level: int, packages: tuple[str, ...]) -> list[str]:
    """The packages that so many dots lead to, one for each name of the file."""
    found = []
    for package in packages:
        parts = package.split(".")
        base = ".".join(parts[: max(0, len(parts) - level + 1)])
        if base:
            found.append(base)
    return found


def _unknown(path: str, own: tuple[str, ...], imports: tuple[Import, ...]) -> Iterator[str]:
    """What a call may import whose argument is not known.

    The file's own top-level package, or all that is in the root of a file in none; and the
    packages that it imports, for ``walk_packages`` needs them to find such names.
    """
    folder, _, name = path.rpartition("/")
    in_package = bool(own) and ("." in own[0] or name.startswith("__init__."))
    yield subtree(own[0].partition(".")[0]) if in_package else intern("/" + folder)
    for one in imports:
        if not one.level:
            yield subtree(one.module.partition(".")[0])


def _listed_package(name: str) -> str:
    """The package of an app: ``shop.apps.ShopConfig`` names a class in one of its modules."""
    parts = name.split(".")
    is_class = len(parts) > 2 and not parts[-1].islower()
    return ".".join(parts[:-2]) if is_class else name
