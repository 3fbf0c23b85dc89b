"""Which tests an edit selects by what they were seen to depend on."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest

from devloop.events import Reason, TestOutcome
from devloop.graph.facts import Facts
from devloop.graph.graph import Graph
from devloop.graph.layout import discover
from devloop.inside import source
from devloop.select.category import category
from devloop.select.delta import Present
from devloop.select.foresight import foresee, seen
from devloop.select.learning import learn
from devloop.select.outlines import Outline, decode
from devloop.select.recorded import Recording
from devloop.select.records import PASSES, Ran, Records
from devloop.select.tests import due, failing, reached


def sources(text: str) -> dict[str, str]:
    """Sources, each headed by its path after ``# ``."""
    found = {}
    for part in textwrap.dedent(text).split("\n# ")[1:]:
        path, _, content = part.partition("\n")
        found[path.strip()] = content
    return found


PROJECT = sources("""
# consts.py
LIMIT = 1
OTHER = 2
# lib.py
from consts import LIMIT
DOUBLE = LIMIT * 2
def one(a=1):
    return 1
def two():
    return DOUBLE
def cached():
    return two()
class Shape:
    sides = 0
    def area(self):
        return 0
# sub.py
from lib import Shape
class Square(Shape):
    pass
# test_lib.py
import lib, sub
def test_one():
    assert lib.one() == 1
def test_two():
    assert lib.two() == 2
def test_area():
    assert sub.Square().area() == 0
def test_sides():
    assert lib.Shape().sides == 0
# test_other.py
def test_nothing():
    pass
""")
OWN: dict[str, set[str]] = {
    "test_lib.py::test_one": {"f lib.py::one"},
    "test_lib.py::test_two": {"f lib.py::two"},
    "test_lib.py::test_area": {"f lib.py::Shape.area"},
    "test_lib.py::test_sides": set(),
    "test_other.py::test_nothing": set(),
}

CATEGORISE = functools.partial(category, configuration=("pytest.ini",))


class Project:
    """A project of which all is known that selection asks for.

    Args:
        files: its sources.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files: dict[str, str] = dict(files)
        self.facts: dict[str, bytes] = {}
        self.data: dict[str, str] = {}
        self.records = Records()
        self.flaky: set[str] = set()
        self._outlines: dict[bytes, Outline] = {}

    @property
    def graph(self) -> Graph:
        """What imports what."""
        return Graph.build(discover(self.files), {p: self._read(t) for p, t in self.files.items()})

    @property
    def contents(self) -> dict[str, bytes]:
        """A digest of each file and fact."""
        found = {path: self._read(text).fingerprint for path, text in self.files.items()}
        return {**found, **{p: t.encode() for p, t in self.data.items()}, **self.facts}

    def present(self) -> Present:
        """All of it."""
        return Present(self.graph, self.records, self.contents, CATEGORISE, self._load, self.flaky)

    def run(
        self,
        outcomes: Mapping[str, TestOutcome] | None = None,
        *,
        more: Mapping[str, set[str]] = {},
        **kinds: Any,
    ) -> None:
        """Have tests run, and record what they did.

        Args:
            outcomes: of the tests that ran; None is that all passed.
            more: dependencies beside those of `OWN` and the functions of the tests.
            kinds: further fields of the recording.
        """
        ran: dict[str, TestOutcome] = (
            dict.fromkeys(OWN, "passed") if outcomes is None else dict(outcomes)
        )
        tests = {}
        for nodeid in ran:
            path, _, name = nodeid.partition("::")
            own = OWN.get(nodeid, set()) | {f"f {path}::{name}"} | more.get(nodeid, set())
            tests[nodeid] = frozenset(own)
        whole: dict[str, frozenset[str]] = {}
        for path in {nodeid.partition("::")[0] for nodeid in ran}:
            names = [nodeid for nodeid in OWN if nodeid.startswith(f"{path}::")]
            if set(names) <= ran.keys():
                whole[path] = frozenset(n for n in ran if n.startswith(f"{path}::"))
        found = Ran(
            {n: (n.partition("::")[0], outcome, 0.1) for n, outcome in ran.items()},
            whole,
            recording=Recording(tests, **kinds),
        )
        learned = learn(self.present(), found, frozenset())
        self.records = self.records.with_learned(learned)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace some text of a source that stands there once."""
        assert self.files[path].count(old) == 1
        self.files[path] = self.files[path].replace(old, new)

    def due(self) -> dict[str, Reason]:
        """The tests that are due, each with its reason; a file stands for all its tests."""
        found: dict[str, Reason] = {}
        for file in due(self.present()).files:
            found.update({nodeid: file.reason_of(nodeid) for nodeid in file.nodeids or [file.path]})
        return found

    def names(self) -> set[str]:
        """The names of the due tests."""
        return {nodeid.rpartition("::")[2] for nodeid in self.due()}

    def _read(self, text: str) -> Facts:
        facts, packed = source.read(text.encode())
        read = msgspec.json.decode(msgspec.json.encode(facts), type=Facts)
        if packed:
            self._outlines[read.fingerprint] = decode(packed)
        return read

    def _load(self, fingerprints: Iterable[bytes]) -> Mapping[bytes, Outline]:
        return {one: self._outlines[one] for one in fingerprints if one in self._outlines}


