"""How far a candidate lies from what was measured, as a quadratic sees it."""

import numpy as np

from mapmerge.records import Array

_RIDGE = 1e-6
"""Keeps the information invertible where there are fewer candidates than parameters, relative to its mean diagonal."""


def leverage(coefficients: Array, measured: Array) -> Array:
    """Return the leverage of candidates on a quadratic through measured ones: x' (X'X)^-1 x.

    It is the variance of the quadratic's prediction in units of the noise of one measurement. Inside the cloud of
    measured candidates it is below 1; far outside it grows like the fourth power of the distance.

    Args:
        coefficients: candidates, shape [n, k].
        measured: what the quadratic is fitted to, shape [s, k].

    Returns:
        Shape [n], at least 0.

    Source: Hoaglin and Welsch, "The hat matrix in regression and ANOVA", The American Statistician 32(1), 1978.

    >>> line = np.linspace(0.0, 1.0, 9)[:, None]
    >>> leverage(np.array([[0.5], [2.0]]), line).round(1)
    array([ 0.3, 63.7])
    """
    centre, scale = measured.mean(axis=0), measured.std(axis=0)
    scale = np.where(scale > 1e-12 * (1.0 + np.abs(centre)), scale, 1.0)
    known = _features((measured - centre) / scale)
    asked = _features((coefficients - centre) / scale)
    information = known.T @ known
    information += _RIDGE * np.trace(information) / len(information) * np.eye(len(information))
    return np.asarray(np.sum(asked * np.linalg.solve(information, asked.T).T, axis=1))


def _features(standardised: Array) -> Array:
    """Return all monomials up to degree two, shape [n, (k+1)(k+2)/2]."""
    first, second = np.triu_indices(standardised.shape[1])
    return np.column_stack([np.ones(len(standardised)), standardised, standardised[:, first] * standardised[:, second]])
