"""Prediction intervals: from an error on the eta scale to the ends of an interval for the score."""

import numpy as np
from scipy.special import ndtri, stdtrit

from mapmerge.errors import BadInputError
from mapmerge.records import Array
from mapmerge.surrogates.links import Link


def interval(link: Link, eta: Array, sd: Array, *, level: float, freedom: float, noise: float) -> tuple[Array, Array]:
    """Return intervals in which fresh measurements of candidates fall.

        score -+ sqrt(reach^2 + z^2 noise V(score)),    reach = the way from link(eta) to link(eta -+ t sd)

    The first part is what the fit is off by, with the quantile t of Student's distribution because sd was estimated;
    the second what the items of the measurement are off by, with the normal quantile z because V, the noise model of
    the link, is known. The ends are kept in the metric's range.

    The noise of a measurement on other items than those fitted to is that of both item sets: an error that all fitted
    scores share, such as that of the one set behind them, is no part of sd.

    Args:
        link: between eta and the score.
        eta: predictions, shape [n].
        sd: their standard deviations, shape [n].
        level: wanted coverage, between 0 and 1.
        freedom: degrees of freedom that sd was estimated with.
        noise: variance of one measurement by its items, in units of the link's noise model: 1 / items where they are
            drawn simply at random and each is as noisy as the model says.

    Returns:
        Lower and upper ends, each of shape [n].

    Raises:
        BadInputError: the level is not between 0 and 1.

    >>> low, high = interval(Link("identity"), np.zeros(1), np.ones(1), level=0.95, freedom=1e9, noise=0.0)
    >>> high.round(2)
    array([1.96])
    """
    if not 0.0 < level < 1.0:
        raise BadInputError(f"expected a level between 0 and 1, got {level}")
    t, z = float(stdtrit(freedom, 0.5 + level / 2.0)), float(ndtri(0.5 + level / 2.0))
    mean, reach = link.mean(eta), t * sd
    of_items = (z * link.span) ** 2 * noise * link.variance(link.unit_mean(eta))
    below, above = mean - link.mean(eta - reach), link.mean(eta + reach) - mean
    return link.clip(mean - np.sqrt(below**2 + of_items)), link.clip(mean + np.sqrt(above**2 + of_items))
