"""Prediction intervals: from an error on the eta scale to the ends of an interval for the score."""

import numpy as np
from scipy.stats import t as student

from mapmerge.errors import BadInputError
from mapmerge.records import Array
from mapmerge.surrogates.links import Link


def interval(link: Link, eta: Array, sd: Array, *, level: float, freedom: float, noise: float) -> tuple[Array, Array]:
    """Return intervals in which fresh measurements of candidates fall, on as many items as were used.

    On the eta scale prediction -+ t * sd, through the link; then the noise of one measurement is added in quadrature
    and the ends are kept in the metric's range. That noise is in it because a fit cannot tell it apart from an error
    that all candidates share, such as one and the same item set behind every score: with independent items the interval
    is wide for the expected score and right for a measurement, with shared items it is right for the expected score.

    Args:
        link: between eta and the score.
        eta: predictions, shape [n].
        sd: their standard deviations, shape [n].
        level: wanted coverage, between 0 and 1.
        freedom: degrees of freedom that sd was estimated with.
        noise: variance of one measurement by its items, in units of the link's noise model.

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
    t = float(student.ppf(0.5 + level / 2.0, freedom))
    mean, reach = link.mean(eta), t * sd
    of_items = (t * link.span) ** 2 * noise * link.variance(link.unit_mean(eta))
    below, above = mean - link.mean(eta - reach), link.mean(eta + reach) - mean
    return link.clip(mean - np.sqrt(below**2 + of_items)), link.clip(mean + np.sqrt(above**2 + of_items))
