"""Small edits of a source or a data file, as in mutation testing, in an order that a seed fixes."""

from __future__ import annotations

import ast
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

KINDS = (
    "return",
    "comparison",
    "condition",
    "constant in a function",
    "module constant",
    "class constant",
    "default",
    "decorator",
    "data file",
)
"""The classes of mutants; the first four are edits of function bodies."""

BODIES = frozenset(KINDS[:4])

_SWAPPED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


@dataclass(frozen=True)
class Mutant:
    """One edit.

    Args:
        kind: one of `KINDS`.
        path: of the file, relative to the project's root.
        start: the first byte that is replaced.
        end: the byte after the last one.
        text: what comes in their place.
        line: for a person, counted from 1.
        before: what was there, for a person.
    """

    kind: str
    path: str
    start: int
    end: int
    text: str
    line: int
    before: str

    @property
    def key(self) -> str:
        """Names it among all of its project."""
        words = f"{self.path}\0{self.start}\0{self.end}\0{self.text}"
        return hashlib.blake2b(words.encode(), digest_size=6).hexdigest()

    def applied(self, content: bytes) -> bytes:
        """The file's content after the edit."""
        return content[: self.start] + self.text.encode() + content[self.end :]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.before} → {self.text or 'nothing'}"


def of_project(
    sources: Mapping[str, bytes], data: Mapping[str, bytes], seed: int
) -> Iterator[Mutant]:
    """All mutants, the classes in turn, so that any number of the first ones is a fair sample.

    Args:
        sources: the contents of the modules, by path.
        data: those of the files that tests read.
        seed: fixes the order.
    """
    chance = random.Random(seed)
    found: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for path, content in sorted(sources.items()):
        for mutant in of_source(path, content):
            found[mutant.kind].append(mutant)
    for path, content in sorted(data.items()):
        found["data file"].extend(_of_data(path, content, chance))
    for kind in KINDS:
        chance.shuffle(found[kind])
    while any(found.values()):
        for kind in KINDS:
            if found[kind]:
                yield found[kind].pop()


def of_source(path: str, content: bytes) -> list[Mutant]:
    """The mutants of one module, in its order.

    Args:
        path: its.
        content: its source.
    """
    return _Finder(path, content).found


def _of_data(path: str, content: bytes, chance: random.Random) -> Iterator[Mutant]:
    """One letter or digit becomes another one."""
    places = [at for at, byte in enumerate(content) if byte < 128 and chr(byte).isalnum()]
    for at in chance.sample(places, min(2, len(places))):
        old = chr(content[at])
        new = ("7" if old == "3" else "3") if old.isdigit() else ("q" if old != "q" else "k")
        yield Mutant("data file", path, at, at + 1, new, content[:at].count(b"\n") + 1, old)


class _Finder:
    """Goes through a module, and knows where in it it is."""

    def __init__(self, path: str, content: bytes) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._content = content
        self._lines = [0]
        for line in content.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._statements(ast.parse(content).body, "module constant")

    def _statements(self, body: Iterable[ast.stmt], level: str) -> None:
        """Statements that run when the module is imported."""
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._definition(statement)
            elif isinstance(statement, ast.ClassDef):
                self._decorators(statement)
                self._statements(statement.body, "class constant")
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                self._constants(statement.value, level)
            elif isinstance(statement, ast.If) and "TYPE_CHECKING" not in ast.dump(statement.test):
                self._statements([*statement.body, *statement.orelse], level)

    def _definition(self, function: _Function) -> None:
        if "overload" in " ".join(map(ast.dump, function.decorator_list)):
            return
        self._decorators(function)
        arguments = function.args
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            if isinstance(default, ast.Constant):
                text = "False" if default.value is None else _other(default.value)
                self._add("default", default, text)
        for statement in function.body:
            self._code(statement)

    def _decorators(self, node: _Function | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            start = self._content.rindex(b"@", 0, self._at(decorator)[0])
            self._add("decorator", decorator, "", start)

    def _code(self, node: ast.AST) -> None:
        """What runs when a function is called."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._definition(node)
            return
        if isinstance(node, ast.JoinedStr):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._code(node.value)
            return
        if isinstance(node, ast.Return) and not _is_none(node.value):
            assert node.value is not None
            self._add("return", node.value, "None")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            swapped = ast.Compare(node.left, [_SWAPPED[type(node.ops[0])]()], node.comparators)
            self._add("comparison", node, f"({ast.unparse(swapped)})")
        elif isinstance(node, ast.If | ast.IfExp):
            self._add("condition", node.test, f"(not ({ast.unparse(node.test)}))")
        elif isinstance(node, ast.Constant):
            self._add("constant in a function", node, _other(node.value))
        for child in ast.iter_child_nodes(node):
            self._code(child)

    def _constants(self, value: ast.expr, kind: str) -> None:
        nodes: Callable[[ast.AST], Iterable[ast.AST]] = ast.walk
        inside = {id(one) for node in nodes(value) if _apart(node) for one in nodes(node)}
        for node in nodes(value):
            if isinstance(node, ast.Constant) and id(node) not in inside:
                self._add(kind, node, _other(node.value))

    def _add(self, kind: str, node: ast.expr, text: str | None, start: int | None = None) -> None:
        if text is None:
            return
        begin, end = self._at(node)
        begin = begin if start is None else start
        before = self._content[begin:end].decode()
        if before != text:
            self.found.append(Mutant(kind, self._path, begin, end, text, node.lineno, before))

    def _at(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[node.end_lineno - 1] + node.end_col_offset,
        )


def _apart(node: ast.AST) -> bool:
    """Whether constants in it are of another class, or have no place of their own."""
    return isinstance(node, ast.JoinedStr | ast.Lambda)


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _other(value: object) -> str | None:
    """Another constant of the same type; None where there is none."""
    if isinstance(value, bool):
        return repr(not value)
    if isinstance(value, int | float):
        return repr(value + 1)
    if isinstance(value, str):
        return repr(value + "x")
    if isinstance(value, bytes):
        return repr(value + b"x")
    return None
