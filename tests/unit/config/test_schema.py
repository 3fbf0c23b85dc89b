"""The JSON Schema that editors complete from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devloop.config import schema


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """`python -m devloop.config.schema` has been run since the types were changed."""
    assert schema.FILE.read_text(encoding="utf-8") == schema.render()


def test_every_key_has_a_description() -> None:
    """What an editor shows beside a key is never empty."""
    built = schema.build()
    parts = built["$defs"]

    def undescribed() -> Iterator[str]:
        for title, part in [("", built), *parts.items()]:
            for name, key in part["properties"].items():
                described: dict[str, Any] = key
                if "description" not in key and "$ref" in key:
                    described = parts[key["$ref"].rpartition("/")[2]]
                if not described.get("description"):
                    yield f"{title}.{name}"

    assert list(undescribed()) == []


@pytest.mark.parametrize(
    ("first", "placed"),
    [("#:schema ./.devloop/schema.json\r\n", True), ("#:schema other.json\n", False), ("", False)],
)
def test_the_schema_is_put_back_where_devloop_toml_names_it(
    tmp_path: Path, first: str, placed: bool
) -> None:
    """After a clone or an upgrade; somebody's own schema is left alone."""
    (tmp_path / "devloop.toml").write_text(first, newline="")
    schema.refresh(tmp_path)
    assert (tmp_path / ".devloop/schema.json").exists() == placed
    if placed:
        (tmp_path / ".devloop/schema.json").write_text("old")
        schema.refresh(tmp_path)
        assert (tmp_path / ".devloop/schema.json").read_text() == schema.render()


def test_nothing_in_it_is_null() -> None:
    """TOML has no null; a key that may be left out is just not required."""
    assert "null" not in schema.render()
