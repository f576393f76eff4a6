"""The search for the predicted front: several searchers, one front."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mapmerge.fronts.chebyshev import chebyshev_search
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape
from mapmerge.fronts.nsga import nsga_search
from mapmerge.records import Array

_POOL = 4096  # a power of two: what a Sobol sample likes
_POPULATION = 128
_ROUNDS = 8
_CHILDREN = 1024

SearchKind = Literal["union", "nsga3", "chebyshev"]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedFront:
    """Candidates none of which is predicted to dominate another.

    Args:
        coefficients: shape [n, k].
        gains: their predicted gains, shape [n, m].
    """

    coefficients: Array
    gains: Array


def search_front(
    landscape: Landscape,
    normalisation: Normalisation,
    *,
    rng: np.random.Generator,
    kind: SearchKind = "union",
) -> PredictedFront:
    """Search the front that the surrogates predict, inside the sampled region only.

    `nsga3` is the last population of NSGA-III; `chebyshev` climbs from a space-filling pool along a thousand
    preferences; `union` does both, then fills the gaps by mutating what was found, and keeps everything nondominated:
    from the same generator it contains or dominates all that either part finds.

    Args:
        landscape: predicted gains over the region.
        normalisation: units in which the objectives are compared.
        rng: source of every random choice; equal generators give bit-identical fronts.
        kind: which search.

    Returns:
        The front, unsorted; hundreds to thousands of points. Thin it with `choose.choose`.

    Source: NSGA-III on surrogates is the search of MAP (arXiv 2406.07529); the union is ours.
    """
    unit = landscape.normalised(normalisation)
    for_pool, for_nsga, for_mutation = rng.spawn(3)
    pool = unit.pool(_POOL, for_pool)
    gains = unit.predict(pool)
    found = []
    if kind in ("union", "nsga3"):
        starts = pool[len(pool) - _POPULATION :]
        found.append(nsga_search(unit, starts, objectives=gains.shape[1], rng=for_nsga))
    if kind in ("union", "chebyshev"):
        found += [(pool, gains), chebyshev_search(unit, pool, gains)]
    points, gains = _front(np.vstack([part for part, _ in found]), np.vstack([part for _, part in found]))
    if kind == "union":
        points, gains = _mutate(unit, points, gains, for_mutation)
    return PredictedFront(points, landscape.predict(points))


def _front(points: Array, gains: Array) -> tuple[Array, Array]:
    kept = nondominated(gains)
    return points[kept], gains[kept]


def _mutate(unit: Landscape, points: Array, gains: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    # Half of the children step off a parent, half off a point between two; the steps shrink from 10 % of the width of
    # the front to 1 %.
    for step in np.geomspace(0.1, 0.01, _ROUNDS):
        mother, father = rng.integers(len(points), size=(2, _CHILDREN))
        between = np.where(np.arange(_CHILDREN) % 2 == 0, 0.0, rng.random(_CHILDREN))[:, None]
        width = points.max(axis=0) - points.min(axis=0)
        noise = step * width * rng.standard_normal((_CHILDREN, points.shape[1]))
        children = unit.project(points[mother] + between * (points[father] - points[mother]) + noise)
        points, gains = _front(np.vstack([points, children]), np.vstack([gains, unit.predict(children)]))
    return points, gains
