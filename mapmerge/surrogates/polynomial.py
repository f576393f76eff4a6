"""Polynomials of any degree in standardised coefficients, with their gradients."""

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array
from mapmerge.surrogates.features import standardise


def monomial_count(k: int, degree: int) -> int:
    """Return how many monomials of k variables have at most this degree.

    >>> [monomial_count(4, degree) for degree in (1, 2, 3)]
    [5, 15, 35]
    """
    count = 1
    for step in range(1, degree + 1):
        count = count * (k + step) // step
    return count


@dataclass(frozen=True, eq=False)
class Basis:
    """All monomials up to a degree of z = (coefficients - centre) / scale, divided by their sizes.

    Args:
        centre: shape [k].
        scale: shape [k].
        degree: at least 1.
        size: shape [q], root mean square of each monomial where it matters.

    >>> basis = Basis.of(np.array([[0.0], [1.0], [2.0]]), degree=2)
    >>> basis(np.array([[1.0]])).round(3)
    array([[1., 0., 0.]])
    """

    centre: Array
    scale: Array
    degree: int
    size: Array

    @classmethod
    def of(cls, coefficients: Array, degree: int) -> "Basis":
        """Standardise by these candidates [n, k], over which each monomial gets a mean square of 1."""
        spread = np.std(coefficients, axis=0)
        centre, scale = np.mean(coefficients, axis=0), np.where(spread > 0.0, spread, 1.0)
        plain = cls(centre, scale, degree, np.ones(monomial_count(coefficients.shape[1], degree)))
        size = np.sqrt(np.mean(plain(coefficients) ** 2, axis=0))
        return cls(centre, scale, degree, np.where(size > 1e-9, size, 1.0))

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Degree of each monomial, shape [q]."""
        return np.array([len(factors) for factors in _factors(len(self.centre), self.degree)])

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Kind of each monomial, shape [q], from 0: the same for all squares, for all products of two, and so on."""
        exponents = [
            tuple(sorted(map(factors.count, set(factors)))) for factors in _factors(len(self.centre), self.degree)
        ]
        seen = {pattern: number for number, pattern in enumerate(dict.fromkeys(exponents))}
        return np.array([seen[pattern] for pattern in exponents])

    def __call__(self, coefficients: Array) -> Array:
        """Return the features, shape [n, q], of candidates [n, k]; the constant comes first. They cannot be changed."""
        z = standardise(coefficients, self.centre, self.scale)
        return _features(z.tobytes(), len(self.centre), self.degree, self.size.tobytes())

    def slopes(self, parameters: Array) -> Array:
        """Return what features must be multiplied with to give the gradient of a polynomial, shape [q, k].

        The derivative of a monomial by one variable is a monomial again, times the exponent.

        Args:
            parameters: of the polynomial, shape [q].
        """
        monomials = _factors(len(self.centre), self.degree)
        places = {factors: place for place, factors in enumerate(monomials)}
        slopes = np.zeros((len(self.size), len(self.centre)))
        for factors, parameter in zip(monomials, (parameters / self.size).tolist(), strict=True):
            for variable in set(factors):
                one_less = list(factors)
                one_less.remove(variable)
                slopes[places[tuple(one_less)], variable] += factors.count(variable) * parameter
        return self.size[:, None] * slopes / self.scale


@cache
def _factors(k: int, degree: int) -> list[tuple[int, ...]]:
    """Return the variables of each monomial, ascending, as often as they are in it."""
    return [factors for count in range(degree + 1) for factors in combinations_with_replacement(range(k), count)]


# A search asks all objectives about the same candidates, for values and then for slopes: computed once, not 2 m times.
@lru_cache(maxsize=8)
def _features(z: bytes, k: int, degree: int, size: bytes) -> Array:
    variables = np.frombuffer(z).reshape(-1, k)
    places = {factors: place for place, factors in enumerate(_factors(k, degree))}
    found = np.empty((len(places), len(variables)))
    found[0] = 1.0
    for factors, place in places.items():
        if factors:
            np.multiply(found[places[factors[:-1]]], variables[:, factors[-1]], out=found[place])
    found /= np.frombuffer(size)[:, None]
    features: Array = found.T
    features.flags.writeable = False
    return features