@pytest.fixture
def project() -> Project:
    """The project, all of whose tests have passed."""
    found = Project(PROJECT)
    found.run()
    return found


def test_an_unchanged_tree_selects_nothing(project: Project) -> None:
    """Nor does an edit of comments and layout (S33)."""
    assert project.due() == {}
    project.edit("lib.py", "def two():", "# a comment\n\n\ndef two( ):")
    assert project.due() == {}


def test_the_edit_of_a_body_selects_who_ran_it(project: Project) -> None:
    """And nobody else, whatever they import."""
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    assert project.due() == {
        "test_lib.py::test_two": Reason("ran", ("test_lib.py", "lib.py::two")),
    }


def test_the_edit_of_a_test_selects_it_alone(project: Project) -> None:
    """As edited."""
    project.edit("test_lib.py", "lib.one() == 1", "lib.one() == 3")
    assert {nodeid: reason.kind for nodeid, reason in project.due().items()} == {
        "test_lib.py::test_one": "edited"
    }


def test_a_new_test_makes_its_file_due(project: Project) -> None:
    """Its name is not known before it has been collected."""
    project.files["test_lib.py"] += "def test_new(): pass\n"
    assert project.due().keys() == {"test_lib.py"}


def test_a_constant_selects_who_mentions_it_through_other_names(project: Project) -> None:
    """S1: no function runs; `DOUBLE` is made of `LIMIT`, and `two` reads it."""
    project.edit("consts.py", "LIMIT = 1", "LIMIT = 5")
    assert project.names() == {"test_two"}
    (reason,) = project.due().values()
    assert reason.kind == "mentions"
    assert reason.chain == ("test_lib.py", "lib.py::two", "lib.py: DOUBLE", "consts.py: LIMIT")


def test_a_test_file_whose_statement_reads_a_constant_is_not_the_edited_one() -> None:
    """All of its tests are due, and what is said of them is why."""
    text = """
# lib.py
LIMIT = 1
# test_it.py
import lib
for number in [lib.LIMIT]:
    pass
def test_it():
    assert number
"""
    project = Project(sources(text))
    project.run({"test_it.py::test_it": "passed"})
    project.edit("lib.py", "1", "2")
    (reason,) = project.due().values()
    assert reason == Reason("mentions", ("test_it.py",), "test_it.py: number may have any effect")
    project.edit("test_it.py", "assert number", "assert not number")
    assert {reason.kind for reason in project.due().values()} == {"edited"}


def test_a_constant_that_nobody_mentions_selects_the_closure(project: Project) -> None:
    """A library that was given the module, or its name, reads it: settings are read so.

    One that an annotation mentions is there for that.
    """
    project.edit("consts.py", "OTHER = 2", "OTHER = 3")
    assert project.due().keys() == {"test_lib.py"}
    project.edit("consts.py", "OTHER = 3", "OTHER = 2")
    project.edit("lib.py", "def two():", "def two(n: OTHER = 1):")
    project.run()
    project.edit("consts.py", "OTHER = 2", "OTHER = 3")
    assert project.due() == {}


