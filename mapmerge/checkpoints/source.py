"""Where the bytes of a checkpoint come from: a file of this machine, or whatever else gives ranges of bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import CheckpointError


class Source(Protocol):
    """A safetensors file, wherever it is. It must not change while it is read: what is noticed is an error."""

    @property
    def said(self) -> str:
        """What messages call it."""
        ...

    @property
    def version(self) -> str | None:
        """What tells its content from any other one without reading it; None where only reading tells."""
        ...

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the bytes `[start, stop)`, the caller's own copy.

        Raises:
            BadInputError: it is no longer the file that was opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine.

    Args:
        path: where it is.
    """

    path: Path

    @property
    def said(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def version(self) -> None:
        """Nothing: size and time of a file do not tell its content."""
        return None

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the bytes `[start, stop)`.

        Raises:
            CheckpointError: the file became shorter.
        """
        # Read, not mapped: a file that shrinks meanwhile gives an error instead of killing the process, the memory
        # goes back as soon as the piece is dropped, and a tensor at an odd offset is aligned all the same.
        raw = np.fromfile(self.path, dtype=np.uint8, count=stop - start, offset=start)
        if raw.size != stop - start:
            raise CheckpointError(f"{self.said}: the file became shorter since it was opened; copy it once more")
        return raw
