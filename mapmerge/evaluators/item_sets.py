"""Item sets: the examples an objective is measured on, in one safetensors file."""

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from mapmerge.checkpoints.open import open_checkpoint
from mapmerge.errors import CheckpointError, ItemSetError, MissingFileError


@dataclass(frozen=True, slots=True, eq=False)
class ItemSet:
    """Inputs with their labels, checked and fingerprinted.

    Args:
        inputs: shape [i, ...], uint8 or floating point, as it lies in the file.
        labels: int64, shape [i], classes from 0.
        ids: hex content hash of every item's input, length i; two items with the same input share an id.
        sha256: content hash of the whole set (inputs, their dtype and shape, and labels).
        warnings: what is odd but usable, in words.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    ids: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def open_item_set(path: str | Path) -> ItemSet:
    """Open an item set and check that a model can be measured on it.

    Args:
        path: a safetensors file with the tensors `inputs` [i, ...] (uint8 or floating point) and `labels` [i] (int64).

    Raises:
        MissingFileError: there is no such file.
        ItemSetError: no safetensors file, a tensor is missing or of another shape or dtype, no items, an input that is
            not finite, a negative label, or one class only.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise MissingFileError
        file = open_checkpoint(path)
    except OSError:  # also a name that no file can have
        raise MissingFileError(f"item set {path}: there is no such file") from None
    except CheckpointError as error:
        raise ItemSetError(
            f"item set {error}; expected a whole safetensors file, as write_item_set makes it"
        ) from error
    missing = [name for name in ("inputs", "labels") if name not in file.names]
    if missing:
        raise ItemSetError(
            f"item set {path}: expected the tensors `inputs` and `labels`, "
            f"there is no {' and no '.join(missing)} among {list(file.names)[:10]}"
        )
    tensors = {name: file.tensor(name) for name in ("inputs", "labels")}
    inputs, labels = tensors["inputs"], tensors["labels"]
    _check(path, inputs, labels)
    ids = _input_ids(inputs)
    copies = sum(count - 1 for count in Counter(ids).values())
    warnings = (f"item set {path.name}: {copies} of {len(ids)} items repeat another one",) if copies else ()
    return ItemSet(inputs, labels, ids, _set_hash(inputs, labels, ids), warnings)


def write_item_set(path: str | Path, inputs: torch.Tensor | NDArray[Any], labels: torch.Tensor | NDArray[Any]) -> Path:
    """Write an item set, so that it is visible only when it is whole.

    Args:
        path: the file to write; the folders above it are made, a file that is there is replaced.
        inputs: shape [i, ...], uint8 or floating point.
        labels: whole numbers, shape [i], classes from 0; stored as int64.

    Returns:
        The path.

    Raises:
        ItemSetError: as `open_item_set`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> pixels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    >>> len(open_item_set(write_item_set(folder / "tiny.safetensors", pixels, torch.tensor([0, 1, 1, 0]))))
    4
    """
    path = Path(path)
    inputs, labels = torch.as_tensor(inputs), torch.as_tensor(labels)
    if not labels.is_floating_point() and labels.dtype != torch.bool:
        labels = labels.to(torch.int64)
    _check(path, inputs, labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        save_file({"inputs": inputs.contiguous(), "labels": labels.contiguous()}, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def check_disjoint(search: Sequence[str], held_out: Sequence[str], *, objective: str) -> None:
    """Check that no item of the held-out set was also searched on.

    Args:
        search: item ids of the search split, as `Evaluator.item_ids` gives them.
        held_out: item ids of the held-out split.
        objective: whose splits they are, for the message.

    Raises:
        ItemSetError: some held-out items also are search items; says how many and which come first.

    >>> check_disjoint(["a", "b"], ["c"], objective="digits")
    """
    searched = set(search)
    shared = [index for index, item in enumerate(held_out) if item in searched]
    if shared:
        first = ", ".join(map(str, shared[:5])) + (", ..." if len(shared) > 5 else "")
        raise ItemSetError(
            f"objective {objective!r}: {len(shared)} of {len(held_out)} held-out items also are search items "
            f"(held-out indices {first}); a front must be reported on items it was not found on: "
            "remove them from one of the two files"
        )


def _check(path: Path, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Raise what makes an item set unusable, in the order in which a person would mend it."""
    where = f"item set {path}"
    if inputs.dtype != torch.uint8 and not inputs.is_floating_point():
        raise ItemSetError(f"{where}: expected `inputs` as uint8 or floating point, came {inputs.dtype}")
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise ItemSetError(
            f"{where}: expected `labels` as int64 of shape [items], came {labels.dtype} of shape {list(labels.shape)}"
        )
    items = inputs.shape[0] if inputs.ndim else 0
    if items != len(labels):
        raise ItemSetError(f"{where}: {items} inputs but {len(labels)} labels; give every input one label")
    if inputs.numel() == 0:
        raise ItemSetError(f"{where}: there are no items in it (inputs of shape {list(inputs.shape)})")
    if inputs.is_floating_point():
        bad = torch.nonzero(~torch.isfinite(inputs.reshape(items, -1)).all(1)).flatten()
        if len(bad):
            raise ItemSetError(
                f"{where}: {len(bad)} inputs hold NaN or infinite values, the first is item {int(bad[0])}"
            )
    negative = torch.nonzero(labels < 0).flatten()
    if len(negative):
        first = int(negative[0])
        raise ItemSetError(f"{where}: labels are classes from 0, item {first} has label {int(labels[first])}")
    if bool((labels == labels[0]).all()):
        raise ItemSetError(
            f"{where}: all {items} items are of class {int(labels[0])}; a model that always says so would be perfect"
        )


def _input_ids(inputs: torch.Tensor) -> tuple[str, ...]:
    """Return the content hash of each input; dtype and shape count, so that equal bytes of unlike items differ."""
    kind = f"{inputs.dtype} {list(inputs.shape[1:])}".encode()
    rows = inputs.contiguous().reshape(len(inputs), -1).view(torch.uint8).numpy()
    seeded = hashlib.sha256(kind)
    ids = []
    for row in rows:
        digest = seeded.copy()
        digest.update(row.data)
        ids.append(digest.hexdigest()[:32])
    return tuple(ids)


def _set_hash(inputs: torch.Tensor, labels: torch.Tensor, ids: Sequence[str]) -> str:
    """Return the content hash of a set; the ids already carry the bytes, the dtype and the shape of the inputs."""
    digest = hashlib.sha256(f"{inputs.dtype} {list(inputs.shape)}".encode())
    digest.update("".join(ids).encode())
    digest.update(labels.numpy().astype("<i8").tobytes())
    return digest.hexdigest()
