"""PYTEST_DONT_REWRITE: compiled modules of the project, read before the run is wanted.

A run imports the project's modules, and its test files, anew; but to make code of what is cached
of each takes as long as to run that. A process that has gone ahead makes it while it waits. When a
module is imported its cached file is read as ever: the code that was made is taken only where it
was made of these very bytes.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Iterable
from types import CodeType
from typing import Any

HEADER = 16
"""Bytes before the code (PEP 552); pytest's own files have as many."""

MOST = 2 << 20
"""Bytes of which code is made at most: it takes some times as much memory."""


class Codes:
    """Code that has been made, each for one import.

    Args:
        paths: cached files, the most needed first; what cannot be read is passed over.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._made: dict[bytes, CodeType] = {}
        left = MOST
        for path in paths:
            try:
                with open(path, "rb") as file:  # noqa: PTH123 - it is one of thousands
                    data = file.read(left + 1)[HEADER:]
                left -= len(data)
                if left < 0:
                    break
                code = marshal.loads(data)
            except (OSError, EOFError, ValueError, TypeError):
                continue
            if isinstance(code, CodeType):
                self._made[data] = code

    def take(self, data: bytes) -> CodeType | None:
        """The code of such a file, once: an import of the same again makes its own.

        Args:
            data: what the file holds after its header.
        """
        return self._made.pop(data, None)

    def offer(self) -> None:
        """Have imports take it, Python's own and those that pytest rewrites."""
        external: Any = sys.modules["_frozen_importlib_external"]
        imp: Any = sys.modules["_imp"]
        compiled = external._compile_bytecode

        def compile_bytecode(
            data: Any, name: Any = None, bytecode_path: Any = None, source_path: Any = None
        ) -> Any:
            code = self.take(bytes(data))
            if code is None:
                return compiled(data, name, bytecode_path, source_path)
            if source_path is not None:
                imp._fix_co_filename(code, source_path)
            return code

        external._compile_bytecode = compile_bytecode
        from _pytest.assertion import rewrite

        namespace: Any = rewrite
        namespace.marshal = _Marshal(self)


class _Marshal:
    """In the place of `marshal`, where pytest reads what it has rewritten.

    Args:
        codes: those that have been made.
    """

    dumps = staticmethod(marshal.dumps)

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def load(self, file: Any) -> Any:
        data = file.read()
        return self._codes.take(data) or marshal.loads(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(marshal, name)
