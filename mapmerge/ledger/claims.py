"""Claims: who measures what at this moment, so that runs which ask for the same pay for it once."""

from collections.abc import Collection, Iterable
from contextlib import suppress

from mapmerge.errors import IntegrityError
from mapmerge.ledger.canonical import canonical_json, parse_object
from mapmerge.ledger.lease import latest_sign
from mapmerge.ledger.patience import HASTY
from mapmerge.ledger.runs import RUN_ID
from mapmerge.ledger.side_by_side import side_by_side
from mapmerge.ledger.store import Store

CLAIM_LIMIT = 4096
"""Bytes of a claim that are read; one is much smaller."""


class Claims:
    """The claims of one driver of a run, at `claims/<first two hex digits>/<key>.json`.

    Exactly one process can create a claim. It holds as long as its driver holds the run's lease, so that nobody waits
    for the dead. A claim saves work and guards nothing: records are written once whoever writes them, and where two
    take over a dead driver's claim in the same moment, both measure, with the same outcome.

    Args:
        store: where evaluations are kept.
        run_id: the run.
        token: that of the lease by which the run is held.

    >>> ours, others = (Claims(Store("memory://claims-doctest"), run, run) for run in ("first", "second"))
    >>> ours.take(["ab" * 32]) == {"ab" * 32}
    True
    >>> ours.give_back(["ab" * 32])
    """

    def __init__(self, store: Store, run_id: str, token: str) -> None:
        self._store, self._driver = store, (run_id, token)
        self._data = canonical_json({"run": run_id, "token": token})

    def take(self, keys: Collection[str]) -> set[str]:
        """Claim evaluations by their keys; returns those that nobody else measures now."""
        refused = [key for key, won in side_by_side(self._create, keys) if not won]
        free = self._free(refused)
        return (set(keys) - set(refused)) | {key for key, won in side_by_side(self._create, free) if won}

    def give_back(self, keys: Iterable[str]) -> None:
        """Remove claims of this driver, as far as the store answers: one that stays ends with the lease."""
        with suppress(Exception):
            self._store.with_patience(HASTY).discard([_path(key) for key in keys])

    def _free(self, keys: Collection[str]) -> list[str]:
        """Return the keys that can be claimed again: the claim is gone, or its driver is (then it goes too)."""
        claims = self._read(keys)
        living = {driver for driver, lives in side_by_side(self._lives, set(claims.values())) if lives}
        stale = [key for key, driver in claims.items() if driver not in living]
        side_by_side(self._delete, stale)
        return stale + [key for key in keys if key not in claims]

    def _read(self, keys: Collection[str]) -> dict[str, tuple[str, str]]:
        """Return run and token of the claims that there are."""
        paths = {_path(key): key for key in keys}
        claims = {}
        for path, data in self._store.read_many(paths, limit=CLAIM_LIMIT).items():
            try:
                claim = parse_object(data, path)
            except IntegrityError:
                claim = {}  # as good as of a driver that is gone
            claims[paths[path]] = str(claim.get("run")), str(claim.get("token"))
        return claims

    def _lives(self, driver: tuple[str, str]) -> bool:
        run_id, token = driver
        if driver == self._driver:  # another thread of this one
            return True
        if not RUN_ID.fullmatch(run_id):  # a store may hold anything
            return False
        sign = latest_sign(self._store.child(f"runs/{run_id}/leases"))
        return sign is not None and sign.owner is not None and sign.owner.token == token and sign.is_living()

    def _create(self, key: str) -> bool:
        return self._store.create(_path(key), self._data)

    def _delete(self, key: str) -> None:  # one that stayed would be waited for
        self._store.delete(_path(key))


def _path(key: str) -> str:
    return f"claims/{key[:2]}/{key}.json"
