"""Which points nothing else beats."""

import moocore
import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import BadInputError
from mapmerge.records import Array


def as_gains(gains: Array) -> Array:
    """Return a table of gains as float64 [n, m], or say what is wrong with it.

    Raises:
        BadInputError: the table is not two-dimensional, has no objective, or holds NaN or infinity.

    >>> as_gains([[1, 2]])
    array([[1., 2.]])
    """
    table = np.asarray(gains, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise BadInputError(f"expected gains of shape [n, m] with m >= 1 objectives, got shape {list(table.shape)}")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if bad.size:
        raise BadInputError(
            f"expected finite gains; row {bad[0]} is {table[bad[0]].tolist()}"
            f" ({bad.size} of {len(table)} rows are not finite); leave failed evaluations out"
        )
    return table


def nondominated(gains: Array) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates; of equal points the first is kept.

    Point a dominates b when a is at least as good everywhere and better somewhere.

    Args:
        gains: shape [n, m], to be maximised.

    Returns:
        Boolean mask, shape [n].

    Raises:
        BadInputError: gains are not a finite table.

    >>> nondominated(np.array([[1.0, 1.0], [0.0, 1.0], [2.0, 0.0], [2.0, 0.0]])).tolist()
    [True, False, True, False]
    """
    mask: NDArray[np.bool_] = moocore.is_nondominated(as_gains(gains), maximise=True)
    return mask


def probability_nondominated(draws: Array) -> Array:
    """Return how often each point is dominated by no other one, over bootstrap draws of all points.

    Equal points do not dominate each other, so that two twins both may reach 1.

    Args:
        draws: gains of every draw, shape [b, n, m], resampled jointly (`indicators.bootstrap_scores`).

    Returns:
        Shape [n], between 0 and 1.

    >>> probability_nondominated(np.array([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]))
    array([1. , 0.5])
    """
    kept = [moocore.is_nondominated(as_gains(gains), maximise=True, keep_weakly=True) for gains in draws]
    return np.asarray(np.mean(kept, axis=0), dtype=np.float64)
