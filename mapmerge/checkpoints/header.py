"""The safetensors header: read without trusting it, and written.

A safetensors file is a header length (8 bytes, little-endian), a JSON header that says of each tensor its dtype, shape
and byte range, and then the raw bytes of all tensors, without gaps. Everything here is checked before a single tensor
is read, so that a damaged or hostile file costs an error message and never memory.
"""

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mapmerge.errors import CheckpointError
from mapmerge.untrusted import parse_json

MAX_HEADER_BYTES = 16 * 2**20
"""Longest header that is parsed."""

MAX_HEADER_VALUES = 300_000
"""The most numbers, lists and objects in a header, which take far more memory than their text: room for more than
30 000 tensors in one file."""

MAX_DIMENSIONS = 64
MAX_NAME = 1000

DTYPES: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
"""The dtypes that can be merged or carried along; quantised ones (float8 and less) cannot be averaged by value."""

_STRANGERS = {
    b"PK\x03\x04": "a zip archive, as torch.save writes it",
    b"GGUF": "a GGUF file",
    b"\x89HDF": "an HDF5 file",
}
_ADVICE = "write the weights again with safetensors.torch.save_file"


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file: its dtype as the format spells it, its shape, and its bytes `[start, stop)` in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, Entry]:
    """Read and check the header of a safetensors file.

    Args:
        path: an existing regular file.

    Returns:
        The tensors by name, in sorted order of names; their byte ranges lie inside the file and never overlap.

    Raises:
        CheckpointError: the file is no safetensors file, is truncated, or its header contradicts itself or the file.

    Source: https://github.com/huggingface/safetensors#format
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size

            def read(start: int, stop: int) -> bytes:
                file.seek(start)
                return file.read(stop - start)

            return check_header(str(path), size, read)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def check_header(said: str, size: int, read: Callable[[int, int], bytes]) -> dict[str, Entry]:
    """Read and check the header of a safetensors file that lies anywhere; see `read_header`.

    Args:
        said: what messages call the file.
        size: of the whole file in bytes.
        read: returns the bytes `[start, stop)` of it; asked for two ranges at its beginning, of 9 bytes and of at most
            `MAX_HEADER_BYTES`.
    """
    start = read(0, min(9, size))
    length = int.from_bytes(start[:8], "little")
    # A pickle can begin like a plausible length, so what the file looks like is only asked once it fails.
    if size < 10 or start[8:] != b"{" or length > min(size - 8, MAX_HEADER_BYTES):
        raise CheckpointError(f"{said}: {_why_not(size, start, length)}")
    text = read(8, 8 + length)
    try:
        header = parse_json(text, most=MAX_HEADER_VALUES)
        header.pop("__metadata__", None)
        entries = {name: _entry(name, value, 8 + length) for name, value in sorted(header.items())}
    except ValueError as error:
        raise CheckpointError(f"{said}: the safetensors header is not valid: {error}") from error
    if not entries:
        raise CheckpointError(f"{said}: expected tensors, but the file holds none; {_ADVICE}")
    _check_cover(said, entries, start=8 + length, stop=size)
    return entries


def encode_header(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """Return the bytes in front of the raw data of a safetensors file.

    Args:
        tensors: dtype and shape by name, in the order in which the raw bytes follow.

    >>> encode_header({"w": ("F32", (2,))})[8:]
    b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   '
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    stop = 0
    for name, (dtype, shape) in tensors.items():
        start, stop = stop, stop + math.prod(shape) * DTYPES[dtype].itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data begins on a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text


def _why_not(size: int, start: bytes, length: int) -> str:
    if size == 0:
        return "the file is empty"
    kind = next((kind for magic, kind in _STRANGERS.items() if start.startswith(magic)), None)
    if kind is None and start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        kind = "a pickle"
    if kind is not None:
        return f"expected a safetensors file, but this is {kind}; it was not opened; {_ADVICE}"
    if start[8:] == b"{" and MAX_HEADER_BYTES >= length > size - 8:
        return f"the file is truncated: its header alone has {length} bytes, the file has {size}; copy it once more"
    if start[8:] == b"{" and length <= size - 8:
        return f"the header has {length} bytes, more than the {MAX_HEADER_BYTES} that are accepted"
    return f"expected a safetensors file, but it does not begin like one; {_ADVICE}"


def _entry(name: str, value: Any, data: int) -> Entry:
    if len(name) > MAX_NAME:
        raise ValueError(f"a name has {len(name)} characters, more than the {MAX_NAME} that are accepted")
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} needs exactly the keys dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name!r} has dtype {str(dtype)[:40]!r}, expected one of {', '.join(DTYPES)}")
    if not _naturals(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name!r} has no valid shape")
    if not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"{name!r} needs two data_offsets, both whole and not negative")
    entry = Entry(dtype, tuple(shape), data + offsets[0], data + offsets[1])
    if entry.stop - entry.start != entry.size * DTYPES[dtype].itemsize:
        raise ValueError(
            f"{name!r} of dtype {dtype} and shape {shape} needs {entry.size * DTYPES[dtype].itemsize} bytes, "
            f"but its offsets span {entry.stop - entry.start}"
        )
    if math.prod(filter(None, shape)) >= 2**63:  # only without elements, where another dimension is 0
        raise ValueError(f"{name!r} of shape {shape} has dimensions that no tensor can have")
    return entry


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and 0 <= number < 2**63 for number in value)


def _check_cover(said: str, entries: Mapping[str, Entry], start: int, stop: int) -> None:
    """Raise unless the tensors fill the bytes [start, stop) without gap or overlap."""
    ordered = sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop))
    end = ordered[-1][1].stop
    if end > stop:
        raise CheckpointError(
            f"{said}: the file is truncated: its header describes {end} bytes, the file has {stop}; copy it once more"
        )
    for (before, left), (name, right) in itertools.pairwise(ordered):
        if right.start < left.stop:
            raise CheckpointError(f"{said}: the tensors {before!r} and {name!r} overlap in the file")
    starts = [entry.start for _, entry in ordered] + [stop]
    ends = [start] + [entry.stop for _, entry in ordered]
    if starts != ends:
        raise CheckpointError(f"{said}: the file has bytes that belong to no tensor; {_ADVICE}")
