"""What stands at single lines of sources."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devloop.loop.texts import Texts

BEFORE = (
    b"import a\n\ndef one():\n    return 1\n\nclass Two:\n    def three(self):\n        raise X\n"
)


def around(folder: Path, content: bytes, line: int) -> bytes:
    """What stands around a line of a file with some content."""
    (folder / "m.py").write_bytes(content)
    return Texts(folder).around("m.py", line, blake2b(content, digest_size=16).digest())


def test_an_edit_of_another_function_leaves_a_line_as_it_was(tmp_path: Path) -> None:
    """As long as it has as many lines."""
    after = BEFORE.replace(b"return 1", b"return 2")
    assert around(tmp_path, BEFORE, 8) == around(tmp_path, after, 8)
    assert around(tmp_path, BEFORE, 4) != around(tmp_path, after, 4)


def test_what_moves_is_another_line(tmp_path: Path) -> None:
    """Whoever has shown it has shown its number."""
    assert around(tmp_path, BEFORE, 8) != around(tmp_path, b"#\n" + BEFORE, 8)
    assert around(tmp_path, BEFORE, 8) != around(tmp_path, b"#\n" + BEFORE, 9)
    assert around(tmp_path, BEFORE, 2) == around(tmp_path, BEFORE + b"#\n", 2)


def test_a_file_that_is_another_one_already_has_no_known_lines(tmp_path: Path) -> None:
    """Nobody can tell any more what stood in it."""
    (tmp_path / "m.py").write_bytes(BEFORE)
    gone = Texts(tmp_path).around("m.py", 3, b"then")
    assert gone != around(tmp_path, BEFORE, 3)
    assert Texts(tmp_path).around("n.py", 3, b"then") == gone


LINES = st.lists(st.sampled_from([b"", b"x", b"def f():", b"  y", b"class C:"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, LINES)
def test_where_nothing_differs_around_a_line_it_is_the_same_line(
    tmp_path: Path, one: list[bytes], other: list[bytes]
) -> None:
    """Whatever the edit was."""
    for line in range(1, min(len(one), len(other)) + 1):
        if around(tmp_path, b"\n".join(one), line) == around(tmp_path, b"\n".join(other), line):
            assert one[line - 1] == other[line - 1]
