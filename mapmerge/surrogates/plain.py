"""Surrogates as JSON objects, and back without losing a bit."""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_args

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.records import Array, JsonObject
from mapmerge.surrogates.features import parameter_count
from mapmerge.untrusted import numbers

_POSITIVE = {"scale", "items", "size", "freedom", "length", "span"}
_NOT_NEGATIVE = {"misfit", "noise", "signal", "ridge", "dispersion"}


def to_plain(surrogate: Any, schema: str) -> JsonObject:
    """Return all fields of a surrogate, a dataclass, with its schema and kind; an infinite number becomes null."""
    values = {field.name: getattr(surrogate, field.name) for field in fields(surrogate)}
    return {"schema": schema, "kind": surrogate.kind} | {name: _plain(value) for name, value in values.items()}


def from_plain(family: Any, plain: JsonObject, schema: str) -> dict[str, Any]:
    """Return the fields of a family of surrogates, read from what `to_plain` gave; what somebody else gave is refused.

    Raises:
        BadInputError: the object is of another schema, a part is missing, of another type or shape, or no number that
            the part may be.
    """
    if plain.get("schema") != schema:
        raise BadInputError(f"expected a surrogate of schema {schema!r}, got {repr(plain.get('schema'))[:80]}")
    missing = [field.name for field in fields(family) if field.name not in plain]
    if missing:
        raise BadInputError(f"surrogate lacks {', '.join(missing)}")
    try:
        values = {
            field.name: _read(field.name, field.type, plain[field.name], family.shapes) for field in fields(family)
        }
        _require_shapes(values, family.shapes)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"surrogate: {error}") from None
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, float) and math.isinf(value):
        return None
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _read(name: str, kind: Any, value: Any, shapes: Mapping[str, str]) -> Any:
    if kind == Array:
        array = numbers(value, name, len(shapes[name]))
        if name in _POSITIVE and not (array > 0.0).all():
            raise ValueError(f"{name}: expected numbers above 0")
        return array
    if kind is float:
        return math.inf if name == "condition" and value is None else _number(name, value)
    if kind is int:
        return int(numbers(value, name, 0))
    return _parts(name, kind, value)


def _parts(name: str, kind: Any, value: Any) -> Any:
    """Return a small dataclass of words and numbers, such as a link."""
    if not isinstance(value, dict) or value.keys() != {field.name for field in fields(kind)}:
        raise ValueError(f"{name}: expected {', '.join(field.name for field in fields(kind))}")
    parts = {}
    for field in fields(kind):
        words = get_args(field.type)
        if words and value[field.name] not in words:
            raise ValueError(f"{name}: expected {field.name} as one of {', '.join(words)}")
        parts[field.name] = value[field.name] if words else _number(field.name, value[field.name])
    return kind(**parts)


def _number(name: str, value: Any) -> float:
    number = float(numbers(value, name, 0))
    if (number < 0.0 and name in _NOT_NEGATIVE) or (number <= 0.0 and name in _POSITIVE):
        raise ValueError(f"{name}: {number:g} is too small")
    return number


def _require_shapes(values: Mapping[str, Any], shapes: Mapping[str, str]) -> None:
    sizes: dict[str, int] = {"k": len(values["centre"]), "p": parameter_count(len(values["centre"]))}
    for name, letters in shapes.items():
        wanted = [sizes.setdefault(letter, size) for letter, size in zip(letters, values[name].shape, strict=True)]
        if wanted != list(values[name].shape):
            raise ValueError(f"{name}: expected shape {wanted}, came {list(values[name].shape)}")
