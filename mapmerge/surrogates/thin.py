"""The quadratic of few points: fewer than it has parameters, which therefore are never written out.

With a ridge a quadratic is determined by fewer points than parameters, and then lies in the span of what it knows of
these points. Fitted there it is the same quadratic, in time and memory that grow with the points and not with k^4.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array, Metric
from mapmerge.surrogates.features import standardise
from mapmerge.surrogates.fitted import Fitted
from mapmerge.surrogates.fitting import SLOPE_SHARE, Given, settle
from mapmerge.surrogates.ridge import spread
from mapmerge.threads import one_blas_thread

_RANK = 1e-10
"""Directions in which points differ by less than this share of the greatest difference count as none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ThinQuadraticSurrogate(Fitted):
    """A quadratic of z = (coefficients - centre) / scale behind a link, held as what it owes to each point.

    Made by `fit_thin_quadratic`. The ridge on slopes and curvatures is a prior whose covariance between two points is
    `products` over the ridge.

    Args:
        points: shape [n, k], where was measured: z.
        constant: of the quadratic.
        weights: shape [n]: the quadratic is constant + products(z, points) weights.
        information: shape [n], how much each score tells about its eta.
        ridge: what holds back a curvature.
        dispersion: what variances must be multiplied with.
    """

    kind: ClassVar[str] = "thin-quadratic"
    schema: ClassVar[str] = "mapmerge/thin-quadratic/1"
    shapes: ClassVar[dict[str, str]] = Fitted.shapes | {"points": "nk", "weights": "n", "information": "n"}

    points: Array
    constant: float
    weights: Array
    information: Array
    ridge: float
    dispersion: float

    @one_blas_thread()
    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""
        return self.link.mean(self._mean(standardise(coefficients, self.centre, self.scale)))

    @one_blas_thread()
    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""
        z = standardise(coefficients, self.centre, self.scale)
        slope, curvature = self._form
        return self.link.derivative(self._mean(z))[:, None] * (slope + z @ curvature) / self.scale

    @one_blas_thread()
    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise.

        The variance is that of the quadratic in the span of the points, and the prior's outside of it.
        """
        z = standardise(coefficients, self.centre, self.scale)
        span, inverse = self._posterior
        inside = span.coordinates(products(z, self.points))
        known = spread(np.column_stack([np.ones(len(z)), inside]), inverse)
        unknown = np.maximum(products_with_itself(z) - np.sum(inside**2, axis=1), 0.0) / self.ridge
        return self._mean(z), np.sqrt(self.dispersion * (known + unknown) + self.misfit)

    def _mean(self, z: Array) -> Array:
        slope, curvature = self._form
        mean: Array = self.constant + np.sum((slope + z @ curvature / 2.0) * z, axis=1)
        return mean

    @cached_property
    def _form(self) -> tuple[Array, Array]:
        """Slope [k] and curvature [k, k], summed over the points."""
        weighted = self.points * self.weights[:, None]
        slope: Array = np.sum(weighted, axis=0) / SLOPE_SHARE
        return slope, weighted.T @ self.points + np.diag(np.sum(weighted * self.points, axis=0))

    @cached_property
    def _posterior(self) -> tuple["Span", Array]:
        """What only standard deviations need: n^2 numbers that follow from n, and so are not stored."""
        span = Span.of(self.points)
        features = np.column_stack([np.ones(len(self.points)), span.features])
        held = np.concatenate([[0.0], np.full(features.shape[1] - 1, self.ridge)])
        precision = features.T @ (features * self.information[:, None]) + np.diag(held)
        return span, np.asarray(np.linalg.inv(precision), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Coordinates of the space that the points span, in which the ridge is the same in every direction.

    Args:
        vectors: shape [n, r], orthonormal.
        sizes: shape [r], positive.
    """

    vectors: Array
    sizes: Array

    @classmethod
    def of(cls, points: Array) -> "Span":
        """Take the directions in which the products of points [n, k] differ."""
        values, vectors = np.linalg.eigh(products(points, points))
        kept: NDArray[np.bool_] = values > _RANK * values[-1]
        return cls(vectors[:, kept], np.sqrt(values[kept]))

    @property
    def features(self) -> Array:
        """The points themselves, shape [n, r]."""
        return self.vectors * self.sizes

    def coordinates(self, between: Array) -> Array:
        """Return candidates, shape [l, r], by their products [l, n] with the points."""
        found: Array = between @ self.vectors / self.sizes
        return found


def products(one: Array, other: Array) -> Array:
    """Return the inner products of slopes, squares and cross terms, a slope counting as its ridge lets it.

    Args:
        one: shape [l, k], standardised.
        other: shape [n, k].

    Returns:
        Shape [l, n].

    >>> products(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).tolist()  # 10 (3 + 8) + 9 + 64 + 24
    [[207.0]]
    """
    linear = one @ other.T
    found: Array = linear / SLOPE_SHARE + (linear**2 + one**2 @ (other**2).T) / 2.0
    return found


def products_with_itself(points: Array) -> Array:
    """Return the diagonal of `products(points, points)`, shape [n]."""
    squares = points**2
    linear = np.sum(squares, axis=1)
    found: Array = linear / SLOPE_SHARE + (linear**2 + np.sum(squares**2, axis=1)) / 2.0
    return found


@one_blas_thread()
def fit_thin_quadratic(
    coefficients: Array, scores: Array, variances: Array, items: Array, metric: Metric
) -> ThinQuadraticSurrogate:
    """Fit what `fit_quadratic` fits, to fewer points than a quadratic has parameters.

    Args:
        coefficients: shape [n, k], n at least 2.
        scores: shape [n], mean over items, in the metric's range.
        variances: shape [n], sampling variance of each score, at least 0.
        items: shape [n], how many items stand behind each score, positive.
        metric: what was measured.

    Raises:
        BadInputError: shapes do not fit, a number is not finite, or a score lies outside the metric's range.

    >>> rng = np.random.default_rng(0)
    >>> c, accuracy = rng.random((30, 50)), Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> fit = fit_thin_quadratic(c, c.mean(axis=1), np.full(30, 1e-4), np.full(30, 2500), accuracy)
    >>> bool(abs(fit.predict(c) - c.mean(axis=1)).max() < 0.05)
    True
    """
    given = Given.of(coefficients, scores, variances, items, metric)
    span = Span.of(given.points)
    features = np.column_stack([np.ones(len(given.points)), span.features])
    settled = settle(given, features, np.ones(features.shape[1] - 1))
    return ThinQuadraticSurrogate(
        **settled.common,
        points=given.points,
        constant=float(settled.fit.parameters[0]),
        weights=span.vectors @ (settled.fit.parameters[1:] / span.sizes),
        information=settled.problem.information(settled.fit.parameters),
        ridge=float(settled.ridge[-1]),
        dispersion=settled.dispersion,
        condition=np.inf,
    )
