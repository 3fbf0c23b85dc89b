"""What has changed between some contents and those of now, in the words of recordings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import msgspec

from devloop.events import Reason
from devloop.graph.graph import Graph
from devloop.select.category import (
    DISTRIBUTION,
    ENVIRONMENT,
    LISTING,
    TEXT,
    VARIABLE,
    Category,
    about,
    called,
)
from devloop.select.edits import compare, functions_edited, same_skeleton
from devloop.select.existence import Existence
from devloop.select.mentions import ANYWHERE, Mentions, Origin
from devloop.select.outlines import ANY_NAME, ANY_SIGNATURE, Outline, Outlines
from devloop.select.plain import TextOf, may_name
from devloop.select.reach import Categorise, Reach
from devloop.select.recorded import line_of
from devloop.select.records import ABSENT, UNRECORDED, Contents, Records
from devloop.select.scenes import Scene, Scenes
from devloop.select.taint import Taint

CLOSED = "!"
"""After the key of a function that keeps results where only functions beside it can meet them; see
`inside/memos.py`."""
LENT = "+"
"""After the key of a function that was called for what a library keeps; who meets that mentions
nothing. See `inside/record_lent.py`."""
UNCALLED = frozenset({"__get__", "__getattr__", "__missing__", "__subclasshook__"})
"""Methods of which who finds what they have kept mentions nothing; see `inside/memos.py`.

