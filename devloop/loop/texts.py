"""What stands at single lines of sources: tracebacks that tests have seen show no more."""

from __future__ import annotations

import re
from bisect import bisect_right
from hashlib import blake2b
from pathlib import Path

from devloop.loop.reading import content_of

_HEAD = re.compile(rb"\s*(?:async\s+def|def|class)\b")
_SMALL = 8
"""The bytes of a section's digest; it is compared with those of the same place only."""


class Texts:
    """Tells sections of sources apart: each begins where a function or class is defined.

    A section is taken for another one also where it stands at another line.

    Args:
        root: the folder to which paths are relative.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sections: dict[bytes, tuple[list[int], list[bytes]]] = {}
        """For each content the lines at which its sections begin, and a digest of each."""

    def around(self, path: str, line: int, digest: bytes) -> bytes:
        """The section that a line stands in.

        Args:
            path: of the source.
            line: counted from 1.
            digest: of its content.

        Returns:
            The same for the same section at the same line. Where the file has become another one
            meanwhile, what no section gives.
        """
        found = self._sections.get(digest)
        if found is None:
            content = content_of(self._root / path, digest)
            if content is None:
                return b"?" + digest
            found = self._sections[digest] = _sections(content)
        begins, digests = found
        return digests[bisect_right(begins, line) - 1]


def _sections(content: bytes) -> tuple[list[int], list[bytes]]:
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    begins = [1, *(at for at, text in enumerate(lines, 1) if at > 1 and _HEAD.match(text))]
    digests = []
    for begin, end in zip(begins, [*begins[1:], len(lines) + 1], strict=True):
        text = b"%d " % begin + b"\n".join(lines[begin - 1 : end - 1])
        digests.append(blake2b(text, digest_size=_SMALL).digest())
    return begins, digests
