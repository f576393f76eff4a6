"""The fingerprint of a checkpoint's content, taken while it is read."""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from mapmerge.checkpoints.header import Entry


class Fingerprint:
    """The SHA-256 of names, dtypes, shapes and values, told tensor by tensor in sorted order of names.

    >>> told = Fingerprint()
    >>> told.begin("w", Entry("U8", (2,), 8, 10))
    >>> told.add(np.array([1, 2], dtype=np.uint8))
    >>> told.hexdigest()[:8]
    'b032d5f6'
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def begin(self, name: str, entry: Entry) -> None:
        """Announce the next tensor."""
        # One line of JSON and then as many bytes as it announces: no two contents give the same stream.
        self._digest.update(json.dumps([name, entry.dtype, entry.shape]).encode() + b"\n")

    def add(self, raw: NDArray[np.uint8]) -> None:
        """Tell the next bytes of the tensor that was begun last."""
        self._digest.update(raw.data)

    def hexdigest(self) -> str:
        """Return the fingerprint of all that was told."""
        return self._digest.hexdigest()
