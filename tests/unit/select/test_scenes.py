"""What is found out once about some sources, and when it is found out anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source
from devloop.select.outlines import Outline, decode
from devloop.select.scenes import Scene, Scenes

BEFORE = {
    "a.py": "LIMIT = 1\n",
    "b.py": "import a\ndef reads():\n    return a.LIMIT\n",
    "c.py": "def other(): ...\n",
}


class Sources:
    """Sources that have been read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.asked = 0
        self.packed: dict[bytes, bytes] = {}
        files = {path: self.read(text) for path, text in texts.items()}
        self.graph = Graph.build(discover([*files, "pyproject.toml"]), files)
        self.contents = {path: facts.fingerprint for path, facts in files.items()}

    def read(self, text: str) -> Facts:
        """Read one more."""
        facts, packed = source.read(text.encode())
        read = msgspec.json.decode(msgspec.json.encode(facts), type=Facts)
        self.packed[read.fingerprint] = packed
        return read

    def outlines(self, wanted: Iterable[bytes]) -> Mapping[bytes, Outline]:
        """Outlines by fingerprint."""
        self.asked += 1
        return {one: decode(self.packed[one]) for one in wanted if one in self.packed}

    def all_outlines(self) -> list[Outline]:
        """Those of all sources."""
        return [decode(packed) for packed in self.packed.values()]

    def scene(self, scenes: Scenes, *more: Outline) -> Scene:
        """That of ``a.py``."""
        found = scenes.of(self.graph, self.contents, self.outlines, ["a.py"], more)
        assert found is not None
        return found


def hits(scene: Scene) -> set[str]:
    """The functions that may read the name that was edited."""
    return set(scene.follow({"LIMIT": ("a.py: LIMIT",)}).hits)


def test_a_scene_holds_who_imports_a_source() -> None:
    """And nobody else."""
    scene = Sources(BEFORE).scene(Scenes())
    assert scene.importers == {"a.py", "b.py"}
    assert hits(scene) == {"f b.py::reads"}


def test_what_was_found_out_serves_again() -> None:
    """Each revision that is compared asks for the same."""
    sources, scenes = Sources(BEFORE), Scenes()
    first = sources.scene(scenes)
    assert sources.scene(scenes) is first
    assert sources.asked == 1
    names = {"LIMIT": ("a.py: LIMIT",)}
    assert first.follow(names) is first.follow(dict(names))


def test_another_graph_has_other_scenes() -> None:
    """As soon as a source has become another one."""
    scenes = Scenes()
    assert hits(Sources(BEFORE).scene(scenes)) == {"f b.py::reads"}
    after = Sources({**BEFORE, "c.py": "import a\ndef other():\n    return a.LIMIT\n"})
    assert hits(after.scene(scenes)) == {"f b.py::reads", "f c.py::other"}


def test_other_contents_of_one_graph_have_other_scenes() -> None:
    """What is staged may differ from what lies in the tree."""
    sources, scenes = Sources(BEFORE), Scenes()
    sources.scene(scenes)
    facts = sources.read("import a\ndef renamed():\n    return a.LIMIT\n")
    sources.contents["b.py"] = facts.fingerprint
    assert hits(sources.scene(scenes)) == {"f b.py::renamed"}


def test_what_was_not_at_hand_is_asked_for_again() -> None:
    """A source of which nobody knows what it says may be read by the next time."""
    sources, scenes = Sources(BEFORE), Scenes()
    late = sources.packed.pop(sources.contents["b.py"])
    assert sources.scene(scenes).unread == {"b.py"}
    sources.packed[sources.contents["b.py"]] = late
    found = sources.scene(scenes)
    assert not found.unread
    assert hits(found) == {"f b.py::reads"}


def test_classes_from_before_belong_to_one_comparison() -> None:
    """The scene that holds them serves nobody else."""
    sources, scenes = Sources(BEFORE), Scenes()
    (old,) = Sources({"a.py": "class Old: ...\n"}).all_outlines()
    with_old = sources.scene(scenes, old)
    assert with_old.classes.line("Old") is not None
    assert sources.scene(scenes).classes.line("Old") is None
