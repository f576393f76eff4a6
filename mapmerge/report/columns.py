"""Records that are alike, written as columns: each key stands once instead of once a record."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any


def columns(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a block of columns for each stretch of records that have the same keys; `columns.js` makes rows of it.

    >>> columns([{"id": 1, "at": {"x": 2, "y": 3}}, {"id": 4, "at": {"x": 5, "y": 6}}, {"id": 7}])
    [{'id': [1, 4], 'at': {'x': [2, 5], 'y': [3, 6]}}, {'id': [7]}]
    """
    return [_turned(list(alike)) for _, alike in itertools.groupby(records, _shape)]


def _shape(value: Any) -> Any:
    return {key: _shape(inner) for key, inner in value.items()} if isinstance(value, Mapping) and value else None


def _turned(alike: list[Any]) -> Any:
    if isinstance(alike[0], Mapping) and alike[0]:
        return {key: _turned([each[key] for each in alike]) for key in alike[0]}
    return alike
