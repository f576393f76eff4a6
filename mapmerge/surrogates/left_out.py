"""How well scores were predicted that had been left out of the fit."""

import numpy as np

from mapmerge.records import Array


def rmse(measured: Array, left_out: Array) -> float:
    """Return the root mean squared error of left-out predictions [n], in the metric's unit.

    >>> round(rmse(np.array([1.0, 3.0]), np.array([1.0, 1.0])), 4)
    1.4142
    """
    return float(np.sqrt(np.mean((measured - left_out) ** 2)))


def r2(measured: Array, left_out: Array) -> float | None:
    """Return R squared of left-out predictions [n]; None where all measured scores are the same.

    1 - sum (measured - left out)^2 / sum (measured - mean)^2: at most 1, 0 for a surrogate no better than the mean.

    >>> r2(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 0.5]))
    0.5
    """
    total = float(np.sum((measured - np.mean(measured)) ** 2))
    if total <= np.finfo(float).eps * float(np.sum(measured**2)):
        return None
    return 1.0 - float(np.sum((measured - left_out) ** 2)) / total
