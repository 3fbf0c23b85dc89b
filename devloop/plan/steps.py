"""When a step may run, and whether it has to (DESIGN §6, *Plan*).

A step is up to date while its command, its environment, its folder, the content of its inputs
and what the steps that it needs have made are those of its last success, and its outputs are
still what it made. A step without inputs cannot be told to be out of date by its content: it
runs when it is asked for (at a session's start, by `build`), and not for another step's sake.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from hashlib import blake2b

import msgspec

from devloop.config.types import Step, argv


class StepRecord(msgspec.Struct, frozen=True):
    """The last success of a step.

    Args:
        key: of what it was made from; see `key`.
        outputs: the digest of each file that it made.
        made: stands for all that it made; another one where that may be something else.
    """

    key: bytes
    outputs: Mapping[str, bytes]
    made: bytes


class Schedule:
    """Which steps may start now, as others end.

    Args:
        steps: by name.
        names: the steps of this pass; those that they need and that are not among them are
            taken as done.
    """

    def __init__(self, steps: Mapping[str, Step], names: Collection[str]) -> None:
        self._needs = {
            name: [need for need in steps[name].needs if need in names]
            for name in steps
            if name in names
        }
        self._sorter = TopologicalSorter(self._needs)
        self._sorter.prepare()
        self._failed: set[str] = set()

    @property
    def active(self) -> bool:
        """Not all of them have ended."""
        return self._sorter.is_active()

    def ready(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """Take the steps whose turn has come.

        Returns:
            Those that may start, and those that may not, each with the failed step that it needs.
        """
        start: list[str] = []
        skipped: list[tuple[str, str]] = []
        while names := self._sorter.get_ready():
            for name in names:
                bad = next((need for need in self._needs[name] if need in self._failed), None)
                if bad is None:
                    start.append(name)
                else:
                    skipped.append((name, bad))
                    self.ended(name, ok=False)
        return tuple(start), tuple(skipped)

    def ended(self, name: str, *, ok: bool) -> None:
        """A step has ended.

        Args:
            name: one that `ready` gave.
            ok: it has built, or was up to date.
        """
        if not ok:
            self._failed.add(name)
        self._sorter.done(name)


def key(step: Step, inputs: Mapping[str, bytes], needed: Mapping[str, bytes]) -> bytes:
    """A digest of all that a step's outputs are made from.

    Args:
        step: its command, environment, folder and outputs count.
        inputs: the digest of each input.
        needed: what each step that it needs has `made`.

    Returns:
        16 bytes.
    """
    parts = (
        argv(step.command),
        sorted(step.env.items()),
        step.cwd,
        step.outputs,
        sorted((path.encode("utf-8", "surrogatepass"), one) for path, one in inputs.items()),
        sorted(needed.items()),
    )
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()


def made(outputs: Mapping[str, bytes]) -> bytes:
    """A digest of a step's outputs.

    Args:
        outputs: the digest of each file.

    Returns:
        16 bytes.
    """
    parts = sorted((path.encode("utf-8", "surrogatepass"), one) for path, one in outputs.items())
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()


def is_up_to_date(
    step: Step,
    record: StepRecord | None,
    now: bytes,
    outputs: Mapping[str, bytes],
    *,
    asked: bool,
) -> bool:
    """Tell whether a step need not run.

    Args:
        step: the step.
        record: of its last success.
        now: its `key` as things are.
        outputs: the digest of each output that is there.
        asked: it is asked for by itself, not for another step's sake.

    Returns:
        True if a run would make what is there.
    """
    if record is None or (asked and not step.inputs):
        return False
    return record.key == now and record.outputs == outputs
