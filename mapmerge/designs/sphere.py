"""Coefficients as a direction and a length: the angles in which the MAP paper bins candidates."""

import numpy as np

from mapmerge.errors import ConfigError
from mapmerge.records import Array

_MOST_EXPERTS = 6


def bins_per_angle(k: int) -> int:
    """Return in how many equal bins the paper cuts each of the k - 1 angles: 4 up to three experts, 2 up to six.

    Raises:
        ConfigError: more than six experts, for which the paper defines no bins.

    >>> [bins_per_angle(k) ** (k - 1) for k in range(1, 7)]  # bins in all
    [1, 4, 16, 8, 16, 32]
    """
    if k > _MOST_EXPERTS:
        raise ConfigError(
            f"method: `bayesian-paper` bins the directions of at most {_MOST_EXPERTS} experts, as the paper defines "
            f"them, but there are {k}: take `method: adaptive`"
        )
    return 4 if k <= 3 else 2


def angles(coefficients: Array) -> Array:
    """Return the hyperspherical angles of candidates: phi_i = arctan2(sqrt(sum_{j>i} c_j^2), c_i), i < k.

    Args:
        coefficients: shape [n, k].

    Returns:
        Shape [n, k - 1]: from 0 to pi/2 where no coefficient is negative; 0 for the origin, which has no direction.

    >>> angles(np.array([[1.0, 0.0, 0.0], [0.0, 0.3, 0.3]])) / np.pi
    array([[0.  , 0.  ],
           [0.5 , 0.25]])
    """
    beyond = np.sqrt(np.cumsum(coefficients[:, ::-1] ** 2, axis=1)[:, ::-1])
    return np.arctan2(beyond[:, 1:], coefficients[:, :-1])


def from_angles(directions: Array, radii: Array) -> Array:
    """Return the candidates with these angles and lengths: the way back from `angles`.

    Args:
        directions: angles, shape [n, k - 1]; none for one expert.
        radii: lengths, shape [n].

    Returns:
        Shape [n, k].

    >>> from_angles(np.array([[np.pi / 2, np.pi / 4]]), np.array([1.0])).round(3)
    array([[0.   , 0.707, 0.707]])
    """
    left = np.cumprod(np.sin(directions), axis=1)
    start = np.ones((len(directions), 1))
    unit = np.hstack([start, left]) * np.hstack([np.cos(directions), start])
    return np.asarray(radii[:, None] * unit, dtype=np.float64)