def test_a_class_attribute_selects_who_mentions_it_or_its_class(project: Project) -> None:
    """S2; also through a class that is derived from it."""
    project.edit("lib.py", "sides = 0", "sides = 4")
    assert project.names() == {"test_sides", "test_area"}


def test_an_override_selects_who_calls_the_method(project: Project) -> None:
    """S3: nobody ran the new one."""
    project.edit("sub.py", "    pass", "    def area(self):\n        return 1")
    assert "test_area" in project.names()
    assert "test_one" not in project.names()


def test_a_default_selects_who_ran_the_function(project: Project) -> None:
    """S26."""
    project.edit("lib.py", "a=1", "a=2")
    assert project.names() == {"test_one"}


def test_a_statement_of_unknown_effect_selects_the_closure(project: Project) -> None:
    """It may do anything to whoever imports the file."""
    project.files["consts.py"] += "register(LIMIT)\n"
    found = project.due()
    assert found.keys() == {"test_lib.py"}
    assert found["test_lib.py"].chain[-1] == "consts.py"


def test_what_ran_during_imports_belongs_to_all_that_import(project: Project) -> None:
    """S36: the edit of a function that a class statement called."""
    project.run(modules={"sub.py": frozenset({"f lib.py::cached"})})
    assert project.due() == {}
    project.edit("lib.py", "return two()", "return two() + 1")
    assert project.due().keys() == {"test_lib.py"}


def test_a_cached_function_stands_for_all_that_it_has_reached(project: Project) -> None:
    """S8: a hit runs nothing, but the code names what is cached."""
    project.edit("test_other.py", "    pass", "    use.cached()")
    project.files["test_other.py"] = "import lib as use\n" + project.files["test_other.py"]
    project.run(memos={"lib.py::cached": frozenset({"f lib.py::two"})})
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    assert project.names() == {"test_two", "test_nothing"}


def test_a_cached_function_stands_for_the_values_behind_the_names_it_has_read(
    project: Project,
) -> None:
    """What it has called reads a constant: who meets the kept value runs none of it."""
    project.edit("test_lib.py", "lib.one() == 1", "lib.cached() == 1")
    memos = {"lib.py::cached": frozenset({"f lib.py::two"})}
    project.run(more={"test_lib.py::test_one": {"f lib.py::cached"}}, memos=memos)
    project.edit("consts.py", "LIMIT = 1", "LIMIT = 5")
    assert project.names() == {"test_one", "test_two"}


def test_what_a_closure_keeps_is_met_by_those_who_run_what_is_within(project: Project) -> None:
    """Not by who mentions another thing of that name."""
    made = "def make():\n    def cached():\n        return 1\n    def beside():\n        return 1\n"
    project.edit("lib.py", "class Shape:", f"{made}class Shape:")
    project.edit("test_other.py", "    pass", "    use.cached()")
    project.files["test_other.py"] = "import lib as use\n" + project.files["test_other.py"]
    memos = {"lib.py::make.<locals>.cached!": frozenset({"f lib.py::two"})}
    project.run(
        more={"test_lib.py::test_one": {"f lib.py::make.<locals>.beside"}},
        memos=memos,
    )
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    assert project.names() == {"test_one", "test_two"}


def test_a_module_that_an_earlier_test_imported_counts_for_later_ones(project: Project) -> None:
    """S4: the later one did not import it."""
    project.files["lazy.py"] = "VALUE = call()\n"
    order = dict.fromkeys(["test_lib.py::test_one", "test_other.py::test_nothing"], "main")
    project.run(
        more={"test_lib.py::test_one": {"m lazy.py"}},
        ran_in={"test_lib.py::test_two": "main", **order},
    )
    project.edit("lazy.py", "call()", "call(1)")
    assert project.names() == {"test_one", "test_nothing"}


