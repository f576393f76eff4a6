"""Which points of a front are delivered."""

import numpy as np
from numpy.typing import NDArray

from mapmerge.fronts.choose import choose
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.search import search_front
from mapmerge.methods.protocol import Brief
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces


def best_of(gains: Array, count: int, normalisation: Normalisation) -> NDArray[np.intp]:
    """Choose at most `count` points by hypervolume; where none is above the reference, of those not dominated."""
    chosen = choose(gains, count, normalisation)
    return chosen if len(chosen) else np.flatnonzero(nondominated(gains))[:count]


def predicted_best(brief: Brief, surfaces: ResponseSurfaces, normalisation: Normalisation) -> Array:
    """Search the surfaces inside their region and return the points to deliver: shape [n, k], n <= budget.front."""
    kind = brief.config.search.kind
    found = search_front(surfaces.landscape(), normalisation, rng=brief.rng("search"), kind=kind)
    return found.coefficients[best_of(found.gains, brief.config.budget.front, normalisation)]
