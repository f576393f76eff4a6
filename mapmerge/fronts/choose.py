"""A few points that say most about a front: greedy choice by hypervolume."""

import moocore
import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import BadInputError
from mapmerge.fronts.dominance import as_gains, nondominated
from mapmerge.fronts.indicators import MANY, Normalisation
from mapmerge.fronts.union import union_volumes
from mapmerge.records import Array

_LARGEST = 16  # overlaps that count from seven objectives on, where a volume of many boxes is slow
_DRAWS = 2**12  # for the volume of overlaps in so many objectives that an exact one is slow


def choose(gains: Array, count: int, normalisation: Normalisation, *, taken: Array | None = None) -> NDArray[np.intp]:
    """Choose points one by one, each the one that adds most hypervolume to those before it.

    The volume that a point alone adds is exact up to six objectives; from seven on only its sixteen largest overlaps
    with points before it are taken off, and beyond ten objectives all of them are, by estimate. Equal input gives equal
    output, and ties go to the first point. Hypervolume is submodular, so that the greedy choice keeps at least 1 - 1/e
    of what the best choice of equal size could.

    Args:
        gains: shape [n, m].
        count: the most points to choose.
        normalisation: the hypervolume is measured above its reference.
        taken: gains of points that one has already, shape [t, m]: only what is new to them counts.

    Returns:
        Indices of the chosen points in the order of choice; fewer than `count` where no other point adds anything,
        being dominated or not above the reference.

    Raises:
        BadInputError: gains are not a finite table, `taken` has other objectives, or count is below 1.

    Source: Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978; Minoux, 1978, for the lazy evaluation.

    >>> unit = Normalisation(np.zeros(2), np.ones(2))
    >>> choose(np.array([[0.9, 0.1], [0.7, 0.7], [0.1, 0.9], [0.6, 0.6]]), 4, unit).tolist()
    [1, 0, 2]
    """
    if count < 1:
        raise BadInputError(f"expected to choose at least 1 point, got {count}")
    table = as_gains(gains)
    before = table[:0] if taken is None else as_gains(taken)
    if before.shape[1] != table.shape[1]:
        raise BadInputError(f"expected {table.shape[1]} objectives in the points taken, got {before.shape[1]}")
    boxes = np.maximum(normalisation.apply(table), 0.0)
    volume = boxes.prod(axis=1)
    # What a point adds only shrinks as others are chosen: an old value is an upper bound, and so is the volume less
    # its overlap with any single box. Only the point with the largest bound is measured again.
    bound = volume.copy()
    fresh = np.zeros(len(boxes), dtype=np.intp)  # how many were there when a point was last measured
    there: list[Array] = []
    chosen: list[int] = []
    for box in np.maximum(normalisation.apply(before), 0.0):
        there.append(box)
        np.minimum(bound, volume - np.minimum(boxes, box).prod(axis=1), out=bound)
    while len(chosen) < min(count, len(boxes)):
        top = int(bound.argmax())
        while bound[top] > 0.0 and fresh[top] < len(there):
            bound[top] = min(bound[top], volume[top] - _covered(boxes[top], np.asarray(there)))
            fresh[top] = len(there)
            top = int(bound.argmax())
        if bound[top] <= 1e-12 * volume[top]:  # nothing but rounding is left to add
            break
        chosen.append(top)
        there.append(boxes[top])
        np.minimum(bound, volume - np.minimum(boxes, boxes[top]).prod(axis=1), out=bound)
    return np.asarray(chosen, dtype=np.intp)


def _covered(box: Array, there: Array) -> float:
    # Volume of the part of a box that boxes chosen before cover: the hypervolume of their overlaps with it.
    overlaps = np.minimum(box, there)
    m = len(box)
    if m >= 5:
        overlaps = overlaps[nondominated(overlaps)]
    if m > MANY:
        return float(union_volumes(overlaps, _DRAWS)[-1])
    if m >= 7 and len(overlaps) > _LARGEST:
        overlaps = overlaps[np.argsort(-overlaps.prod(axis=1), kind="stable")[:_LARGEST]]
    return float(moocore.hypervolume(overlaps, ref=np.zeros(m), maximise=True))