def test_a_literal_parameter_that_spells_a_name_selects_the_test_that_has_it() -> None:
    """Not the others of the file; what is computed may be the parameters of any."""
    marked = """
# lib.py
LIMIT = 1
OTHER = 2
# test_marked.py
import lib, pytest
@pytest.mark.parametrize("name", ["LIMIT"])
def test_one(name):
    pass
@pytest.mark.parametrize("value", [{}])
def test_two(value):
    pass
"""
    ran: dict[str, TestOutcome] = {
        "test_marked.py::test_one": "passed",
        "test_marked.py::test_two": "passed",
    }
    project = Project(sources(marked.format("2")))
    project.run(ran)
    project.edit("lib.py", "LIMIT = 1", "LIMIT = 3")
    assert project.names() == {"test_one"}
    project = Project(sources(marked.format("lib.LIMIT + 1")))
    project.run(ran)
    project.edit("lib.py", "LIMIT = 1", "LIMIT = 3")
    assert project.names() == {"test_marked.py"}


LATE = sources("""
# lib.py
def helper():
    return 1
def other():
    return 1
# late.py
import lib
VALUE = lib.helper()
# test_late.py
def test_one():
    from late import VALUE
def test_two():
    pass
""")


def _late(**more: str) -> Project:
    """Two tests, of which the first one imports a module that runs a function meanwhile."""
    project = Project(LATE)
    project.files.update(more)
    ran: dict[str, TestOutcome] = {
        "test_late.py::test_one": "passed",
        "test_late.py::test_two": "passed",
    }
    project.run(
        ran,
        more={"test_late.py::test_one": {"m late.py"}},
        ran_in=dict.fromkeys(ran, "main"),
        modules={"late.py": frozenset({"f lib.py::helper"})},
    )
    return project


def test_what_ran_during_a_late_import_belongs_to_those_who_ran_the_import() -> None:
    """Another test of the file has not led there, in whatever order they ran."""
    project = _late()
    project.edit("lib.py", "def helper():\n    return 1", "def helper():\n    return 2")
    assert project.names() == {"test_one"}


def test_a_late_import_that_is_kept_belongs_to_all() -> None:
    """S4: the second one meets what the first one has put into a variable of the module."""
    kept = LATE["test_late.py"].replace("from late", "global VALUE; from late")
    project = _late(**{"test_late.py": kept})
    project.edit("lib.py", "def helper():\n    return 1", "def helper():\n    return 2")
    assert project.names() == {"test_late.py"}


def test_a_late_import_in_an_unknown_way_counts_for_later_tests() -> None:
    """No function that is seen to have run leads there, and the module is there from then on."""
    named = LATE["test_late.py"] + 'def unseen():\n    return "late.VALUE"\n'
    project = _late(**{"test_late.py": named.replace("from late import VALUE", "pass")})
    project.edit("lib.py", "def helper():\n    return 1", "def helper():\n    return 2")
    assert project.names() == {"test_one", "test_two"}


def test_a_statement_of_what_is_imported_late_reaches_all_of_the_file() -> None:
    """By the graph, which does not know what ran."""
    project = _late()
    project.edit("late.py", "VALUE = lib.helper()", "VALUE = lib.helper(); print()")
    assert "test_late.py" in {nodeid.partition("::")[0] for nodeid in project.due()}


@pytest.mark.parametrize(
    ("dep", "path", "there", "kind"),
    [
        ("r data.json", "data.json", True, "read"),
        ("x data.json", "data.json", False, "looked-for"),
        ("l ", "data.json", False, "listed"),
        ("l folder", "folder/data.json", False, "listed"),
        ("e folder", "folder/data.json", True, "looked-for"),
        ("x folder", "folder/data.json", False, "looked-for"),
    ],
)
def test_a_file_selects_who_read_it_looked_for_it_or_listed_its_folder(
    project: Project, dep: str, path: str, there: bool, kind: str
) -> None:
    """S17, S18, S20; and nobody else."""
    if there:
        project.data[path] = "1"
    project.run(more={"test_lib.py::test_one": {dep}})
    assert project.due() == {}
    if there and kind == "looked-for":
        del project.data[path]
    else:
        project.data[path] = "2"
    found = project.due()
    assert {nodeid: reason.kind for nodeid, reason in found.items()} == {
        "test_lib.py::test_one": kind
    }


