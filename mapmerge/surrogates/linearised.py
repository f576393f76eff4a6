"""Scores as measurements of eta: what a link leaves of them when it is taken to be straight."""

from dataclasses import dataclass

import numpy as np

from mapmerge.records import Array
from mapmerge.surrogates.fitting import Solved

_LEAST_NOISE = 1e-4
"""The noise is at least this much of what the quadratic leaves over, also where the scorer tells none."""

_ROUNDING = 1e-20
"""Nor is any eta known more precisely than to this share of its size, squared."""

_TINY = 1e-200


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Measurements of eta.

    Args:
        fitted: shape [n], what the quadratic says.
        targets: shape [n], what was measured.
        variances: shape [n], of their noise, positive.
        ridge: shape [p], one over the prior variance of the quadratic's parameters.
    """

    fitted: Array
    targets: Array
    variances: Array
    ridge: Array


def linearise(solved: Solved, misfit: float) -> Linear:
    """Return scores as measurements of eta, by a link that is straight near a fitted quadratic:

        target = e + (score - link(e)) / link'(e),    variance = noise of the score / link'(e)^2.

    e is the quadratic's eta, moved towards the measured one by the share of the misfit in their difference, the rest
    being noise. Without misfit, a quadratic fitted to the targets is the one that they come from.

    The noise of a score is what the noise model of the link expects at e, times how many times larger the measured
    variances are on the whole. A link is taken to be no flatter than where scores were measured: where the quadratic
    has gone far out, a score would otherwise move eta without end.

    Args:
        solved: the quadratic.
        misfit: variance of eta around it, at least 0.
    """
    problem, items = solved.problem, solved.problem.items
    fitted, measured = problem.features @ solved.surrogate.parameters, problem.linearised()

    def information(eta: Array) -> Array:
        return items * problem.link.weight(np.clip(eta, np.min(measured), np.max(measured)))

    share = misfit / (misfit + solved.floor / information(fitted)) if misfit > 0.0 else 0.0
    near = fitted + share * (measured - fitted)
    told = information(near)
    targets = near + items * problem.link.pull(near, problem.unit) / told
    left_over = float(np.mean(told * (targets - fitted) ** 2))
    rounding = _ROUNDING * float(np.mean(told * targets**2))
    noise = max(solved.floor, _LEAST_NOISE * left_over, rounding, _TINY)
    return Linear(fitted, targets, noise / told, solved.ridge / noise)
