"""The units of a search: 0 the worst unmerged model, 1 the best, an objective, on search items."""

from collections.abc import Sequence

import numpy as np

from mapmerge.errors import FailedRunError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.history import History, Observations
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


def score_noise(seen: Observations, items: Sequence[int]) -> Array:
    """Return the standard error of a score on all items of its set, shape [m]: differences below it mean nothing.

    That of the median candidate, as far as the items that it was measured on tell.

    Args:
        seen: what was measured on one split, each objective at least once.
        items: how many items the set of each objective has, length m.
    """
    single = np.where(seen.items > 0, seen.variances * seen.items, np.nan)
    return np.asarray(np.sqrt(np.nanmedian(single, axis=0) / np.asarray(items)))


def search_units(brief: Brief, history: History, surfaces: ResponseSurfaces) -> Normalisation:
    """Return the units; the unmerged models are the base and the experts.

    As measured, where all were measured on all items; a design without the base does with the experts, and where even
    those failed, everything that was measured takes their place. Where scores come from samples of the items, as the
    surfaces predict them: they smooth what a single sample leaves uncertain. An objective in which these models do not
    differ beyond the noise gets a lower reference (see `Normalisation.of`): so a search goes on in the others.

    Raises:
        FailedRunError: nothing was measured on every objective.
    """
    if is_sampled(brief, history):
        gains = surfaces.scores(np.vstack([np.zeros((1, brief.k)), np.eye(brief.k)])) * brief.signs
    else:
        coefficients, gains = measured(brief, history)
        unmerged = np.isin(coefficients, (0.0, 1.0)).all(axis=1) & (coefficients.sum(axis=1) <= 1.0)
        gains = gains[unmerged] if unmerged.sum() > 1 else gains
    return Normalisation.of(gains, noise=score_noise(history.observations, brief.items))
