"""Link functions: they keep a quadratic inside the range of a metric, whatever its value.

Each comes with the noise model that makes the fit a convex problem, so that it has one answer whatever the start:

| link     | score                    | variance of the score, up to a factor | noise model         |
|----------|--------------------------|---------------------------------------|---------------------|
| logistic | l + (u - l) expit(eta)   | (score - l)(u - score) / items        | binomial            |
| softplus | l + log(1 + exp(eta))    | (score - l) / items                   | Poisson             |
| identity | eta                      | 1 / items                             | normal              |

Inside a link everything happens on *unit scores*: (score - l) / (u - l), score - l, or the score itself.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, kl_div

from mapmerge.records import Array, Metric

Kind = Literal["logistic", "softplus", "identity"]

_TINY = 1e-200
"""Unit scores below this are nothing."""

_FLAT = 300.0
"""Beyond this |eta| a bounded link has reached its bound to the last bit."""


@dataclass(frozen=True, slots=True)
class Link:
    """The map from a real number eta to a score, with its noise model.

    Args:
        kind: see the table of this module.
        lower: smallest score, 0 for identity.
        span: unit of the score: upper - lower for logistic, else 1.

    >>> link = Link.of(Metric("accuracy", lower=0.0, upper=1.0, maximize=True))
    >>> link.mean(np.array([-1e9, 0.0, 1e9]))
    array([0. , 0.5, 1. ])
    """

    kind: Kind
    lower: float = 0.0
    span: float = 1.0

    @classmethod
    def of(cls, metric: Metric) -> "Link":
        """Return the link that belongs to a metric's range."""
        lower = 0.0 if metric.lower is None else metric.lower
        bounded = metric.link == "logistic" and metric.upper is not None
        return cls(metric.link, lower, metric.upper - lower if bounded and metric.upper is not None else 1.0)

    def unit(self, scores: Array) -> Array:
        """Return unit scores: what is left when range and unit of the metric are taken off."""
        return (scores - self.lower) / self.span

    def clip(self, scores: Array) -> Array:
        """Return scores put back into the metric's range."""
        if self.kind == "identity":
            return scores
        return np.clip(scores, self.lower, self.lower + self.span if self.kind == "logistic" else None)

    def mean(self, eta: Array) -> Array:
        """Return the score at eta; never overflows, never leaves the range."""
        return self.lower + self.span * self.unit_mean(eta)

    def derivative(self, eta: Array) -> Array:
        """Return d score / d eta, at least 0."""
        return self.span * self.unit_derivative(eta)

    def unit_mean(self, eta: Array) -> Array:
        """Return the unit score at eta."""
        if self.kind == "identity":
            return eta
        return _sigmoid(eta) if self.kind == "logistic" else np.logaddexp(0.0, eta)

    def unit_derivative(self, eta: Array) -> Array:
        """Return d unit score / d eta, at least 0."""
        if self.kind == "identity":
            return np.ones_like(eta)
        return _sigmoid(eta) * _sigmoid(-eta) if self.kind == "logistic" else _sigmoid(eta)

    def linearise(self, scores: Array, items: Array) -> Array:
        """Return the eta at which the link gives about these scores: where a fit starts.

        A score on the edge of the range has no finite eta; half an item is added on either side first.

        Args:
            scores: shape [n], within the metric's range.
            items: shape [n], how many items stand behind a score, positive.

        >>> link = Link("logistic")
        >>> link.linearise(np.array([1.0]), np.array([9.0])).round(4)  # logit(9.5 / 10)
        array([2.9444])
        """
        unit = self.unit(scores)
        if self.kind == "identity":
            return unit
        if self.kind == "logistic":
            return np.log((unit * items + 0.5) / ((1.0 - unit) * items + 0.5))
        off_edge = np.maximum(unit, 0.5 / (items + 1.0))
        return off_edge + np.log(-np.expm1(-off_edge))

    def weight(self, eta: Array) -> Array:
        """Return the information one item carries about eta: (d unit score / d eta)^2 / variance."""
        if self.kind == "identity":
            return np.ones_like(eta)
        if self.kind == "logistic":
            return self.unit_derivative(eta)
        return _sigmoid(eta) * self._slope_per_mean(eta)

    def pull(self, eta: Array, unit: Array) -> Array:
        """Return the pull of one item on eta: (unit - mean) (d mean / d eta) / variance, the score function."""
        residual = unit - self.unit_mean(eta)
        return residual * self._slope_per_mean(eta) if self.kind == "softplus" else residual

    def deviance(self, eta: Array, unit: Array) -> Array:
        """Return twice the log-likelihood lost by one item against a perfect fit; convex in eta, at least 0."""
        if self.kind == "identity":
            return (unit - eta) ** 2
        if self.kind == "logistic":
            eta = np.clip(eta, -_FLAT, _FLAT)
            return 2.0 * (_divergence(unit, _sigmoid(eta)) + _divergence(1.0 - unit, _sigmoid(-eta)))
        return 2.0 * _divergence(unit, self.unit_mean(np.maximum(eta, -_FLAT)))

    def variance(self, unit: Array) -> Array:
        """Return the variance of one item's unit score that the noise model expects, up to a factor."""
        if self.kind == "identity":
            return np.ones_like(unit)
        return unit * (1.0 - unit) if self.kind == "logistic" else unit

    def _slope_per_mean(self, eta: Array) -> Array:
        """Return _sigmoid(eta) / softplus(eta), which tends to 1 on the left where both underflow."""
        safe = np.maximum(eta, -_FLAT)
        return _sigmoid(safe) / np.logaddexp(0.0, safe)


def _sigmoid(eta: Array) -> Array:
    value: Array = expit(eta)
    return value


def _divergence(unit: Array, mean: Array) -> Array:
    """Return unit log(unit / mean) - unit + mean, without cancellation."""
    # The quotient inside would underflow to 0 and its logarithm to minus infinity.
    value: Array = kl_div(np.where(unit < _TINY, 0.0, unit), mean)
    return value
