"""The quadratic surrogate: score = link(quadratic in the coefficients)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mapmerge.records import Array
from mapmerge.surrogates.features import quadratic_features, quadratic_form, standardise
from mapmerge.surrogates.fitted import Fitted
from mapmerge.surrogates.ridge import spread


@dataclass(frozen=True, eq=False, kw_only=True)
class QuadraticSurrogate(Fitted):
    """A quadratic of z = (coefficients - centre) / scale behind a link, with what is known about its errors.

    Made by `fit_quadratic`.

    Args:
        parameters: shape [p], in the order of `quadratic_features`.
        covariance: shape [p, p], posterior covariance of the parameters.
        ridge: strength that was chosen.
    """

    kind: ClassVar[str] = "quadratic"
    schema: ClassVar[str] = "mapmerge/quadratic/2"
    shapes: ClassVar[dict[str, str]] = Fitted.shapes | {"parameters": "p", "covariance": "pp"}

    parameters: Array
    covariance: Array
    ridge: float

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

    def _quadratic(self, standardised: Array) -> tuple[Array, Array]:
        """Return the quadratic [n] and its gradient [n, k], both in standardised coefficients."""
        constant, slope, curvature = quadratic_form(self.parameters, len(self.centre))
        bend = standardised @ curvature
        return constant + np.sum((slope + bend / 2.0) * standardised, axis=1), slope + bend
