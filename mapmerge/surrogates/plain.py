"""Surrogates as JSON objects, and back without losing a bit."""

import math
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.records import Array, JsonObject


def to_plain(surrogate: Any, schema: str) -> JsonObject:
    """Return all fields of a surrogate, a dataclass, with its schema and kind; an infinite number becomes null."""
    values = {field.name: getattr(surrogate, field.name) for field in fields(surrogate)}
    return {"schema": schema, "kind": surrogate.kind} | {name: _plain(value) for name, value in values.items()}


def from_plain(family: Any, plain: JsonObject, schema: str) -> dict[str, Any]:
    """Return the fields of a family of surrogates, read from what `to_plain` gave.

    Raises:
        BadInputError: the object is of another schema, or a part is missing.
    """
    if plain.get("schema") != schema:
        raise BadInputError(f"expected a surrogate of schema {schema!r}, got {plain.get('schema')!r}")
    missing = [field.name for field in fields(family) if field.name not in plain]
    if missing:
        raise BadInputError(f"surrogate lacks {', '.join(missing)}")
    return {field.name: _read(field.type, plain[field.name]) for field in fields(family)}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, float) and math.isinf(value):
        return None
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _read(kind: Any, value: Any) -> Any:
    if kind == Array:
        return np.array(value, dtype=np.float64)
    if kind is float and value is None:
        return math.inf
    return kind(**value) if isinstance(kind, type) and is_dataclass(kind) else value
