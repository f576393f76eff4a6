"""The units of a search: 0 the worst unmerged model, 1 the best, an objective, on search items."""

import numpy as np

from mapmerge.errors import FailedRunError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.history import History
from mapmerge.methods.protocol import Brief
from mapmerge.methods.surfaces import is_sampled
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces


def measured(brief: Brief, history: History) -> tuple[Array, Array]:
    """Return candidates [n, k] and gains [n, m] of those that were measured on every objective.

    Raises:
        FailedRunError: there is none.
    """
    seen = history.observations
    if not seen.whole.any():
        raise FailedRunError(f"none of {len(seen.scores)} candidates could be measured on every objective")
    return seen.coefficients[seen.whole], seen.scores[seen.whole] * brief.signs


def search_units(brief: Brief, history: History, surfaces: ResponseSurfaces) -> Normalisation:
    """Return the units; the unmerged models are the base and the experts.

    As measured, where all were measured on all items; a design without the base does with the experts, and where even
    those failed, everything that was measured takes their place. Where scores come from samples of the items, as the
    surfaces predict them: they smooth what a single sample leaves uncertain.

    Raises:
        FailedRunError: nothing was measured on every objective.
    """
    if is_sampled(brief, history):
        unmerged = np.vstack([np.zeros((1, brief.k)), np.eye(brief.k)])
        return Normalisation.of(surfaces.scores(unmerged) * brief.signs)
    coefficients, gains = measured(brief, history)
    unmerged = np.isin(coefficients, (0.0, 1.0)).all(axis=1) & (coefficients.sum(axis=1) <= 1.0)
    return Normalisation.of(gains[unmerged] if unmerged.sum() > 1 else gains)
