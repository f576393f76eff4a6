"""Choose between surrogates of one objective by how well they predict what they have not seen."""

from collections.abc import Sequence

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.records import Array
from mapmerge.surrogates.protocol import Surrogate


def select(candidates: Sequence[Surrogate]) -> Surrogate:
    """Return the surrogate with the least leave-one-out deviance, a simpler one where the difference may be luck.

    The candidates come from the simplest to the most flexible. One after the other takes the place of the best so far
    if its deviance is smaller by more than one standard error of the difference:

        sum d > sqrt(n) sd(d),    d_i = deviance of point i by the best so far - by the challenger

    Deviances are paired, point by point, because some points are harder than others for every surrogate. A deviance
    is that of the noise model of the link (binomial for a bounded metric), each score weighing as its items do.

    Args:
        candidates: at least one, all fitted to the same scores.

    Raises:
        BadInputError: there is none, or they were fitted to different scores.
    """
    if not candidates:
        raise BadInputError("expected at least one surrogate to choose from")
    best, *others = candidates
    for other in others:
        if not np.array_equal(other.measured, best.measured) or not np.array_equal(other.items, best.items):
            raise BadInputError("expected surrogates that were fitted to the same scores and items")
        gain = left_out_deviances(best) - left_out_deviances(other)
        if float(np.sum(gain)) > float(np.sqrt(len(gain)) * np.std(gain, ddof=1)):
            best = other
    return best


def left_out_deviances(surrogate: Surrogate) -> Array:
    """Return how badly each score was predicted when it was left out: deviances, shape [n], at least 0.

    A left-out prediction counts as no surer than half an item allows: a prediction of exactly 0 or 1 that fails would
    otherwise outweigh all others together.
    """
    link = surrogate.link
    eta = link.linearise(link.clip(surrogate.left_out), surrogate.items)
    return surrogate.items * link.deviance(eta, link.unit(link.clip(surrogate.measured)))
