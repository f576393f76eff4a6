"""A frozen linear head: turns the features a merged encoder returns into the logits of one objective."""

from dataclasses import dataclass
from pathlib import Path

import torch

from mapmerge.checkpoints.open import open_checkpoint
from mapmerge.errors import CheckpointError


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Weights of `logits = features @ weight.T + bias`.

    Args:
        weight: float32, shape [classes, features].
        bias: float32, shape [classes], or None for no bias.
        sha256: content hash of both.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    sha256: str


def open_head(path: Path, *, device: str) -> Head:
    """Open a head and move it to a device.

    Args:
        path: a safetensors file with `weight` [classes, features] and, if there is one, `bias` [classes].
        device: where the features will be.

    Raises:
        MissingFileError: there is no such file.
        CheckpointError: no safetensors file, a tensor is missing, unknown, not floating point, not finite or of another
            shape.
    """
    file = open_checkpoint(path)
    names = set(file.names)
    if "weight" not in names or names - {"weight", "bias"}:
        raise CheckpointError(f"head {path}: expected the tensors `weight` and at most `bias`, came {sorted(names)}")
    tensors = {name: file.tensor(name) for name in names}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"head {path}: expected finite floating-point values in `{name}`")
    weight, bias = tensors["weight"], tensors.get("bias")
    if weight.ndim != 2 or (bias is not None and list(bias.shape) != [weight.shape[0]]):
        shapes = {name: list(tensor.shape) for name, tensor in sorted(tensors.items())}
        raise CheckpointError(
            f"head {path}: expected `weight` of shape [classes, features] and `bias` of [classes], came {shapes}"
        )
    return Head(
        weight=weight.to(device, torch.float32, copy=True),
        bias=None if bias is None else bias.to(device, torch.float32, copy=True),
        sha256=file.fingerprint(),
    )
