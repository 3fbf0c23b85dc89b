"""Looking at single files of a project, outside the watcher and the parse workers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from devloop.graph.facts import Facts
from devloop.select.category import EXTENSIONS, SOURCES
from devloop.store.records import UNKNOWN, FileRecord
from devloop.watch.signatures import DIGEST_SIZE, Known, Signature, Unsettled, read
from devloop.watch.walk import RACY

SMALL = 1 << 20
"""Up to so many bytes a file of data is looked through for names."""


def digests(root: Path, paths: Iterable[str]) -> dict[str, Known]:
    """Read files.

    Args:
        root: the project's.
        paths: relative to it.

    Returns:
        What is known of each that is there.
    """
    found = {}
    for path in paths:
        try:
            known = read(str(root / path))
        except Unsettled:
            # It is being written. Nothing proves what it holds, so it is read again next time.
            known = Known(Signature(*UNKNOWN))
        if known is not None:
            found[path] = known
    return found


def content_of(path: Path, digest: bytes, most: int = -1) -> bytes | None:
    """What a file holds, where that is what it was.

    Args:
        path: absolute.
        digest: of the content that is asked for.
        most: bytes; what is larger is not asked for. Below 0 anything is.

    Returns:
        None where it has another content now, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1 if most >= 0 else -1)
    except OSError:
        return None
    if 0 <= most < len(content):
        return None
    same = blake2b(content, digest_size=DIGEST_SIZE).digest() == digest
    return content if same else None


def text_of(path: Path, digest: bytes) -> str | None:
    """What a file of data says.

    Args:
        path: absolute.
        digest: of the content that is asked for.

    Returns:
        None where it has another content now, is large, or is no text.
    """
    content = content_of(path, digest, SMALL)
    try:
        return None if content is None or b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def shows_examples(path: Path) -> bool:
    """Whether a text may hold examples for `doctest`.

    Args:
        path: absolute.

    Returns:
        True also where it cannot be read, so that whoever runs it says so.
    """
    try:
        return b">>>" in path.read_bytes()
    except OSError:
        return True


def record(path: str, known: Known, facts: Facts | None) -> FileRecord:
    """What the store keeps of a file that was just read.

    Args:
        path: relative to the root.
        known: of its content.
        facts: of a source.
    """
    # What was written just before it was read may be written again within one tick of the
    # clock that stamps files: such a signature proves nothing to a later session.
    racy = time.time_ns() - known.signature.mtime_ns < RACY
    return FileRecord(path, UNKNOWN if racy else known.signature, known.digest or b"", facts)


def modules_at(root: Path, stems: Iterable[str]) -> list[str]:
    """The sources and extension modules among some paths without suffixes.

    Args:
        root: the project's.
        stems: relative to it; ``pkg/_version`` is also the package ``pkg/_version/__init__.py``.

    Returns:
        Those that are there.
    """
    listings: dict[str, Mapping[str, list[str]]] = {}
    found = []
    for stem in stems:
        folder, _, name = stem.rpartition("/")
        if folder not in listings:
            listings[folder] = _by_stem(str(root / folder))
        start = f"{folder}/" if folder else ""
        for listed in listings[folder].get(name, ()):
            if listed == name:
                if (root / start / name / "__init__.py").is_file():
                    found.append(f"{start}{name}/__init__.py")
            elif listed.endswith(SOURCES + EXTENSIONS):
                found.append(start + listed)
    return found


def _by_stem(folder: str) -> Mapping[str, list[str]]:
    """The names in a folder, by what stands before their first dot."""
    found: dict[str, list[str]] = {}
    with suppress(OSError):
        for name in os.listdir(folder):
            found.setdefault(name.partition(".")[0], []).append(name)
    return found


def relative(path: str, root: Path) -> str:
    """A path as devloop writes it.

    Args:
        path: absolute.
        root: the project's.

    Returns:
        Relative to the root where it is inside it.
    """
    inside, top = os.path.normpath(path), os.path.join(root, "")  # noqa: PTH118
    if inside == str(root):
        return "."
    return inside[len(top) :].replace(os.sep, "/") if inside.startswith(top) else path


def is_below(path: str, folder: str) -> bool:
    """Whether a path is that of a folder, or of something in it.

    Args:
        path: relative to the root.
        folder: likewise; empty is the root.
    """
    folder = folder.rstrip("/")
    return folder in ("", ".", path) or path.startswith(f"{folder}/")
