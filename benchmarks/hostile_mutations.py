"""Ways to spoil what is valid: its bytes, the structure of its JSON, or its size."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np


def bytes_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with one to four places cut, repeated, overwritten or filled."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        first, last = sorted(int(place) for place in rng.integers(0, len(changed) + 1, 2))
        last = min(last, first + 64)
        match int(rng.integers(5)):
            case 0:
                changed[first:last] = b""
            case 1:
                changed[first:first] = changed[first:last] * int(rng.integers(1, 50))
            case 2:
                changed[first:last] = rng.bytes(last - first)
            case 3:
                changed[first:first] = _TOKENS[rng.integers(len(_TOKENS))]
            case _:
                del changed[first:]
    return bytes(changed)


_TOKENS = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"{",
    b"[[[[",
    b'"',
    b"\\ud800",
    b"\\",
    b",,",
    b":",
    b"-",
]
_TOKENS += [b"1e999", b"NaN", b"9" * 5000, b"[" * 3000, b'{"a":' * 500, b"\xf0\x9f\x98\x80", b"../", b"true", b"null"]

_RAW = ["NaN", "-Infinity", "1e999", "-1e308", "9" * 5000, "-0.0", "[" * 300 + "]" * 300, '"\\ud800"', '{"a":1,"a":2}']
"""JSON, or nearly, that no value has as its text."""

_VALUES: list[Any] = [None, True, 0, -1, 2**63, 2**64, 1e300, 0.5, "", "0", "../../etc/passwd", "~nobody/x", "a\x00b"]
_VALUES += ["é" * 300, "x" * 20_000, [], {}, [[]], [0] * 500, {"": 0}, [None], {"a": {"b": {}}}, "true", "1:1:1", " "]


def tree_changed(tree: Any, rng: np.random.Generator) -> str:
    """Return JSON text of a tree with one to three places spoilt."""
    raw: dict[str, str] = {}
    whole = {"": deepcopy(tree)}
    for _ in range(rng.integers(1, 4)):
        holder, key = _place(whole, rng)
        match int(rng.integers(8)):
            case 0 | 1 | 2:
                holder[key] = deepcopy(_VALUES[rng.integers(len(_VALUES))])
            case 3 | 4:
                mark = f"@raw{len(raw)}@"
                raw[json.dumps(mark)], holder[key] = _RAW[rng.integers(len(_RAW))], mark
            case 5 if isinstance(holder, dict) and holder is not whole:
                holder[str(_VALUES[rng.integers(len(_VALUES))])[:100]] = holder.pop(key)
            case 6 if holder is not whole:
                del holder[key]
            case _:
                other, there = _place(whole, rng)
                holder[key] = deepcopy(other[there])
    text = json.dumps(whole[""])
    for mark, instead in raw.items():
        text = text.replace(mark, instead)
    return text


def _place(whole: dict[str, Any], rng: np.random.Generator) -> tuple[Any, Any]:
    """Walk down from the top at random; return where the walk ended: a list or an object, and an index or a key."""
    holder: Any = whole
    key: Any = ""
    while isinstance(holder[key], (dict, list)) and len(holder[key]) and rng.random() < 0.85:
        holder = holder[key]
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = keys[rng.integers(len(keys))]
    return holder, key


def nested(size: int, most: int) -> Iterator[bytes]:
    """Yield lists, whole and closed but for the last bracket, that hold as much as they may, of bytes or of values."""
    for unit in (b"[],", b"0,", b"0.5,", b"[", b'{"a":', b'"ab",', b'{"a":{}},'):
        values = sum(unit.count(mark) for mark in (b",", b"[", b"{"))
        for times in (size // len(unit), min(size // len(unit), (most - 9) // values)):
            yield b"[" + unit * times + b"0]}"
