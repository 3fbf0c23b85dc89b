"""What is left out with a module that cannot be held."""

from __future__ import annotations

from devloop.plan.blame import crossing, unholdable

NAMES = ["numbers", "threads", "threads.pool", "user", "user.late", "other"]


def test_a_package_goes_whole_and_takes_with_it_what_imports_it() -> None:
    """At any remove, each with a reason of its own."""
    edges = {"user": ["threads.pool"], "other": ["user.late"], "numbers": []}
    found = unholdable(NAMES, ("threads.pool", "starts a thread"), edges)
    assert found == {
        "threads": "starts a thread",
        "threads.pool": "starts a thread",
        "user": "imports threads, which starts a thread",
        "user.late": "imports threads, which starts a thread",
        "other": "imports threads, which starts a thread",
    }


def test_there_is_always_one_less() -> None:
    """Also where the module at fault is none of those that were asked for."""
    assert unholdable(NAMES, ("hidden", "opens a pipe"), {}) == {"numbers": "opens a pipe"}
    assert unholdable(["a", "b"], ("b", "forks"), {}) == {"b": "forks"}


def test_what_imports_the_project_goes_with_its_package() -> None:
    """It is named which module of the project that is; a like name is another package."""
    found = crossing(["user", "user.late", "users"], {"user": "shop.models"})
    assert set(found) == {"user", "user.late"}
    assert all("shop.models" in reason for reason in found.values())
