"""What a search sees: predicted gains over the region where they may be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mapmerge.fronts.indicators import Normalisation
from mapmerge.records import Array


@dataclass(frozen=True, slots=True)
class Landscape:
    """Hold the four functions that every search walks on.

    Args:
        predict: coefficients [n, k] -> gains [n, m], in the unit of each objective.
        gradient: coefficients [n, k] -> derivative of each gain by each coefficient, [n, m, k].
        project: any points [n, k] -> points [n, k] near them inside the region, which is bounded; those inside stay.
        sample: (n, generator) -> n points [n, k] that fill the region.
    """

    predict: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    project: Callable[[Array], Array]
    sample: Callable[[int, np.random.Generator], Array]

    def normalised(self, normalisation: Normalisation) -> "Landscape":
        """Return the same landscape with gains in normalised units: 0 at the reference, 1 at the ideal.

        Args:
            normalisation: the reference and the ideal, [m] each.

        >>> def nothing(n, rng): return np.zeros((n, 1))
        >>> flat = Landscape(lambda c: 0.4 + 0 * c, lambda c: 0 * c[:, None], lambda c: c, nothing)
        >>> unit = Normalisation(np.array([0.2]), np.array([0.6]))
        >>> flat.normalised(unit).predict(np.zeros((1, 1)))
        array([[0.5]])
        """
        spread = normalisation.spread[:, None]
        return Landscape(
            predict=lambda coefficients: normalisation.apply(self.predict(coefficients)),
            gradient=lambda coefficients: self.gradient(coefficients) / spread,
            project=self.project,
            sample=self.sample,
        )

    def corners(self) -> Array:
        """Return the points of the region that reach furthest along each axis, both ways: shape [2k, k].

        A far point on the axis of coefficient i projects onto the face where c_i is extreme, so that the corners also
        give the region's bounding box: `corners.min(axis=0)` and `corners.max(axis=0)`.

        >>> box = Landscape(lambda c: c, lambda c: c, lambda c: np.clip(c, 0, 1), lambda n, rng: np.zeros((n, 2)))
        >>> box.corners()[:2].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        k = self.sample(1, np.random.default_rng(0)).shape[1]
        far = 1e3 * np.eye(k)
        return self.project(np.vstack([far, -far]))

    def pool(self, count: int, rng: np.random.Generator) -> Array:
        """Return the corners and `count` points that fill the region: shape [2k + count, k]."""
        return np.vstack([self.corners(), self.sample(count, rng)])
