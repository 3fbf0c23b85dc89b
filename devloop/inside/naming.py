"""What the code in a file is called: one name for what runs, and for what the source says of it.

Functions are told apart by their qualified names. What has no name of its own (a lambda, a
generator expression, the body of a class in a function) is a part of the function that it
stands in. Several functions of one name in a file, as a property's getter and setter are, have
one key together; which of them runs, a number after the key says (`twins`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_OPTIMIZED = 0x1  # CO_OPTIMIZED of `inspect`: not set for the bodies of modules and classes
_LOCALS = "<locals>"

GETATTR = "__getattr__"
REFUSAL = f"{GETATTR}#_"
"""What of a module's function of that name runs where it is asked for a private name
(`refusals`)."""


def key(qualname: str, flags: int) -> str | None:
    """The key of some code within its file.

    Args:
        qualname: of the code (``co_qualname``).
        flags: of the code (``co_flags``).

    Returns:
        The qualified name of the function that it belongs to; that of the outermost code without
        a name where no function has one; None for the bodies of modules, and of classes that are
        in no function: they run as the module is imported.
    """
    if flags & _OPTIMIZED and "<" not in qualname:
        return qualname  # most are such
    parts = qualname.split(".")
    last = len(parts) - 1
    outermost = None
    for at in range(last, -1, -1):
        if parts[at] == _LOCALS:
            continue
        is_function = bool(flags & _OPTIMIZED) if at == last else parts[at + 1] == _LOCALS
        if is_function and parts[at][0] != "<":
            return ".".join(parts[: at + 1])
        if is_function:
            outermost = at
    return None if outermost is None else ".".join(parts[: outermost + 1])


def key_of(code: CodeType) -> str | None:
    """The key of a code object within its file.

    Args:
        code: as it runs; of Python 3.11 or later.

    Returns:
        As `key`.
    """
    return key(code.co_qualname, code.co_flags)  # type: ignore[attr-defined,unused-ignore]


def codes_in(module: CodeType) -> Iterator[tuple[str | None, CodeType]]:
    """All code of a file, each with its key.

    Args:
        module: the compiled source; of any supported Python.

    Yields:
        Key and code, the module's own first, what is within some code after it.
    """
    kind = type(module)
    todo = [(module, "")]
    while todo:
        code, qualname = todo.pop()
        yield (key(qualname, code.co_flags) if qualname else None), code
        prefix = qualname
        if qualname:
            prefix += f".{_LOCALS}." if code.co_flags & _OPTIMIZED else "."
        # Before 3.11 code does not know its qualified name.
        todo += [
            (inner, getattr(inner, "co_qualname", prefix + inner.co_name))
            for inner in reversed(code.co_consts)
            if type(inner) is kind
        ]


def twins(module: CodeType) -> list[tuple[CodeType, int]]:
    """The functions of a file of which several have one key.

    Args:
        module: the compiled source; of any supported Python.

    Returns:
        The code of each such function, and of what is a part of it, with which of the functions
        of that key it is, in the order of their lines, counted from 1.
    """
    kind = type(module)
    functions: dict[str, list[CodeType]] = {}
    found: list[tuple[CodeType, CodeType]] = []
    todo: list[tuple[CodeType, str, str | None, CodeType]] = [(module, "", None, module)]
    while todo:
        code, qualname, around, function = todo.pop()
        own = key(qualname, code.co_flags) if qualname else None
        if own is not None and own != around:
            function = code
            functions.setdefault(own, []).append(code)
        if own is not None and "<" not in own.rpartition(".")[2]:
            found.append((code, function))
        prefix = qualname
        if qualname:
            prefix += f".{_LOCALS}." if code.co_flags & _OPTIMIZED else "."
        todo += [
            (inner, getattr(inner, "co_qualname", prefix + inner.co_name), own, function)
            for inner in reversed(code.co_consts)
            if type(inner) is kind
        ]
    numbers = {
        id(function): number
        for several in functions.values()
        if len(several) > 1
        for number, function in enumerate(sorted(several, key=lambda c: c.co_firstlineno), 1)
    }
    return [(code, numbers[id(function)]) for code, function in found if id(function) in numbers]
