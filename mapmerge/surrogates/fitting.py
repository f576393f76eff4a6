"""Fit a quadratic surrogate: a convex problem with a ridge that sets itself."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.records import Array, Metric
from mapmerge.surrogates.features import quadratic_features, standardise
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.quadratic import QuadraticSurrogate
from mapmerge.surrogates.ridge import Problem, RidgeFit, fit_ridge, leave_one_out, spread
from mapmerge.threads import one_blas_thread

_STRENGTHS = 10.0 ** np.arange(2.0, -10.5, -0.5)
"""Ridge strengths that are tried, in units of the information of all scores together."""

SLOPE_SHARE = 0.1
"""Slopes are held back this much as strongly as curvatures: best on synthetic and on real merges, see the docs."""

_TINY = 1e-200

_TIE = 1e-6
"""Strengths whose leave-one-out deviances differ by less than this share count as equal."""

_ROUNDING = 1e-9
"""Scores may leave the metric's range by this much of their size; they are put back."""


def fit_quadratic(
    coefficients: Array, scores: Array, variances: Array, items: Array, metric: Metric
) -> QuadraticSurrogate:
    """Fit score = link(quadratic in the coefficients) to measured candidates.

    The link follows from the metric's range. Minimises the deviance of the link's noise model (see `links`), each
    score weighing as its items do, plus a ridge on slopes and curvatures of the standardised coefficients; the
    constant is free. The ridge's strength is the one with the least leave-one-out deviance: it holds the fit together
    when there are only about p points, and fades as points are added. What the scores scatter beyond the items' noise
    goes into the intervals.

    Args:
        coefficients: shape [n, k], n at least 2.
        scores: shape [n], mean over items, in the metric's range.
        variances: shape [n], sampling variance of each score (variance over items / items), at least 0; all
            zero where the scorer has no noise, or tells none.
        items: shape [n], how many items stand behind each score, positive.
        metric: what was measured.

    Raises:
        BadInputError: shapes do not fit, a number is not finite, or a score lies outside the metric's range.

    Source: link and quadratic: arXiv 2406.07529, Eq. 5. Leave-one-out: see `ridge.leave_one_out`.

    >>> c = np.linspace(0.0, 1.0, 8)[:, None]
    >>> accuracy = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> truth = 1.0 / (1.0 + np.exp(-1.0 - 4.0 * c[:, 0] + 3.0 * c[:, 0] ** 2))
    >>> fit = fit_quadratic(c, truth, np.zeros(8), np.full(8, 1000), accuracy)
    >>> bool(abs(fit.predict(c) - truth).max() < 1e-6)
    True
    """
    return solve_quadratic(coefficients, scores, variances, items, metric).surrogate


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A fitted quadratic with the problem that it solves, for those who build on it.

    Args:
        surrogate: the fit.
        problem: what was fitted: features of the standardised coefficients, unit scores, items.
        ridge: shape [p], what holds each parameter back; 0 for the constant.
        floor: how many times larger the scores' measured variance is than the noise model expects, on the whole.
    """

    surrogate: QuadraticSurrogate
    problem: Problem
    ridge: Array
    floor: float


@one_blas_thread()
def solve_quadratic(coefficients: Array, scores: Array, variances: Array, items: Array, metric: Metric) -> Solved:
    """Do what `fit_quadratic` does, and return also what was solved."""
    given = Given.of(coefficients, scores, variances, items, metric)
    features, k = quadratic_features(given.points), given.points.shape[1]
    held = np.concatenate([np.full(k, SLOPE_SHARE), np.ones(features.shape[1] - k - 1)])
    settled = settle(given, features, held)
    surrogate = QuadraticSurrogate(
        **settled.common,
        parameters=settled.fit.parameters,
        covariance=settled.dispersion * settled.fit.inverse,
        ridge=settled.strength,
        condition=condition_of(features),
    )
    return Solved(surrogate, settled.problem, settled.ridge, settled.floor)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What is fitted, once it is known to fit together.

    Args:
        link: of the metric.
        centre: shape [k], mean of the coefficients.
        scale: shape [k], their standard deviation.
        points: shape [n, k], standardised coefficients.
        scores: shape [n].
        variances: shape [n].
        items: shape [n].
    """

    link: Link
    centre: Array
    scale: Array
    points: Array
    scores: Array
    variances: Array
    items: Array

    @classmethod
    def of(cls, coefficients: Array, scores: Array, variances: Array, items: Array, metric: Metric) -> Self:
        """Check and standardise what `fit_quadratic` takes."""
        coefficients, scores, variances, items = (
            np.array(values, dtype=np.float64) for values in (coefficients, scores, variances, items)
        )
        _check(coefficients, scores, variances, items, metric)
        centre, scale = np.mean(coefficients, axis=0), np.std(coefficients, axis=0)
        scale = np.where(scale > 1e-12 * np.abs(centre), scale, 1.0)
        points = standardise(coefficients, centre, scale)
        return cls(Link.of(metric), centre, scale, points, scores, variances, items)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A fit whose ridge has set itself.

    Args:
        problem: what was fitted.
        fit: the minimum.
        strength: of the ridge, as chosen.
        ridge: shape [p], what it comes to for each parameter.
        floor: how many times larger the scores' measured variance is than the noise model expects, on the whole.
        dispersion: what the inverse in `fit` must be multiplied with to be a covariance.
        common: what every `Fitted` surrogate is told of it, but for the condition.
    """

    problem: Problem
    fit: RidgeFit
    strength: float
    ridge: Array
    floor: float
    dispersion: float
    common: dict[str, Any]


def settle(given: Given, features: Array, held: Array) -> Settled:
    """Choose the ridge by leave-one-out, and say how far the fit is off.

    Args:
        given: what to fit.
        features: shape [n, q], of its points; the first is the constant.
        held: shape [q - 1], how strongly a ridge of strength 1 holds back each of the others.
    """
    link, items = given.link, given.items
    problem = Problem(link, features, _answers(link, given.scores, items), items)
    floor = noise_of_items(link, problem.unit, given.variances, items)
    shape = np.concatenate([[0.0], held]) * float(np.sum(items * link.weight(problem.linearised())))
    strength, fit = _best_fit(problem, shape)
    scatter = _scatter(problem, fit)
    common = {
        "link": link,
        "centre": given.centre,
        "scale": given.scale,
        "misfit": max(0.0, scatter - floor) / max(float(np.mean(problem.information(fit.parameters))), _TINY),
        "noise": floor / float(np.mean(items)),
        "freedom": max(len(given.scores) - _used(problem, fit), 1.0),
        "measured": given.scores,
        "items": items,
        "left_out": link.mean(leave_one_out(problem, fit)),
    }
    dispersion = max(_dispersion(fit, len(given.scores), floor), scatter)
    return Settled(problem, fit, strength, strength * shape, floor, dispersion, common)


def _answers(link: Link, scores: Array, items: Array) -> Array:
    """Return the unit scores to fit; where all lie on one edge of the range, half an item is added to each."""
    unit = link.unit(link.clip(scores))
    edges = {"logistic": (0.0, 1.0), "softplus": (0.0,), "identity": ()}[link.kind]
    if any(np.all(unit == edge) for edge in edges):
        return link.unit_mean(link.linearise(scores, items))
    return unit


def noise_of_items(link: Link, unit: Array, variances: Array, items: Array) -> float:
    """Return the measured sampling variance in units of what the noise model expects: 1 for 0/1 outcomes."""
    expected = float(np.sum(link.variance(unit) / items))
    return float(np.sum(variances)) / link.span**2 / expected if expected > 0.0 else 1.0


def _best_fit(problem: Problem, shape: Array) -> tuple[float, RidgeFit]:
    """Return the ridge strength with the least leave-one-out deviance, and its fit."""
    start = np.zeros(problem.features.shape[1])
    start[0] = np.mean(problem.linearised())
    best: tuple[float, float, RidgeFit] | None = None
    for strength in _STRENGTHS:  # from the strongest on: of equals the strongest is kept
        fit = fit_ridge(problem, strength * shape, start)
        start = fit.parameters
        lost = float(np.sum(problem.items * problem.link.deviance(leave_one_out(problem, fit), problem.unit)))
        if best is None or lost < (1.0 - _TIE) * best[0]:
            best = (lost, float(strength), fit)
    assert best is not None
    return best[1], best[2]


def _dispersion(fit: RidgeFit, n: int, floor: float) -> float:
    """Return the noise, in units of item variance: as scattered as the scores are, but no less than the items'."""
    return max(floor, (fit.deviance + fit.penalty) / (n - 1), _TINY)


