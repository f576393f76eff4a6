"""Scales on which objectives of any direction and unit can be averaged."""

import numpy as np

from mapmerge.errors import ConfigError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.records import Array, Objective


def leaf_scale(base: Array, own: Array, *, noise: Array | float = 0.0) -> Normalisation:
    """Return the units in which a node compares its objectives: 0 is the base, 1 the objective's own expert.

    The same at every node, so that a point of one objective is worth the same in every group. An expert that is worse
    than the base on its own objective is the 0, the base then the 1. Where both lie within the noise, the unit is that
    of the objective itself (see `Normalisation.of`): differences then hardly count beside those of other objectives,
    which have a whole unit between their base and expert.

    Args:
        base: gains of the base, shape [m].
        own: gains of each objective's own expert on it, shape [m]; where it is nobody's, of the best model measured.
        noise: differences that mean nothing, in each objective, shape [m] or one for all.

    >>> unit = leaf_scale(np.array([0.5, -3.0, 0.2]), np.array([0.9, -1.0, 0.2]))  # accuracy, minus a loss, flat
    >>> unit.apply(np.array([[0.7, -1.5, 0.1]])).round(2)
    array([[0.5 , 0.75, 0.9 ]])
    """
    return Normalisation.of(np.vstack([base, own]), noise=noise)


def unit_score(score: float, objective: Objective) -> float:
    """Return a score on the scale from 0 (worst) to 1 (best) of everything that its metric can be.

    Within bounds the share of the way from the worse to the better one, such as an accuracy itself. Of a metric s that
    is bounded below only, exp(l - s) where less is better, which for a cross-entropy is the probability given to the
    right answer (geometric mean over items), and 1 - exp(l - s) where more is. The tree of `closest` compares such
    scores; a scale from base to expert, on which all experts are 1, would find them all equally close.

    Raises:
        ConfigError: the metric has no lower bound, and so no such scale.

    >>> from mapmerge.records import Metric
    >>> unit_score(75.0, Objective("cars", Metric("percent", 0.0, 100.0, True)))
    0.75
    >>> round(unit_score(0.5, Objective("text", Metric("cross_entropy", 0.0, None, False))), 4)
    0.6065
    """
    metric = objective.metric
    if metric.lower is None:
        raise ConfigError(
            f"objective {objective.name!r}: the tree `paper` compares metrics on one scale, and {metric.name!r} has no "
            "bounds to make one of; take `similarity` or `balanced`"
        )
    if metric.upper is None:
        left = float(np.exp(metric.lower - score))
    else:
        left = (metric.upper - score) / (metric.upper - metric.lower)
    return 1.0 - left if metric.maximize else left