So it is with a lambda, which has no name."""
UNKNOWN = b"?"
"""The content of a file of which nobody knows what it says."""
FEW = 200
"""Up to how many sources are compared statement by statement; more are a switch of branches."""


def function_of(memo: str) -> str:
    """The function whose results are kept.

    Args:
        memo: its key, as it was recorded.
    """
    return memo.rstrip(CLOSED + LENT)


class Present(msgspec.Struct, frozen=True):
    """What the comparison of contents needs to know.

    Args:
        graph: as it is now.
        records: what earlier runs have shown.
        contents: as they are now.
        categorise: tells what a path is to selection.
        outlines: gives outlines by fingerprint.
        flaky: tests that have shown two outcomes on one content.
        scenes: what was found out before, on these contents or on others.
        text_of: gives what files of plain data say.
    """

    graph: Graph
    records: Records
    contents: Contents
    categorise: Categorise
    outlines: Outlines
    flaky: Collection[str] = ()
    scenes: Scenes = msgspec.field(default_factory=Scenes)
    text_of: TextOf = lambda _: None


class Delta:
    """What has changed between some contents and those of now.

    Args:
        present: what is known now.
        before: for each path and fact whose content is another one the one of then; `ABSENT`
            for what came.
    """

    def __init__(self, present: Present, before: Mapping[str, bytes]) -> None:
        self._present = present
        self._before = before
        self._changed: dict[int, Reason] = {}
        """Dependencies that have changed, each with its reason: a chain without the test."""
        self._wild: dict[str, str] = {}
        self._named = Mentions()
        """What may read a changed value."""
        self._read = Mentions(in_tests=True)
        self._examples: dict[str, Mentions] = {}
        """Texts that may name a changed value, for tests that are examples in them, by path."""
        self._twins: dict[str, list[int]] | None = None
        self._wholes: dict[str, Reason | None] = {}
        self._by_base: dict[tuple[str, int], Reason | None] = {}
        self._static: Reach | None = None
        self._reach = Reach(present.graph, (), present.categorise)
        if before:
            self._find()

    @property
    def everything(self) -> Reason | None:
        """Why all tests are reached, whatever was recorded of them."""
        return self._reach.everything

    @property
    def static(self) -> Reach:
        """What the change reaches by the graph alone, for tests of which nothing is recorded."""
        if self._static is None:
            self._static = Reach(self._present.graph, self._before, self._present.categorise)
        return self._static

    def of_file(self, path: str, base: int) -> Reason | None:
        """Why the change reaches the collection of a file, and so all its tests.

        Args:
            path: of the test file.
            base: the number of the set of what its collection depends on; `UNRECORDED` where
                nothing was recorded.
        """
        if not self._before:
            return None
        if base == UNRECORDED:
            return self.static.reason(path)
        reason = self._whole(path)
        if reason is not None:
            return reason
        key = path, base
        if key not in self._by_base:
            self._by_base[key] = self._by(path, base)
        return self._by_base[key]

    def of_test(self, path: str, own: int, base: int) -> Reason | None:
        """Why the change reaches a test.

        Args:
            path: of its file.
            own: the number of the set of what it depends on by itself; `UNRECORDED` where
                nothing was recorded.
            base: that of what its file does.
        """
        if not self._before:
            return None
        if own == UNRECORDED:
            return self.static.reason(path)
        return self._by(path, own, base) or self.of_file(path, base)

    def distance(self, path: str) -> int:
        """How far a test file is from the nearest change, in imports."""
        return self.static.distance(path)

    def _whole(self, path: str) -> Reason | None:
        """Why the change reaches all that a file's tests do."""
        if path in self._wholes:
            return self._wholes[path]
        reason = self._reach.reason(path)
        if reason is not None and reason.detail is None and reason.chain != (path,):
            statement = self._wild[reason.chain[-1]]
            reason = msgspec.structs.replace(reason, detail=_may(reason.chain[-1], statement))
        elif reason is not None and reason.kind == "edited" and path not in self._before:
            # A statement of its own reads what was edited.
            reason = Reason("mentions", (path,), _may(path, self._wild[path]))
        self._wholes[path] = reason
        return reason

    def _by(self, path: str, number: int, base: int | None = None) -> Reason | None:
        """Why the change reaches something in a set of dependencies.

        Args:
            path: of the test's file.
            number: of the set.
            base: that of what its file does, where the set is of what it does by itself.
        """
        records = self._present.records
        members = records.members(number)
        if not self._changed.keys().isdisjoint(members):
            return self._first(path, self._changed, members)
        more = () if base is None else (records.members(base),)
        for mentions in (
            self._named,
            self._examples.get(path),
            None if base is None else self._read,
        ):
            if mentions is not None and (found := mentions.of(path, members, *more)):
                return self._first(path, found, members)
        return None

    def _first(self, path: str, known: Mapping[int, Reason], members: frozenset[int]) -> Reason:
        found = [known[number] for number in members if number in known]
        reason = min(found, key=lambda one: (len(one.chain), one.chain))
        # That a test itself was edited, its body or its text, is the plainest of all reasons.
        for one in found:
            if one.kind == "read" and one.chain == (path,):
                return Reason("edited", one.chain)
            if one.kind == "ran" and one.chain[-1].partition("::")[0] == path:
                return Reason("edited", one.chain)
        if reason.kind == "ran" and "::" not in reason.chain[-1]:
            # Where functions cannot be told apart the way through the imports says more.
            reason = self.static.reason(path) or reason
        if reason.chain[:1] == (path,):
            return reason
        return msgspec.structs.replace(reason, chain=(path, *reason.chain))

    def _number(self, kind: str, what: str) -> int:
        return self._present.records.number_of.get(f"{kind} {what}", -1)

    def _numbers(self, function: str) -> list[int]:
        """The dependencies on a function, and on each of several of that name."""
        if self._twins is None:
            self._twins = {}
            for what, number in self._present.records.of_kind("f").items():
                if "#" in what:
                    self._twins.setdefault(what.rpartition("#")[0], []).append(number)
        one = self._number("f", function)
        return [*self._twins.get(function, ()), *([one] if one >= 0 else ())]

    def _meeting(self, memo: str) -> list[int]:
        """The dependencies on a function that keeps results, and on those beside it."""
        if not memo.endswith(CLOSED):
            return self._numbers(function_of(memo))
        outer = memo.partition(".<locals>.")[0]
        known = self._present.records.of_kind("f")
        return [number for what, number in known.items() if what.startswith(f"{outer}.<locals>.")]

    def _note(self, kind: str, what: str, reason: Reason) -> None:
        number = self._present.records.number_of.get(f"{kind} {what}")
        if number is not None:
            self._changed.setdefault(number, reason)

    # What has changed

    def _find(self) -> None:
        present = self._present
        sources: list[str] = []
        relevant: str | None = None
        file: str | None = None
        # The environment as a whole comes last: a variable that is known by name says more.
        for path in sorted(self._before, key=lambda one: (one == ENVIRONMENT, one)):
            kind = present.categorise(path)
            if kind is Category.FACT:
                if self._fact(path):
                    relevant = relevant or called(path)
                continue
            if kind is not Category.DOCUMENT and kind is not Category.BYPRODUCT:
                relevant = relevant or path
            self._file(path)
            if kind in (Category.SOURCE, Category.EXTENSION):
                sources.append(path)
            else:
                file = file or path
        self._places()
        self._sources(sources)
        if relevant is not None:
            for what, number in present.records.of_kind("o").items():
                reason = Reason("opaque", (relevant,), f"what it does cannot be observed: {what}")
                self._changed.setdefault(number, reason)
        if file is not None:
            for what, number in present.records.of_kind("b").items():
                detail = f"{what} may read any file, and nothing tells which"
                self._changed.setdefault(number, Reason("opaque", (file,), detail))
        self._reach = Reach(
            present.graph, self._wild, lambda _: Category.SOURCE, everything=self._all()
        )

    def _all(self) -> Reason | None:
        """Why all tests are reached, whatever they do."""
        for path in sorted(self._before):
            kind = self._present.categorise(path)
            if kind is Category.CONFIGURATION:
                return Reason("configuration", (path,), f"pytest's configuration changed: {path}")
            if kind is Category.FACT and not any(
                about(path, one) is not None for one in (TEXT, VARIABLE, DISTRIBUTION, LISTING)
            ):
                return Reason("environment", (path,), f"changed: {called(path)}")
        return None

    def _fact(self, key: str) -> bool:
        """Take up a fact that is another one; whether it is one that opaque tests may see."""
        if (path := about(key, TEXT)) is not None:
            # What nobody had looked at by then, no outcome of then depends on.
            if self._before[key] != ABSENT:
                reason = Reason("text", (path,), "the text of the source was looked at")
                self._note("t", path, reason)
            return False
        if key == ENVIRONMENT:
            detail = "all of the environment was looked at, and it is another one"
            self._note("v", "*", Reason("variable", (called(key),), detail))
        elif (name := about(key, VARIABLE)) is not None:
            reason = Reason("variable", (name,), f"the environment variable {name} is another one")
            self._note("v", name, reason)
            self._note("v", "*", reason)
        elif (name := about(key, DISTRIBUTION)) is not None:
            reason = Reason("distribution", (name,), f"the distribution {name} is another one")
            self._note("d", name, reason)
            if self._before[key] == ABSENT:
                for module, number in self._present.records.of_kind("i").items():
                    detail = f"{module} could not be imported; {name} was installed"
                    self._changed.setdefault(number, Reason("distribution", (name,), detail))
        elif (folder := about(key, LISTING)) is not None:
            self._note("l", folder, Reason("listed", (folder,), "an entry came or went"))
        return True

    def _file(self, path: str) -> None:
        """Take up a file that is another one, whatever it is."""
        present, before = self._present, self._before[path]
        now = present.contents.get(path, ABSENT)
        self._note("r", path, Reason("read", (path,)))
        self._note("p", path, Reason("ran", (path,)))
        if now == ABSENT:
            self._note("t", path, Reason("text", (path,)))
            self._note("m", path, Reason("imports", (path,), f"{path} is gone"))
        if before != ABSENT:
            return
        names = present.graph.layout.module_names(path)
        for name, number in present.records.of_kind("i").items() if names else ():
            if any(name == one or name.startswith(f"{one}.") or one.startswith(f"{name}.")
                   for one in names):  # fmt: skip
                detail = f"{name} could not be imported; now there is {path}"
                self._changed.setdefault(number, Reason("looked-for", (path,), detail))

    def _places(self) -> None:
        """Take up what came and went, for those who looked for it, or listed its folder."""
        present = self._present
        existence = Existence(self._before, present.contents)
        if not existence.moved:
            return
        for kind, wanted in (("e", False), ("x", True)):
            for path, number in present.records.of_kind(kind).items():
                if existence.changed(path):
                    detail = "it was looked for, and is there now" if wanted else None
                    detail = detail or "it was looked for, and is gone"
                    self._changed.setdefault(number, Reason("looked-for", (path,), detail))
        for folder, number in present.records.of_kind("l").items():
            if (entry := existence.entry_changed(folder)) is not None:
                detail = f"{folder or '.'} was listed; {entry} came or went"
                self._changed.setdefault(number, Reason("listed", (entry,), detail))

    def _sources(self, paths: list[str]) -> None:
        """Compare sources, as closely as is possible."""
        present = self._present
        contents = {
            path: (self._before[path], present.contents.get(path, ABSENT)) for path in paths
        }
        outlines: Mapping[bytes, Outline] = {}
        if len(paths) <= FEW:
            wanted = {one for pair in contents.values() for one in pair if one != ABSENT}
            outlines = present.outlines(wanted)
        skeletons: dict[str, tuple[Outline, Outline]] = {}
        for path, (before, after) in contents.items():
            if before in outlines and after in outlines:
                self._functions(path, functions_edited(outlines[before], outlines[after]))
                if not same_skeleton(outlines[before], outlines[after]):
                    skeletons[path] = outlines[before], outlines[after]
                continue
            self._wild[path] = "the whole file"
            for number in self._functions_of(path):
                self._changed.setdefault(number, Reason("ran", (present.records.deps[number][2:],)))
        self._skeletons(skeletons)
        self._memos()
        for path, statement in self._wild.items():
            chain = (path,)
            self._note("m", path, Reason("imports", chain, _may(path, statement)))

    def _functions(self, path: str, keys: Iterable[str]) -> None:
        for key in keys:
            self._note("f", f"{path}::{key}", Reason("ran", (f"{path}::{key}",)))

    def _functions_of(self, path: str) -> Iterable[int]:
        start = f"{path}::"
        known = self._present.records.of_kind("f")
        return [number for what, number in known.items() if what.startswith(start)]

    def _skeletons(self, edited: Mapping[str, tuple[Outline, Outline]]) -> None:
        """Follow the names that statements bind which were edited."""
        if not edited:
            return
        scene = self._scene(edited, [before for before, _ in edited.values()])
        if scene is None:
            self._wild.update(dict.fromkeys(edited, "too much mentions it to be looked through"))
            return
        names: dict[str, tuple[str, ...]] = {}
        for path, (before, after) in edited.items():
            edit = compare(before, after, scene.classes)
            if edit.wild is None and edit.names:
                of_tests = _is_of_tests(path, self._present.graph)
                asked = [said for one, said in edit.names.items() if of_tests or _ASKED.match(one)]
                edit = msgspec.structs.replace(edit, wild=asked[0] if asked else None)
            self._functions(path, edit.functions)
            unread = _unread(edit.constants, scene)
            if edit.wild is not None:
                self._wild[path] = edit.wild
            elif unread:
                self._wild[path] = f"{unread}, which no source mentions,"
            else:
                names.update({name: (f"{path}: {said}",) for name, said in edit.names.items()})
        if names:
            self._follow(scene, names)

    def _memos(self) -> None:
        """Follow cached functions that may keep what another value would come from now."""
        records = self._present.records
        waiting = {key: records.members(number) for key, number in records.memos.items()}
        while True:
            found: dict[str, Reason] = {}
            read: dict[str, Reason] = {}
            for key, members in waiting.items():
                own = self._numbers(function_of(key))
                numbers = (*members, *own)
                causes = [self._changed[one] for one in numbers if one in self._changed]
                causes += self._named.causes(own, numbers, records)
                among = found if causes else read
                causes = causes or list(self._read.causes(own, numbers, records))
                if causes:
                    cause = min(causes, key=lambda one: (len(one.chain), one.chain))
                    name = function_of(key)
                    chain = cause.chain if cause.chain[0] == name else (name, *cause.chain)
                    among[key] = Reason("memo", chain, "it keeps what it has computed")
            if not (found or read):
                return
            for key in (*found, *read):
                del waiting[key]
            found = {key: found[key] for key in found if not self._is_decorator(key)}
            read = {key: read[key] for key in read if not self._is_decorator(key)}
            for key, reason in found.items():
                for number in self._meeting(key):
                    self._changed.setdefault(number, reason)
            for key, reason in read.items():
                for number in self._meeting(key):
                    self._read.add(number, reason, ANYWHERE)
            if not self._find_kept(found, read):
                return

    def _find_kept(self, found: Mapping[str, Reason], read: Mapping[str, Reason]) -> bool:
        """Follow what functions keep to those who may find it without running anything.

        Args:
            found: the functions, with why.
            read: the same, where it is a value that tests alone have computed.

        Returns:
            False where too much may.
        """
        kept = {key: why for key, why in {**found, **read}.items() if not self._is_met(key)}
        if not kept:
            return True
        files = {key.partition("::")[0] for key in kept}
        scene = self._scene(files, ())
        if scene is None:
            self._wild.update(dict.fromkeys(files, "too much mentions what it keeps"))
            return False
        whens = self._present.records.whens
        names: dict[str, tuple[str, ...]] = {}
        late: dict[str, tuple[str, ...]] = {}
        for key, reason in kept.items():
            path, _, function = key.partition("::")
            own = function.rpartition(".")[2]
            if key.endswith(LENT):
                self._wild.setdefault(path, f"what a library keeps of {function[:-1]}")
                continue
            if own in UNCALLED or own.startswith("<"):
                whose = "a lambda" if own.startswith("<") else function
                self._wild.setdefault(path, f"what {whose} has kept")
                continue
            # What only tests have computed no module has read that was imported before them.
            in_tests = key in read or (
                whens.at_import.isdisjoint(self._numbers(key)) and scene.is_property(path, function)
            )
            (late if in_tests else names)[own] = reason.chain
        if names:
            self._follow(scene, names)
        if late:
            self._follow(scene, late, whens.late)
        return True

    def _is_decorator(self, method: str) -> bool:
        """Whether a function is a descriptor's, and keeps nothing that does not count otherwise."""
        path, _, function = method.partition("::")
        if not function.endswith(".__get__"):
            return False
        scene = self._scene({path}, ())
        return scene is not None and scene.is_decorator(function.split(".")[-2])

    def _is_met(self, memo: str) -> bool:
        """Whether only who runs such a function, or one beside it, can meet what it keeps.

        It keeps that in variables around it, or on objects that it was given. (Else others may
        have the kept value by another name.)
        """
        if memo.endswith(CLOSED):
            return True
        path, _, function = memo.partition("::")
        facts = self._present.graph.files.get(path)
        if facts is None or path in self._before:
            return False
        return any(one.partition(" ")[0] == function and " " in one for one in facts.memos)

    def _scene(self, files: Collection[str], more: Collection[Outline]) -> Scene | None:
        """What may mention something of some files; None where that is too much."""
        present = self._present
        scene = present.scenes.of(present.graph, present.contents, present.outlines, files, more)
        if scene is not None:
            for path in scene.unread:  # nobody knows what it does with them
                self._wild.setdefault(path, "the whole file")
        return scene

    def _follow(
        self,
        scene: Scene,
        names: Mapping[str, tuple[str, ...]],
        late: frozenset[str] | None = None,
    ) -> None:
        taint = scene.follow(names, late)
        self._wild.update({p: s for p, s in taint.wild.items() if p not in self._wild})
        self._hits(taint, scene, self._named if late is None else self._read)

    def _hits(self, taint: Taint, scene: Scene, into: Mentions) -> None:
        records = self._present.records
        modules = records.of_kind("m")
        origin = Origin(
            scene.importers, frozenset(modules[p] for p in scene.importers if p in modules)
        )
        for dep, name in taint.hits.items():
            number = records.number_of.get(dep)
            chain = taint.names.get(name, ())
            unsaid = name in (ANY_NAME, ANY_SIGNATURE)
            detail = f"{dep[2:]} reads names unsaid" if unsaid else f"{dep[2:]} mentions {name}"
            reason = Reason("mentions", (dep[2:], *chain), detail)
            for one in (number, records.number_of.get(f"p {dep[2:].partition('::')[0]}")):
                if one is not None:
                    into.add(one, reason, origin)
        chain = next(iter(taint.names.values()), ())
        for kind in ("r", "t"):
            for path, number in records.of_kind(kind).items():
                if kind == "t" and line_of(path)[1]:
                    continue  # nobody runs what a traceback shows
                detail = f"{path} was read, and may name anything"
                reason = Reason("mentions", (path, *chain), detail)
                # What the examples in a text, or a docstring, do is not known to anybody.
                self._examples.setdefault(path, Mentions()).add(number, reason, origin)
                if ANY_NAME in taint.names and (
                    may_name(path, taint.names, self._present.text_of)
                    if kind == "r"
                    else _may_name(scene.readers.get(path), taint.names)
                ):
                    into.add(number, reason, origin)


