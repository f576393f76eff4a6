"""How far a candidate lies from what was measured, as a quadratic sees it."""

from dataclasses import dataclass

import numpy as np

from mapmerge.records import Array

_RIDGE = 1e-6
"""Keeps the information invertible where there are fewer candidates than parameters, relative to its mean diagonal."""

_HALVINGS = 40
"""How often the way back from a candidate is halved."""


@dataclass(frozen=True, slots=True, eq=False)
class Leverage:
    """The leverage of candidates on a quadratic through measured ones: x' (X'X)^-1 x.

    It is the variance of the quadratic's prediction in units of the noise of one measurement. Inside the cloud of
    measured candidates it is below 1; far outside it grows like the fourth power of the distance.

    Args:
        centre: mean of the measured candidates, shape [k].
        scale: their standard deviations, shape [k]; 1 where all are the same.
        information: X'X in these units, with a small ridge, shape [p, p].
        anchor: the measured candidate of the least leverage, shape [k].
        largest: leverage of any measured candidate, at most 1.

    Source: Hoaglin and Welsch, "The hat matrix in regression and ANOVA", The American Statistician 32(1), 1978.

    >>> line = Leverage.of(np.linspace(0.0, 1.0, 9)[:, None])
    >>> line(np.array([[0.5], [2.0]])).round(1)
    array([ 0.3, 63.7])
    >>> line.retreat(np.array([[0.7], [2.0]])).round(3).tolist()
    [[0.7], [1.056]]
    """

    centre: Array
    scale: Array
    information: Array
    anchor: Array
    largest: float

    @staticmethod
    def of(measured: Array) -> "Leverage":
        """Return the leverage on a quadratic through measured candidates, shape [s, k]."""
        centre, scale = measured.mean(axis=0), measured.std(axis=0)
        scale = np.where(scale > 1e-12 * (1.0 + np.abs(centre)), scale, 1.0)
        known = _features((measured - centre) / scale)
        information = known.T @ known
        information += _RIDGE * np.trace(information) / len(information) * np.eye(len(information))
        own = _quadratic_form(information, known)
        return Leverage(centre, scale, information, measured[own.argmin()], float(own.max()))

    def __call__(self, coefficients: Array) -> Array:
        """Return the leverage of candidates, shape [n, k]: [n], at least 0."""
        return _quadratic_form(self.information, _features((coefficients - self.centre) / self.scale))

    def retreat(self, coefficients: Array) -> Array:
        """Return candidates [n, k] moved towards `anchor` until the leverage of none is more than 1.

        A quadratic is less sure of what lies beyond than a single measurement would be. What does not is returned as it
        is.
        """
        start = _features((self.anchor - self.centre)[None] / self.scale)
        step = (coefficients - self.anchor) / self.scale
        squares = _features(step)
        squares[:, : 1 + len(self.centre)] = 0.0
        whole = _features((coefficients - self.centre) / self.scale)
        # From the anchor (0) to the candidate (1), features are a polynomial of degree two, leverage one of four.
        parts = np.stack([np.broadcast_to(start, whole.shape), whole - start - squares, squares])
        solved = np.linalg.solve(self.information, parts.reshape(-1, parts.shape[-1]).T).T.reshape(parts.shape)
        forms = np.einsum("anp,bnp->abn", parts, solved)
        quartic = np.zeros((5, len(coefficients)))
        for first, second in np.ndindex(3, 3):
            quartic[first + second] += forms[first, second]
        near, far = np.zeros(len(coefficients)), np.ones(len(coefficients))
        for _ in range(_HALVINGS):
            middle = (near + far) / 2.0
            trusted = (quartic * middle ** np.arange(5)[:, None]).sum(axis=0) <= 1.0
            near, far = np.where(trusted, middle, near), np.where(trusted, far, middle)
        stays = (self(coefficients) <= 1.0)[:, None]
        return np.where(stays, coefficients, self.anchor + near[:, None] * (coefficients - self.anchor))


def _quadratic_form(information: Array, features: Array) -> Array:
    return np.asarray(np.sum(features * np.linalg.solve(information, features.T).T, axis=1))


def _features(standardised: Array) -> Array:
    """Return all monomials up to degree two, shape [n, (k+1)(k+2)/2]."""
    first, second = np.triu_indices(standardised.shape[1])
    return np.column_stack([np.ones(len(standardised)), standardised, standardised[:, first] * standardised[:, second]])
