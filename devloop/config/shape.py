"""What is wrong with the shape of a configuration, in words for people.

msgspec decides whether a table fits its type; this names the fault when it does not, because
msgspec's own message leaves the names of apps and steps out of its path, and speaks of fields.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from typing import Any

import msgspec.inspect as types

from devloop.config.document import KeyPath, dotted
from devloop.config.fault import Fault, nearest, quoted
from devloop.config.types import DURATION, SPAN, Config


def find(table: Any) -> Fault | None:
    """The first fault of shape: an unknown key, a wrong type, a value that is not allowed.

    Args:
        table: what the file says, as plain values.

    Returns:
        The fault; None where the table fits `Config`.
    """
    return _find(table, types.type_info(Config), ())


def _find(value: Any, kind: types.Type, key: KeyPath) -> Fault | None:
    kind = _choose(value, kind)
    if isinstance(kind, types.StructType) and isinstance(value, dict):
        return _find_in_table(value, kind, key)
    if isinstance(kind, types.DictType) and isinstance(value, dict):
        return _first(_find(item, kind.value_type, (*key, name)) for name, item in value.items())
    if isinstance(kind, types.VarTupleType) and isinstance(value, list):
        return _first(_find(item, kind.item_type, (*key, i)) for i, item in enumerate(value))
    return None if _fits(value, kind) else _unexpected(value, kind, key)


def _first(faults: Iterable[Fault | None]) -> Fault | None:
    return next((fault for fault in faults if fault is not None), None)


def _choose(value: Any, kind: types.Type) -> types.Type:
    """Of a union, the part that a container belongs to; what `Annotated` adds is taken off."""
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.UnionType):
        parts = [_choose(value, part) for part in kind.types]
        parts = [part for part in parts if not isinstance(part, types.NoneType)]
        if len(parts) == 1:
            return parts[0]
        for part in parts:
            if isinstance(part, types.VarTupleType) and isinstance(value, list):
                return part
    return kind


def _find_in_table(table: dict[str, Any], kind: types.StructType, key: KeyPath) -> Fault | None:
    fields = {field.encode_name: field for field in kind.fields}
    for name, value in table.items():
        if name not in fields:
            return _unknown(name, list(fields), key)
        if (fault := _find(value, fields[name].type, (*key, name))) is not None:
            return fault
    for name, field in fields.items():
        if field.required and name not in table:
            expected = _describe(field.type)
            return Fault((*key, name), f"missing; expected {expected}", missing=True)
    return None


def _unknown(name: str, valid: list[str], table: KeyPath) -> Fault:
    valid_here = f"[{dotted(table)}]" if table else "devloop's configuration"
    meant = nearest(name, valid)
    if meant is None and (homes := _homes(name)):
        return Fault(
            (*table, name), f"unknown key in {valid_here}", f"It belongs in {' or '.join(homes)}."
        )
    message = f"unknown key in {valid_here}"
    if meant is not None:
        message += f"; did you mean {dotted((meant,))}?"
    return Fault((*table, name), message, f"Valid keys: {', '.join(sorted(valid))}.")


def _homes(name: str) -> list[str]:
    """The tables that do have such a key."""
    homes = []
    config = types.type_info(Config)
    assert isinstance(config, types.StructType)
    for field in config.fields:
        kind, title = _choose({}, field.type), field.encode_name
        if isinstance(kind, types.DictType):
            kind, title = _choose({}, kind.value_type), f"{title}.<name>"
        if isinstance(kind, types.StructType) and name in {f.encode_name for f in kind.fields}:
            homes.append(f"[{title}]")
    return homes


def _fits(value: Any, kind: types.Type) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_fits(value, _choose(value, part)) for part in kind.types)
    if isinstance(kind, types.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, types.LiteralType):
        return isinstance(value, str) and value in kind.values
    if isinstance(kind, types.StrType):
        return isinstance(value, str) and (not kind.pattern or bool(re.search(kind.pattern, value)))
    if isinstance(kind, types.IntType):
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (kind.ge is None or value >= kind.ge)
            and (kind.le is None or value <= kind.le)
        )
    return False


def _unexpected(value: Any, kind: types.Type, key: KeyPath) -> Fault:
    message = f"expected {_describe(kind)}, got {_show(value)}"
    hint = None
    if isinstance(kind, types.StrType) and kind.pattern:
        if isinstance(value, int | float) and not isinstance(value, bool):
            message += ": a bare number has no unit"
            hint = f'Write "{value}ms" or "{value}s".'
        elif isinstance(value, str) and (mended := _mend_duration(value, kind.pattern)):
            hint = f'Write "{mended}".'
        elif not (isinstance(value, str) and re.search(DURATION, value)):
            hint = "The units are ms, s, m and h."
    elif isinstance(kind, types.BoolType) and str(value).lower() in ("true", "false", "1", "0"):
        hint = f"Write {'true' if str(value).lower() in ('true', '1') else 'false'}."
    elif isinstance(kind, types.LiteralType) and isinstance(value, str):
        if meant := nearest(value, [str(item) for item in kind.values]):
            message += f'; did you mean "{meant}"?'
    elif isinstance(kind, types.VarTupleType) and isinstance(value, str):
        hint = f'Write ["{value}"].'
    return Fault(key, message, hint)


def _mend_duration(text: str, pattern: str) -> str | None:
    units = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m"}
    units |= {"minute": "m", "minutes": "m", "hour": "h", "hours": "h", "millis": "ms"}
    compact = "".join(text.lower().split())
    number = compact.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = compact[len(number) :]
    mended = number + units.get(unit, unit)
    return mended if mended != text and re.search(pattern, mended) else None


def _describe(kind: types.Type) -> str:
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.UnionType):
        parts = [_describe(p) for p in kind.types if not isinstance(p, types.NoneType)]
        return " or ".join(parts)
    if isinstance(kind, types.BoolType):
        return "true or false"
    if isinstance(kind, types.LiteralType):
        return " or ".join(f'"{value}"' for value in kind.values)
    if isinstance(kind, types.StrType):
        if kind.pattern == SPAN:
            return 'a duration above zero with its unit, such as "5s"'
        return 'a duration with its unit, such as "20ms"' if kind.pattern else "a string"
    if isinstance(kind, types.IntType):
        top = "" if kind.le is None else f" to {kind.le}"
        return f"a whole number from {kind.ge}{top}" if kind.ge is not None else "a whole number"
    if isinstance(kind, types.VarTupleType):
        return f"a list of {_describe(kind.item_type).removeprefix('a ')}s"
    return "a table"


def _show(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, datetime.date | datetime.time):
        return "a date or a time"
    return "a list" if isinstance(value, list) else "a table"