def _may_name(outline: Outline | None, names: Collection[str]) -> bool:
    """Whether a source whose text was shown may name something; who runs it says so himself."""
    said = set[str]() if outline is None else {name for name in outline.names if " " not in name}
    return outline is None or not said.isdisjoint(names)


def _unread(constants: Collection[str], scene: Scene) -> str:
    """One of some constants that no source mentions: a library reads it, or nobody does."""
    for name in constants:
        dunder = name.startswith("__") and name.endswith("__")
        if not dunder and not any(name in outline.names for outline in scene.readers.values()):
            return name
    return ""


_ASKED = re.compile(
    r"test|Test|pytest|runTest|__test__|(asyncS|s)et(u|U)p(_?(method|class|module|function|Class)|$)"
    r"|(asyncT|t)ear(d|D)own(_?(method|class|module|function|Class)|$)"
)
"""What pytest looks for by name in any class or module that a test file holds something of: tests,
what is done around them. No code mentions it."""


def _is_of_tests(path: str, graph: Graph) -> bool:
    """Whether pytest acts on what a source holds."""
    name = path.rpartition("/")[2]
    return name == "conftest.py" or graph.layout.is_test_module(path) or graph.is_plugin(path)


def _may(path: str, statement: str) -> str:
    return f"{path}: {statement} may have any effect"
