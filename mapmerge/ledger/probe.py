"""Whether a store does what runs rely on, found out with one small object."""

import secrets

from mapmerge.errors import IntegrityError, RunError
from mapmerge.ledger.store import Store

_FOLDER = "probes"
_FIRST, _SECOND = b"first", b"second"


def probe(store: Store) -> None:
    """Create an object, have a second one refused in its place, read it, list it and remove it.

    Everything that keeps runs from overwriting each other rests on the refusal; a server that does not know
    `If-None-Match` creates the second object and says nothing.

    Args:
        store: where runs are to be; what it holds is left alone.

    Raises:
        RunError: the store created an object in the place of another.
        IntegrityError: it does not give back, or does not list, what was written.
        MapmergeError: whatever else the store raises, such as StoreRefusedError.

    >>> probe(Store("memory://probe-doctest"))
    """
    key = f"{_FOLDER}/{secrets.token_hex(16)}"
    store.create(key, _FIRST)
    try:
        if store.create(key, _SECOND):
            raise RunError(
                f"{store.uri}: this store creates an object where there is one already, so that runs would overwrite "
                "each other; use a server that honours `If-None-Match: *` in PUT"
            )
        if store.read(key) != _FIRST:
            raise IntegrityError(f"{store.uri}: an object that was just written reads as something else")
        if key not in store.list(_FOLDER):
            raise IntegrityError(f"{store.uri}: an object that was just written is not listed")
    finally:
        store.delete(key)
