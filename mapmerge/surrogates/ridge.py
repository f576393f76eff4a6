"""One penalised fit of a quadratic behind a link, for given strengths of the ridge."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mapmerge.records import Array
from mapmerge.surrogates.links import Link

_STEPS = 25
_HALVINGS = 200
"""So often because from a start where the link is flat the first step is far too long."""

_TOLERANCE = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is to be fitted.

    Args:
        link: between the quadratic and the scores.
        features: shape [n, p]; the first column is the constant.
        unit: shape [n], unit scores, see `Link`.
        items: shape [n], how many items stand behind each, positive.
    """

    link: Link
    features: Array
    unit: Array
    items: Array

    def deviance(self, parameters: Array) -> float:
        """Return the misfit, in units of item variance."""
        return float(np.sum(self.items * self.link.deviance(self.features @ parameters, self.unit)))

    def information(self, parameters: Array) -> Array:
        """Return how much [n] each score tells about its eta: one over its variance on the eta scale."""
        return self.items * self.link.weight(self.features @ parameters)

    def linearised(self) -> Array:
        """Return the eta [n] at which the link gives about each score: see `Link.linearise`."""
        return self.link.linearise(self.link.lower + self.link.span * self.unit, self.items)

    def pull(self, parameters: Array) -> Array:
        """Return how much [n] each score pulls at its eta: the score function."""
        return self.items * self.link.pull(self.features @ parameters, self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """The minimum of deviance + sum_j ridge_j parameter_j^2.

    Args:
        parameters: shape [p].
        inverse: shape [p, p], inverse of X'WX + diag(ridge) at the minimum, W the information.
        deviance: misfit at the minimum.
        penalty: what the ridge adds to it.
    """

    parameters: Array
    inverse: Array
    deviance: float
    penalty: float


def fit_ridge(problem: Problem, ridge: Array, start: Array) -> RidgeFit:
    """Minimise the penalised deviance by damped Fisher scoring.

    The problem is convex for every link of `Link`: the start only decides how many of the at most 25 steps are
    taken, never where they lead. A step is halved until it does not go up.

    Args:
        problem: what to fit.
        ridge: shape [p], at least 0, positive for every parameter but the first.
        start: shape [p].
    """
    parameters, value = start, _objective(problem, ridge, start)
    for _ in range(_STEPS):
        downhill = problem.features.T @ problem.pull(parameters) - ridge * parameters
        step = cho_solve(_factor(problem, ridge, parameters), downhill)
        before = value
        parameters, value = _descend(problem, ridge, parameters, step, before)
        if before - value <= _TOLERANCE * abs(before):
            break
    factor = _factor(problem, ridge, parameters)
    return RidgeFit(
        parameters=parameters,
        inverse=cho_solve(factor, np.eye(len(ridge))),
        deviance=problem.deviance(parameters),
        penalty=float(ridge @ parameters**2),
    )


def leave_one_out(problem: Problem, fit: RidgeFit) -> Array:
    """Return what the fit would say about each point, had it not seen it: eta, shape [n].

    One Newton step from the full fit: eta_i - q_i s_i / (1 - w_i q_i), with the pull s_i, the information w_i and
    q_i = x_i' (X'WX + R)^-1 x_i. Exact for the identity link; the ridge stays what it was.

    Source: Rad and Maleki, A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
    cross-validation, JRSS-B 82 (2020).
    """
    q = spread(problem.features, fit.inverse)
    left = np.maximum(1.0 - problem.information(fit.parameters) * q, 1e-12)
    eta: Array = problem.features @ fit.parameters - q * problem.pull(fit.parameters) / left
    return eta


def spread(features: Array, inverse: Array) -> Array:
    """Return x' inverse x, shape [n], for every row x of features [n, p]."""
    products: Array = np.sum((features @ inverse) * features, axis=1)
    return products


def _objective(problem: Problem, ridge: Array, parameters: Array) -> float:
    return problem.deviance(parameters) + float(ridge @ parameters**2)


def _factor(problem: Problem, ridge: Array, parameters: Array) -> tuple[Array, bool]:
    information = problem.information(parameters)
    factor: tuple[Array, bool] = cho_factor(
        problem.features.T @ (problem.features * information[:, None]) + np.diag(ridge)
    )
    return factor


def _descend(problem: Problem, ridge: Array, parameters: Array, step: Array, value: float) -> tuple[Array, float]:
    for _ in range(_HALVINGS):
        candidate = parameters + step
        reached = _objective(problem, ridge, candidate)
        if reached <= value:
            return candidate, reached
        step = step / 2.0
    return parameters, value
