"""What sources of an app set up for the whole process before they import a library.

A library that is held was imported without that. Mostly it does not look at it when it is
imported; where it does, only the user can know. It is read off the sources, for a start that was
recorded cannot tell what the app has set up from what its libraries have.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

CALLS = frozenset(
    {"decimal.setcontext", "asyncio.set_event_loop_policy", "gc.disable", "gc.freeze",
     "gc.set_threshold", "locale.setlocale", "logging.basicConfig",
     "logging.captureWarnings", "logging.config.dictConfig", "logging.config.fileConfig",
     "logging.disable", "logging.getLogger().setLevel", "logging.setLogRecordFactory",
     "logging.setLoggerClass",
     "multiprocessing.set_start_method", "numpy.random.seed", "os.chdir", "os.umask", "random.seed",
     "socket.setdefaulttimeout", "sys.argv.append", "sys.argv.clear",
     "sys.argv.extend", "sys.argv.insert", "sys.argv.pop", "sys.argv.remove",
     "sys.setrecursionlimit", "sys.setswitchinterval", "threading.stack_size",
     "warnings.filterwarnings", "warnings.resetwarnings", "warnings.simplefilter"}
)  # fmt: skip
"""The functions that set something up for the whole process."""

_INNER = ("body", "handlers", "cases", "orelse", "finalbody")
_UNDONE = frozenset({"warnings.catch_warnings()", "decimal.localcontext()"})
"""What a ``with`` takes back of what was set up in it."""


def set_up(source: str | bytes, held: Collection[str]) -> list[tuple[int, str, str]]:
    """Find what a source does so when it runs.

    Args:
        source: its text.
        held: the modules that are held.

    Returns:
        For each such statement its line, what it does as the middle of a sentence, and the first
        held library that is imported after it and not before.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    names: dict[str, str] = {}
    loaded: set[str] = set()
    waiting: list[tuple[int, str]] = []
    found = []
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    for node in _statements(tree.body, names, functions):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            libraries = [one for one in _libraries(node, held) if one not in loaded]
            loaded.update(libraries)
            if libraries:
                found += [(line, what, libraries[0]) for line, what in waiting]
                waiting.clear()
            _bind(node, names)
        elif (what := _sets_up(node, names)) is not None:
            waiting.append((node.lineno, what))
    return found


def _statements(
    body: Sequence[ast.stmt],
    names: Mapping[str, str],
    functions: Mapping[str, ast.FunctionDef],
) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, and set up what lasts, in their order.

    Args:
        body: of the module, or of a statement or a function of it.
        names: what is imported by then.
        functions: those of the module whose calls are followed.
    """
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        yield node
        if isinstance(node, ast.If) and (_name(node.test, names) or "").endswith("TYPE_CHECKING"):
            inner: Sequence[Any] = node.orelse
        elif isinstance(node, ast.With) and any(
            _name(item.context_expr, names) in _UNDONE for item in node.items
        ):
            inner = []
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = functions.get(getattr(node.value.func, "id", ""))
            inner = [] if called is None else called.body
            # One that calls itself is followed once.
            functions = {name: one for name, one in functions.items() if one is not called}
        else:
            inner = [one for part in _INNER for one in getattr(node, part, ())]
        for one in inner:
            is_part = isinstance(one, (ast.ExceptHandler, ast.match_case))
            statements = one.body if is_part else [one]
            yield from _statements(statements, names, functions)


def _libraries(node: ast.Import | ast.ImportFrom, held: Collection[str]) -> list[str]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        modules = [node.module] if node.module and not node.level else []
    tops = [name.partition(".")[0] for name in modules]
    return [top for top in tops if top in held and top not in sys.stdlib_module_names]


def _bind(node: ast.Import | ast.ImportFrom, names: dict[str, str]) -> None:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            names[alias.asname or alias.name] = f"{'.' * node.level}{node.module}.{alias.name}"
        elif alias.asname:
            names[alias.asname] = alias.name
        else:
            top = alias.name.partition(".")[0]
            names[top] = top


def _sets_up(node: ast.stmt, names: Mapping[str, str]) -> str | None:
    if isinstance(node, (ast.Expr, ast.Assign)) and isinstance(node.value, ast.Call):
        name = _name(node.value.func, names)
        if name in CALLS:
            return f"calls {name}"
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    for target in targets:
        name = _name(target, names)
        of_a_library = name is not None and name.partition(".")[0] in sys.stdlib_module_names
        if isinstance(target, ast.Attribute) and of_a_library:
            return f"sets {name}"
        if isinstance(target, ast.Subscript) and _name(target.value, names) == "sys.argv":
            return "sets sys.argv"
    return None


def _name(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """What an expression names, from a module on; None where it begins with no import."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        base = _name(node.value, names)
        return None if base is None else f"{base}.{node.attr}"
    if isinstance(node, ast.Call):
        base = _name(node.func, names)
        return None if base is None else f"{base}()"
    return None
