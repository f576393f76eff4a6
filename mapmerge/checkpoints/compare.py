"""Base and experts side by side: do they have the same tensors, and by what do they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import CheckpointError

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A range of one tensor, of the base and of all experts.

    Args:
        name: which tensor.
        start: index of the first element in the flattened tensor.
        base: float32, shape [piece].
        vectors: float32, shape [k, piece], expert minus base.
    """

    name: str
    start: int
    base: torch.Tensor
    vectors: torch.Tensor


def pieces(base: Checkpoint, experts: Sequence[Checkpoint], names: Iterable[str]) -> Iterator[Piece]:
    """Walk through floating-point tensors of a base and its experts, a bounded piece at a time.

    Memory: about 2k + 2 MiB, however large the tensors are. Assumes that shapes agree (see `require_same_tensors`).
    The difference is taken in float32, after both sides were converted to it.
    """
    for name in names:
        for start, stop in base.spans(name):
            theta, *others = (checkpoint.piece(name, start, stop) for checkpoint in (base, *experts))
            yield subtract(name, start, theta, others)


def subtract(name: str, start: int, base: torch.Tensor, experts: Sequence[torch.Tensor]) -> Piece:
    """Return a piece from the values of base and experts, whatever their dtype."""
    theta = base.to(torch.float32)
    vectors = torch.empty(len(experts), len(theta))
    for row, expert in zip(vectors, experts, strict=True):
        torch.sub(expert.to(torch.float32), theta, out=row)
    return Piece(name, start, theta, vectors)


def differing(base: Checkpoint, expert: Checkpoint) -> dict[str, str]:
    """Return the tensors that one of the two lacks or that differ in shape or dtype, each with what is wrong.

    No value is read.
    """
    found = dict.fromkeys(sorted(base.entries.keys() - expert.entries.keys()), "missing")
    found |= dict.fromkeys(sorted(expert.entries.keys() - base.entries.keys()), "unexpected")
    for name in sorted(base.entries.keys() & expert.entries.keys()):
        ours, theirs = base.entries[name], expert.entries[name]
        if ours.shape != theirs.shape:
            found[name] = f"expected shape {list(ours.shape)} as in the base, came {list(theirs.shape)}"
        elif ours.dtype != theirs.dtype:
            found[name] = f"expected dtype {ours.dtype} as in the base, came {theirs.dtype}"
    return found


def describe(label: str, found: Mapping[str, str]) -> list[str]:
    """Turn what `differing` found into lines for a person: at most five names of each sort, then a count."""
    lines = []
    for sort in ("missing", "unexpected"):
        names = [name for name, what in found.items() if what == sort]
        if names:
            lines.append(f"{label}: {sort} tensors: {shorten(names)}")
    unequal = [f"{name!r}: {what}" for name, what in found.items() if what not in {"missing", "unexpected"}]
    return lines + [f"{label}: {line}" for line in unequal[:_SHOWN]] + _rest(label, unequal)


def shorten(names: Sequence[str]) -> str:
    """Join names for a message, at most five of them and then how many more there are.

    >>> shorten(list("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def require_same_tensors(base: Checkpoint, experts: Sequence[Checkpoint]) -> None:
    """Raise unless there is an expert and every one has exactly the tensors of the base, in shape and dtype.

    Raises:
        CheckpointError: lists what is wrong with each file.
    """
    if not experts:
        raise CheckpointError("expected at least one expert, but there is none")
    lines = [line for expert in experts for line in describe(expert.said, differing(base, expert))]
    if lines:
        raise CheckpointError("\n".join([f"not fine-tuned from {base.said}:", *lines]))


def _rest(label: str, unequal: Sequence[str]) -> list[str]:
    more = len(unequal) - _SHOWN
    return [f"{label}: {more} more tensors of another shape or dtype"] if more > 0 else []
