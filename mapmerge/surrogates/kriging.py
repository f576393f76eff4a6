"""A quadratic and a Gaussian process together, given measurements whose noise is known.

    target = features' parameters + process + noise,    parameters ~ N(0, 1 / ridge),    noise ~ N(0, variances)

Both are solved for at once: were the process fitted to what a finished quadratic leaves over, it would see too little,
since the quadratic has bent itself towards the process already; and the error of one would count as if there was no
other.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from mapmerge.records import Array
from mapmerge.surrogates.features import quadratic_features
from mapmerge.surrogates.matern import Hyperparameters, covariance
from mapmerge.surrogates.ridge import spread


@dataclass(frozen=True, slots=True, eq=False)
class Kriging:
    """What follows from where was measured, how precisely, and the hyperparameters, whatever the targets are.

    Made by `krige`.

    Args:
        points: shape [n, k], standardised coefficients.
        features: shape [n, p], of the quadratic.
        variances: shape [n], of the noise.
        hyper: what the process is like.
        factor: shape [n, n], lower Cholesky factor of the covariance of process and noise.
        solved: shape [n, p], that covariance's inverse times the features.
        inverse: shape [p, p], posterior covariance of the parameters.

    Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), section 2.7.
    """

    points: Array
    features: Array
    variances: Array
    hyper: Hyperparameters
    factor: Array
    solved: Array
    inverse: Array

    def fit(self, targets: Array) -> tuple[Array, Array]:
        """Return the parameters [p] of the quadratic and the weights [n] of the process for targets [n].

        The prediction at z is features(z)' parameters + covariance(z, points) weights.
        """
        parameters: Array = self.inverse @ (self.solved.T @ targets)
        weights: Array = cho_solve((self.factor, True), targets - self.features @ parameters)
        return parameters, weights

    def variance(self, at: Array) -> Array:
        """Return the posterior variance [l] of quadratic and process together, at points [l, k]."""
        between = covariance(at, self.points, self.hyper)
        known = solve_triangular(self.factor, between.T, lower=True, check_finite=False)
        unknown = quadratic_features(at) - between @ self.solved
        left: Array = self.hyper.signal - np.sum(known**2, axis=0) + spread(unknown, self.inverse)
        return np.maximum(left, 0.0)

    def leave_one_out(self, targets: Array) -> tuple[Array, Array]:
        """Return what is predicted at each point when its target is left out: means [n] and variances [n].

        Exact while ridge, variances and hyperparameters stay what they are: with Q the inverse of the whole covariance
        of the targets, mean_i = target_i - (Q target)_i / Q_ii and variance_i = 1 / Q_ii - noise_i.

        Source: the same, section 5.4.2.
        """
        whole = self._precision()
        own = np.maximum(np.diag(whole), 1e-12 / self.variances)
        return targets - (whole @ targets) / own, np.maximum(1.0 / own - self.variances, 0.0)

    def surprise(self, targets: Array) -> float:
        """Return the squared distance of targets [n] from what was expected of them: about n - 1 where all is right."""
        left = targets - self.features @ (self.inverse @ (self.solved.T @ targets))
        return float(targets @ cho_solve((self.factor, True), left))

    def log_evidence(self, targets: Array) -> float:
        """Return the log marginal likelihood of targets [n], but for what the hyperparameters do not change."""
        determinant = 2.0 * float(np.sum(np.log(np.diag(self.factor)))) - float(np.linalg.slogdet(self.inverse)[1])
        return -0.5 * (self.surprise(targets) + determinant)

    def _precision(self) -> Array:
        inverse: Array = cho_solve((self.factor, True), np.eye(len(self.points)))
        return inverse - self.solved @ self.inverse @ self.solved.T


def krige(points: Array, variances: Array, ridge: Array, hyper: Hyperparameters) -> Kriging:
    """Prepare to fit targets measured at points.

    Args:
        points: shape [n, k], standardised coefficients.
        variances: shape [n], of the noise of the targets, positive.
        ridge: shape [p], one over the prior variance of each parameter of the quadratic; 0: nothing is known of it.
        hyper: what the process is like.
    """
    features = quadratic_features(points)
    noisy = covariance(points, points, hyper) + np.diag(variances)
    factor: Array = cholesky(noisy, lower=True)
    solved: Array = cho_solve((factor, True), features)
    inverse: Array = cho_solve(cho_factor(features.T @ solved + np.diag(ridge)), np.eye(len(ridge)))
    return Kriging(points, features, variances, hyper, factor, solved, inverse)
