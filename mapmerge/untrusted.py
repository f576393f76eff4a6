"""JSON that somebody else may have written: parsed in bounded time and memory, into values that have no surprises."""

import gc
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mapmerge.records import Array

DEEPEST = 200
"""Lists and objects inside each other: what walks over values may call itself for each."""

_LONGEST_WHOLE = 20
_MARKS = (b",", b"[", b"{")


def parse_json(data: bytes, *, most: int) -> Any:
    """Parse JSON in UTF-8, and refuse what other readers understand otherwise or choke on.

    Args:
        data: not trusted.
        most: values that it may hold, roughly: commas and brackets are counted before anything is built, since a list
            takes twenty times the memory of its two bytes of text.

    Raises:
        ValueError: it is not JSON, holds more values, is nested deeper than `DEEPEST`, has a key twice in one object,
            or a number that is NaN, infinite, or whole and longer than 64 bits.

    >>> parse_json(b'{"a": [1, 2.5]}', most=10)
    {'a': [1, 2.5]}
    """
    if sum(data.count(mark) for mark in _MARKS) > most:
        raise ValueError(f"it holds more than {most} values")
    try:
        with _nothing_collected():
            value = json.loads(
                data.decode(), parse_constant=_finite, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
            )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST}") from None
    require_shallow(value)
    return value


def require_shallow(value: Any) -> None:
    """Check that lists and objects lie at most `DEEPEST` deep inside each other.

    Raises:
        ValueError: they lie deeper.
    """
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEEPEST}")


def numbers(value: Any, what: str, dimensions: int) -> Array:
    """Return an array of finite numbers.

    Args:
        value: lists that JSON gave, not trusted.
        what: its name, for the message.
        dimensions: how many the array must have.

    Raises:
        ValueError: it is none.

    >>> numbers([[1, 2.5]], "c", 2)
    array([[1. , 2.5]])
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what}: expected numbers, in lists of one length") from None
    if array.ndim != dimensions or not np.isfinite(array).all():
        raise ValueError(f"{what}: expected finite numbers in {dimensions} dimensions, came shape {list(array.shape)}")
    return array


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Let Python not look for garbage: with every few thousand lists it would go through all that there are."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no finite number, which JSON cannot hold")
    return number


def _whole(text: str) -> int:
    if len(text) > _LONGEST_WHOLE or not -(2**63) <= (number := int(text)) < 2**64:
        raise ValueError(f"the whole number {text[:40]} has more than 64 bits")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} is there twice")
    return found
