"""The volume of a union of boxes that share a corner, in any number of dimensions."""

import numpy as np

from mapmerge.records import Array

_TOGETHER = 1024
"""Points that are looked at together, so that memory stays small."""


def union_volume(boxes: Array, draws: int) -> float:
    """Estimate the volume that boxes from the origin cover together.

    A box is drawn by its volume and a point in it evenly; how many boxes hold the point says how often its volume was
    counted. The estimate is unbiased, and its relative error about 1 / sqrt(draws) or less, however many dimensions
    there are. The draws are always the same: equal input gives equal output.

    Args:
        boxes: shape [n, m], the far corners, n at least 1 and all of them positive.
        draws: how many points.

    Source: Karp, Luby and Madras, Monte-Carlo approximation algorithms for enumeration problems, J. Algorithms 10,
    1989.

    >>> round(union_volume(np.array([[2.0, 1.0], [1.0, 2.0]]), 20000), 1)
    3.0
    """
    volumes = boxes.prod(axis=1)
    whole = float(volumes.sum())
    if len(boxes) == 1 or whole == 0.0:
        return whole
    rng = np.random.default_rng(0)
    of_box = np.searchsorted(np.cumsum(volumes) / whole, rng.random(draws), side="right").clip(max=len(boxes) - 1)
    shares = 0.0
    for some in np.split(of_box, range(_TOGETHER, draws, _TOGETHER)):
        points = boxes[some] * rng.random((len(some), boxes.shape[1]))
        shares += float(np.sum(1.0 / (points[:, None] <= boxes).all(axis=2).sum(axis=1)))
    return whole * shares / draws
