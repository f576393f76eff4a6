"""Can a design tell all parameters of a quadratic apart? Known before anything is measured."""

import math
from dataclasses import dataclass

import numpy as np

from mapmerge.errors import ConfigError
from mapmerge.records import Array

_SMALLEST = 1e-12
"""Smallest eigenvalue, against the largest, that counts: a condition number of one million."""


@dataclass(frozen=True, slots=True)
class RankReport:
    """How much of a quadratic a design identifies.

    Args:
        rank: how many independent combinations of parameters the design determines.
        parameters: how many there are, (k+1)(k+2)/2.
        condition: largest over smallest singular value of the design; infinite where the rank is too small.
    """

    rank: int
    parameters: int
    condition: float

    @property
    def identifiable(self) -> bool:
        """Whether every parameter is determined."""
        return self.rank == self.parameters


def check_rank(coefficients: Array) -> RankReport:
    """Return how many parameters of a quadratic in the coefficients the design determines.

    The inner products of all monomials up to degree two are (1 + z.z')^2, z the standardised coefficients, so the
    rank is that of this n x n matrix, and standardising does not change it.

    Args:
        coefficients: shape [n, k].

    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> check_rank(corners)  # squares equal the coefficients themselves
    RankReport(rank=4, parameters=6, condition=inf)
    """
    k = coefficients.shape[1]
    parameters = (k + 1) * (k + 2) // 2
    centred = coefficients - coefficients.mean(axis=0)
    scale = centred.std(axis=0)
    standardised = centred / np.where(scale > 1e-12 * (1.0 + np.abs(coefficients).max(axis=0)), scale, np.inf)
    eigenvalues = np.linalg.eigvalsh((1.0 + standardised @ standardised.T) ** 2)[::-1]
    rank = int(np.sum(eigenvalues > _SMALLEST * eigenvalues[0]))
    if rank < parameters:
        return RankReport(rank, parameters, math.inf)
    return RankReport(parameters, parameters, math.sqrt(eigenvalues[0] / eigenvalues[parameters - 1]))


def require_identifiable(coefficients: Array) -> None:
    """Refuse a design that leaves parameters of the quadratic undetermined.

    Args:
        coefficients: shape [n, k].

    Raises:
        ConfigError: the rank is smaller than the number of parameters.
    """
    report = check_rank(coefficients)
    if not report.identifiable:
        n = len(coefficients)
        cure = (
            f"measure at least {report.parameters} candidates"
            if n < report.parameters
            else "take another kind of design, such as dirichlet-mass, or more candidates"
        )
        raise ConfigError(
            f"design: {n} candidates determine {report.rank} of {report.parameters} parameters of the quadratic; {cure}"
        )
