"""The evaluation ledger: every measurement under the hash of everything that determines it, written once."""

import base64
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapmerge.errors import IntegrityError, MissingFileError
from mapmerge.ledger.canonical import content_hash
from mapmerge.ledger.record import RECORD_LIMIT, StoredEvaluation, decode, encode
from mapmerge.ledger.store import Store
from mapmerge.records import JsonObject


def evaluation_inputs(
    *,
    architecture: JsonObject,
    base: str,
    experts: Sequence[str],
    coefficients: ArrayLike,
    method: str,
    dtype: str,
    evaluator: str,
    version: str,
    identity: JsonObject,
    items: NDArray[np.int64] | None = None,
    repeat: int = 0,
) -> dict[str, Any]:
    """Gather everything that determines a measurement.

    Experts with coefficient 0 do not count, nor does the order of experts: a study with one expert more finds the
    measurements of the study before it. Which items and which repetition are named only where they are not all items
    and the first time.

    Args:
        architecture: how the model is built (its spec and options).
        base: fingerprint of the base model.
        experts: fingerprints, length k.
        coefficients: float64, shape [k], one for each expert.
        method: how the experts are merged, such as `task_arithmetic`.
        dtype: what the model computes in, such as `float32`.
        evaluator: name of the evaluator.
        version: its version.
        identity: its `identity`.
        items: the items measured, indices of at most 32 bits, shape [s]; None for all of them.
        repeat: how often the same was measured before, knowingly.

    Raises:
        ValueError: not one finite coefficient for each expert, or indices that are none.

    >>> about = dict(architecture={}, base="b0", method="sum", dtype="float32", evaluator="e", version="1", identity={})
    >>> two = evaluation_inputs(experts=["e1", "e2"], coefficients=[0.5, 0.0], **about)
    >>> two["experts"], two == evaluation_inputs(experts=["e1"], coefficients=[0.5], **about)
    ([['e1', '0x1.0000000000000p-1']], True)
    """
    values = np.asarray(coefficients, dtype=np.float64)
    if values.shape != (len(experts),) or not np.isfinite(values).all():
        raise ValueError(f"expected {len(experts)} finite coefficients, one for each expert, came {values.tolist()}")
    pairs = zip(experts, values.tolist(), strict=True)
    inputs: dict[str, Any] = {
        "architecture": dict(architecture),
        "base": base,
        "experts": sorted([expert, value.hex()] for expert, value in pairs if value != 0.0),
        "method": method,
        "dtype": dtype,
        "evaluator": {"name": evaluator, "version": version, "identity": dict(identity)},
    }
    if items is not None:
        if items.ndim != 1 or len(items) == 0 or items.min() < 0 or items.max() >= 1 << 32:
            raise ValueError(f"expected item indices of shape [s] from 0 to 2^32 - 1, came shape {list(items.shape)}")
        indices = base64.b64encode(items.astype("<u4").tobytes()).decode()
        inputs["items"] = {"count": len(items), "indices": indices}
    if repeat > 0:
        inputs["repeat"] = repeat
    return inputs


def evaluation_key(inputs: JsonObject) -> str:
    """Return the content address of a measurement: the hex SHA-256 of its inputs' canonical JSON.

    >>> evaluation_key({"base": "b0"})[:8]
    'a45702e2'
    """
    return content_hash(dict(inputs))


