"""Which edits show that a test depends on a place: those that leave no use of it whole.

A mutant changes a value a little, and many tests that use the value pass all the same. They are
at risk nevertheless: the next edit of the same place may break them. So what stands there is
also replaced by a value whose every use fails, or, where the project cannot even be imported
then, by one that is merely of no use; a test whose outcome that changes is shown to be at risk.
"""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.selection.mutants import Mutant

RISKY = frozenset({"module constant", "class constant", "default", "decorator"})
"""The classes of mutants that are looked at so."""

_SPOILT = '__import__("benchmark_spoilt").'


def spoilt(mutant: Mutant) -> tuple[Mutant, ...]:
    """Further edits of the place of a mutant, the sharpest first.

    Args:
        mutant: of one of the `RISKY` classes.
    """
    if mutant.kind == "decorator":
        texts = (f"@{_SPOILT}spoil", f"@(lambda _: {_SPOILT}VALUE)")
    else:
        texts = (f"{_SPOILT}VALUE", "object()")
    return tuple(replace(mutant, text=text) for text in texts)
