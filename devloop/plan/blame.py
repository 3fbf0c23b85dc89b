"""Which modules cannot be held, where one of them is unsafe or imports the project (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devloop.plan.warm import OF_THE_PROJECT, is_within


def crossing(names: Sequence[str], crossed: Mapping[str, str]) -> dict[str, str]:
    """What cannot be held because it imports the project's modules.

    Args:
        names: all that were to be imported.
        crossed: those that have tried to import such a module, with its name.

    Returns:
        Of `names`, those and the rest of their packages, with the reason.
    """
    return {
        name: f"imports {own}{OF_THE_PROJECT}"
        for name in names
        if (own := next((crossed[one] for one in crossed if is_within(name, one)), None))
    }


def unholdable(
    names: Sequence[str], fault: tuple[str, str], edges: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """What cannot be held because a module is unsafe.

    Args:
        names: all that were to be imported.
        fault: the module, and what it does, as the end of a sentence.
        edges: what each module has imported.

    Returns:
        Of `names`, those of the module's package and those that import it, with the reason;
        always one at least.
    """
    top = fault[0].partition(".")[0]
    found = {name: fault[1] for name in names if name.partition(".")[0] == top}
    tainted = _importers(top, edges)
    for name in names:
        if name not in found and _has(name, tainted):
            found[name] = f"imports {top}, which {fault[1]}"
    # In any case one less, or who tries again and again would not end.
    found.setdefault(fault[0] if fault[0] in names else names[0], fault[1])
    return found


def _importers(top: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """The modules that import something, at any remove.

    Args:
        top: the top-level name of what is imported.
        edges: what each module has imported.
    """
    found: set[str] = set()
    while True:
        more = {
            name
            for name, imported in edges.items()
            if name not in found
            and any(one.partition(".")[0] == top or _has(one, found) for one in imported)
        }
        if not more:
            return found
        found |= more


def _has(name: str, modules: set[str]) -> bool:
    """Whether a module, or a package that is imported before it, is one of some."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in modules for count in range(1, len(parts) + 1))
