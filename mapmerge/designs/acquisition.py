"""Bayesian optimisation: which candidate a further measurement of promises most, found by BoTorch."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.optim.optimize import optimize_acqf
from botorch.settings import validate_input_scaling
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.utils.warnings import NumericalWarning
from torch import Tensor

from mapmerge.designs.promise import Gains, promise, same_everywhere
from mapmerge.designs.region import Region
from mapmerge.records import Array
from mapmerge.threads import one_blas_thread, one_thread

_STARTS = 64
"""Points where the best candidate is looked for first: half of them anywhere, half between good candidates."""

_CLIMBS = 2
"""The best of those, which are improved."""

_STEPS = 10
"""Steps of improvement."""

_CHUNK = 16
"""Points that are looked at together, for the sake of memory."""

_LEARNT_FROM = 100
"""Candidates whose likelihood says how smooth a surface is: the cost grows with their cube, what they add does not."""

_LEAST_NOISE = 1e-4
"""Least variance of a value, in units of the variance of all of them: no surface is smoother than that."""

_SAME = 1e-6
"""Candidates all of whose coefficients differ by less, in widths of the region, are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What is known of one objective, on a scale without bounds.

    Args:
        coefficients: shape [n, k], n at least 1.
        values: shape [n].
        variances: variance of each value, shape [n], at least 0.
    """

    coefficients: Array
    values: Array
    variances: Array


def propose(
    measured: Sequence[Measured],
    gains: Gains,
    region: Region,
    *,
    asked: Array,
    pending: Array,
    count: int,
    rng: np.random.Generator,
) -> Array:
    """Return the candidates that promise most hypervolume, one after the other.

    Each objective gets a Gaussian process with known noise. What a candidate promises is computed from draws of the
    joint posterior, in which candidates asked about before take part, so that neither noise nor outcomes still to come
    are taken for granted: see `designs.promise`.

    Args:
        measured: one an objective, length m. A candidate may be missing where it was not measured.
        gains: from values [..., m] to normalised gains [..., m]; differentiable.
        region: where the candidates must lie.
        asked: candidates whose outcomes are known, as far as they could be measured: shape [a, k], a at least 1.
        pending: candidates whose outcomes are not known yet: shape [b, k].
        count: how many candidates to return.
        rng: source of all random choices; the same one gives the same candidates bit for bit.

    Returns:
        Shape [count, k], in the region, none of them asked about before.
    """
    seeds = rng.integers(2**31, size=count + 1).tolist()
    chosen = np.zeros((0, region.k))
    with _alone(seeds[0]):
        box = _Box(region)
        model, values = _fit(box, measured)
        known = torch.as_tensor(box.scale(asked))
        for seed in seeds[1:]:
            out = np.vstack([pending, chosen])
            hopes, good = promise(
                model, lambda z: gains(values(z)), known, torch.as_tensor(box.scale(out)), len(measured), seed=seed
            )
            starts = _starting_points(box, good.numpy(), np.random.default_rng(seed))
            chosen = np.vstack([chosen, _climb(hopes, box, starts, np.vstack([asked, out]))])
    return chosen


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """Compute so that nothing from outside changes a bit, and leave no trace outside."""
    with (
        one_thread(),
        one_blas_thread(),
        same_everywhere(),
        validate_input_scaling(False),
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", NumericalWarning)  # smooth processes are close to singular
        torch.default_generator.manual_seed(seed)
        yield


class _Box:
    """The region in coordinates in which its bounding box is the unit cube; a side without length stays at 0."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.width = np.where(region.upper > region.lower, region.upper - region.lower, 1.0)
        self.top = (region.upper - region.lower) / self.width

    def scale(self, coefficients: Array) -> Array:
        return (coefficients - self.region.lower) / self.width

    def unscale(self, points: Array) -> Array:
        """Return coefficients inside the region, which rounding may have left, and without -0.0."""
        return self.region.project(self.region.lower + points * self.width) + 0.0

    def limits(self) -> list[tuple[Tensor, Tensor, float]]:
        """Return the limits of the sum that the box does not imply, as (indices, weights, least weighted sum)."""
        if self.region.mass is None:
            return []
        low, high = self.region.mass
        least, greatest = float(self.region.lower.sum()), float(self.region.upper.sum())
        every, weights = torch.arange(self.region.k), torch.as_tensor(self.width)
        limits = [(every, weights, low - least)] if low > least else []
        return limits + ([(every, -weights, least - high)] if high < greatest else [])


def _fit(box: _Box, measured: Sequence[Measured]) -> tuple[ModelListGP, Gains]:
    """Fit one Gaussian process an objective to standardised values; return them with the way back to values."""
    models = []
    centre = np.array([np.mean(known.values) for known in measured])
    spread = np.array([max(np.var(known.values), np.mean(known.variances)) for known in measured])
    scale = np.sqrt(np.where(spread > 0.0, spread, 1.0))
    for middle, unit, known in zip(centre, scale, measured, strict=True):
        points = torch.as_tensor(box.scale(known.coefficients))
        values = torch.as_tensor((known.values - middle) / unit)[:, None]
        variances = torch.as_tensor(np.maximum(known.variances / unit**2, _LEAST_NOISE))[:, None]
        some = np.linspace(0, len(points) - 1, min(len(points), _LEARNT_FROM)).round().astype(np.intp)
        learns = SingleTaskGP(points[some], values[some], variances[some], outcome_transform=None)
        with suppress(ModelFittingError):  # what the priors say is then what is known of smoothness
            fit_gpytorch_mll(ExactMarginalLogLikelihood(learns.likelihood, learns))
        learnt = {"covar_module": learns.covar_module, "mean_module": learns.mean_module, "outcome_transform": None}
        models.append(SingleTaskGP(points, values, variances, **learnt).eval())
    shifts, scales = torch.as_tensor(centre), torch.as_tensor(scale)
    return ModelListGP(*models), lambda standardised: standardised * scales + shifts


def _starting_points(box: _Box, good: Array, rng: np.random.Generator) -> Array:
    """Return points [n, k] of the region, in the box's coordinates: anywhere, and between good candidates."""
    anywhere = box.scale(box.region.sample(_STARTS // 2, rng))
    if len(good) == 0:
        return anywhere
    one, other = good[rng.integers(len(good), size=(2, _STARTS // 2))]
    between = one + rng.random((_STARTS // 2, 1)) * (other - one)
    return np.vstack([anywhere, box.scale(box.unscale(between))])


def _climb(hopes: AcquisitionFunction, box: _Box, starts: Array, before: Array) -> Array:
    """Return the best candidate that is not there before: shape [1, k]."""
    points = torch.as_tensor(starts)[:, None]
    with torch.no_grad():
        found = torch.cat([hopes(chunk) for chunk in torch.split(points, _CHUNK)])
    order = torch.argsort(found, descending=True, stable=True)
    climbed, reached = optimize_acqf(
        hopes,
        torch.as_tensor(np.stack([np.zeros_like(box.top), box.top])),
        q=1,
        num_restarts=_CLIMBS,
        batch_initial_conditions=points[order[:_CLIMBS]],
        inequality_constraints=box.limits() or None,
        options={"maxiter": _STEPS},
        return_best_only=False,
        retry_on_optimization_warning=False,
    )
    assert reached is not None
    best = climbed[torch.argsort(reached, descending=True, stable=True)]
    candidates = box.unscale(torch.cat([best, points[order]])[:, 0].numpy())
    distances = (np.abs(candidates[:, None] - before) / box.width).max(axis=2)
    return candidates[[int(np.argmax((distances > _SAME).all(axis=1)))]]
