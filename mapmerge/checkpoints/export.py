"""A merged model as a checkpoint folder on disk."""

import json
import math
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import torch

from mapmerge.checkpoints.arithmetic import merge, to_coefficients
from mapmerge.checkpoints.compare import pieces, require_same_tensors
from mapmerge.checkpoints.header import encode_header
from mapmerge.checkpoints.open import WEIGHTS, Checkpoint, open_checkpoint
from mapmerge.errors import CheckpointError, ConfigError, IntegrityError
from mapmerge.records import Array, JsonObject


def export_checkpoint(
    out: str | Path,
    base: Checkpoint,
    experts: Sequence[Checkpoint],
    coefficients: Array,
    *,
    card: str,
    config: JsonObject | None = None,
    model_config: bytes | None = None,
) -> Path:
    """Write the merged model base + sum_i c_i (expert_i - base) as a new folder.

    The arithmetic is float32 and the very expression by which candidates are measured (`arithmetic.merge`); only
    the result is rounded to the base's dtype. Integer and boolean tensors are the base's. Inputs and output are
    streamed: no model is ever in memory. The folder appears under its name only once everything in it is written
    and verified.

    It holds `model.safetensors`, `README.md`, and `merge.json` and `config.json` where these are given.

    Args:
        out: where to; must not exist, or be an empty folder.
        base: the common ancestor.
        experts: k checkpoints with the tensors of the base.
        coefficients: shape [k], finite.
        card: text of the model card.
        config: how the model came about, as JSON.
        model_config: content of `config.json`, such as that beside the base.

    Returns:
        The folder.

    Raises:
        ConfigError: `out` is taken, or the coefficients do not fit the experts.
        CheckpointError: an expert does not fit the base, or the merged values are not finite.
        IntegrityError: what was read back is not what was written.

    Source: task arithmetic (arXiv 2212.04089, section 2).

    >>> import tempfile, safetensors.torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, value in {"base": 3.0, "expert": 3.5}.items():
    ...         safetensors.torch.save_file({"w": torch.tensor([value])}, f"{folder}/{name}.safetensors")
    ...     base, expert = (open_checkpoint(f"{folder}/{name}.safetensors") for name in ("base", "expert"))
    ...     open_checkpoint(export_checkpoint(f"{folder}/merged", base, [expert], [0.5], card="# Merged")).tensor("w")
    tensor([3.2500])
    """
    out = Path(out)
    weights = to_coefficients(coefficients, len(experts))
    require_same_tensors(base, experts)
    provenance = None if config is None else json.dumps(config, indent=2, allow_nan=False)
    _require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.parent / f".{out.name}.{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        _write_weights(draft / WEIGHTS, base, experts, weights)
        (draft / "README.md").write_text(card, encoding="utf-8")
        if provenance is not None:
            (draft / "merge.json").write_text(provenance + "\n", encoding="utf-8")
        if model_config is not None:
            (draft / "config.json").write_bytes(model_config)
        _verify(draft / WEIGHTS, base)
        _require_free(out)
        os.rename(draft, out)  # noqa: PTH104 (fails where a folder with files appeared meanwhile)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return out


def _require_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise ConfigError(f"{out}: already exists; name a new folder, nothing is overwritten")


def _write_weights(path: Path, base: Checkpoint, experts: Sequence[Checkpoint], coefficients: torch.Tensor) -> None:
    # Wide dtypes first, so that every tensor begins on a multiple of its own width.
    order = sorted(base.names, key=lambda name: (-base.dtypes[name].itemsize, name))
    with path.open("wb") as file:
        file.write(encode_header({name: (base.entries[name].dtype, base.shapes[name]) for name in order}))
        for name in order:
            if base.dtypes[name].is_floating_point:
                for piece in pieces(base, experts, [name]):
                    merged = merge(piece.base, piece.vectors, coefficients, out=torch.empty_like(piece.base))
                    file.write(_raw(merged.to(base.dtypes[name])))
            else:
                for span in base.spans(name):
                    file.write(_raw(base.piece(name, *span)))


def _raw(values: torch.Tensor) -> memoryview:
    return values.view(torch.uint8).numpy().data


def _not_finite(values: torch.Tensor) -> int:
    # The sum is quick, and finite only if all values are; so values are counted only where something may be wrong.
    return 0 if math.isfinite(values.sum(dtype=torch.float64)) else int((~torch.isfinite(values)).sum())


def _verify(path: Path, base: Checkpoint) -> None:
    try:
        written = open_checkpoint(path)
    except CheckpointError as error:
        raise IntegrityError(f"the merged checkpoint cannot be read back: {error}") from error
    if written.shapes != base.shapes or written.dtypes != base.dtypes:
        raise IntegrityError(f"{path}: the merged checkpoint has not the tensors of the base")
    for name in written.floating:
        bad = sum(_not_finite(written.piece(name, *span)) for span in written.spans(name))
        if bad:
            raise CheckpointError(
                f"the merged tensor {name!r} has {bad} values that are not finite in {base.entries[name].dtype}: "
                "an input is not finite, or the coefficients are too large; nothing was exported"
            )
