"""Before anything is measured: are these experts really fine-tuned from this base?"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from mapmerge.checkpoints.compare import Piece, describe, differing, pieces, shorten
from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import CheckpointError
from mapmerge.records import Array


@dataclass(frozen=True, slots=True)
class ExpertReport:
    """How far one expert is from the base.

    Args:
        relative_norm: norm of the task vector over the norm of the base.
        changed: number of parameters that differ from the base.
    """

    relative_norm: float
    changed: int


@dataclass(frozen=True, slots=True, eq=False)
class PreflightReport:
    """What the checkpoints of a study look like, once they are known to fit together.

    Args:
        experts: by name, in the order given.
        cosines: shape [k, k], cosine of the angle between each two task vectors.
        parameters: number of floating-point parameters of one model.
        size: bytes of one model.
        warnings: what a person should know although it stops nothing.
    """

    experts: Mapping[str, ExpertReport]
    cosines: Array
    parameters: int
    size: int
    warnings: tuple[str, ...]


def preflight(
    base: Checkpoint,
    experts: Mapping[str, Checkpoint],
    *,
    max_relative_norm: float = 1.0,
    read: Callable[[Iterable[str]], Iterator[Piece]] | None = None,
) -> PreflightReport:
    """Check that experts can be merged with their base, and measure how they differ.

    Reads all values once, in pieces of bounded size. Integer and boolean tensors are not merged: the base's values are
    used, and an expert whose values differ gives a warning.

    Args:
        base: the common ancestor.
        experts: by name; each has the tensors of the base.
        max_relative_norm: largest norm of a task vector, in units of the base's norm, that passes for fine-tuning.
        read: gives the values of the tensors that it is asked for, where somebody has read them before; by default they
            are read from the files.

    Raises:
        CheckpointError: lists all problems: missing or unexpected tensors, another shape or dtype, values that are not
            finite, an expert equal to the base, two equal experts, an expert too far from the base.

    >>> import tempfile, safetensors.torch
    >>> from mapmerge.checkpoints import open_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, value in {"base": 3.0, "expert": 3.75}.items():
    ...         safetensors.torch.save_file({"w": torch.tensor([value])}, f"{folder}/{name}.safetensors")
    ...     base, expert = (open_checkpoint(f"{folder}/{name}.safetensors") for name in ("base", "expert"))
    ...     preflight(base, {"expert": expert}).experts["expert"]
    ExpertReport(relative_norm=0.25, changed=1)
    """
    problems = [] if experts else ["expected at least one expert, but there is none"]
    if not base.floating:
        problems.append("base: expected floating-point tensors to merge, but there are none")
    unfit = {name: differing(base, expert) for name, expert in experts.items()}
    for name, found in unfit.items():
        problems += describe(f"expert {name!r}", found)

    skipped = set().union(*unfit.values())
    comparable = [name for name in base.floating if name not in skipped]
    survey = _Survey(list(experts))
    for piece in read(comparable) if read else pieces(base, list(experts.values()), comparable):
        survey.add(piece.name, piece.base, piece.vectors)
    problems += survey.not_finite()
    if not problems:  # of half a model, or with NaN in it, the rest would only mislead
        problems += survey.implausible(max_relative_norm)
    if problems:
        raise CheckpointError("\n".join([f"the experts do not fit the base {base.said}:", *problems]))
    norms = np.sqrt(np.diag(survey.gram))
    return PreflightReport(
        experts={
            name: ExpertReport(survey.relative_norm(index), survey.changed[index]) for index, name in enumerate(experts)
        },
        cosines=survey.gram / np.outer(norms, norms),
        parameters=sum(base.entries[name].size for name in base.floating),
        size=sum(entry.stop - entry.start for entry in base.entries.values()),
        warnings=(*_statistics(base), *_carried_over(base, experts)),
    )


class _Survey:
    """Sums over all pieces: norms, inner products, and what is not finite."""

    def __init__(self, experts: list[str]) -> None:
        k = len(experts)
        self.experts = experts
        self.base_square = 0.0
        self.gram: Array = np.zeros((k, k))
        self.changed = [0] * k
        self.twins = set(itertools.combinations(range(k), 2))
        self.bad: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, base: torch.Tensor, vectors: torch.Tensor) -> None:
        square, gram = float(base @ base), (vectors @ vectors.t()).double().numpy()
        if not (np.isfinite(square) and np.isfinite(gram).all()):  # only then count, which takes ten times as long
            self._count(name, base, vectors)
        self.base_square += square
        self.gram = self.gram + gram
        self.changed = [n + int(torch.count_nonzero(v)) for n, v in zip(self.changed, vectors, strict=True)]
        self.twins = {(i, j) for i, j in self.twins if torch.equal(vectors[i], vectors[j])}

    def _count(self, name: str, base: torch.Tensor, vectors: torch.Tensor) -> None:
        finite = torch.isfinite(base)
        # Where the base is not finite no task vector is either: that is the base's fault alone.
        counts = [int((~finite).sum()), *(~torch.isfinite(vectors) & finite).sum(dim=1).tolist()]
        for label, count in zip(["base", *(f"expert {e!r}" for e in self.experts)], counts, strict=True):
            if count:
                self.bad[label, name] += count

    def relative_norm(self, index: int) -> float:
        square = float(self.gram[index, index])
        return float(np.sqrt(square / self.base_square)) if self.base_square else float("inf")

    def not_finite(self) -> list[str]:
        lines = []
        for label in dict.fromkeys(label for label, _ in self.bad):
            places = {name: count for (owner, name), count in self.bad.items() if owner == label}
            lines.append(
                f"{label}: {sum(places.values())} values are NaN, infinite or beyond float32, in tensors "
                f"{shorten([f'{name} ({count})' for name, count in places.items()])}"
            )
        return lines

    def implausible(self, limit: float) -> list[str]:
        lines = []
        for index, name in enumerate(self.experts):
            if not self.changed[index]:
                lines.append(f"expert {name!r}: equals the base, so its task vector is zero; remove it")
            elif not self.relative_norm(index) <= limit:
                lines.append(
                    f"expert {name!r}: its task vector is {self.relative_norm(index):.3g} times as long as the base, "
                    f"expected at most {limit:g}; is it really fine-tuned from this base?"
                )
        # Experts that equal the base also equal each other; once said is enough.
        pairs = [(self.experts[i], self.experts[j]) for i, j in sorted(self.twins) if self.changed[i]]
        return lines + [f"experts {a!r} and {b!r}: have the same values; remove one of them" for a, b in pairs]


def _statistics(base: Checkpoint) -> tuple[str, ...]:
    found = [name for name in base.floating if name.rpartition(".")[2] in ("running_mean", "running_var")]
    if not found:
        return ()
    return (
        f"running statistics such as {shorten(found)} are merged like weights, which is only approximately right: "
        "a merged model may need them estimated anew",
    )


def _carried_over(base: Checkpoint, experts: Mapping[str, Checkpoint]) -> tuple[str, ...]:
    warnings = []
    for label, expert in experts.items():
        other = [
            name
            for name in base.names
            if name not in base.floating
            and any(not torch.equal(base.piece(name, *span), expert.piece(name, *span)) for span in base.spans(name))
        ]
        if other:
            warnings.append(
                f"expert {label!r}: integer or boolean tensors {shorten(other)} differ from the base, "
                "whose values are used"
            )
    return tuple(warnings)
