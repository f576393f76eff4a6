"""Preferences spread over everything that one may want."""

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.fronts.directions import kronecker
from mapmerge.records import Array


def preference_grid(count: int, objectives: int) -> Array:
    """Return preferences that fill the simplex evenly; always the same ones, and the first of more are those of fewer.

    The first is the even one. The others are the points of a Kronecker sequence, carried from the cube to the simplex
    by breaking a stick, which keeps volumes: they are spread as evenly as on the cube. So a sweep over more preferences
    repeats nothing and loses nothing of a sweep over fewer.

    Args:
        count: how many, n.
        objectives: m.

    Returns:
        Shape [n, m], entries >= 0, rows with sum 1.

    Raises:
        BadInputError: either is below 1.

    >>> preference_grid(4, 2).round(3).tolist()
    [[0.5, 0.5], [0.118, 0.882], [0.736, 0.264], [0.354, 0.646]]
    """
    if count < 1 or objectives < 1:
        raise BadInputError(f"expected at least 1 preference over 1 objective, got {count} over {objectives}")
    even = np.full((1, objectives), 1.0 / objectives)
    if objectives == 1:
        return np.ones((count, 1))
    cube = kronecker(count - 1, objectives - 1)
    left = np.cumprod((1.0 - cube) ** (1.0 / np.arange(objectives - 1.0, 0.0, -1.0)), axis=1)
    ends = np.column_stack([np.ones(count - 1), left, np.zeros(count - 1)])
    return np.vstack([even, ends[:, :-1] - ends[:, 1:]])