def test_an_import_that_failed_is_tried_again_when_the_module_is_there(project: Project) -> None:
    """S24: as a file of the project, or as a distribution."""
    project.run(more={"test_other.py::test_nothing": {"i extra"}})
    project.files["extra.py"] = "X = 1\n"
    assert project.names() == {"test_nothing"}
    del project.files["extra.py"]
    assert project.due() == {}
    project.facts["<distribution extra>"] = b"1.0"
    assert project.names() == {"test_nothing"}


def test_variables_distributions_and_texts_select_who_looked_at_them(project: Project) -> None:
    """S25, S28."""
    keys = ("<variable HOME>", "<distribution six>", "<text of lib.py>")
    project.facts.update(dict.fromkeys(keys, b"1"))
    deps = ("v HOME", "d six", "t lib.py")
    tests = ("test_lib.py::test_one", "test_lib.py::test_two", "test_lib.py::test_area")
    project.run(more={test: {dep} for test, dep in zip(tests, deps, strict=True)})
    assert project.due() == {}
    for key, test in zip(keys, tests, strict=True):
        project.facts[key] = b"2"
        assert project.due().keys() == {test}
        project.facts[key] = b"1"


def test_what_cannot_be_observed_is_selected_by_any_change(project: Project) -> None:
    """Documents excepted."""
    project.run(more={"test_other.py::test_nothing": {"o a program of another language"}})
    project.data["README.md"] = "1"
    assert project.due() == {}
    project.data["unread.bin"] = "1"
    assert project.names() == {"test_nothing"}


def test_configuration_selects_everything(project: Project) -> None:
    """A file of pytest's settings (S16), and so does another interpreter."""
    project.data["pytest.ini"] = "1"
    project.run()
    assert project.due() == {}
    project.data["pytest.ini"] = "2"
    assert project.due().keys() == {"test_lib.py", "test_other.py"}
    project.run()
    project.facts["<the interpreter and its plugins>"] = b"2"
    assert project.due().keys() == {"test_lib.py", "test_other.py"}


def test_going_back_to_contents_seen_before_selects_nothing(project: Project) -> None:
    """A switch of branches and back; the passes of some contents are remembered."""
    original = dict(project.files)
    for turn in range(1, PASSES):
        project.files = dict(original)
        project.edit("lib.py", "return DOUBLE", f"return DOUBLE + {turn}")
        project.files["test_lib.py"] += f"def test_of_branch_{turn}(): pass\n"
        assert project.due()
        project.run(dict.fromkeys([*OWN, f"test_lib.py::test_of_branch_{turn}"], "passed"))
        assert project.due() == {}
    project.files = dict(original)
    assert project.due() == {}


def test_a_failure_stays_due_until_it_passes_or_its_cause_is_taken_back(project: Project) -> None:
    """S34: nothing else excuses it."""
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    project.run({"test_lib.py::test_two": "failed"})
    assert project.names() == {"test_two"}
    project.edit("lib.py", "return 1", "return 1 + 0 * a")
    assert project.names() == {"test_two", "test_one"}
    assert failing(project.present()) == ("test_lib.py::test_two",)
    project.edit("lib.py", "return DOUBLE + 1", "return DOUBLE")
    assert project.names() == {"test_one"}
    assert failing(project.present()) == ()


def test_a_pass_of_a_flaky_test_excuses_no_failure(project: Project) -> None:
    """Going back to contents that it has passed on is no proof: it may fail on them too (S34)."""
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    project.run({"test_lib.py::test_two": "failed"})
    project.edit("lib.py", "return DOUBLE + 1", "return DOUBLE")
    assert project.names() == set()
    project.flaky = {"test_lib.py::test_two"}
    assert project.names() == {"test_two"}
    assert failing(project.present()) == ("test_lib.py::test_two",)
    project.run({"test_lib.py::test_two": "passed"})
    assert project.names() == set()


