"""Which experts lie under a prefix, once they are there as a whole."""

import time
from pathlib import PurePosixPath

from mapmerge.checkpoints.open import WEIGHTS
from mapmerge.ledger.store import Store


def arrived(prefix: str, settled_s: float, *, now: float | None = None) -> dict[str, str]:
    """Return the checkpoints right below a prefix: by the name of the expert, where it is.

    A folder `NAME/` with a `model.safetensors` is an expert, and so is a file `NAME.safetensors`. What was written a
    moment ago may not be there as a whole, and a folder whose weights come last is written file by file: an expert
    counts when all its files have been left alone for a while.

    Args:
        prefix: a folder, or `s3://bucket/folder`.
        settled_s: seconds for which no file of an expert must have been written.
        now: seconds since 1970; by default this machine's clock.

    Raises:
        ConfigError: another kind of URI.

    >>> store = Store("memory://arrivals-doctest")
    >>> [store.create(key, b"") for key in ("a/model.safetensors", "b.safetensors", "c/config.json")]
    [True, True, True]
    >>> arrived(store.uri, settled_s=0.0)
    {'a': 'memory://arrivals-doctest/a', 'b': 'memory://arrivals-doctest/b.safetensors'}
    """
    store = Store(prefix)
    latest = (time.time() if now is None else now) - settled_s
    newest: dict[str, float] = {}
    experts: dict[str, str] = {}
    for key, written in store.written().items():
        top, *below = PurePosixPath(key).parts
        newest[top] = max(written.time, newest.get(top, 0.0))
        if below == [WEIGHTS] or (not below and top.endswith(".safetensors")):
            experts[top] = f"{store.uri.removeprefix('file://')}/{top}"
    return {top.removesuffix(".safetensors"): where for top, where in experts.items() if newest[top] <= latest}
