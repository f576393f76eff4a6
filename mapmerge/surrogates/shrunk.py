"""Regression whose parameters are as large as the data say that parameters of their degree are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array

_WIDE = 1e6
"""Variance of the constant, which is not shrunk."""

_LEAST = 1e-9
"""No variance is learnt to be less."""

_MOST_LEVERAGE = 0.98
"""Of an observation: beyond, nothing can be said of what it would be without it."""


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """A regression on n observations, and the variances it was learnt with.

    Args:
        parameters: shape [q].
        strays: shape [n], by how much each observation is off the regression, its own noise taken out.
        left_out: shape [n], what is predicted for each observation from the others.
        by_degree: variances of the parameters of degree 0, 1, 2...
        stray: variance of the strays.
    """

    parameters: Array
    strays: Array
    left_out: Array
    by_degree: Array
    stray: float


def guess(parameters: Array, degrees: NDArray[np.int64], stray: float) -> tuple[Array, float]:
    """Return first variances by degree and of the strays, from parameters [q] that were not shrunk."""
    by_degree = np.full(int(degrees.max()) + 1, float(np.mean(parameters[degrees > 0] ** 2)) + _LEAST)
    by_degree[0] = _WIDE
    return by_degree, stray


def regress(
    features: Array,
    degrees: NDArray[np.int64],
    observed: Array,
    noise: Array,
    variances: tuple[Array, float],
    steps: int,
) -> Shrunk:
    """Regress observations on features, and learn how large parameters and strays are.

        observed = features @ parameters + stray + noise,    parameters ~ N(0, v_degree),    stray ~ N(0, v)

    Args:
        features: shape [n, q].
        degrees: shape [q], of the monomials that the features are.
        observed: shape [n].
        noise: shape [n], its variance.
        variances: by degree and of the strays, to begin with: see `guess`.
        steps: of expectation maximisation, by which the variances are bettered first.

    Source: evidence maximisation, MacKay, Neural Computation 4 (1992), with one variance a degree.
    """
    by_degree, stray = variances[0].copy(), variances[1]
    for step in range(steps + 1):
        weights = 1.0 / (stray + noise)
        covariance = np.linalg.inv((features * weights[:, None]).T @ features + np.diag(1.0 / by_degree[degrees]))
        parameters = covariance @ (features.T @ (weights * observed))
        around = np.sum(features @ covariance * features, axis=1)
        residuals = observed - features @ parameters
        share = stray * weights
        if step == steps:
            break
        squares = parameters**2 + np.diag(covariance)
        for degree in range(1, len(by_degree)):
            by_degree[degree] = max(float(squares[degrees == degree].mean()), _LEAST)
        stray = max(float(np.mean((share * residuals) ** 2 + stray * (1.0 - share) + share**2 * around)), _LEAST)
    left_out = observed - residuals / (1.0 - np.minimum(weights * around, _MOST_LEVERAGE))
    return Shrunk(parameters, share * residuals, left_out, by_degree, stray)
