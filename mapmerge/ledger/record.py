"""How one evaluation is written: a JSON object with packed outcomes, read back without trusting a byte of it."""

import base64
import binascii
import functools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from mapmerge.errors import IntegrityError
from mapmerge.ledger.canonical import canonical_json, content_hash, parse_checked, with_checksum
from mapmerge.records import JsonObject

SCHEMA = "mapmerge/evaluation/1"
ITEMS_LIMIT = 8_000_000
"""The most outcomes of one record."""
RECORD_LIMIT = 64 * 2**20
"""The most bytes of one record: enough for `ITEMS_LIMIT` float32 in base64."""
VALUES_LIMIT = 100_000
"""The most JSON values of one record: outcomes are a single one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredEvaluation:
    """A measurement as the ledger has it.

    Args:
        key: its content address.
        inputs: what determines it, as `evaluation_inputs` gave it.
        outcomes: float32, shape [i], read-only; the metric for every item.
        seconds: what it took, wall clock.
        device: where it was measured.
        run: id of the run that paid for it.
        checksum: hex SHA-256 of the record, by which a run's manifest names it.
        margins: float32, shape [i], read-only: above 0 where the outcome is 1, else it is 0; None where there are none.
    """

    key: str
    inputs: Mapping[str, Any]
    outcomes: NDArray[np.float32]
    seconds: float
    device: str
    run: str
    checksum: str
    margins: NDArray[np.float32] | None = None

    @property
    def score(self) -> float:
        """Plain mean over the items measured, in float64."""
        return float(self.outcomes.mean(dtype=np.float64))


class _Packed(BaseModel, extra="forbid", strict=True):
    encoding: Literal["bits", "float32", "margins"]
    compression: Literal["none", "zlib"]
    data: str


class _Record(BaseModel, extra="forbid", strict=True):
    record_schema: Literal["mapmerge/evaluation/1"] = Field(alias="schema")
    key: str
    inputs: dict[str, Any]
    outcomes: _Packed
    items: int = Field(ge=1, le=ITEMS_LIMIT)
    score: float
    seconds: float = Field(ge=0)
    device: str
    run: str
    created: str
    created_by: dict[str, str]
    checksum: str


def encode(
    key: str,
    inputs: JsonObject,
    outcomes: NDArray[np.float32],
    *,
    seconds: float,
    device: str,
    run: str,
    margins: NDArray[np.float32] | None = None,
) -> bytes:
    """Return the record of one evaluation.

    Outcomes that all are 0 or 1 take one bit each, others four bytes; what zlib makes smaller is compressed. Margins
    take the place of outcomes, which follow from them.

    Raises:
        ValueError: outcomes or margins that are not a finite float32 vector of 1 to `ITEMS_LIMIT` items, or that do not
            belong together.
    """
    for name, values in (("outcomes", outcomes), ("margins", outcomes if margins is None else margins)):
        if values.dtype != np.float32 or values.ndim != 1 or not 0 < len(values) <= ITEMS_LIMIT:
            raise ValueError(
                f"expected float32 {name} of shape [i] with 1 to {ITEMS_LIMIT} items, "
                f"came {values.dtype} of {list(values.shape)}"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"expected finite {name}, item {int(np.flatnonzero(~np.isfinite(values))[0])} has none")
    if margins is not None and not np.array_equal(outcomes, _right(margins)):
        raise ValueError("expected margins above 0 where an outcome is 1, and at most 0 where it is 0")
    record = {
        "schema": SCHEMA,
        "key": key,
        "inputs": dict(inputs),
        "outcomes": _pack(outcomes) if margins is None else _packed("margins", margins),
        "items": len(outcomes),
        "score": float(outcomes.mean(dtype=np.float64)),
        "seconds": float(seconds),
        "device": device,
        "run": run,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "created_by": _versions(),
    }
    return canonical_json(with_checksum(record))


def decode(data: bytes, key: str, where: str) -> StoredEvaluation:
    """Read a record back.

    Args:
        data: the bytes found, not trusted.
        key: the key they were found under.
        where: the URI, for the message.

    Raises:
        IntegrityError: the bytes are not a whole record of this key.
    """
    if len(data) > RECORD_LIMIT:
        raise IntegrityError(f"{where}: expected a record of at most {RECORD_LIMIT} bytes, there are more")
    parsed = parse_checked(data, where, most=VALUES_LIMIT)
    try:
        record = _Record.model_validate(parsed)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise IntegrityError(f"{where}: expected a record of schema {SCHEMA}; {path}: {first['msg']}") from error
    if record.key != key or content_hash(record.inputs) != key:
        raise IntegrityError(f"{where}: the record belongs to another key ({record.key[:64]})")
    try:
        values = _unpack(record.outcomes, record.items)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise IntegrityError(f"{where}: the outcomes cannot be unpacked ({error})") from error
    margins = values if record.outcomes.encoding == "margins" else None
    outcomes = values if margins is None else _right(margins)
    outcomes.flags.writeable = False
    about = record.seconds, record.device, record.run, record.checksum
    return StoredEvaluation(key, record.inputs, outcomes, *about, margins)


def _right(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    return (margins > 0.0).astype(np.float32)


def _pack(outcomes: NDArray[np.float32]) -> dict[str, str]:
    # Compared by bits, so that -0.0 stays -0.0.
    words = outcomes.view(np.uint32) if outcomes.flags.c_contiguous else outcomes.copy().view(np.uint32)
    one = np.float32(1.0).view(np.uint32)
    if np.all((words == 0) | (words == one)):
        return _packed("bits", np.packbits(words == one, bitorder="little"))
    return _packed("float32", outcomes)


def _packed(encoding: str, values: NDArray[np.uint8] | NDArray[np.float32]) -> dict[str, str]:
    raw = values.tobytes() if values.dtype == np.uint8 else values.astype("<f4").tobytes()
    small = zlib.compress(raw, 6)
    compression, body = ("zlib", small) if len(small) < len(raw) else ("none", raw)
    return {"encoding": encoding, "compression": compression, "data": base64.b64encode(body).decode()}


def _unpack(packed: _Packed, items: int) -> NDArray[np.float32]:
    size = -(-items // 8) if packed.encoding == "bits" else 4 * items
    raw = base64.b64decode(packed.data, validate=True)
    if packed.compression == "zlib":
        # At most one byte more than expected is ever unpacked, however much the compressed bytes would give.
        inflate = zlib.decompressobj()
        raw = inflate.decompress(raw, size + 1)
        if not inflate.eof or inflate.unused_data:
            raise ValueError(f"expected one zlib stream of {size} bytes")
    if len(raw) != size:
        raise ValueError(f"expected {size} bytes for {items} items, came {len(raw)}")
    if packed.encoding == "bits":
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=items, bitorder="little")
        outcomes: NDArray[np.float32] = bits.astype(np.float32)
    else:
        outcomes = np.frombuffer(raw, dtype="<f4").astype(np.float32)
        if not np.isfinite(outcomes).all():
            raise ValueError("an outcome is not finite")
    outcomes.flags.writeable = False
    return outcomes


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in ("mapmerge", "numpy", "torch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions
