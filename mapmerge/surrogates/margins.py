"""The surrogate that looks at single items: by how much each is right, as a polynomial in the coefficients."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from mapmerge.errors import BadInputError
from mapmerge.records import Array, JsonObject, Metric
from mapmerge.surrogates.fitted import Fitted
from mapmerge.surrogates.fitting import condition_of, noise_of_items
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.polynomial import Basis, monomial_count
from mapmerge.surrogates.population import Population, learn_population
from mapmerge.threads import one_blas_thread

_ITEMS = 4096
"""Items that are looked at, evenly chosen, at most: more of them say little more, and memory is bounded."""

_POINTS = 2048
"""Places where what the items predict is read off."""

_BEYOND = 0.25
"""How far those places go beyond the measured candidates, as a share of the distance between two of them."""

_ASIDE = 0.2
"""How far they go aside, in standard deviations of the candidates: lines between few of them do not fill a space."""

_SMALLEST = 1e-4
"""Predicted shares are kept this far from 0 and 1, where the link is flat."""

_CUBIC_EACH, _CUBIC_MOST = 3, 64
"""Cubics are tried with so many candidates a parameter, and up to so many parameters: beyond, they take too long."""


_HIGHEST = 8
"""The highest degree that is read back: higher ones never were written."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MarginSurrogate(Fitted):
    """A polynomial of z = (coefficients - centre) / scale behind a link, read off a population of items' polynomials.

    Made by `fit_margins`.

    Args:
        degree: of the polynomial.
        size: shape [q], what each monomial is divided by.
        parameters: shape [q].
    """

    kind: ClassVar[str] = "margins"
    schema: ClassVar[str] = "mapmerge/margins/1"
    shapes: ClassVar[dict[str, str]] = Fitted.shapes | {"size": "q", "parameters": "q"}

    degree: int
    size: Array
    parameters: Array

    @classmethod
    def from_json(cls, plain: JsonObject) -> Self:
        """Rebuild a surrogate from what `to_json` returned, see `Fitted.from_json`."""
        found = super().from_json(plain)
        if not 1 <= found.degree <= _HIGHEST or len(found.size) != monomial_count(len(found.centre), found.degree):
            raise BadInputError(f"surrogate: {len(found.size)} parameters are no polynomial of degree {found.degree}")
        return found

    @one_blas_thread()
    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""
        return self.link.mean(self._basis(coefficients) @ self.parameters)

    @one_blas_thread()
    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""
        features = self._basis(coefficients)
        return self.link.derivative(features @ self.parameters)[:, None] * (features @ self._slopes)

    @one_blas_thread()
    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise.

        The standard deviation is the root of the misfit, everywhere the same.
        """
        eta: Array = self._basis(coefficients) @ self.parameters
        return eta, np.full(len(eta), np.sqrt(self.misfit))

    @cached_property
    def _basis(self) -> Basis:
        return Basis(self.centre, self.scale, self.degree, self.size)

    @cached_property
    def _slopes(self) -> Array:
        return self._basis.slopes(self.parameters)


@one_blas_thread()
def fit_margins(
    coefficients: Array,
    scores: Array,
    variances: Array,
    items: Array,
    metric: Metric,
    margins: NDArray[np.float32],
) -> MarginSurrogate:
    """Fit what each item's margin is as a polynomial in the coefficients, and from that the share of right items.

    A margin says by how much an item is right (above 0) or wrong; its sign is the outcome. It moves smoothly with the
    coefficients where outcomes jump, so a candidate tells far more by margins than by the share of right ones. Only
    signs count in the end: margins are compressed, arcsinh(margin / median size), so that items far from the border do
    not lead. Items are a population, so that those seen by few candidates are predicted too: see `population`. Their
    polynomials are quadratic, or cubic where there are enough candidates and cubics predict left-out scores better.

    The score is the mean over items of the chance to be above 0. It is read off at many places between and around the
    measured candidates and kept as a polynomial, one degree higher than the items', behind the metric's link.

    Args:
        coefficients: shape [n, k], n at least 2.
        scores: shape [n], mean outcome of each, in the metric's range.
        variances: shape [n], sampling variance of each score, at least 0.
        items: shape [n], how many items drawn at random stand behind each score, or would be as precise; positive.
        metric: what was measured.
        margins: shape [n, i], NaN where a candidate did not see an item.

    Raises:
        BadInputError: shapes do not fit, or no margin is known.

    Source: arXiv 2406.07529 for the expansion in the coefficients; that of single items' margins is ours.

    >>> rng, accuracy = np.random.default_rng(0), Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> c = rng.random((40, 1))
    >>> margins = (rng.standard_normal(300) - 0.5 + 2.0 * c).astype(np.float32)  # items drift over the border
    >>> right = (margins > 0.0).mean(axis=1)
    >>> margins[:, ::2][20:] = np.nan
    >>> fit = fit_margins(c, right, right * (1.0 - right) / 300, np.full(40, 300.0), accuracy, margins)
    >>> bool(abs(fit.predict(c) - right).max() < 0.03)
    True
    """
    if margins.ndim != 2 or margins.shape[0] != len(coefficients):
        raise BadInputError(f"expected margins of shape [{len(coefficients)}, i], came {list(margins.shape)}")
    values = _compressed(_bounded(margins))
    link = Link.of(metric)
    told = link, scores, items
    quadratic = learn_population(coefficients, values, 2)
    population, left_out = quadratic, link.clip(quadratic.left_out)
    cubes = monomial_count(coefficients.shape[1], 3)
    if cubes <= _CUBIC_MOST and len(coefficients) >= _CUBIC_EACH * cubes:
        cubic = learn_population(coefficients, values, 3)
        of_cubic = link.clip(cubic.left_out)
        if _lost(*told, of_cubic) < _lost(*told, left_out):
            population, left_out = cubic, of_cubic
    basis, parameters = _read_off(link, population, coefficients)
    return MarginSurrogate(
        link=link,
        centre=basis.centre,
        scale=basis.scale,
        degree=basis.degree,
        size=basis.size,
        parameters=parameters,
        misfit=_misfit(link, scores, variances, left_out),
        noise=noise_of_items(link, link.unit(link.clip(scores)), variances, items) / float(np.mean(items)),
        freedom=float(max(len(scores) - 1, 1)),
        measured=scores,
        items=items,
        left_out=left_out,
        condition=condition_of(quadratic.basis(coefficients)),
    )


def _bounded(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the margins of as many items as are looked at."""
    margins = margins[:, ~np.isnan(margins).all(axis=0)]  # items that nobody saw are taken to be like the others
    if margins.shape[1] > _ITEMS:
        margins = margins[:, np.linspace(0, margins.shape[1] - 1, _ITEMS).astype(np.int64)]
    if not margins.shape[1]:
        raise BadInputError("expected margins of at least one item")
    return margins


def _compressed(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    sizes = np.abs(margins[~np.isnan(margins)])
    typical = np.median(sizes)
    compressed: NDArray[np.float32] = np.arcsinh(margins / (typical if typical > 0.0 else np.float32(1.0)))
    return compressed


def _lost(link: Link, scores: Array, items: Array, predicted: Array) -> float:
    """Return the deviance of left-out predictions."""
    eta = link.linearise(predicted, items)
    return float(np.sum(items * link.deviance(eta, link.unit(link.clip(scores)))))


def _read_off(link: Link, population: Population, coefficients: Array) -> tuple[Basis, Array]:
    """Return the polynomial, one degree higher than the items', that goes through what a population predicts."""
    places = _places(coefficients)
    shares = np.clip(link.unit(link.clip(population.share(places))), _SMALLEST, 1.0 - _SMALLEST)
    weights = np.sqrt(link.variance(shares))  # errors of a score, not of its eta, are to be small
    basis = Basis.of(coefficients, population.basis.degree + 1)
    eta = link.linearise(link.lower + link.span * shares, np.full(len(shares), 1e9))
    design = basis(places) * weights[:, None]
    gram = design.T @ design
    gram += 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    parameters: Array = solve(gram, design.T @ (weights * eta), assume_a="pos")
    return basis, parameters


def _places(coefficients: Array) -> Array:
    """Return points near lines through two measured candidates each, between and a little beyond them: [2048, k].

    They lie where candidates do, so mostly around the front once a search has got there. They are always the same: a
    low-discrepancy sequence of pairs and of places on the line, and steps aside from a generator of their own.
    """
    steps = np.arange(1, _POINTS + 1)[:, None] * np.array([0.8191725134, 0.6710436067, 0.5497004779])
    one, other, along = (steps % 1.0).T
    n = len(coefficients)
    start, end = coefficients[(one * n).astype(np.int64)], coefficients[(other * n).astype(np.int64)]
    share = along * (1.0 + 2.0 * _BEYOND) - _BEYOND
    least, most = coefficients.min(axis=0), coefficients.max(axis=0)
    aside = _ASIDE * coefficients.std(axis=0) * np.random.default_rng(0).standard_normal((_POINTS, len(least)))
    places: Array = np.clip(start + share[:, None] * (end - start) + aside, least, most + _BEYOND * (most - least))
    return places


def _misfit(link: Link, scores: Array, variances: Array, left_out: Array) -> float:
    """Return the variance of left-out predictions on the eta scale, beyond the noise of the scores.

    What is left of the errors without their noise is itself uncertain: it counts as at least a tenth of them.
    """
    squares = float(np.mean((scores - left_out) ** 2))
    beyond: float = max(squares - float(np.mean(variances)), 0.1 * squares)
    inner = np.clip(link.unit(left_out), _SMALLEST, 1.0 - _SMALLEST)
    return beyond / link.span**2 / float(np.mean(link.variance(inner) ** 2))
