"""The JSON Schema of devloop.toml, from the types; editors complete and check with it.

`schema.json` beside this file is what is shipped. To make it anew::

    python -m devloop.config.schema
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from devloop.config import folder
from devloop.config.types import Config

FILE = Path(__file__).with_name("schema.json")


def build() -> dict[str, Any]:
    """The schema.

    Returns:
        JSON Schema of draft 7, which editors' TOML extensions read. What TOML cannot say (null)
        is not in it.
    """
    whole = _clean(msgspec.json.schema(Config))
    parts = whole["$defs"]
    head = {"$schema": "http://json-schema.org/draft-07/schema#"}
    built: dict[str, Any] = head | parts.pop("Config")
    return built | {"title": "devloop.toml", "$defs": parts}


def render() -> str:
    """The text of schema.json."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def place(root: Path) -> str:
    """Put the schema where a line of devloop.toml can name it on every machine.

    Args:
        root: the project's root; the schema goes into its `.devloop/`, and is made anew where
            it is another one.

    Returns:
        Its path for the file's `#:schema` line, relative to the root.

    Raises:
        OSError: it cannot be written.
    """
    path = folder.make(root) / FILE.name
    text = FILE.read_bytes()
    if not path.is_file() or path.read_bytes() != text:
        path.write_bytes(text)
    return f"./{folder.NAME}/{FILE.name}"


def refresh(root: Path) -> None:
    """Put the schema where devloop.toml looks for it: after a clone, a clean, an upgrade.

    Args:
        root: the project's root. Nothing is done where its devloop.toml names another schema, or
            where `.devloop/` cannot be written.
    """
    with suppress(OSError), (root / "devloop.toml").open("rb") as file:
        if file.readline().strip() == f"#:schema ./{folder.NAME}/{FILE.name}".encode():
            place(root)


def _clean(value: Any) -> Any:
    """Take out null, which TOML lacks, and defaults of whole tables, which editors would insert."""
    if isinstance(value, list):
        return [_clean(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    kept = {
        name: _clean(item)
        for name, item in value.items()
        if not (name == "default" and (item is None or isinstance(item, dict)))
        and not (name == "required" and item == [])
    }
    if len(kept.get("anyOf", ())) == 1:
        return kept.pop("anyOf")[0] | kept
    return kept


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
