"""The quadratic surrogate: score = link(quadratic in the coefficients)."""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from scipy.stats import t as student

from mapmerge.errors import BadInputError
from mapmerge.records import Array, JsonObject
from mapmerge.surrogates.features import quadratic_features, quadratic_form
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.ridge import spread

_SCHEMA = "mapmerge/quadratic/1"


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
    left_out: Array
    condition: float

    @property
    def loo_rmse(self) -> float:
        """Leave-one-out root mean squared error, in the metric's unit."""
        return float(np.sqrt(np.mean((self.measured - self.left_out) ** 2)))

    @property
    def r2_cv(self) -> float | None:
        """Leave-one-out R squared on the metric's scale; None where all measured scores are the same.

        1 - sum (measured - left out)^2 / sum (measured - mean)^2: at most 1, 0 for a surrogate no better than the mean.
        """
        total = float(np.sum((self.measured - np.mean(self.measured)) ** 2))
        if total <= np.finfo(float).eps * float(np.sum(self.measured**2)):
            return None
        return 1.0 - float(np.sum((self.measured - self.left_out) ** 2)) / total

    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""
        return self.link.mean(self._eta(self._standardised(coefficients))[0])

    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""
        eta, slope = self._eta(self._standardised(coefficients))
        return self.link.derivative(eta)[:, None] * slope / self.scale

    def interval(self, coefficients: Array, level: float = 0.9) -> tuple[Array, Array]:
        """Return intervals in which fresh measurements of candidates fall, on as many items as were used.

        On the eta scale prediction -+ t * sqrt(x' covariance x + misfit), through the link; then the noise of one
        measurement is added in quadrature and the ends are kept in the metric's range. That noise is in it because
        the fit cannot tell it apart from an error that all candidates share, such as one and the same item set
        behind every score: with independent items the interval is wide for the expected score and right for a
        measurement, with shared items it is right for the expected score.

        Args:
            coefficients: shape [n, k].
            level: wanted coverage, between 0 and 1.

        Returns:
            Lower and upper ends, each of shape [n].

        Raises:
            BadInputError: the level is not between 0 and 1, or the shape is wrong.
        """
        if not 0.0 < level < 1.0:
            raise BadInputError(f"expected a level between 0 and 1, got {level}")
        standardised = self._standardised(coefficients)
        t = float(student.ppf(0.5 + level / 2.0, self.freedom))
        spread_of_eta = spread(quadratic_features(standardised), self.covariance) + self.misfit
        reach = t * np.sqrt(np.maximum(spread_of_eta, 0.0))
        eta, _ = self._eta(standardised)
        mean = self.link.mean(eta)
        noise = (t * self.link.span) ** 2 * self.noise * self.link.variance(self.link.unit_mean(eta))
        below, above = mean - self.link.mean(eta - reach), self.link.mean(eta + reach) - mean
        return (
            self.link.clip(mean - np.sqrt(below**2 + noise)),
            self.link.clip(mean + np.sqrt(above**2 + noise)),
        )

    def to_json(self) -> JsonObject:
        """Return everything needed to rebuild the surrogate, bit for bit; an infinite condition becomes null."""
        plain: dict[str, Any] = {"schema": _SCHEMA, "kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            plain[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
        plain["link"] = {"kind": self.link.kind, "lower": self.link.lower, "span": self.link.span}
        plain["condition"] = self.condition if math.isfinite(self.condition) else None
        return plain

    @classmethod
    def from_json(cls, plain: JsonObject) -> "QuadraticSurrogate":
        """Rebuild a surrogate from what `to_json` returned.

        Raises:
            BadInputError: the object is of another schema, or a part is missing.
        """
        if plain.get("schema") != _SCHEMA:
            raise BadInputError(f"expected a surrogate of schema {_SCHEMA!r}, got {plain.get('schema')!r}")
        missing = [field.name for field in fields(cls) if field.name not in plain]
        if missing:
            raise BadInputError(f"surrogate lacks {', '.join(missing)}")
        parts = {field.name: plain[field.name] for field in fields(cls)}
        for name in ("centre", "scale", "parameters", "covariance", "measured", "left_out"):
            parts[name] = np.array(parts[name], dtype=np.float64)
        parts["link"] = Link(**parts["link"])
        parts["condition"] = math.inf if parts["condition"] is None else parts["condition"]
        return cls(**parts)

    def _standardised(self, coefficients: Array) -> Array:
        if coefficients.ndim != 2 or coefficients.shape[1] != len(self.centre):
            raise BadInputError(
                f"expected coefficients of shape [n, {len(self.centre)}], got {list(coefficients.shape)}"
            )
        return (coefficients - self.centre) / self.scale

    def _eta(self, standardised: Array) -> tuple[Array, Array]:
        """Return the quadratic [n] and its gradient [n, k], both in standardised coefficients."""
        constant, slope, curvature = quadratic_form(self.parameters, len(self.centre))
        bend = standardised @ curvature
        return constant + np.sum((slope + bend / 2.0) * standardised, axis=1), slope + bend
