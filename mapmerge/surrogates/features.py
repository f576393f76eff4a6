"""The quadratic in the coefficients: standardised, as features, and as constant, slope and curvature."""

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.records import Array


def parameter_count(k: int) -> int:
    """Return how many parameters a quadratic in k coefficients has: p = (k+1)(k+2)/2.

    >>> [parameter_count(k) for k in (1, 2, 4, 8)]
    [3, 6, 15, 45]
    """
    return (k + 1) * (k + 2) // 2


def quadratic_features(coefficients: Array) -> Array:
    """Return the monomials up to degree two, in the order 1, linear, squares, cross.

    Args:
        coefficients: shape [n, k].

    Returns:
        Shape [n, p]; cross terms come in the order (0,1), (0,2), ..., (1,2), ...

    Raises:
        BadInputError: the array does not have two dimensions.

    >>> quadratic_features(np.array([[2.0, 3.0]]))
    array([[1., 2., 3., 4., 9., 6.]])
    """
    if coefficients.ndim != 2:
        raise BadInputError(f"expected coefficients of shape [n, k], got {list(coefficients.shape)}")
    first, second = np.triu_indices(coefficients.shape[1], 1)
    cross = coefficients[:, first] * coefficients[:, second]
    return np.column_stack([np.ones(len(coefficients)), coefficients, coefficients**2, cross])


def standardise(coefficients: Array, centre: Array, scale: Array) -> Array:
    """Return (coefficients - centre) / scale, shape [n, k], once the shape is known to fit.

    Raises:
        BadInputError: coefficients are not of shape [n, k].

    >>> standardise(np.array([[3.0, 4.0]]), np.array([1.0, 1.0]), np.array([2.0, 1.0]))
    array([[1., 3.]])
    """
    if coefficients.ndim != 2 or coefficients.shape[1] != len(centre):
        raise BadInputError(f"expected coefficients of shape [n, {len(centre)}], got {list(coefficients.shape)}")
    return (coefficients - centre) / scale


def quadratic_form(parameters: Array, k: int) -> tuple[float, Array, Array]:
    """Split parameters of `quadratic_features` into constant e, slope b and symmetric curvature A.

    The quadratic is e + b.c + c.A.c / 2, so that its gradient is b + A c.

    Args:
        parameters: shape [p], in the order of `quadratic_features`.
        k: number of coefficients.

    Returns:
        e, b of shape [k], and A of shape [k, k].

    Source: arXiv 2406.07529 (second-order Taylor expansion of a metric in the span of the task vectors).

    >>> quadratic_form(np.array([1.0, 2.0, 3.0, 4.0, 9.0, 6.0]), 2)[2]
    array([[ 8.,  6.],
           [ 6., 18.]])
    """
    curvature = np.diag(2.0 * parameters[k + 1 : 2 * k + 1])
    rows, columns = np.triu_indices(k, 1)
    curvature[rows, columns] = curvature[columns, rows] = parameters[2 * k + 1 :]
    return float(parameters[0]), parameters[1 : k + 1].copy(), curvature