class EvaluationLedger:
    """The evaluation records of a store, at `evaluations/<first two hex digits>/<key>.json`.

    A record that cannot be trusted counts as absent, so that it is measured again: it is moved to
    `evaluations/quarantine/`, and `warnings` says so.

    >>> ledger = EvaluationLedger(Store("memory://ledger-doctest"))
    >>> stored = ledger.put({"base": "b0"}, np.float32([1, 0, 1, 1]), seconds=0.1, device="cpu", run="first")
    >>> ledger.get(stored.key).score, ledger.get(stored.key).outcomes.tolist()
    (0.75, [1.0, 0.0, 1.0, 1.0])
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.warnings: list[str] = []

    def get(self, key: str) -> StoredEvaluation | None:
        """Return a measurement, or None where the ledger has none that can be trusted."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, StoredEvaluation]:
        """Return the measurements that the ledger has, by key; on S3 they are fetched side by side."""
        return {stored.key: stored for stored in self.each(keys)}

    def each(self, keys: Iterable[str]) -> Iterator[StoredEvaluation]:
        """Yield the measurements that the ledger has, in the order asked, however many they are in bounded memory."""
        for key, data in self._read(keys):
            try:
                stored = decode(data, key, self._where(key))
            except IntegrityError as error:
                self._quarantine(key, data, error)
            else:
                yield stored

    def put(
        self,
        inputs: JsonObject,
        outcomes: NDArray[np.float32],
        *,
        seconds: float,
        device: str,
        run: str,
        margins: NDArray[np.float32] | None = None,
    ) -> StoredEvaluation:
        """Record a measurement, unless its key has one: then that one stands.

        Args:
            inputs: what `evaluation_inputs` gives; its hash is the key.
            outcomes: shape [i], finite; the metric for every item.
            seconds: what it took, wall clock.
            device: where it was measured, such as `cpu`; a note, no part of the key.
            run: id of the run that pays for it; a note too.
            margins: shape [i], finite, above 0 where an outcome is 1 and at most 0 where it is 0.

        Returns:
            The measurement that stands from now on.

        Raises:
            ValueError: outcomes or margins that are none.
            IntegrityError: the key has a record that can be neither trusted nor moved away.
        """
        key = evaluation_key(inputs)
        data = encode(key, inputs, outcomes, seconds=seconds, device=device, run=run, margins=margins)
        stored = decode(data, key, self._where(key))  # what could not be read back must not be written
        for _ in range(3):
            if self.store.create(_path(key), data):
                return stored
            if (standing := self.get(key)) is not None:
                return standing
        raise IntegrityError(f"{self._where(key)}: there is a damaged record that cannot be moved away; delete it")

    def copy(self, other: "EvaluationLedger", keys: Iterable[str]) -> None:
        """Take over the measurements of another ledger that this one does not have; damaged records stay behind."""
        wanted = list(keys)
        present = {stored.key for stored in self.each(wanted)}
        for key, data in other._read(key for key in wanted if key not in present):
            with suppress(IntegrityError):
                decode(data, key, other._where(key))
                self.store.create(_path(key), data)

    def check(self, checksums: Mapping[str, str]) -> list[str]:
        """Compare records with the checksums they had; changes nothing.

        Args:
            checksums: for each key the checksum its record should have.

        Returns:
            One sentence for each record that is missing or changed.
        """
        problems = {key: f"evaluation {key} is missing" for key in checksums}
        for key, data in self._read(key for key in checksums if _is_key(key)):
            try:
                if decode(data, key, self._where(key)).checksum == checksums[key]:
                    del problems[key]
                else:
                    problems[key] = f"evaluation {key} was replaced by another measurement"
            except IntegrityError as error:
                problems[key] = f"evaluation {key} is damaged: {error}"
        return list(problems.values())

    def _read(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        paths = {_path(key): key for key in keys}
        for path, data in self.store.read_each(paths, limit=RECORD_LIMIT):
            yield paths[path], data

    def _where(self, key: str) -> str:
        return f"{self.store.uri}/{_path(key)}"

    def _quarantine(self, key: str, data: bytes, error: IntegrityError) -> None:
        to = f"evaluations/quarantine/{key}-{secrets.token_hex(4)}.json"
        outcome = f"moved to {to}"
        try:
            # Somebody else may have moved it and written a sound record meanwhile: that one stays.
            if dict(self._read([key])).get(key) != data:
                return
            self.store.move(_path(key), to)
        except MissingFileError:
            return
        except OSError as reason:
            outcome = f"which could not be moved away ({reason})"
        self.warnings.append(f"{error}; it will be measured again, the damaged record was {outcome}")


def _is_key(key: str) -> bool:
    return len(key) == 64 and set(key) <= set("0123456789abcdef")


def _path(key: str) -> str:
    if not _is_key(key):
        raise ValueError(f"expected an evaluation key of 64 hex digits, came {key!r}")
    return f"evaluations/{key[:2]}/{key}.json"
