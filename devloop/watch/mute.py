"""Files that our own children write, again and again: they must not keep the loop turning."""

from __future__ import annotations

from collections.abc import Collection

TIMES = 3
"""Cycles in a row after which a file is muted."""

AFTER = 1.0
"""Seconds after a cycle's end within which a change counts as that cycle's doing: long enough for
an app that writes a log when it is up, shorter than a person's next save."""

PYTHON = (".py", ".pyi")


class Mutes:
    """Counts for each file the cycles in a row in which it changed, at about the same time in each.

    The time is what tells a program from a person who saves again and again during long cycles.
    """

    def __init__(self) -> None:
        self._cycle = 0
        self._busy = False
        self._started = 0.0
        self._finished = 0.0
        self._hits: dict[str, tuple[int, list[float]]] = {}

    def cycle_started(self, now: float) -> None:
        """A cycle begins.

        Args:
            now: monotonic, in seconds.
        """
        self._cycle += 1
        self._busy = True
        self._started = now

    def cycle_finished(self, now: float) -> None:
        """The cycle has ended.

        Args:
            now: monotonic, in seconds.
        """
        self._busy = False
        self._finished = now

    def note(self, paths: Collection[str], now: float) -> list[str]:
        """Files have changed.

        Args:
            paths: those that may be muted: neither tracked nor Python nor named by the user.
            now: when the change was seen; monotonic, in seconds.

        Returns:
            Those to be muted.
        """
        if not self._cycle or (not self._busy and now > self._finished + AFTER):
            for path in paths:
                self._hits.pop(path, None)
            return []
        found = []
        for path in paths:
            cycle, delays = self._hits.get(path, (0, []))
            if cycle == self._cycle:
                continue
            delays = [*(delays if cycle == self._cycle - 1 else []), now - self._started][-TIMES:]
            self._hits[path] = (self._cycle, delays)
            if len(delays) == TIMES and max(delays) - min(delays) <= max(1.0, 0.3 * max(delays)):
                del self._hits[path]
                found.append(path)
        return found
