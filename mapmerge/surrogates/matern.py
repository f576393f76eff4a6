"""The Matern 5/2 covariance: functions that are smooth, but not as stiff as a quadratic."""

import math
from dataclasses import dataclass

import numpy as np

from mapmerge.records import Array


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What a Gaussian process is like.

    Args:
        signal: its variance, at least 0; at 0 it is nothing.
        length: how far one has to go until it is another, in units of sqrt(k) standard deviations of the measured
            coefficients: about the distance between two of them, whatever k.
    """

    signal: float
    length: float


def covariance(first: Array, second: Array, hyper: Hyperparameters) -> Array:
    """Return the covariance of the process between points: signal (1 + s + s^2 / 3) exp(-s), s = sqrt(5) distance.

    Args:
        first: shape [n, k].
        second: shape [l, k].
        hyper: what the process is like; distances are in units of its length.

    Returns:
        Shape [n, l].

    >>> covariance(np.array([[0.0]]), np.array([[0.0], [1.0]]), Hyperparameters(2.0, 1.0)).round(4)
    array([[2.   , 1.048]])
    """
    if hyper.signal == 0.0:
        return np.zeros((len(first), len(second)))
    s = _scaled_distances(first, second, hyper)
    values: Array = hyper.signal * (1.0 + s + s**2 / 3.0) * np.exp(-s)
    return values


def gradient(at: Array, points: Array, weights: Array, hyper: Hyperparameters) -> Array:
    """Return d (covariance(at, points) @ weights) / d at.

    Args:
        at: shape [n, k].
        points: shape [l, k].
        weights: shape [l].
        hyper: what the process is like.

    Returns:
        Shape [n, k].
    """
    if hyper.signal == 0.0:
        return np.zeros_like(at)
    s = _scaled_distances(at, points, hyper)
    steep = hyper.signal * 5.0 / (3.0 * hyper.length**2 * at.shape[1]) * (1.0 + s) * np.exp(-s) * weights
    slope: Array = steep @ points - np.sum(steep, axis=1)[:, None] * at
    return slope


def _scaled_distances(first: Array, second: Array, hyper: Hyperparameters) -> Array:
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1) - 2.0 * (first @ second.T)
    distances: Array = np.sqrt(np.maximum(squares, 0.0))
    return distances * (math.sqrt(5.0 / first.shape[1]) / hyper.length)
