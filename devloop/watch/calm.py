"""How long it has to be quiet before changes are handed on."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet

from devloop.config.types import Watch, seconds

DEFAULT = seconds(Watch().debounce)

SETTLE = 0.004
"""Seconds without an event after which files that are whole are handed on. Measured on two busy
cores: nothing more comes of the file once it is whole from vim (each `backupcopy`), `sed -i`, or a
rename; between two files git takes up to 3 ms; a formatter comes 10 to 40 ms after the save."""

BRIEF = 0.001
"""The same once nothing has followed the saves lately, `TRUSTED` of them in a row. Whoever writes a
file in one go does so each time; it takes longer than that to parse it, which is done meanwhile."""

TRUSTED = 5
"""See `BRIEF`."""

FEW = 3
"""Files in a set up to which it may be a person's save."""

OPEN = 0.2
"""Seconds for which a file that is being written may yet be closed."""

REST = 0.2
"""Seconds without a change before one that may be a person's save; a program that goes through
files is never quiet for so long."""

CAUTION = 5
"""Changes in a row that nothing followed, after which nothing is expected to follow the next."""


class Calm:
    """Decides until when more is waited for.

    A person who has saved a file waits for us, while a program may have more to come: so the
    first set after a rest is handed on at once if it is small and whole, and what follows it
    waits for the whole debounce. Where something has followed within the debounce, as a formatter
    does after each save, it is expected to do so again; where nothing ever does, hardly anything
    is waited for. Whoever sets a longer debounce than the default wants that for every save.

    Args:
        debounce: seconds without an event that make a change set whole.
    """

    def __init__(self, debounce: float) -> None:
        self.until = 0.0
        """When it has been quiet for long enough; monotonic, in seconds."""
        self._debounce = debounce
        self._settle = min(debounce, SETTLE) if debounce <= DEFAULT else debounce
        self._brief = min(debounce, BRIEF) if debounce <= DEFAULT else debounce
        self._whole: dict[str, bool | None] = {}
        self._open: set[str] = set()
        self._last = -math.inf
        self._first = False
        self._early = False
        self._caution = 0
        self._alone = 0
        """Saves in a row that nothing has followed."""

    @property
    def early(self) -> bool:
        """Whether what is pending may be a person's save, and whole."""
        return self._early

    def hear(self, path: str, whole: bool | None) -> None:
        """Something has happened to a file.

        Args:
            path: as it is reported.
            whole: as in `Event`.
        """
        self._whole[path] = whole
        if whole is False:
            self._open.add(path)
        else:
            self._open.discard(path)

    def came(self, now: float, pending: AbstractSet[str]) -> None:
        """Something has come that matters.

        Args:
            now: when it happened; monotonic, in seconds.
            pending: all files that may have changed since some were handed on.
        """
        gap, self._last = now - self._last, now
        if self._early and gap > self._debounce:
            self._alone += not self._caution
            self._caution = max(0, self._caution - 1)
        elif self._early:
            self._alone = 0
            if gap > self._settle:
                self._caution = CAUTION
        self._first = self._first or gap > REST
        self._early = (
            self._first and len(pending) <= FEW and all(self._whole.get(path) for path in pending)
        )
        if self._early and not self._caution:
            self.until = now + (self._settle if self._alone < TRUSTED else self._brief)
        elif not self._open.isdisjoint(pending):
            self.until = now + max(self._debounce, OPEN)
        else:
            self.until = now + self._debounce

    def extend(self, now: float) -> None:
        """A program has just been at work, or more was found: wait for the whole debounce.

        Args:
            now: monotonic, in seconds.
        """
        self.until = now + self._debounce

    def open(self, pending: AbstractSet[str]) -> AbstractSet[str]:
        """Those of some files that somebody writes to, and has not closed yet.

        Args:
            pending: the files.
        """
        return self._open & pending

    def handed_on(self) -> None:
        """What was pending no longer is."""
        self._first = False
        self.forget()

    def forget(self) -> None:
        """Nothing is pending that the events so far have told of."""
        self._whole.clear()
        self._open.clear()
