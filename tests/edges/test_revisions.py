"""What git says of a real checkout."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.events import Change
from devloop.watch.revisions import Difference, changed_since, read_objects, staged

Checkout = Callable[..., Path]


def named(root: Path, spec: str) -> str:
    """The object that git calls so."""
    command = ["git", "rev-parse", spec]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout[:-1]


def test_contents_are_read_as_they_were(checkout: Checkout) -> None:
    """Empty ones, binary ones, and many; one that is not there is left out."""
    root = checkout()
    contents = {f"f{i}": os.urandom(i * 100) for i in range(50)}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    checkout("add", ".")
    names = {named(root, f":{name}"): content for name, content in contents.items()}
    missing = "1" * 40
    assert dict(read_objects(root, [missing, *names, missing])) == names


def test_a_clone_without_contents_is_not_filled(checkout: Checkout) -> None:
    """What would have to be fetched, one by one, is left out."""
    root = checkout()
    (root / "a.py").write_text("X = 1\n")
    checkout("config", "uploadpack.allowFilter", "true")
    checkout("add", ".")
    checkout("commit", "-q", "-m", "First")
    url = root.as_uri()
    checkout("clone", "-q", "--no-checkout", "--filter=blob:none", url, "part", at="clones")
    part = root.parent / "clones/part"
    said = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(word) for word in re.findall(r"\d+", said)[:3]) < (2, 39, 4):
        pytest.skip("this git always fetches")
    assert dict(read_objects(part, [named(root, "HEAD:a.py")])) == {}


def test_each_side_has_its_object(checkout: Checkout) -> None:
    """Of the working tree there is none; what came has none before, nor has a link."""
    root = checkout()
    for name in ("kept.py", "gone.py"):
        (root / name).write_text(f"{name}\n")
    (root / "link.py").symlink_to("kept.py")
    checkout("add", ".")
    checkout("commit", "-q", "-m", "First")
    before = {name: named(root, f"HEAD:{name}") for name in ("kept.py", "gone.py")}
    (root / "kept.py").write_text("X = 1\n")
    (root / "gone.py").unlink()
    (root / "link.py").unlink()
    (root / "link.py").write_text("kept.py")
    (root / "new.py").write_text("")
    assert changed_since(root, "HEAD") == (
        Difference(Change("gone.py", "deleted"), before["gone.py"]),
        Difference(Change("kept.py", "modified"), before["kept.py"]),
        Difference(Change("link.py", "modified")),
        Difference(Change("new.py", "created")),
    )
    checkout("add", "--all", ".")
    assert staged(root) == (
        Difference(Change("gone.py", "deleted"), before["gone.py"]),
        Difference(Change("kept.py", "modified"), before["kept.py"], named(root, ":kept.py")),
        Difference(Change("link.py", "modified"), None, named(root, ":link.py")),
        Difference(Change("new.py", "created"), None, named(root, ":new.py")),
    )
    checkout("commit", "-q", "-m", "Second")
    assert all(one.after is None for one in changed_since(root, "HEAD~1"))
