"""Evenly spread directions: the rays along which a front is searched."""

import numpy as np
from scipy.special import ndtri

from mapmerge.records import Array


def directions(count: int, objectives: int) -> Array:
    """Return unit vectors that fill the positive orthant evenly; always the same ones.

    Half-normal quantiles, scaled to length one, carry the points of `kronecker` to the sphere.

    Args:
        count: how many, n.
        objectives: m.

    Returns:
        Shape [n, m], positive entries, rows of length 1.

    >>> directions(1, 2).round(3).tolist()
    [[0.966, 0.26]]
    >>> bool(np.allclose(np.linalg.norm(directions(100, 5), axis=1), 1.0))
    True
    """
    cube = kronecker(count, objectives)
    rays = ndtri(0.5 + 0.5 * np.clip(cube, 1e-9, 1.0 - 1e-9))
    unit: Array = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit


def kronecker(count: int, dimensions: int) -> Array:
    """Return points that fill the unit cube evenly; always the same ones, and the first of more are those of fewer.

    A Kronecker sequence on the generalised golden ratio phi, the root of phi^(d+1) = phi + 1.

    Args:
        count: how many, n.
        dimensions: d, at least 1.

    Returns:
        Shape [n, d], entries from 0 to below 1.

    Source: Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018.

    >>> kronecker(3, 1).round(3).ravel().tolist()
    [0.118, 0.736, 0.354]
    """
    phi = 2.0
    for _ in range(64):  # each step at least halves the error
        phi = (1.0 + phi) ** (1.0 / (dimensions + 1))
    steps = phi ** -np.arange(1.0, dimensions + 1.0)
    points: Array = (0.5 + np.arange(1.0, count + 1.0)[:, None] * steps) % 1.0
    return points
