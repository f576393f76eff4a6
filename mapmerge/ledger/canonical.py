"""Canonical JSON: one spelling for equal values, so that a hash of it names them."""

import hashlib
import json
from typing import Any

from mapmerge.errors import IntegrityError
from mapmerge.records import JsonObject
from mapmerge.untrusted import parse_json

VALUES_LIMIT = 20_000_000
"""The most values of one JSON file of a run: a thousand times what studies have had so far."""


def canonical_json(value: Any) -> bytes:
    """Return the one spelling of a JSON value: sorted keys, no blanks, UTF-8, shortest floats that round-trip.

    Where every bit of a number matters, give it as `float.hex()` text: the spelling is then the value's own.

    Raises:
        ValueError: NaN or infinity, which JSON has not.
        TypeError: a value that is no JSON.

    >>> canonical_json({"b": 0.1, "a": [1, None]})
    b'{"a":[1,null],"b":0.1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_hash(value: Any) -> str:
    """Return the hex SHA-256 of a value's canonical JSON.

    >>> content_hash({"a": 1})[:8]
    '015abd7f'
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def with_checksum(record: JsonObject) -> dict[str, Any]:
    """Return the record with the hash of everything else in it as `checksum`.

    The checksum tells accidents (a torn disk, an edit by hand), not forgers: whoever can write can also hash.
    """
    return {**record, "checksum": content_hash(dict(record))}


def parse_object(data: bytes, where: str, *, most: int = VALUES_LIMIT) -> dict[str, Any]:
    """Parse bytes that should be one JSON object.

    Args:
        data: what was read, not trusted.
        where: the URI, for the message.
        most: values that it may hold, roughly.

    Raises:
        IntegrityError: they are not.
    """
    try:
        value = parse_json(data, most=most)
    except ValueError as error:
        raise IntegrityError(
            f"{where}: expected a JSON object, came {len(data)} bytes that are none ({error})"
        ) from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{where}: expected a JSON object, came {type(value).__name__}")
    return value


def parse_checked(data: bytes, where: str, *, most: int = VALUES_LIMIT) -> dict[str, Any]:
    """Parse a record that `with_checksum` made; returns it with its checksum.

    Args:
        data: what was read, not trusted.
        where: the URI, for the message.
        most: values that it may hold, roughly.

    Raises:
        IntegrityError: the bytes are no JSON object, or not the one that was written.
    """
    record = parse_object(data, where, most=most)
    try:
        expected = content_hash({name: value for name, value in record.items() if name != "checksum"})
    except ValueError as error:  # a lone surrogate is no text
        raise IntegrityError(f"{where}: the record cannot be hashed ({error})") from error
    if record.get("checksum") != expected:
        raise IntegrityError(f"{where}: expected the checksum {expected}, came {str(record.get('checksum'))[:80]}")
    return record
