"""What is held for the next start, and when a warm start is not trusted."""

from __future__ import annotations

import pytest

from devloop.plan.warm import (
    OF_THE_PROJECT,
    Quarantined,
    Shape,
    WarmRecord,
    differences,
    first_party,
    held_back,
    is_crossing,
    library_of,
    third_party,
    wants_spare,
)

LIBRARY = "/usr/lib/python3.11"
MODULES: list[tuple[str, str | None]] = [
    ("sys", None),
    ("os", f"{LIBRARY}/os.py"),
    ("_devloop.control", "/tool/devloop/inside/control.py"),
    ("json", f"{LIBRARY}/json/__init__.py"),
    ("__main__", "/work/shop/app.py"),
    ("click", "/work/shop/.venv/lib/python3.11/site-packages/click/__init__.py"),
    ("yaml", "/usr/lib/python3/dist-packages/yaml/__init__.py"),
    ("shop", "/work/shop/src/shop/__init__.py"),
    ("shared", "/work/shared/src/shared/__init__.py"),
]


def test_what_is_not_the_projects_is_held() -> None:
    """By its file: an environment in the project is not the project, an editable install is."""
    assert library_of(MODULES) == LIBRARY
    assert third_party(MODULES, "/work/shop", LIBRARY) == ("os", "json", "click", "yaml")
    own = first_party(MODULES, "/work/shop", LIBRARY)
    assert {name for name, _ in own} == {"shop", "shared"}


def test_a_project_that_lies_in_site_packages_is_still_the_project() -> None:
    """Somebody works on an installed distribution where it lies."""
    root = "/env/lib/python3.11/site-packages/tool"
    modules = [
        ("os", f"{LIBRARY}/os.py"),
        ("tool", f"{root}/__init__.py"),
        ("click", "/env/lib/python3.11/site-packages/click/__init__.py"),
    ]
    assert third_party(modules, root, LIBRARY) == ("os", "click")


def test_what_was_learned_before_is_kept() -> None:
    """A module that only some requests import is held, after those of the last start."""
    record = WarmRecord().learn(["a", "b", "late"]).learn(["b", "a", "c"])
    assert record.modules == ("b", "a", "c", "late")


def test_what_a_worker_imports_is_added() -> None:
    """After what its parent imports, which comes first in the parent's next report, too."""
    record = WarmRecord().learn(["server", "os"]).add(["flask", "server", "jinja2"])
    assert record.modules == ("server", "os", "flask", "jinja2")
    assert record.learn(["os", "server"]).modules == ("os", "server", "flask", "jinja2")
    assert record.add(["flask"]) is record


def test_what_must_not_be_held_says_why() -> None:
    """What the configuration excludes, and what is unsafe, with all that lies in it."""
    quarantine = {"grpc": Quarantined("grpcio 1.0", "it starts a thread")}
    may, out = held_back(["a", "torch", "torch.nn", "torchx", "grpc._c"], ["torch"], quarantine)
    assert may == ("a", "torchx")
    assert out == {
        "torch": "excluded by the configuration",
        "torch.nn": "excluded by the configuration",
        "grpc._c": "it starts a thread",
    }


def shape(*modules: str, path: tuple[str, ...] = ("/p",), flags: tuple[str, ...] = ()) -> Shape:
    """A start that came to this."""
    return Shape(frozenset((name, f"/p/{name}.py") for name in modules), path, flags)


@pytest.mark.parametrize(
    ("warm", "said"),
    [
        (shape("a", "b"), ()),
        (shape("a"), ("b is not imported",)),
        (shape("a", "b", "c"), ("c is imported",)),
        (shape("a", "b", path=("/p", "/q")), ("sys.path (/q)",)),
        (shape("a", "b", path=()), ("sys.path (/p)",)),
        (shape("a", "b", flags=("dev_mode=1",)), ("the interpreter's flags (dev_mode=1)",)),
    ],
)
def test_a_difference_is_named(warm: Shape, said: tuple[str, ...]) -> None:
    """In words for the person who asks why their app starts cold."""
    assert differences(shape("a", "b"), warm) == said


def test_the_same_is_trusted_for_good() -> None:
    """The first warm start is compared; later ones are not."""
    record = WarmRecord().audit(shape("a"), warm=False).audit(shape("a"), warm=True)
    assert record.audited
    assert record.audit(shape("b"), warm=True) == record


def test_a_difference_that_another_cold_start_confirms_turns_warm_off() -> None:
    """Until then there is only doubt, which asks for that cold start."""
    record = WarmRecord().audit(shape("a", "plugin"), warm=False).audit(shape("a"), warm=True)
    assert record.doubt == ("plugin is not imported",)
    assert record.off is None
    record = record.audit(shape("a", "plugin"), warm=False)
    assert record.off == "a warm start differs from a cold one: plugin is not imported"


def test_what_is_imported_later_is_no_difference() -> None:
    """Requests that came at once had the warm one import it: a later look at the cold one tells."""
    record = WarmRecord().audit(shape("a"), warm=False).audit(shape("a", "late"), warm=True)
    asked = record.audit(shape("a"), warm=False)
    assert asked == record
    trusted = asked.audit(shape("a", "late"), warm=False, by_now=True)
    assert (trusted.off, trusted.doubt, trusted.audited) == (None, (), True)
    off = asked.audit(shape("a"), warm=False, by_now=True)
    assert off.off == "a warm start differs from a cold one: late is imported"


def test_an_edit_between_two_starts_is_no_difference() -> None:
    """It has added an import, or taken one away: the next cold start shows the same."""
    record = WarmRecord().audit(shape("a", "old"), warm=False).audit(shape("a", "new"), warm=True)
    assert set(record.doubt) == {"old is not imported", "new is imported"}
    record = record.audit(shape("a", "new"), warm=False)
    assert (record.off, record.doubt, record.audited) == (None, (), True)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ({"slow": 2.0, "rest": 3.0}, True),
        ({"slow": 0.3, "slow.part": 0.2, "rest": 1.0}, True),
        ({"slow": 0.5, "rest": 3.0}, False),
        ({"slow": 0.1, "rest": 0.0}, False),
        ({"rest": 1.0}, False),
        ({}, False),
    ],
)
def test_a_spare_is_worth_its_while(times: dict[str, float], wanted: bool) -> None:
    """Where what cannot be held is a good part of all imports, and no trifle."""
    assert wants_spare(times, {"slow": "starts a thread", "slow.part": "is in it"}) == wanted


def test_an_install_has_it_measured_anew() -> None:
    """Another version may be safe to hold, or quicker."""
    assert WarmRecord(spare=True, installed="1").for_installed("2").spare is None


def test_what_is_the_projects_by_now_is_forgotten() -> None:
    """With the rest of its package, but not what shares a namespace with something installed."""
    record = WarmRecord().learn(["upg", "upg.part", "space.upg", "space.other", "late"])
    found = record.learn(["space.third"], {"upg", "space.upg"})
    assert found.modules == ("space.third", "space.other", "late")


def test_what_imports_the_project_is_told_by_its_reason() -> None:
    """It is found out anew, because it is not at fault itself."""
    assert is_crossing(f"imports plugin{OF_THE_PROJECT}")
    assert not is_crossing("starts a thread")
