"""The volume of a union of boxes that share a corner, in any number of dimensions."""

import numpy as np

from mapmerge.records import Array

_TOGETHER = 1024
"""Points that are looked at together, so that memory stays small."""


def union_volumes(boxes: Array, draws: int) -> Array:
    """Estimate the volumes that the first box, the first two and so on up to all of them cover together.

    Points are drawn evenly from each box, in proportion to its volume; how many boxes hold a point says how often its
    volume was counted. The estimates are unbiased, and the relative error of the last is about 1 / sqrt(draws) or less,
    however many dimensions there are. The draws are always the same: equal input gives equal output.

    Args:
        boxes: shape [n, m], the far corners, n at least 1 and none of them negative.
        draws: about how many points, of which every box has one at least.

    Returns:
        Shape [n]; the last is the volume of them all.

    Source: Karp, Luby and Madras, Monte-Carlo approximation algorithms for enumeration problems, J. Algorithms 10,
    1989.

    >>> union_volumes(np.array([[2.0, 1.0], [1.0, 2.0]]), 20000).round(1)
    array([2., 3.])
    """
    volumes = boxes.prod(axis=1)
    whole = float(volumes.sum())
    if len(boxes) == 1 or whole == 0.0:
        return np.cumsum(volumes)
    counts = np.maximum(1, np.rint(draws * volumes / whole)).astype(np.intp)
    of_point, shares = np.repeat(np.arange(len(boxes)), counts), volumes / counts
    rng = np.random.default_rng(0)
    covered = np.zeros(len(boxes))
    for some in np.split(of_point, range(_TOGETHER, len(of_point), _TOGETHER)):
        points = boxes[some] * rng.random((len(some), boxes.shape[1]))
        holding = np.cumsum((points[:, None] <= boxes).all(axis=2), axis=1, dtype=np.float64)
        holding[np.arange(len(boxes)) < some[:, None]] = np.inf  # the box of the point is not among the first yet
        covered += (shares[some, None] / holding).sum(axis=0)
    return covered
