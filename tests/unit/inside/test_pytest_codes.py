"""Code that is made of cached files before a run is wanted."""

from __future__ import annotations

import importlib.util
import marshal
import py_compile
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from _pytest.assertion import rewrite

from devloop.inside import pytest_codes
from devloop.inside.pytest_codes import Codes

external: Any = sys.modules["_frozen_importlib_external"]


def cached(folder: Path, text: str) -> Path:
    """The cached file of a module."""
    source = folder / "module.py"
    source.write_text(text)
    return Path(str(py_compile.compile(str(source), doraise=True)))


def test_code_is_taken_for_the_bytes_that_it_was_made_of_and_once(tmp_path: Path) -> None:
    """Two imports of one file never share an object; other bytes have other code."""
    path = cached(tmp_path, "VALUE = 1\n")
    codes = Codes([str(path)])
    data = path.read_bytes()[pytest_codes.HEADER :]

    assert codes.take(data[:-1]) is None
    assert codes.take(data) == marshal.loads(data)
    assert codes.take(data) is None


@pytest.mark.parametrize("content", [b"", b"short", b"0123456789abcdef" + b"no code", None])
def test_what_cannot_be_read_is_passed_over(tmp_path: Path, content: bytes | None) -> None:
    """The import will say what is wrong with it; others are made."""
    path = cached(tmp_path, "VALUE = 1\n")
    bad = tmp_path / "bad.pyc"
    if content is not None:
        bad.write_bytes(content)

    codes = Codes([str(bad), str(path)])

    assert codes.take(path.read_bytes()[pytest_codes.HEADER :]) is not None


def test_no_more_is_made_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed most comes first."""
    first, second = (cached(tmp_path / name, f"{name} = 1\n") for name in made(tmp_path, "ab"))
    monkeypatch.setattr(pytest_codes, "MOST", first.stat().st_size + 1)

    codes = Codes([str(first), str(second)])

    taken = [codes.take(path.read_bytes()[pytest_codes.HEADER :]) for path in (first, second)]
    assert [one is not None for one in taken] == [True, False]


def made(root: Path, names: str) -> str:
    """Make folders."""
    for name in names:
        (root / name).mkdir()
    return names


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, CodeType]:
    """A cached file of whose bytes code has been made, for imports to take; and the code."""
    monkeypatch.setattr(external, "_compile_bytecode", external._compile_bytecode)
    monkeypatch.setattr(rewrite, "marshal", marshal)
    path = cached(tmp_path, "def f(): return 1\n")
    codes = Codes([str(path)])
    (code,) = codes._made.values()
    codes.offer()
    return path, code


def test_imports_take_it(offered: tuple[Path, CodeType], tmp_path: Path) -> None:
    """A module's code is the one that was made, as long as its cached file is the same."""
    _, code = offered
    spec = importlib.util.spec_from_file_location("module", tmp_path / "module.py")
    assert spec is not None
    assert spec.loader is not None

    first, second = (spec.loader.get_code("module") for _ in range(2))  # type: ignore[attr-defined]

    assert first is code
    assert second is not code
    assert second == code


def test_pytest_takes_what_it_has_rewritten(offered: tuple[Path, CodeType]) -> None:
    """And reads as ever what was not made."""
    path, code = offered

    def read() -> object:
        with path.open("rb") as file:
            file.seek(pytest_codes.HEADER)
            return vars(rewrite)["marshal"].load(file)

    first, second = read(), read()

    assert first is code
    assert second is not code
    assert second == code
