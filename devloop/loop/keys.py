"""From what a person types to actions (DESIGN §5).

Some keys open a prompt, which takes all keys until Enter or Escape; `h` shows the keys in the
place of the footer until the next one. Nothing here reads a terminal or writes to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from devloop.loop.actions import (
    Action,
    ClearFilters,
    Debug,
    FailedOnly,
    FilterNames,
    FilterPaths,
    Pause,
    Quit,
    Rerun,
    Restart,
    RunAll,
    RunSince,
    Why,
)
from devloop.report.panel import Help, Panel, Prompt
from devloop.select.focus import matches

Kind: TypeAlias = Literal["paths", "names", "revisions"]

ACTIONS: Mapping[str, Action] = {
    "a": RunAll(),
    "f": FailedOnly(),
    "\r": Rerun(),
    "\n": Rerun(),
    "r": Rerun(),
    "c": ClearFilters(),
    "R": Restart(),
    "d": Debug(),
    "w": Why(),
    " ": Pause(),
    "q": Quit(),
}
"""What each key asks for by itself."""

PROMPTS: Mapping[str, Kind] = {"p": "paths", "t": "names", "o": "revisions"}
"""What each of the others opens."""

SHOWN = 20
"""Matches that a prompt is given; more do not fit a line."""

PASTED = 4
"""So many characters at once nobody has typed: as keys they would do anything."""

_KEY = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # an arrow, say: CSI
    "|\x1bO."  # the same in application mode: SS3
    "|\x1b[^\x1b]?"  # Escape, or Alt and a key
    "|.",
    re.DOTALL,
)


class Candidate(msgspec.Struct, frozen=True):
    """Something that can be meant by what is typed.

    Args:
        text: what is asked for then.
        label: what is matched, and shown.
    """

    text: str
    label: str


class Dialog(msgspec.Struct, frozen=True):
    """How one kind of prompt speaks.

    Args:
        title: of the prompt.
        things: what is looked through, in the plural.
        enter: what Enter does.
        empty: what it does where nothing was typed.
    """

    title: str
    things: str
    enter: str
    empty: str


_DIALOGS: Mapping[Kind, Dialog] = {
    "paths": Dialog("path", "test files", "Enter runs these", "Enter takes the filter away"),
    "names": Dialog("name", "tests", "Enter runs these", "Enter takes the filter away"),
    "revisions": Dialog(
        "changed since", "revisions", "Enter takes the first", "Enter takes the last commit"
    ),
}


class Keys:
    """What has been pressed so far.

    Args:
        candidates: tells what a prompt looks through, when it is opened.

    Attributes:
        panel: what stands in the place of the footer; None is the footer itself.
    """

    def __init__(self, candidates: Callable[[Kind], Sequence[Candidate]]) -> None:
        self._candidates = candidates
        self._kind: Kind | None = None
        self._text = ""
        self._all: Sequence[Candidate] = ()
        self._found: list[Candidate] = []
        self.panel: Panel | None = None

    def press(self, data: str) -> list[Action]:
        """Take keys.

        Args:
            data: what a terminal has handed over.

        Returns:
            What they ask for: nothing for keys that mean nothing, and, but in a prompt, for text
            that was pasted.
        """
        keys = list(split(data))
        if self._kind is None and len(keys) >= PASTED:
            return []
        return [action for key in keys if (action := self._one(key)) is not None]

    def _one(self, key: str) -> Action | None:
        if self._kind is not None:
            return self._in_prompt(self._kind, key)
        shown, self.panel = self.panel, None
        if key in ("h", "?") and shown is None:
            self.panel = Help()
        elif key in PROMPTS:
            self._kind = PROMPTS[key]
            self._all = self._candidates(self._kind)
            self._type("")
        elif shown is not None and key in ("\x1b", "\r", "\n"):
            return None  # it closes the help
        return ACTIONS.get(key)

    def _in_prompt(self, kind: Kind, key: str) -> Action | None:
        if key in ("\r", "\n"):
            found, text = self._found, self._text.strip()
            self._kind, self.panel = None, None
            if kind == "paths":
                return FilterPaths(text)
            if kind == "names":
                return FilterNames(text)
            return RunSince(found[0].text if found else text or "HEAD")
        if key == "\x1b":
            self._kind, self.panel = None, None
        elif key in ("\x7f", "\x08"):
            self._type(self._text[:-1])
        elif key == "\x15":
            self._type("")
        elif key == "\x17":
            self._type(self._text.rstrip().rpartition(" ")[0])
        elif key == "\t":
            self._type(self._found[0].text if self._found else self._text)
        elif key.isprintable():
            self._type(self._text + key)
        return None

    def _type(self, text: str) -> None:
        assert self._kind is not None
        self._text = text
        self._found = [one for one in self._all if matches(text, one.label)]
        exact = [one for one in self._found if one.text == text.strip()]
        self._found = exact or self._found
        dialog = _DIALOGS[self._kind]
        found = f"{len(self._found):,} of {len(self._all):,} {dialog.things}"
        hint = dialog.enter if text.strip() else dialog.empty
        if self._kind == "revisions" and text.strip() and not self._found:
            hint = "Enter takes what is typed"
        shown = tuple(one.label for one in self._found[:SHOWN])
        self.panel = Prompt(dialog.title, text, found, shown, hint)


def split(data: str) -> Iterator[str]:
    """The keys of what a terminal has handed over.

    Args:
        data: characters and control sequences.
    """
    return (found[0] for found in _KEY.finditer(data))
