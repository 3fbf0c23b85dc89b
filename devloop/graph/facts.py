"""Facts: what one source, or text of examples, says, whatever its path (DESIGN §6, *Graph*).

`inside/parse.py` finds them with the project's interpreter; `execute/parsing.py` brings
them here; the store keeps them by content.
"""

from __future__ import annotations

import msgspec


class Import(msgspec.Struct, frozen=True, array_like=True):
    """One import statement, at any depth.

    Args:
        module: the dotted name after ``from`` or ``import``; empty in ``from . import x``.
        level: how many dots stand before it; 0 is absolute.
        names: what ``from`` takes; empty for ``import m``; ``("*",)`` for a star.
        typing: it stands under ``if TYPE_CHECKING`` and does not run.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    typing: bool = False


class Inner(msgspec.Struct, frozen=True, array_like=True):
    """What stands in one function, and nowhere else but in functions.

    Args:
        key: of the function.
        strings: those of `Facts.strings`.
        imports: those of `Facts.imports`; none of a function that may keep what it imports.
    """

    key: str
    strings: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()


class Doings(msgspec.Struct, frozen=True, array_like=True):
    """What the import of a module does to others, and what of theirs it looks at.

    Args:
        keeps: there is something in it that others may alter by calling it.
        alters: the imports of whose objects it sets a part, or hands them to a call that it makes
            for what that does.
        calls: those that it calls, derives a class from or decorates with.
        sees: those that it mentions in any other way.
    """

    keeps: bool = False
    alters: tuple[Import, ...] = ()
    calls: tuple[Import, ...] = ()
    sees: tuple[Import, ...] = ()


class SourceProblem(msgspec.Struct, frozen=True, array_like=True):
    """Why a source cannot be compiled.

    Args:
        message: the interpreter's own.
        line: counted from 1; None where the interpreter names none.
        column: counted from 1.
    """

    message: str
    line: int | None = None
    column: int | None = None


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What one Python source says.

    Args:
        fingerprint: a digest of what the module does when it runs; comments, blank lines and
            layout are not part of it, positions neither. For a source with a problem, a digest
            of its bytes.
        imports: every import statement.
        strings: string literals of the form ``a.b`` or ``a.b:c``, which may name modules.
        dynamic: for each call of ``import_module`` or ``__import__`` with a name that is not a
            literal: the dotted package that the name's literal beginning gives, as
            ``plugins`` for ``f"plugins.{n}"``; empty where it has none; with leading dots
            where it is relative.
        plugins: the modules named in ``pytest_plugins``.
        listed: the packages named in Django's ``INSTALLED_APPS``, imported whole by Django.
        problem: the source does not compile.
        memos: the functions that keep what they have computed, without a decorator that says so:
            keys, each with the variables that hold it (`inside/memos.py`).
        positions: the functions that may look at where code stands, or at its text.
        examples: what the examples in its docstrings import; None where it has none. A text has
            nothing else, so that theirs are its `imports`.
        inner: which of `strings` and `imports` stand in functions alone.
        attaches: a string in it is SQL that opens another database.
        doings: what its import does beyond it. Nothing of the standard library is in there.
    """

    fingerprint: bytes
    imports: tuple[Import, ...] = ()
    strings: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    problem: SourceProblem | None = None
    memos: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    examples: tuple[Import, ...] | None = None
    inner: tuple[Inner, ...] = ()
    attaches: bool = False
    doings: Doings = Doings()
