"""A checkpoint on S3, read where it is: in blocks ahead of whoever walks through it, exactly where somebody picks."""

import json
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mapmerge.files.objects import RemoteObject

BLOCK = 4 * 2**20
"""Bytes a request."""

_AHEAD = 4
_KEPT = 6
_PICKED = 2**16
"""Bytes up to which a range that nobody expected is asked for alone: it may be a single number in a large file."""


class RemoteWeights:
    """The bytes of one version of a safetensors file on S3; a `checkpoints.source.Source`.

    Nothing is copied to a disk. At most `_KEPT` blocks are in memory. To be read by one thread at a time.

    Args:
        found: the object.
    """

    def __init__(self, found: RemoteObject) -> None:
        self._found = found
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = 0

    @property
    def said(self) -> str:
        """Its URI."""
        return self._found.uri

    @property
    def version(self) -> str:
        """Where the object is, and what the server calls this version of it."""
        return json.dumps([self._found.server, self._found.uri, self._found.etag, self._found.size])

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the bytes `[start, stop)`.

        Raises:
            ChangedObjectError: the object was replaced or removed since it was found.
        """
        expected, self._next = start == self._next, stop
        wanted = range(start // BLOCK, -(-stop // BLOCK))
        if not expected and stop - start <= _PICKED and not all(number in self._blocks for number in wanted):
            return np.frombuffer(bytearray(self._found.read(start, stop)), dtype=np.uint8)
        raw = np.empty(stop - start, dtype=np.uint8)
        for number, data in self._walk(wanted):
            first, last = max(start, number * BLOCK), min(stop, number * BLOCK + len(data))
            raw[first - start : last - start] = np.frombuffer(
                data, dtype=np.uint8, count=last - first, offset=first - number * BLOCK
            )
        return raw

    def _walk(self, wanted: range) -> Iterator[tuple[int, bytes]]:
        for number in wanted:
            if number not in self._blocks:
                self._fetch(number)
            self._blocks.move_to_end(number)
            yield number, self._blocks[number]

    def _fetch(self, number: int) -> None:
        """Fetch a block and those behind it, side by side."""
        blocks = range(number, min(number + _AHEAD, -(-self._found.size // BLOCK)))
        missing = [block for block in blocks if block not in self._blocks]
        ranges = [(block * BLOCK, min((block + 1) * BLOCK, self._found.size)) for block in missing]
        self._blocks.update(zip(missing, self._found.read_many(ranges), strict=True))
        while len(self._blocks) > _KEPT:
            self._blocks.popitem(last=False)