def test_another_outcome_on_the_same_contents_is_due(project: Project) -> None:
    """What has passed on them does not excuse it."""
    project.run({"test_lib.py::test_two": "failed"})
    assert project.names() == {"test_two"}


def test_a_run_of_some_tests_leaves_the_others_due(project: Project) -> None:
    """S32: what did not run is not clean."""
    project.edit("consts.py", "LIMIT = 1", "LIMIT = call()")
    project.run({"test_lib.py::test_two": "passed"})
    assert project.due().keys() == {"test_lib.py"}


def test_a_change_reaches_tests_whatever_their_outcome(project: Project) -> None:
    """As `--since` asks."""
    before = {"lib.py": project.contents["lib.py"]}
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    project.run({"test_lib.py::test_two": "passed"})
    (file,) = reached(project.present(), before).files
    assert file.nodeids == ("test_lib.py::test_two",)


def test_the_text_of_what_ran_counts_beside_who_looks_at_positions() -> None:
    """S28: a line number, a traceback's text, `inspect.getsource`."""
    recording = Recording(
        {
            "test_a.py::one": frozenset({"f lib.py::where", "f far.py::far", "f test_a.py::one"}),
            "test_a.py::two": frozenset({"f far.py::far", "f test_a.py::two"}),
        }
    )
    found = recording.with_texts(lambda path: ("where",) if path == "lib.py" else ())
    one = recording.tests["test_a.py::one"]
    texts = {"t lib.py", "t far.py", "t test_a.py"}
    assert found.tests == {**recording.tests, "test_a.py::one": one | texts}


def test_it_can_be_told_which_edits_would_select_a_test(project: Project) -> None:
    """Of which functions, of statements by which way, of another content."""
    project.data["cases.json"] = "1"
    project.run(more={"test_lib.py::test_one": {"r cases.json"}})
    present = project.present()
    verdict = project.records.verdicts["test_lib.py::test_one"]
    lib = foresee(present, "test_lib.py", [verdict], "lib.py")
    assert lib.functions == ("lib.py::one",)
    assert lib.statements is not None
    assert lib.statements.chain == ("test_lib.py", "lib.py")
    data = foresee(present, "test_lib.py", [verdict], "cases.json")
    assert data.content == Reason("read", ("test_lib.py", "cases.json"), "it reads the file")
    other = project.records.verdicts["test_other.py::test_nothing"]
    assert foresee(present, "test_other.py", [other], "lib.py").statements is None
    assert foresee(present, "test_other.py", [other], "cases.json").content is None
    assert seen(present, [verdict]) == {"functions": 2, "files": 1}


def test_of_a_failure_that_was_taken_back_what_passed_before_tells(project: Project) -> None:
    """A test that breaks early comes to less than it does on what there is now."""
    project.data["cases.json"] = "1"
    project.run(more={"test_lib.py::test_one": {"r cases.json"}})
    project.edit("lib.py", "return 1", "return 2")
    project.run({"test_lib.py::test_one": "failed"})
    project.edit("lib.py", "return 2", "return 1")
    present = project.present()
    verdict = project.records.verdicts["test_lib.py::test_one"]
    assert foresee(present, "test_lib.py", [verdict], "cases.json").content is not None
    assert seen(present, [verdict]) == {"functions": 2, "files": 1}


def test_where_functions_cannot_be_told_apart_a_file_counts_as_a_whole() -> None:
    """Below Python 3.12: an earlier test may have imported what a later one runs."""
    project = Project(PROJECT)
    ran = Ran(
        {nodeid: (nodeid.partition("::")[0], "passed", 0.1) for nodeid in OWN},
        {p: frozenset(n for n in OWN if n.startswith(p)) for p in ("test_lib.py", "test_other.py")},
        recording=Recording({n: frozenset({f"p {n.partition('::')[0]}"}) for n in OWN}),
    )
    learned = learn(project.present(), ran, frozenset())
    project.records = project.records.with_learned(learned)
    assert project.due() == {}
    project.edit("lib.py", "return DOUBLE", "return DOUBLE + 1")
    assert project.due() == {"test_lib.py": Reason("imports", ("test_lib.py", "lib.py"))}
