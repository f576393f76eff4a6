"""What a node hands to its parent: the merge of its children that a preference wants of it."""

from typing import Literal

import numpy as np

from mapmerge.errors import ConfigError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape
from mapmerge.fronts.preferences import pick_mean, pick_weights
from mapmerge.records import Array

Rule = Literal["mean", "chebyshev"]
"""By which preferences are answered; see `choose`."""

_PICKS = {"mean": pick_mean, "chebyshev": pick_weights}


def choose(
    landscape: Landscape, weights: Array, scale: Normalisation, *, rule: Rule, rng: np.random.Generator
) -> Array:
    """Choose a node's coefficients by what is predicted of each objective on its own.

    `mean` maximises sum_j w_j z_j, the weighted mean of normalised gains. It is the rule of the paper: there, a group's
    metric is the mean of its objectives by their weights w_j / W, groups count by W = sum of w_j, and the sum over
    groups of W times these means is the sum over objectives. The paper fits a surrogate to each group's mean; here each
    objective has its own, so that the same measurements answer every preference. `chebyshev` maximises the smallest
    w_j (z_j - best_j) instead: nothing is given up for the sake of the rest (see `fronts.preferences.pick_weights`).

    Args:
        landscape: predicted gains over the node's region, m objectives over f coefficients.
        weights: what `groups.group_weights` found, shape [m].
        scale: units of the gains, the same at every node.
        rule: which of the two.
        rng: source of the starting points; the same for all preferences, so that equal weights choose equal bits.

    Returns:
        Shape [f].

    Raises:
        ConfigError: there is no such rule.
        PreferenceError: the weights do not fit.

    Source: `mean`: nested merging of arXiv 2406.07529; `chebyshev`: Steuer and Choo, 1983.
    """
    if rule not in _PICKS:
        raise ConfigError(f"expected a rule of {', '.join(_PICKS)}, got {rule!r}")
    return _PICKS[rule](landscape, weights, scale, rng=rng).coefficients
