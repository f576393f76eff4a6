"""A model whose weights are one flat buffer, overwritten in a single pass for each coefficient vector."""

from collections.abc import Iterator, Mapping

import torch

from mapmerge.checkpoints.arithmetic import merge, to_coefficients
from mapmerge.checkpoints.compare import shorten
from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import CheckpointError
from mapmerge.merging.layout import Layout
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.records import Array


class ResidentModel:
    """One model that becomes any merged model, without a copy and without an allocation.

    The model's parameters and floating-point buffers become views of one flat float32 buffer; integer and boolean
    buffers get the base's values. A buffer that the architecture does not save (non-persistent) keeps the value
    that its constructor gave it.

    Args:
        model: the architecture; taken over: moved to `device`, its values replaced. Its own dtype does not matter.
        matrix: base and task vectors.
        base: the checkpoint that the matrix was built from.
        device: such as `cpu` or `cuda:0`; base and task vectors are copied to it once, unless it is the CPU.

    Raises:
        CheckpointError: model and checkpoint have not the same tensors. Of tied parameters (several names for one
            storage) the checkpoint needs only one; where it has several they must be equal.
    """

    def __init__(self, model: torch.nn.Module, matrix: TaskMatrix, base: Checkpoint, device: str = "cpu") -> None:
        if Layout.of(base) != matrix.layout:
            raise CheckpointError(
                f"{base.said}: is not the base from which {matrix.path} was built; build it once more"
            )
        self._model = model.to(device).eval().requires_grad_(False)
        groups = _tied(self._model)
        _require_match(groups, matrix, base)
        self._base = matrix.base.to(device)
        self._vectors = matrix.vectors.to(device)
        self._coefficients = torch.empty(matrix.k, device=device)
        self._flat = self._base.clone()
        for names, tensors in groups:
            name = next(name for name in names if name in base.entries)
            for tensor in tensors:
                # The parameter object stays the same, so whoever in the model refers to it sees the merged values.
                if tensor.is_floating_point():
                    tensor.data = matrix.layout.view(self._flat, name)
                else:
                    tensor.copy_(base.tensor(name))

    def load(self, coefficients: Array) -> torch.nn.Module:
        """Make the model theta(c) = base + sum_i c_i (expert_i - base).

        The same coefficients always give the same bits, whatever was loaded in between. The model returned is always
        the same object: it changes with the next call.

        Args:
            coefficients: shape [k], finite; rounded to float32.

        Returns:
            The model, in evaluation mode, without gradients.

        Raises:
            ConfigError: the shape is not [k], or a value is not finite.

        Source: task arithmetic (arXiv 2212.04089, section 2).
        """
        self._coefficients.copy_(to_coefficients(coefficients, len(self._coefficients)))
        merge(self._base, self._vectors, self._coefficients, out=self._flat)
        return self._model


_Group = tuple[list[str], list[torch.Tensor]]


def _tied(model: torch.nn.Module) -> list[_Group]:
    """Group the saved tensors of a model by storage: all names, and the distinct tensor objects that use it."""
    groups: dict[object, _Group] = {}
    for name, tensor in _saved(model):
        place = (
            tensor.untyped_storage().data_ptr(),
            tensor.storage_offset(),
            tensor.shape,
            tensor.stride(),
            tensor.dtype,
        )
        names, tensors = groups.setdefault(place if tensor.numel() else name, ([], []))
        names.append(name)
        if not any(tensor is other for other in tensors):
            tensors.append(tensor)
    return list(groups.values())


def _saved(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    saved: Mapping[str, object] = model.state_dict(keep_vars=True)  # parameters and persistent buffers, all names
    return ((name, tensor) for name, tensor in saved.items() if isinstance(tensor, torch.Tensor))


def _require_match(groups: list[_Group], matrix: TaskMatrix, base: Checkpoint) -> None:
    lines = []
    missing = [names[0] for names, _ in groups if not any(name in base.entries for name in names)]
    unexpected = sorted(base.entries.keys() - {name for names, _ in groups for name in names})
    if missing:
        lines.append(f"the model has tensors that the checkpoint lacks: {shorten(missing)}")
    if unexpected:
        lines.append(f"the checkpoint has tensors that the model lacks: {shorten(unexpected)}")
    for names, (tensor, *_) in groups:
        present = [name for name in names if name in base.entries]
        for name in present:
            # Floating-point dtypes need not agree: the resident model is float32 in any case.
            kind = torch.float32 if base.dtypes[name].is_floating_point else base.dtypes[name]
            ours = torch.float32 if tensor.is_floating_point() else tensor.dtype
            if (tuple(tensor.shape), ours) != (base.shapes[name], kind):
                lines.append(
                    f"{name!r}: the model expects {ours} of shape {list(tensor.shape)}, "
                    f"the checkpoint has {kind} of shape {list(base.shapes[name])}"
                )
        if not lines and any(not _equal(matrix, base, present[0], name) for name in present[1:]):
            lines.append(f"the model ties {shorten(present)}, but the checkpoints have different values for them")
    if lines:
        raise CheckpointError("\n".join([f"{base.said} does not fit the model:", *lines]))


def _equal(matrix: TaskMatrix, base: Checkpoint, one: str, other: str) -> bool:
    if not base.dtypes[one].is_floating_point:
        return torch.equal(base.tensor(one), base.tensor(other))
    view = matrix.layout.view
    return all(torch.equal(view(row, one), view(row, other)) for row in matrix.rows)
