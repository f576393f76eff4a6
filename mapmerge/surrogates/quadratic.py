"""The quadratic surrogate: score = link(quadratic in the coefficients)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mapmerge.records import Array, JsonObject
from mapmerge.surrogates.features import quadratic_features, quadratic_form, standardise
from mapmerge.surrogates.intervals import interval
from mapmerge.surrogates.left_out import r2, rmse
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.plain import from_plain, to_plain
from mapmerge.surrogates.ridge import spread

_SCHEMA = "mapmerge/quadratic/2"


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticSurrogate:
    """A quadratic of z = (coefficients - centre) / scale behind a link, with what is known about its errors.

    Made by `fit_quadratic`.

    Args:
        link: between the quadratic and the score.
        centre: shape [k], mean of the measured coefficients.
        scale: shape [k], their standard deviation.
        parameters: shape [p], in the order of `quadratic_features`.
        covariance: shape [p, p], posterior covariance of the parameters.
        misfit: variance, on the eta scale, of what a quadratic cannot follow.
        noise: variance of one measurement by its items, in units of the link's noise model.
        freedom: degrees of freedom that the errors were estimated with.
        ridge: strength that was chosen.
        measured: shape [n], the scores it was fitted to.
        items: shape [n], how many items stand behind each.
        left_out: shape [n], what it predicts for each of them when that one is left out.
        condition: condition number of the standardised features; infinite when they do not identify the parameters.
    """

    kind: ClassVar[str] = "quadratic"

    link: Link
    centre: Array
    scale: Array
    parameters: Array
    covariance: Array
    misfit: float
    noise: float
    freedom: float
    ridge: float
    measured: Array
    items: Array
    left_out: Array
    condition: float

    @property
    def loo_rmse(self) -> float:
        """Leave-one-out root mean squared error, in the metric's unit."""
        return rmse(self.measured, self.left_out)

    @property
    def r2_cv(self) -> float | None:
        """Leave-one-out R squared on the metric's scale; None where all measured scores are the same."""
        return r2(self.measured, self.left_out)

    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""
        return self.link.mean(self._quadratic(standardise(coefficients, self.centre, self.scale))[0])

    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""
        eta, slope = self._quadratic(standardise(coefficients, self.centre, self.scale))
        return self.link.derivative(eta)[:, None] * slope / self.scale

    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise.

        The variance is x' covariance x + misfit, x the features of the standardised coefficients.
        """
        z = standardise(coefficients, self.centre, self.scale)
        variance = spread(quadratic_features(z), self.covariance) + self.misfit
        return self._quadratic(z)[0], np.sqrt(np.maximum(variance, 0.0))

    def interval(self, coefficients: Array, level: float = 0.9, *, items: float | None = None) -> tuple[Array, Array]:
        """Return intervals in which fresh measurements of candidates fall, on so many items: see `intervals.interval`.

        `items` None: on as many as were used.
        """
        eta, sd = self.eta(coefficients)
        noise = self.noise if items is None else 1.0 / items
        return interval(self.link, eta, sd, level=level, freedom=self.freedom, noise=noise)

    def to_json(self) -> JsonObject:
        """Return everything needed to rebuild the surrogate, bit for bit; an infinite condition becomes null."""
        return to_plain(self, _SCHEMA)

    @classmethod
    def from_json(cls, plain: JsonObject) -> "QuadraticSurrogate":
        """Rebuild a surrogate from what `to_json` returned.

        Raises:
            BadInputError: the object is of another schema, or a part is missing.
        """
        return cls(**from_plain(cls, plain, _SCHEMA))

    def _quadratic(self, standardised: Array) -> tuple[Array, Array]:
        """Return the quadratic [n] and its gradient [n, k], both in standardised coefficients."""
        constant, slope, curvature = quadratic_form(self.parameters, len(self.centre))
        bend = standardised @ curvature
        return constant + np.sum((slope + bend / 2.0) * standardised, axis=1), slope + bend
