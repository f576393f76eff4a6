"""The hyperparameters under which the measurements are most likely, by BoTorch.

This module is imported only where a Gaussian process is fitted: torch and BoTorch take a second to load.
"""

import warnings
from threading import Lock
from typing import Any

import numpy as np
import torch
from botorch.exceptions.warnings import OptimizationWarning
from botorch.models import SingleTaskGP
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch.kernels import Kernel, MaternKernel, ScaleKernel
from gpytorch.means import ZeroMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior

from mapmerge.records import Array
from mapmerge.surrogates.features import quadratic_features
from mapmerge.surrogates.linearised import Linear
from mapmerge.surrogates.matern import Hyperparameters
from mapmerge.threads import one_thread

_MOST_POINTS = 200
"""The likelihood is that of at most so many points: the cost grows with their cube, what they add does not."""

_LEAST_RIDGE = 1e-6
"""Parameters of the quadratic count as known at least this much of what the measurements say about them."""

_LEAST_NOISE = 1e-6
"""Noise is at least this much of the unit in which targets are handed over: BoTorch asks for it."""

_TOLERANCE, _STEPS = 1e-6, 25

_ONE_AT_A_TIME = Lock()
"""Settings of torch and BoTorch, and what becomes of warnings, are shared by all threads of a process."""


def most_likely(points: Array, given: Linear, *, unit: float, start: Hyperparameters) -> Hyperparameters:
    """Return the hyperparameters with the largest marginal likelihood times prior.

    The model is that of `kriging`. The prior of the length is log-normal with median e, two thirds of it between 1.35
    and 5.5; that of the signal is exponential with a mean of ten units, so that no signal at all is as good as any.

    Args:
        points: shape [n, k], standardised coefficients.
        given: what was measured there.
        unit: variance of the targets around the quadratic alone, positive: the unit of the signal.
        start: where the search begins.
    """
    some = np.arange(len(points))
    if len(points) > _MOST_POINTS:
        some = np.linspace(0, len(points) - 1, _MOST_POINTS).round().astype(np.intp)
    points, targets, variances = points[some], given.targets[some], given.variances[some]
    features = quadratic_features(points)
    told = np.sum(features**2 / variances[:, None], axis=0)
    quadratic = (features / np.maximum(given.ridge, _LEAST_RIDGE * told)) @ features.T / unit
    with _ONE_AT_A_TIME, one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizationWarning)  # a search that stops early has still found something
        matern = MaternKernel(nu=2.5, lengthscale_prior=LogNormalPrior(1.0, 0.7))
        process = ScaleKernel(matern, outputscale_prior=GammaPrior(1.0, 0.1))
        model = SingleTaskGP(
            torch.tensor(points / np.sqrt(points.shape[1])),
            torch.tensor(targets[:, None] / np.sqrt(unit)),
            torch.tensor(np.maximum(variances[:, None] / unit, _LEAST_NOISE)),
            covar_module=process + _Known(torch.tensor(quadratic)),
            mean_module=ZeroMean(),
            outcome_transform=None,
            input_transform=None,
        )
        process.outputscale = float(np.clip(start.signal / unit, 0.1, 10.0))
        matern.lengthscale = float(np.clip(start.length, 0.5, 5.0))
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        likelihood.train()
        fit_gpytorch_mll_scipy(likelihood, options={"maxiter": _STEPS, "ftol": _TOLERANCE})
        return Hyperparameters(signal=unit * process.outputscale.item(), length=matern.lengthscale.item())


class _Known(Kernel):  # type: ignore[misc]
    """A covariance [n, n] between the training points that no hyperparameter changes."""

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self._values = values

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_: Any) -> torch.Tensor:
        return self._values.diagonal() if diag else self._values
