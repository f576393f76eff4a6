"""How sure the surfaces are of a front: where items should go, and which candidates need no more of them."""

import numpy as np
from numpy.typing import NDArray

from mapmerge.fronts.indicators import Normalisation
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces

_MOST = 2.0
"""An objective gets at most so many times its even share of items, and at least one over that."""

_CONFIDENT = 1.645
"""Standard errors by which a candidate must be behind in every objective: 95 % one-sided each."""


def standard_errors(surfaces: ResponseSurfaces, coefficients: Array, units: Normalisation) -> Array:
    """Return the standard error of every predicted gain in normalised units, shape [n, m]."""
    columns = []
    for surrogate in surfaces.surrogates:
        mean, deviation = surrogate.eta(coefficients)
        columns.append(surrogate.link.derivative(mean) * deviation)
    return np.asarray(np.column_stack(columns) / units.spread)


def shares(surfaces: ResponseSurfaces, front: Array, units: Normalisation) -> Array:
    """Return how many times its even share of items each objective should get, shape [m], 1 on average.

    In proportion to the mean standard error over the front: for a sum of variances that fall as one over the items,
    that is the split with the least sum.

    Source: Neyman, Journal of the Royal Statistical Society 97(4), 1934.
    """
    errors = standard_errors(surfaces, front, units).mean(axis=0)
    if not errors.sum() > 0.0:
        return np.ones(len(errors))
    bounded = np.clip(errors / errors.mean(), 1.0 / _MOST, _MOST)
    return np.asarray(bounded / bounded.mean())


def surely_dominated(
    surfaces: ResponseSurfaces, candidates: Array, front: Array, units: Normalisation
) -> NDArray[np.bool_]:
    """Return which candidates [n, k] some point of the front beats in every objective beyond doubt, shape [n]."""
    signs = surfaces.signs
    theirs, ours = (units.apply(surfaces.scores(rows) * signs) for rows in (front, candidates))
    their_errors, our_errors = (standard_errors(surfaces, rows, units) for rows in (front, candidates))
    ahead = theirs[None] - ours[:, None]
    doubt = np.sqrt(their_errors[None] ** 2 + our_errors[:, None] ** 2)
    beaten = np.all(ahead > _CONFIDENT * doubt, axis=2)
    return np.asarray(np.any(beaten, axis=1))
