"""Regression whose parameters differ as much as the data say that parameters of their kind do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array

_WIDE = 1e6
"""Variance of the means of kinds, which are not shrunk."""

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
        by_kind: variances of the parameters of each kind around their mean.
        stray: variance of the strays.
    """

    parameters: Array
    strays: Array
    left_out: Array
    by_kind: Array
    stray: float


def guess(parameters: Array, kinds: NDArray[np.int64], stray: float) -> tuple[Array, float]:
    """Return first variances by kind and of the strays, from parameters [q] that were not shrunk."""
    scatter = [float(np.var(parameters[kinds == kind])) for kind in range(int(kinds.max()) + 1)]
    return np.array(scatter) + _LEAST, stray


def regress(
    features: Array,
    kinds: NDArray[np.int64],
    observed: Array,
    noise: Array,
    variances: tuple[Array, float],
    steps: int,
) -> Shrunk:
    """Regress observations on features, and learn how much parameters of a kind differ and how large strays are.

        observed = features @ parameters + stray + noise,    parameters ~ N(mean of kind, v_kind),    stray ~ N(0, v)

    The mean of a kind is not shrunk: what all experts have in common, such as that more of each does good up to a
    point, would otherwise be believed too little as long as candidates are few.

    Args:
        features: shape [n, q].
        kinds: shape [q], the kind of each parameter, from 0.
        observed: shape [n].
        noise: shape [n], its variance.
        variances: by kind and of the strays, to begin with: see `guess`.
        steps: of expectation maximisation, by which the variances are bettered first.

    Source: evidence maximisation, MacKay, Neural Computation 4 (1992), with one variance a kind.
    """
    by_kind, stray = variances[0].copy(), variances[1]
    same = (kinds[:, None] == kinds) / np.bincount(kinds)[kinds]
    apart = np.eye(len(kinds)) - same  # takes the mean of its kind off each parameter
    free = np.maximum(np.bincount(kinds) - 1, 1)
    for step in range(steps + 1):
        weights = 1.0 / (stray + noise)
        prior = apart / by_kind[kinds] + same / _WIDE
        covariance = np.linalg.inv((features * weights[:, None]).T @ features + prior)
        parameters = covariance @ (features.T @ (weights * observed))
        around = np.sum(features @ covariance * features, axis=1)
        residuals = observed - features @ parameters
        share = stray * weights
        if step == steps:
            break
        squares = (apart @ parameters) ** 2 + np.sum(apart @ covariance * apart, axis=1)
        by_kind = np.maximum(np.bincount(kinds, weights=squares) / free, _LEAST)
        stray = max(float(np.mean((share * residuals) ** 2 + stray * (1.0 - share) + share**2 * around)), _LEAST)
    left_out = observed - residuals / (1.0 - np.minimum(weights * around, _MOST_LEVERAGE))
    return Shrunk(parameters, share * residuals, left_out, by_kind, stray)
