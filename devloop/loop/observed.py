"""What tests were seen to look at, as contents: beside the files that are watched anyway."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from devloop.execute.environment import telling
from devloop.loop.texts import Texts
from devloop.select.category import TEXT, VARIABLE, fact
from devloop.select.recorded import Recording, line_of
from devloop.select.records import Records
from devloop.watch.signatures import Known

KINDS = "tvrexw"
"""The dependencies that need an eye of their own."""


class Observed(msgspec.Struct, frozen=True):
    """What tests were seen to look at.

    Args:
        texts: the sources whose text was looked at; of some, single lines: `path:line`.
        variables: for each environment variable that was read its value, or None.
        files: files and folders that were read, or looked for.
        written: files that were written.
    """

    texts: frozenset[str] = frozenset()
    variables: Mapping[str, str | None] = {}
    files: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()

    @classmethod
    def of(cls, records: Records, environ: Mapping[str, str]) -> Observed:
        """Take from records what tests were seen to look at.

        Args:
            records: what earlier runs have shown.
            environ: the environment that tests are given.
        """
        return cls._of({kind: frozenset(records.of_kind(kind)) for kind in KINDS}, environ)

    def joined(self, recording: Recording, environ: Mapping[str, str]) -> Observed:
        """Add what one more run was seen to look at.

        Args:
            recording: of the run.
            environ: the environment that tests are given.
        """
        found: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for deps in recording.all_deps():
            for dep in deps:
                if dep[0] in found:
                    found[dep[0]].add(dep[2:])
        found["t"] |= self.texts
        found["v"] |= self.variables.keys()
        found["r"] |= self.files
        found["w"] |= self.written | recording.written
        return self._of({kind: frozenset(some) for kind, some in found.items()}, environ)

    @classmethod
    def _of(cls, found: Mapping[str, frozenset[str]], environ: Mapping[str, str]) -> Observed:
        variables: dict[str, str | None] = {name: environ.get(name) for name in found["v"]}
        if "*" in variables:
            variables["*"] = repr(sorted(telling(environ).items()))
        return cls(found["t"], variables, found["r"] | found["e"] | found["x"], found["w"])

    def facts(self, known: Mapping[str, Known], texts: Texts) -> dict[str, bytes]:
        """What of it is no file, as contents.

        Args:
            known: signature and digest of each file.
            texts: reads what stands at single lines.
        """
        found = {}
        for looked in self.texts:
            path, line = line_of(looked)
            # Never left out: that is how what nobody had looked at yet is told.
            content = b"?"
            if path in known:
                digest = known[path].digest or b"?"
                content = texts.around(path, line, digest) if line else digest
            found[fact(f"{TEXT}{looked}")] = content
        for name, value in self.variables.items():
            if value is not None:
                data = value.encode("utf-8", "surrogateescape")
                found[fact(f"{VARIABLE}{name}")] = blake2b(data, digest_size=16).digest()
        return found