def _used(problem: Problem, fit: RidgeFit) -> float:
    """Return how many parameters the fit really has: the trace of the hat matrix."""
    return float(np.sum(problem.information(fit.parameters) * spread(problem.features, fit.inverse)))


def _scatter(problem: Problem, fit: RidgeFit) -> float:
    """Return how much the scores scatter around the quadratic, in units of item variance.

    Moments: a squared Pearson residual is expected to be that times (1 - leverage).
    """
    information = problem.information(fit.parameters)
    left = np.maximum(1.0 - information * spread(problem.features, fit.inverse), 1e-12)
    pearson = np.zeros_like(information)  # stays 0 where a link that is flat to the last bit fits perfectly
    np.divide(problem.pull(fit.parameters) ** 2, information, out=pearson, where=information > 0.0)
    return float(np.mean(pearson / left))


def condition_of(features: Array) -> float:
    """Return the condition number of the features, infinite where points are fewer than parameters."""
    if features.shape[0] < features.shape[1]:
        return math.inf
    singular = np.linalg.svd(features, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 0.0 else math.inf


def _check(coefficients: Array, scores: Array, variances: Array, items: Array, metric: Metric) -> None:
    if coefficients.ndim != 2 or len(coefficients) < 2 or coefficients.shape[1] < 1:
        raise BadInputError(
            f"expected coefficients of shape [n, k] with n >= 2 and k >= 1, got {list(coefficients.shape)}"
        )
    for name, values in (("scores", scores), ("variances", variances), ("items", items)):
        if values.shape != (len(coefficients),):
            raise BadInputError(f"expected {len(coefficients)} {name}, got shape {list(values.shape)}")
    for name, values in (("coefficients", coefficients), ("scores", scores), ("variances", variances)):
        if not np.all(np.isfinite(values)):
            raise BadInputError(f"expected finite {name}; leave failed evaluations out of the fit")
    if np.any(variances < 0.0):
        raise BadInputError(f"expected variances of at least 0, got {variances.min()}")
    if not np.all((items >= 1.0) & np.isfinite(items)):
        raise BadInputError(f"expected at least 1 item behind every score, got {items.min()}")
    slack = _ROUNDING * (1.0 + np.abs(scores))
    low = -math.inf if metric.lower is None else metric.lower
    high = math.inf if metric.upper is None else metric.upper
    outside = scores[(scores < low - slack) | (scores > high + slack)]
    if len(outside):
        raise BadInputError(
            f"expected scores of {metric.name} in [{low}, {high}], got {outside[0]}; check the metric's range"
        )
