"""Frozen dataclasses as plain values, which JSON and TOML can hold, and back: one rule for all that is kept.

Numbers come back to the last bit. Those that JSON lacks stand as "nan", "inf" and "-inf"; arrays stand as lists. What
was kept by an earlier version lacks the fields that came later: these take their defaults. What a later version has
added is passed over.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeVar

import numpy as np

from .messages import Listed, Notice, Text

Kind = TypeVar("Kind")
ODD = ("nan", "inf", "-inf")
"""Texts in the place of numbers that JSON lacks."""


def plain(value: Any, lossless: bool = True) -> Any:
    """A value as JSON knows it: tables, lists, texts, numbers, booleans and None.

    lossless: numbers that JSON lacks become texts that ``restored`` knows; else None, for files that others read. In
    the same way a sentence that was made of values stays one that can be told in another language.
    """
    if isinstance(value, Notice):
        return {"code": value.code, "message": str(value.message), **_template(value.message)}
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), lossless) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, lossless) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), lossless)
    if isinstance(value, list | tuple):
        return [plain(item, lossless) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if lossless else None
    if lossless and (isinstance(value, Listed) or (isinstance(value, Text) and value.values)):
        return _part(value)
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def to_json(value: Any) -> str:
    """Strict JSON in one line, to be read by ``restored``."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def restored(kind: type[Kind], value: Any) -> Kind:
    """What ``plain`` made of a ``kind``. Raises TypeError, KeyError or ValueError, which say where it cannot be."""
    found: Kind = _restored(kind, value)
    return found


def _restored(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return value
    if hint is Notice:
        return _notice(value)
    if origin in (types.UnionType, typing.Union):
        return _one_of(arguments, value)
    if origin is Literal:
        if value not in arguments:
            raise TypeError(f"expected one of {arguments}, found {value!r}")
        return value
    if origin is np.ndarray:
        return _array(value, typing.get_args(arguments[1])[0])
    if dataclasses.is_dataclass(hint):
        return _dataclass(typing.cast("type[Any]", hint), value)
    if origin is tuple:
        return _tuple(arguments, value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _restored(arguments[1], item) for key, item in _table(value).items()}
    return _single(hint, value)


def _single(hint: Any, value: Any) -> Any:
    if hint is str and isinstance(value, dict) and ("message" in value or "items" in value):
        return _part_of(value)
    if hint is float and (value in ODD or (isinstance(value, int) and not isinstance(value, bool))):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise TypeError(f"expected {hint.__name__}, found {type(value).__name__}")
    return value


def _one_of(hints: Sequence[Any], value: Any) -> Any:
    """The first of several types that the value can be."""
    if value is None and type(None) in hints:
        return None
    reasons: list[str] = []
    for hint in hints:
        if hint is not type(None):
            try:
                return _restored(hint, value)
            except (TypeError, KeyError, ValueError) as error:
                reasons.append(str(error))
    raise TypeError("; ".join(reasons))


def _dataclass(kind: type[Any], value: Any) -> Any:
    table, hints = _table(value), typing.get_type_hints(kind)
    known = {}
    for field in dataclasses.fields(kind):
        if field.name in table:
            known[field.name] = _restored(hints[field.name], table[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(f"{kind.__name__} lacks {field.name}")
    return kind(**known)


def _tuple(hints: Sequence[Any], value: Any) -> tuple[Any, ...]:
    items = _list(value)
    if hints[1:] == (...,):
        return tuple(_restored(hints[0], item) for item in items)
    return tuple(_restored(hint, item) for hint, item in zip(hints, items, strict=True))


def _array(value: Any, dtype: type[Any]) -> np.ndarray[Any, Any]:
    if isinstance(value, dict):
        value = value.get("array")  # as scenes of version 0.1 keep them
    hint = bool if issubclass(dtype, np.bool_) else int if issubclass(dtype, np.integer) else float

    def numbers(item: Any) -> Any:
        return [numbers(part) for part in item] if isinstance(item, list) else _single(hint, item)

    return np.array(numbers(_list(value)), dtype=dtype)


# --- notices: the sentence for people, and what makes it again in any language ---------------------------------------


def _template(text: Text) -> dict[str, Any]:
    """What a sentence was made of; nothing where it has no values and is its own template."""
    if not text.values:
        return {}
    return {"template": text.template, "values": {name: _part(value) for name, value in text.values.items()}}


def _part(value: Any) -> Any:
    """A value of a sentence; tables stand for what is more than a number or a text."""
    if isinstance(value, Text):
        return {"message": str(value), **_template(value)}
    if isinstance(value, Listed):
        return {"items": [_part(item) for item in value.items], "between": value.between}
    if isinstance(value, np.generic):
        return _part(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    return value if isinstance(value, str | int | float) else str(value)


def _notice(value: Any) -> Notice:
    """Of a table; those of version 0.1 hold a finished sentence alone."""
    table = _table(value)
    return Notice(_single(str, table["code"]), _text(table))


def _text(table: dict[str, Any]) -> Text:
    if "template" not in table:
        return Text.of(_single(str, table["message"]))
    values = {name: _part_of(value) for name, value in _table(table["values"]).items()}
    return Text(_single(str, table["template"]), **values)


def _part_of(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "items" in value:
        return Listed([_part_of(item) for item in _list(value["items"])], _single(str, value["between"]))
    return float(value["number"]) if "number" in value else _text(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a table, found {type(value).__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, found {type(value).__name__}")
    return value
