"""The alternative to one object an evaluation: many records in one object, with an index. A prototype, to measure."""

import json
from collections.abc import Iterable, Iterator, Mapping

from mapmerge.ledger.canonical import canonical_json
from mapmerge.ledger.evaluations import evaluation_key
from mapmerge.ledger.record import StoredEvaluation, decode, encode
from mapmerge.ledger.store import Store

BATCH = 100
"""Records of one object."""

_LENGTH = 8
_HEAD_LIMIT = 2**16


def record(known: StoredEvaluation) -> tuple[str, bytes]:
    """Return key and record of a measurement, with the work that `EvaluationLedger.put` has with it."""
    key = evaluation_key(known.inputs)
    about = {"seconds": known.seconds, "device": known.device, "run": known.run, "margins": known.margins}
    data = encode(key, known.inputs, known.outcomes, **about)  # type: ignore[arg-type]
    decode(data, key, "a batch")
    return key, data


def pack(records: Mapping[str, bytes]) -> bytes:
    """Return one object: the length of the index, the index (where each key's record begins and ends), the records."""
    index, at = {}, 0
    for key, data in records.items():
        index[key] = [at, at + len(data)]
        at += len(data)
    head = canonical_json(index)
    return len(head).to_bytes(_LENGTH, "big") + head + b"".join(records.values())


def index_of(data: bytes) -> tuple[dict[str, list[int]], int]:
    """Return the index of an object and where its records begin; the first bytes of the object suffice."""
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    return json.loads(data[_LENGTH:start]), start


def write(store: Store, number: int, records: Mapping[str, bytes]) -> int:
    """Write one batch; returns its bytes."""
    data = pack(records)
    assert store.create(_path(number), data)
    return len(data)


def read_all(store: Store, batches: Iterable[int]) -> Iterator[StoredEvaluation]:
    """Yield every record of some batches, checked as the ledger checks it."""
    for path, data in store.read_each(map(_path, batches)):
        index, start = index_of(data)
        for key, (first, last) in index.items():
            yield decode(data[start + first : start + last], key, path)


def find(store: Store, batches: Iterable[int], wanted: str) -> StoredEvaluation | None:
    """Return one record, as a process does that knows nothing yet: it reads the index of every batch."""
    for path, head in store.read_each(map(_path, batches), limit=_HEAD_LIMIT):
        index, start = index_of(head)
        if wanted in index:
            first, last = index[wanted]
            return decode(store.read(path)[start + first : start + last], wanted, path)
    return None


def _path(number: int) -> str:
    return f"batches/{number:06d}.bin"
