"""One point for each preference: batched augmented-Chebyshev search, which also reaches concave parts of a front."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.fronts.ascent import climb
from mapmerge.fronts.directions import directions
from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array

_AUGMENTATION = 1e-3  # weight of the plain sum: prefers, among equal minima, the point that is better elsewhere
_RAYS = 1024
_STEPS = 60  # more of them move the found points by less than the surrogates are wrong by


@dataclass(frozen=True, slots=True, eq=False)
class Chebyshev:
    """Goal: min_j w_j (z_j - u_j) + rho sum_j (z_j - u_j), over the objectives with positive weight.

    Unlike a weighted sum its optimum can be any point of the front, concave parts included; rho > 0 keeps weakly
    dominated points out.

    Args:
        weights: w >= 0, shape [m] or [n, m] (a row for each start), at least one positive in each row.
        anchor: u, the point to fall short of as little as possible, shape [m].

    Source: Steuer and Choo, Mathematical Programming 26, 1983.

    >>> goal = Chebyshev(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> goal.value(np.array([[0.5, 0.8]])).round(4)
    array([-0.5007])
    """

    weights: Array
    anchor: Array

    def value(self, gains: Array) -> Array:
        """Return the goal, exactly: [n, m] -> [n]."""
        above = gains - self.anchor
        weighted = np.where(self.weights > 0, self.weights * above, np.inf)
        return np.asarray(weighted.min(axis=1) + _AUGMENTATION * above.sum(axis=1))

    def slope(self, gains: Array, temperature: float) -> Array:
        """Return the goal's derivative by each gain, smoothed at a temperature: [n, m] -> [n, m]."""
        weighted = np.where(self.weights > 0, self.weights * (gains - self.anchor), np.inf)
        share = np.exp((weighted.min(axis=1, keepdims=True) - weighted) / temperature)
        return np.asarray(self.weights * share / share.sum(axis=1, keepdims=True) + _AUGMENTATION)


def chebyshev_search(landscape: Landscape, pool: Array, gains: Array) -> tuple[Array, Array]:
    """Search one point of the front for each of many evenly spread preferences, all at once.

    Half of the rays start at the reference and climb away from it: what they reach is what the hypervolume counts.
    The other half fall short of the ideal by as little as possible, which also finds what lies below the reference in
    some objective. Each ray starts at the point of the pool that is best for it.

    Args:
        landscape: with normalised gains (0 at the reference, 1 at the ideal).
        pool: points to start from, shape [s, k].
        gains: their normalised gains, shape [s, m].

    Returns:
        Coefficients [1024, k] and normalised gains [1024, m]; they may dominate each other.

    Source: Steuer and Choo 1983; Deng and Zhang, IEEE TEVC 23(5), 2019, for rays from the reference.
    """
    m = gains.shape[1]
    weights = 1.0 / np.maximum(directions(_RAYS, m), 1e-3)  # all terms tie along the ray: anchor + t * direction
    reference, ideal = np.zeros(m), np.maximum(gains.max(axis=0), 1.0)
    found = []
    for anchor, own in ((reference, weights[::2]), (ideal, weights[1::2])):
        starts = pool[_best_for_each(Chebyshev(own, anchor), gains)]
        found.append(climb(landscape, starts, Chebyshev(own, anchor), steps=_STEPS))
    return np.vstack([points for points, _ in found]), np.vstack([reached for _, reached in found])


def _best_for_each(goal: Chebyshev, gains: Array) -> NDArray[np.intp]:
    # One objective at a time, so that no [rays, pool, m] table is ever held.
    worst = np.full((len(goal.weights), len(gains)), np.inf)
    for weight, above in zip(goal.weights.T, (gains - goal.anchor).T, strict=True):
        np.minimum(worst, weight[:, None] * above, out=worst)
    best: NDArray[np.intp] = worst.argmax(axis=1)
    return best
