"""What measuring a candidate promises: the hypervolume it is expected to add, as a function that BoTorch climbs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
from botorch.models.model import Model
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.safe_math import fatplus
from torch import Tensor

Gains = Callable[[Tensor], Tensor]
"""From what a model predicts to normalised gains, both [..., m]: larger is better, 0 is the reference."""

_DRAWS = {2: 64, 3: 32, 4: 16}
"""Draws from the posterior, by the number of objectives for which the space above a front is cut into boxes. That is
done for each draw, and the time it takes grows steeply with the objectives."""

_DRAWS_ALONG_RAYS = 16
_RAYS = 64

_KEPT = 24
"""Candidates that fronts are made of at most: those most likely to be on one."""

_PRUNING = 64
"""Draws that say which those are."""

_SMOOTH = 1e-3
"""Gains smaller than this, in normalised units, are smoothed, so that there is a slope where nothing is gained."""


def promise(
    model: Model, gains: Gains, asked: Tensor, pending: Tensor, m: int, *, seed: int
) -> tuple[AcquisitionFunction, Tensor]:
    """Return the logarithm of the hypervolume that one more candidate is expected to add, and the good candidates.

    Hypervolume is that above 0 in normalised gains, of the front of all candidates asked about; what they really score
    is as uncertain as the model says. With two to four objectives the space above each front drawn is cut into boxes.
    Else, hypervolume is the mean over directions of the distance, to the power of m, at which the ray in that direction
    leaves the space that the front dominates, and the mean over some random rays takes its place.

    Args:
        model: of m independent outputs.
        gains: what its predictions mean.
        asked: candidates whose outcomes are known, in the model's coordinates: shape [a, k], a at least 1.
        pending: candidates whose outcomes are not known yet: shape [b, k].
        m: how many objectives.
        seed: source of all random choices, besides torch's own generator.

    Source: Daulton et al., NeurIPS 2021, and Ament et al., NeurIPS 2023 (qLogNEHVI); Deng and Zhang, IEEE TEVC 23(5),
    2019 (hypervolume along rays).
    """
    objective = GenericMCMultiOutputObjective(lambda samples, *_, **__: gains(samples))
    reference = torch.zeros(m, dtype=torch.double)
    good = prune_inferior_points_multi_objective(
        model, asked, reference, objective, num_samples=_PRUNING, max_frac=min(1.0, _KEPT / len(asked))
    )
    if m not in _DRAWS:
        rays = np.abs(np.random.default_rng(seed).standard_normal((_RAYS, m)))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return _AlongRays(model, gains, torch.cat([good, pending]), torch.as_tensor(rays), seed), good
    boxes = logei.qLogNoisyExpectedHypervolumeImprovement(
        model,
        reference,
        good,
        sampler=SobolQMCNormalSampler(torch.Size([_DRAWS[m]]), seed=seed),
        objective=objective,
        X_pending=pending if len(pending) else None,
    )
    return boxes, good


class _AlongRays(AcquisitionFunction):
    """Expected hypervolume gained, the mean over rays from the reference.

    Args:
        model: of m independent outputs.
        gains: what its predictions mean.
        front: candidates that fronts are made of, shape [f, k].
        rays: directions of length 1 without negative parts, shape [r, m].
        seed: of the draws.
    """

    def __init__(self, model: Model, gains: Gains, front: Tensor, rays: Tensor, seed: int) -> None:
        super().__init__(model)
        self.gains, self.front, self.rays = gains, front, rays
        self.sampler = SobolQMCNormalSampler(torch.Size([_DRAWS_ALONG_RAYS]), seed=seed)

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Return the logarithm of the expected gain, shape [b], of single candidates [b, 1, k]."""
        both = torch.cat([self.front.expand(len(X), *self.front.shape), X], dim=1)
        drawn = self.gains(self.sampler(self.model.posterior(both)))  # [draws, b, f + 1, m]
        with torch.no_grad():
            reached = [(drawn[..., :-1, :] / ray).amin(dim=-1) for ray in self.rays]
            front = torch.stack([torch.nn.functional.pad(far, (0, 1)).amax(dim=-1) for far in reached], dim=-1)
        more = fatplus((drawn[..., -1:, :] / self.rays).amin(dim=-1) - front, tau=_SMOOTH)
        return _difference_of_powers(front, more, drawn.shape[-1]).mean(dim=(0, -1)).log()


def _difference_of_powers(a: Tensor, more: Tensor, m: int) -> Tensor:
    """Return (a + more)^m - a^m without cancellation."""
    return more * torch.stack([(a + more) ** i * a ** (m - 1 - i) for i in range(m)]).sum(dim=0)


@contextmanager
def same_everywhere() -> Iterator[None]:
    """Keep BoTorch from compiling a kernel for this very machine: its bits would depend on compiler and processor."""
    before = logei._C, logei._load_attempted
    logei._C, logei._load_attempted = None, True
    try:
        yield
    finally:
        logei._C, logei._load_attempted = before
