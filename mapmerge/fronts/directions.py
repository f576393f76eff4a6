"""Evenly spread directions: the rays along which a front is searched."""

import numpy as np
from scipy.special import ndtri

from mapmerge.records import Array


def directions(count: int, objectives: int) -> Array:
    """Return unit vectors that fill the positive orthant evenly; always the same ones.

    A Kronecker sequence on the generalised golden ratio phi (the root of phi^(m+1) = phi + 1) fills the unit cube;
    half-normal quantiles, scaled to length one, carry it to the sphere.

    Args:
        count: how many, n.
        objectives: m.

    Returns:
        Shape [n, m], positive entries, rows of length 1.

    Source: Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018, for the sequence.

    >>> directions(1, 2).round(3).tolist()
    [[0.966, 0.26]]
    >>> bool(np.allclose(np.linalg.norm(directions(100, 5), axis=1), 1.0))
    True
    """
    phi = 2.0
    for _ in range(64):  # each step at least halves the error
        phi = (1.0 + phi) ** (1.0 / (objectives + 1))
    steps = phi ** -np.arange(1.0, objectives + 1.0)
    cube = (0.5 + np.arange(1.0, count + 1.0)[:, None] * steps) % 1.0
    rays = ndtri(0.5 + 0.5 * np.clip(cube, 1e-9, 1.0 - 1e-9))
    unit: Array = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit
