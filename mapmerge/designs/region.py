"""The region of coefficients that a study samples, and never searches outside of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import BadInputError, ConfigError
from mapmerge.records import Array, JsonObject
from mapmerge.untrusted import numbers

_TOLERANCE = 1e-9
_EXACT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A box cut by two parallel planes: lower <= c <= upper and mass[0] <= sum(c) <= mass[1].

    Args:
        lower: smallest coefficients, shape [k].
        upper: largest coefficients, shape [k].
        mass: smallest and largest sum of the coefficients, or None for no limit but the box.

    Raises:
        ConfigError: bounds are not finite, not of one shape, reversed, or leave no point.

    >>> region = Region(np.zeros(2), np.ones(2), mass=(0.0, 1.0))
    >>> region.project(np.array([[1.0, 0.5], [0.2, -3.0]]))
    array([[0.75, 0.25],
           [0.2 , 0.  ]])
    """

    lower: Array
    upper: Array
    mass: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            bound = np.array(getattr(self, name), dtype=np.float64)
            bound.flags.writeable = False
            object.__setattr__(self, name, bound)
        if self.lower.ndim != 1 or self.lower.shape != self.upper.shape or self.lower.size == 0:
            raise ConfigError(
                f"region: expected lower and upper of one shape [k], got {list(self.lower.shape)} and "
                f"{list(self.upper.shape)}"
            )
        if not (np.all(np.isfinite(self.lower)) and np.all(np.isfinite(self.upper))):
            raise ConfigError("region: expected finite bounds for every coefficient")
        if np.any(self.lower > self.upper):
            first = int(np.argmax(self.lower > self.upper))
            raise ConfigError(
                f"region: lower bound {self.lower[first]:g} of coefficient {first + 1} is above its upper bound "
                f"{self.upper[first]:g}"
            )
        if self.mass is None:
            return
        low, high = (float(end) for end in self.mass)
        object.__setattr__(self, "mass", (low, high))
        if not low <= high:
            raise ConfigError(f"region: expected mass as [smallest, largest], got [{low:g}, {high:g}]")
        if low > self.upper.sum() or high < self.lower.sum():
            raise ConfigError(
                f"region: no coefficients between the bounds sum to [{low:g}, {high:g}]; their sums lie in "
                f"[{self.lower.sum():g}, {self.upper.sum():g}]"
            )

    @property
    def k(self) -> int:
        """How many coefficients a candidate has."""
        return len(self.lower)

    def contains(self, coefficients: Array, tolerance: float = _TOLERANCE) -> NDArray[np.bool_]:
        """Return which candidates [n, k] lie in the region, up to a tolerance; shape [n]."""
        self._check(coefficients)
        box = (coefficients >= self.lower - tolerance) & (coefficients <= self.upper + tolerance)
        inside: NDArray[np.bool_] = np.all(box, axis=1)
        if self.mass is not None:
            sums = coefficients.sum(axis=1)
            inside &= (sums >= self.mass[0] - tolerance) & (sums <= self.mass[1] + tolerance)
        return inside

    def on_outer_edge(self, coefficients: Array, tolerance: float = 1e-6) -> NDArray[np.bool_]:
        """Return which candidates [n, k] a larger region would let go further; shape [n].

        >>> Region(np.zeros(2), np.ones(2), (0.0, 1.5)).on_outer_edge(np.array([[0.7, 0.8], [0.7, 0.7], [1.0, 0.0]]))
        array([ True, False,  True])
        """
        self._check(coefficients)
        edge: NDArray[np.bool_] = np.any(coefficients >= self.upper - tolerance, axis=1)
        return edge if self.mass is None else edge | (coefficients.sum(axis=1) >= self.mass[1] - tolerance)

    def project(self, coefficients: Array) -> Array:
        """Return the nearest points of the region, in Euclidean distance.

        The nearest point is clip(c - t) for one number t, the same for all coefficients: t = 0 if that has a legal
        sum, else the t at which the sum meets the violated plane. The sum falls piecewise linearly in t, with
        corners where a coefficient meets a bound, so t is found exactly and not by iteration.

        Args:
            coefficients: shape [n, k], any finite numbers.

        Returns:
            Shape [n, k]; a point that already lies in the region comes back bit for bit.

        Source: Kiwiel, Breakpoint searching algorithms for the continuous quadratic knapsack problem, Math.
            Programming 112 (2008).
        """
        self._check(coefficients)
        projected = np.clip(coefficients, self.lower, self.upper)
        if self.mass is None:
            return projected
        target = np.clip(projected.sum(axis=1), *self.mass)
        nearest = coefficients
        for _ in range(2):  # far-away points lose digits in the first pass; the second starts next to the plane
            far = np.abs(projected.sum(axis=1) - target) > _EXACT * (1.0 + np.abs(target))
            shift = self._shift(nearest[far], target[far])
            projected[far] = np.clip(nearest[far] - shift[:, None], self.lower, self.upper)
            nearest = projected
        return projected

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n points spread evenly over the region (scrambled Sobol points, mapped into it).

        Without a mass limit the box is filled. With one, the sum is spread evenly between its limits and the
        direction evenly over the simplex (so a Dirichlet(1, ..., 1) distribution); what then leaves the box is moved to
        its nearest point of the region.

        Args:
            n: how many, at least 0.
            rng: source of the scrambling.

        Returns:
            Shape [n, k].
        """
        cube = sobol(n, self.k, rng)
        if self.mass is None:
            return self.lower + cube * (self.upper - self.lower)
        floor = float(self.lower.sum())
        low, high = max(self.mass[0], floor), min(self.mass[1], float(self.upper.sum()))
        sums = low + cube[:, 0] * (high - low)
        return self.project(self.lower + (sums - floor)[:, None] * _simplex(cube[:, 1:]))

    def to_json(self) -> JsonObject:
        """Return the bounds by name."""
        mass = None if self.mass is None else list(self.mass)
        return {"lower": self.lower.tolist(), "upper": self.upper.tolist(), "mass": mass}

    @classmethod
    def from_json(cls, plain: JsonObject) -> "Region":
        """Rebuild a region from what `to_json` returned.

        Raises:
            BadInputError: it is none.
        """
        try:
            lower, upper = (numbers(plain[name], name, 1) for name in ("lower", "upper"))
            mass = None if plain["mass"] is None else tuple(numbers(plain["mass"], "mass", 1).tolist())
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"region: expected lower, upper and mass ({error})") from None
        if mass is not None and len(mass) != 2:
            raise BadInputError(f"region: expected mass as [smallest, largest], got {len(mass)} numbers")
        return cls(lower, upper, mass)

    def _check(self, coefficients: Array) -> None:
        if coefficients.ndim != 2 or coefficients.shape[1] != self.k:
            raise BadInputError(f"expected coefficients of shape [n, {self.k}], got {list(coefficients.shape)}")

    def _shift(self, coefficients: Array, target: Array) -> Array:
        """Return t [n] with sum(clip(c - t)) = target, walking along the corners of that sum."""
        corners = np.concatenate([coefficients - self.upper, coefficients - self.lower], axis=1)
        order = np.argsort(corners, axis=1, kind="stable")
        corners = np.take_along_axis(corners, order, axis=1)
        # left of its first corner a coefficient sits on its upper bound, between its two it moves, then it rests
        moving = np.cumsum(np.where(order < self.k, 1.0, -1.0), axis=1)
        falls = np.cumsum(moving[:, :-1] * np.diff(corners, axis=1), axis=1)
        sums = self.upper.sum() - np.concatenate([np.zeros((len(corners), 1)), falls], axis=1)
        at = np.maximum(np.sum(sums >= target[:, None], axis=1) - 1, 0)[:, None]
        start, above, speed = (np.take_along_axis(values, at, axis=1)[:, 0] for values in (corners, sums, moving))
        shift: Array = start + (above - target) / np.maximum(speed, 1.0)
        return shift


def sobol(n: int, dimension: int, rng: np.random.Generator) -> Array:
    """Return n scrambled Sobol points of the unit cube, shape [n, dimension]."""
    from scipy.stats import qmc  # here, because who only reads a front needs none of it, and it loads slowly

    points: Array = qmc.Sobol(dimension, rng=rng).random_base2(max(n - 1, 0).bit_length())
    return points[:n]


def _simplex(cube: Array) -> Array:
    """Map the cube [n, k-1] onto the simplex [n, k], evenly: break a stick, one piece after the other."""
    powers = 1.0 / np.arange(cube.shape[1], 0, -1.0)
    left = np.cumprod((1.0 - cube) ** powers, axis=1)
    ends = np.concatenate([np.ones((len(cube), 1)), left, np.zeros((len(cube), 1))], axis=1)
    pieces: Array = ends[:, :-1] - ends[:, 1:]
    return pieces
