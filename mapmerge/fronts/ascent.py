"""Climb a landscape from many starts at once: projected Adam on any goal over normalised gains."""

from typing import Protocol

import numpy as np

from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array

_RATE = 0.05  # the first step, as a fraction of the region's width along each axis
_DECAY = (0.8, 0.95)  # of the running mean and square: short memories, for climbs of about a hundred steps
_SHARPNESS = (0.1, 1e-3)  # first and last temperature of the goal's smooth minimum, normalised units


class Goal(Protocol):
    """What to climb; one row of gains for each start."""

    def value(self, gains: Array) -> Array:
        """Return the goal, exactly: [n, m] -> [n]."""
        ...

    def slope(self, gains: Array, temperature: float) -> Array:
        """Return the goal's derivative by each gain, smoothed at a temperature: [n, m] -> [n, m]."""
        ...


def climb(landscape: Landscape, starts: Array, goal: Goal, *, steps: int) -> tuple[Array, Array]:
    """Climb from every start and return the best point that each one has seen.

    Projected Adam: the step is the same for every coefficient in units of the region's width, falls to nothing along
    a cosine, and each new point is put back into the region. Minima inside the goal are smooth at first and sharp at
    last.

    Args:
        landscape: with gains in the units of the goal.
        starts: shape [n, k], inside the region.
        goal: what to climb; row n of the gains belongs to start n.
        steps: how many.

    Returns:
        Coefficients [n, k], never worse than the starts, and their gains [n, m].

    Source: Kingma and Ba, "Adam", ICLR 2015, Algorithm 1.
    """
    corners = landscape.corners()
    width = corners.max(axis=0) - corners.min(axis=0)
    points, gains = starts, landscape.predict(starts)
    best_points, best_gains, best = points, gains, goal.value(gains)
    mean, square = np.zeros_like(points), np.zeros_like(points)
    for step in range(1, steps + 1):
        progress = step / steps
        temperature = _SHARPNESS[0] * (_SHARPNESS[1] / _SHARPNESS[0]) ** progress
        uphill = np.einsum("nm,nmk->nk", goal.slope(gains, temperature), landscape.gradient(points)) * width
        mean = _DECAY[0] * mean + (1.0 - _DECAY[0]) * uphill
        square = _DECAY[1] * square + (1.0 - _DECAY[1]) * uphill**2
        unbiased = mean / (1.0 - _DECAY[0] ** step)
        scale = np.sqrt(square / (1.0 - _DECAY[1] ** step)) + 1e-12
        pace = _RATE * 0.5 * (1.0 + np.cos(np.pi * progress))
        points = landscape.project(points + pace * width * unbiased / scale)
        gains = landscape.predict(points)
        value = goal.value(gains)
        better = value > best
        best = np.where(better, value, best)
        best_points = np.where(better[:, None], points, best_points)
        best_gains = np.where(better[:, None], gains, best_gains)
    return best_points, best_gains
