"""The Gaussian process surrogate: score = link(quadratic in the coefficients + what a quadratic cannot follow)."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from mapmerge.records import Array, Metric
from mapmerge.surrogates.features import quadratic_form, standardise
from mapmerge.surrogates.fitted import Fitted
from mapmerge.surrogates.fitting import solve_quadratic
from mapmerge.surrogates.kriging import Kriging, krige
from mapmerge.surrogates.linearised import Linear, linearise
from mapmerge.surrogates.matern import Hyperparameters, covariance, gradient
from mapmerge.threads import one_blas_thread

_NOTHING = 1e-20
"""A quadratic that leaves less than this over, relative to what it explains, has met the scores to the last bits."""

_EVIDENCE = 0.1
"""A process is kept if it makes the scores more likely by this much, in log units; otherwise it is nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GaussianProcessSurrogate(Fitted):
    """A quadratic and a Gaussian process of z = (coefficients - centre) / scale, behind a link.

    Made by `fit_gaussian_process`.

    Args:
        points: shape [n, k], where was measured: z.
        variances: shape [n], variance on the eta scale of what was measured there.
        ridge: shape [p], one over the prior variance of each parameter of the quadratic.
        hyperparameters: what the process is like.
        parameters: shape [p], in the order of `quadratic_features`.
        weights: shape [n], of the covariances with the points in the process.
        stretch: how many times larger errors have been than the model expects, squared; at least 1.
    """

    kind: ClassVar[str] = "gaussian-process"
    schema: ClassVar[str] = "mapmerge/gaussian-process/1"
    shapes: ClassVar[dict[str, str]] = Fitted.shapes | {
        "points": "nk",
        "variances": "n",
        "ridge": "p",
        "parameters": "p",
        "weights": "n",
    }

    points: Array
    variances: Array
    ridge: Array
    hyperparameters: Hyperparameters
    parameters: Array
    weights: Array
    stretch: float

    @one_blas_thread()
    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""
        return self.link.mean(self._mean(standardise(coefficients, self.centre, self.scale)))

    @one_blas_thread()
    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""
        z = standardise(coefficients, self.centre, self.scale)
        _, slope, curvature = quadratic_form(self.parameters, len(self.centre))
        steep = slope + z @ curvature + gradient(z, self.points, self.weights, self.hyperparameters)
        return self.link.derivative(self._mean(z))[:, None] * steep / self.scale

    @one_blas_thread()
    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise.

        The variance is stretch * posterior variance of quadratic and process together + misfit.
        """
        z = standardise(coefficients, self.centre, self.scale)
        return self._mean(z), np.sqrt(self.stretch * self._kriging.variance(z) + self.misfit)

    @cached_property
    def _kriging(self) -> Kriging:
        """What only standard deviations need: n^2 numbers that follow from n, and so are not stored."""
        return krige(self.points, self.variances, self.ridge, self.hyperparameters)

    def _mean(self, z: Array) -> Array:
        constant, slope, curvature = quadratic_form(self.parameters, len(self.centre))
        quadratic = constant + np.sum((slope + z @ curvature / 2.0) * z, axis=1)
        eta: Array = quadratic + covariance(z, self.points, self.hyperparameters) @ self.weights
        return eta


@one_blas_thread()
def fit_gaussian_process(
    coefficients: Array,
    scores: Array,
    variances: Array,
    items: Array,
    metric: Metric,
    *,
    start: Hyperparameters | None = None,
) -> GaussianProcessSurrogate:
    """Fit score = link(quadratic + Gaussian process in the coefficients) to measured candidates.

    Begins with `fit_quadratic` and linearises the link near it, so that scores become measurements of eta with known
    noise: see `linearised`. From these, quadratic and process are fitted together: see `kriging`. The ridge is the
    quadratic's own. The process has a Matern 5/2 covariance with one length for all standardised coefficients; its
    hyperparameters are those that make the measurements most likely: see `evidence`. Where nothing but noise is left
    over the process is nothing, and predictions are the quadratic's.

    Where left-out scores are further off than all this expects, standard deviations grow accordingly: `stretch` is the
    mean squared leave-one-out error in units of the expected one, and what it exceeds 1 by is also a `misfit`.

    Args:
        coefficients: shape [n, k], n at least 2.
        scores: shape [n], mean over items, in the metric's range.
        variances: shape [n], sampling variance of each score, at least 0; all zero where the scorer tells none.
        items: shape [n], how many items drawn at random stand behind each score, or would be as precise; positive.
        metric: what was measured.
        start: where the search for the hyperparameters begins, such as those of an earlier fit to fewer points.

    Raises:
        BadInputError: shapes do not fit, a number is not finite, or a score lies outside the metric's range.

    >>> c = np.linspace(0.0, 1.0, 20)[:, None]
    >>> wave, accuracy = 0.5 + 0.3 * np.sin(9.0 * c[:, 0]), Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> fit = fit_gaussian_process(c, wave, np.full(20, 1e-6), np.full(20, 250_000), accuracy)
    >>> bool(abs(fit.predict(c) - wave).max() < 0.01)  # a quadratic is off by up to 0.25
    True
    """
    solved = solve_quadratic(coefficients, scores, variances, items, metric)
    quadratic, link = solved.surrogate, solved.problem.link
    points = standardise(np.array(coefficients, dtype=np.float64), quadratic.centre, quadratic.scale)
    given = linearise(solved, quadratic.misfit)
    hyper = _hyperparameters(points, given, start)
    if hyper.signal == 0.0:
        given = linearise(solved, 0.0)
    kriging = krige(points, given.variances, given.ridge, hyper)
    parameters, weights = kriging.fit(given.targets)
    left_out, uncertain = kriging.leave_one_out(given.targets)
    larger = float(np.mean((given.targets - left_out) ** 2 / (uncertain + given.variances)))
    return GaussianProcessSurrogate(
        link=link,
        centre=quadratic.centre,
        scale=quadratic.scale,
        points=points,
        variances=given.variances,
        ridge=given.ridge,
        hyperparameters=hyper,
        parameters=parameters,
        weights=weights,
        stretch=max(1.0, larger, kriging.surprise(given.targets) / (len(points) - 1)),
        misfit=max(0.0, larger - 1.0) / float(np.mean(1.0 / given.variances)),
        noise=quadratic.noise,
        freedom=quadratic.freedom,
        measured=quadratic.measured,
        items=quadratic.items,
        left_out=link.mean(left_out) if hyper.signal > 0.0 else quadratic.left_out,
        condition=quadratic.condition,
    )


def _hyperparameters(points: Array, given: Linear, start: Hyperparameters | None) -> Hyperparameters:
    """Return what the process is most likely like; its signal is 0 where the scores do not ask for a process."""
    unit = float(np.average((given.targets - given.fitted) ** 2, weights=1.0 / given.variances))
    begin = Hyperparameters(unit, 2.0) if start is None else start
    nothing = Hyperparameters(0.0, begin.length)
    if unit <= _NOTHING * float(np.mean(given.targets**2)):
        return nothing
    from mapmerge.surrogates.evidence import most_likely  # here, because it loads BoTorch

    found = most_likely(points, given, unit=unit, start=begin)
    evidence, without = (
        krige(points, given.variances, given.ridge, hyper).log_evidence(given.targets) for hyper in (found, nothing)
    )
    return found if evidence > without + _EVIDENCE else nothing
