"""An index from names to the paths that have or want them; a change makes a new one."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

Index = dict[str, tuple[str, ...]]


def collect(entries: Iterable[tuple[str, Iterable[str]]]) -> Index:
    """Make an index.

    Args:
        entries: paths in sorted order, each with its names.

    Returns:
        For each name the sorted paths.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path, of_path in entries:
        for name in of_path:
            found[name].append(path)
    return {name: tuple(paths) for name, paths in found.items()}


def changed(
    index: Index, before: Mapping[str, Iterable[str]], after: Mapping[str, Iterable[str]]
) -> Index:
    """Change the names of some paths.

    Args:
        index: is left as it is.
        before: the paths with the names that the index holds for them.
        after: the same paths with those that it shall hold.

    Returns:
        A new index, or the same where nothing differs.
    """
    gone: defaultdict[str, set[str]] = defaultdict(set)
    come: defaultdict[str, set[str]] = defaultdict(set)
    for path, of_path in after.items():
        old, new = set(before[path]), set(of_path)
        for name in old - new:
            gone[name].add(path)
        for name in new - old:
            come[name].add(path)
    if not gone and not come:
        return index
    result = index.copy()
    for name in gone.keys() | come.keys():
        paths = set(result.get(name, ())) - gone.get(name, set()) | come.get(name, set())
        if paths:
            result[name] = tuple(sorted(paths))
        else:
            del result[name]
    return result


def starting_with(start: str, ordered: Sequence[str]) -> Sequence[str]:
    """The part of some sorted strings that begins with a string.

    Args:
        start: may be empty.
        ordered: paths or names.
    """
    first = bisect_left(ordered, start)
    # No path or name holds a character after the last one that there is.
    return ordered[first : bisect_left(ordered, start + "\U0010ffff", first)]
