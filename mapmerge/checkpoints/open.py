"""A checkpoint: which tensors it holds, their values on request, and the fingerprint of its content."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mapmerge.checkpoints.fingerprint import Fingerprint
from mapmerge.checkpoints.header import DTYPES, Entry, read_header
from mapmerge.checkpoints.source import LocalFile, Source
from mapmerge.errors import CheckpointError, MissingFileError

PIECE = 2**18
"""Elements that are read at a time where a checkpoint is streamed: 1 MiB of float32, which stays in the cache."""

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A safetensors file whose header was checked; no value is read before it is asked for.

    Args:
        source: the file.
        entries: the tensors by name, names sorted.
    """

    source: Source
    entries: Mapping[str, Entry]

    @property
    def said(self) -> str:
        """What messages call it: its path or URI."""
        return self.source.said

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, sorted."""
        return tuple(self.entries)

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor."""
        return {name: entry.shape for name, entry in self.entries.items()}

    @cached_property
    def dtypes(self) -> Mapping[str, torch.dtype]:
        """Dtype of each tensor."""
        return {name: DTYPES[entry.dtype] for name, entry in self.entries.items()}

    @cached_property
    def floating(self) -> tuple[str, ...]:
        """Names of the tensors that are merged, sorted; the others (integers, booleans) are carried over."""
        return tuple(name for name in self.entries if self.dtypes[name].is_floating_point)

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor; the values are the caller's own copy, which lives no longer than the caller keeps it.

        Raises:
            CheckpointError: there is no such tensor, or the file changed since it was opened.
        """
        if name not in self.entries:
            raise CheckpointError(f"{self.said}: there is no tensor {name!r}; the file has {len(self.names)} others")
        return self.piece(name, 0, self.entries[name].size).reshape(self.shapes[name])

    def piece(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Read the elements `[start, stop)` of one tensor, flattened in row-major order."""
        return self.values(name, self.raw(name, start, stop))

    def raw(self, name: str, start: int, stop: int) -> NDArray[np.uint8]:
        """Read the bytes of the elements `[start, stop)` of one tensor."""
        first, width = self.entries[name].start, self.dtypes[name].itemsize
        return self.source.read(first + start * width, first + stop * width)

    def values(self, name: str, raw: NDArray[np.uint8]) -> torch.Tensor:
        """Return what bytes of one tensor stand for, without a copy."""
        return torch.from_numpy(raw).view(self.dtypes[name]) if raw.size else torch.empty(0, dtype=self.dtypes[name])

    def spans(self, name: str) -> Iterator[tuple[int, int]]:
        """Cut one tensor into consecutive ranges of at most `PIECE` elements."""
        size = self.entries[name].size
        return ((start, min(start + PIECE, size)) for start in range(0, size, PIECE))

    def fingerprint(self) -> str:
        """Return the hex SHA-256 of the content: names, dtypes, shapes and values, whatever their order in the file.

        Read once for each opened checkpoint, in bounded memory.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        told = Fingerprint()
        for name, entry in self.entries.items():
            told.begin(name, entry)
            for span in self.spans(name):
                told.add(self.raw(name, *span))
        return told.hexdigest()


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a checkpoint: a `.safetensors` file, or a folder with `model.safetensors` in it.

    Only the header is read, and nothing is ever unpickled.

    Raises:
        MissingFileError: there is no such file or folder.
        CheckpointError: it is no safetensors file, or a damaged one; the message names the file and says what to do.

    >>> import tempfile, safetensors.torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     safetensors.torch.save_file({"w": torch.ones(2, 3)}, f"{folder}/model.safetensors")
    ...     open_checkpoint(folder).shapes
    {'w': (2, 3)}
    """
    path = Path(path)
    try:
        folder, exists = path.is_dir(), path.exists()
        if folder:
            path = _weights_of(path)
    except OSError as error:
        if isinstance(error, MissingFileError):
            raise
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not exists:
        raise MissingFileError(
            f"{path}: there is no such checkpoint; expected a .safetensors file or a folder with one"
        )
    if not path.is_file():
        raise CheckpointError(f"{path}: expected a regular file")
    return Checkpoint(LocalFile(path), read_header(path))


def _weights_of(folder: Path) -> Path:
    require_weights(str(folder), [file.name for file in folder.iterdir()])
    return folder / WEIGHTS


def require_weights(folder: str, names: Iterable[str]) -> None:
    """Raise unless a folder that holds files of these names holds `model.safetensors`.

    Raises:
        CheckpointError: the model is there in a form that cannot be opened.
        MissingFileError: there is no model.
    """
    files = sorted(names)
    if WEIGHTS in files:
        return
    if f"{WEIGHTS}.index.json" in files:
        raise CheckpointError(
            f"{folder}: the weights are cut into shards; expected one {WEIGHTS}: save the model once more "
            "with a larger max_shard_size"
        )
    pickles = [file for file in files if file.endswith((".bin", ".pt", ".pth", ".ckpt"))]
    if pickles:
        raise CheckpointError(
            f"{folder}: expected {WEIGHTS}, but there is only {pickles[0]!r}, a pickle, which is never opened; "
            "write the weights again with safetensors.torch.save_file"
        )
    raise MissingFileError(f"{folder}: there is no {WEIGHTS} in this folder")
