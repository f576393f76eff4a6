"""What a score from a sample of items is worth: its variance, and how many simple-random items give the same."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array, Evaluation, Metric, Sample

_PRIOR_ITEMS = 200.0
"""Scores with one number of items are given the design effect of all scores, as if so many items had shown it."""


class Estimate(NamedTuple):
    """A score, its sampling variance, and how many distinct items stand behind it; NaN and 0 where there are none."""

    score: float
    variance: float
    items: int


def variance(outcomes: NDArray[np.floating[Any]], sample: Sample | None) -> float:
    """Return the sampling variance of the weighted score.

        sum over strata of share^2 s^2 / n,    s^2 = sum (outcome - mean of the stratum)^2 / (n - 1)

    which has no bias, however few items of a stratum were drawn. A stratum of a single item is given the mean s^2 of
    the others. Where all outcomes are 0 or 1, the standard error is at least half of what a single item weighs:
    outcomes that are all alike do not mean that the next one must be. For 20 items and more this adds at most a tenth
    on average, while the true score is within 0.05 to 0.95.

    Args:
        outcomes: shape [s], one for each item measured.
        sample: how they were drawn; None: all items of the set, which then counts as a simple sample of all there are.

    Returns:
        At least 0; positive for 0/1 outcomes. 0 for one single item whose outcome is neither.

    Source: W. G. Cochran, Sampling Techniques, 3rd ed. (1977), section 5.4.

    >>> variance(np.float32([1, 0, 1, 1]), None)  # 3/4 * 1/4 * 4/3 / 4
    0.0625
    >>> variance(np.float32([1, 1, 1, 1]), None)  # (0.5 / 4)^2
    0.015625
    """
    values = outcomes.astype(np.float64)
    n = len(values)
    strata, shares = (np.zeros(n, dtype=np.int64), np.ones(1)) if sample is None else (sample.strata, sample.shares)
    drawn = np.bincount(strata, minlength=len(shares))
    means = np.bincount(strata, values, len(shares)) / drawn
    squares = np.bincount(strata, (values - means[strata]) ** 2, len(shares))
    several = drawn > 1
    spread = np.zeros(len(shares))
    if several.any():
        spread[several] = squares[several] / (drawn[several] - 1)
        spread[~several] = spread[several].mean()
    found = float(np.sum(shares**2 * spread / drawn))
    if np.isin(values, (0.0, 1.0)).all():
        weights = (shares / drawn)[strata]
        return max(found, 0.25 * float(np.mean(weights**2)))
    return found


def effective_items(scores: Array, variances: Array, items: Array, metric: Metric) -> Array:
    """Return how many items, drawn simply at random, would give scores as precise as these.

    A noise model of the metric says what the variance of a score from simple-random items is; the ratio of the true
    one to that is the design effect: below 1 for samples of strata that differ in difficulty. A single score tells its
    own variance too poorly to be weighed by it, so the effect is the ratio of the sums over all scores with the same
    number of items, drawn towards the ratio over all of them.

    Args:
        scores: shape [n], of one objective.
        variances: shape [n], sampling variance of each, as `variance` gives it.
        items: shape [n], how many items stand behind each, positive.
        metric: what was measured: its range says which noise model is meant, binomial in a bounded range, Poisson
            above a lower end, else normal. But for the first one they are known up to a factor, which the result has.

    Returns:
        Shape [n], at least 1; `items` where nothing varies.

    Source: the design effect of L. Kish, Survey Sampling (1965).

    >>> accuracy = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> plain = 0.8 * 0.2 / 39  # of 40 simple-random items, 32 of them right
    >>> effective_items(np.full(9, 0.8), np.full(9, plain / 2), np.full(9, 40.0), accuracy).round(1)[:2]
    array([79., 79.])
    """
    items = np.asarray(items, dtype=np.float64)
    expected = _expected(scores, variances, items, metric) / items
    total, simple = float(np.sum(variances)), float(np.sum(expected))
    if total <= 0.0 or simple <= 0.0:
        return items
    effects = np.empty(len(items))
    for count in np.unique(items):
        same = items == count
        seen, there = float(np.sum(items[same])), float(np.sum(expected[same]))
        own = float(np.sum(variances[same])) / there if there > 0.0 else total / simple
        effects[same] = (seen * own + _PRIOR_ITEMS * total / simple) / (seen + _PRIOR_ITEMS)
    effective: Array = np.maximum(items / effects, 1.0)
    return effective


def dispersion(evaluations: Sequence[Evaluation], metric: Metric) -> float:
    """Return the variance of a single item, in units of what the noise model of the metric's range expects of it.

        sum over evaluations of s^2 / sum of V(score),    s^2 = sum w (outcome - score)^2 + variance of the score

    w being the weights of the items, the same for all where nothing was sampled, so that s^2 is an estimate of the
    variance over the whole item set, whatever the strata. 1 where every outcome is on an end of the metric's range, as
    right and wrong are: that is what the binomial model means, also where nothing but right ones were seen.

    Args:
        evaluations: of one objective; those that failed are passed over.
        metric: what was measured; see `effective_items` for the noise models.

    Returns:
        At least 0; 1 where the model expects no variance at all.

    >>> accuracy = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
    >>> half = Evaluation("a", np.zeros(1), "z", "search", np.float32([0.25, 0.75, 0.25, 0.75]))
    >>> round(dispersion([half], accuracy), 2)  # 1/12, where right and wrong ones with this score have about 1/4
    0.31
    """
    told = [(each.outcomes, each.sample, each.score) for each in evaluations if each.outcomes is not None]
    lower, upper = metric.lower, metric.upper
    if metric.link == "logistic" and all(((seen == lower) | (seen == upper)).all() for seen, _, _ in told):
        return 1.0
    found = [(seen.astype(np.float64), sample, score) for seen, sample, score in told]
    scores, items = np.array([score for _, _, score in found]), np.array([len(outcomes) for outcomes, _, _ in found])
    variances = np.array([variance(outcomes, sample) for outcomes, sample, _ in found])
    squares = sum(
        float(np.mean((outcomes - score) ** 2) if sample is None else sample.weights @ (outcomes - score) ** 2)
        for outcomes, sample, score in found
    )
    expected = float(np.sum(_expected(scores, variances, items, metric)))
    return (squares + float(np.sum(variances))) / expected if expected > 0.0 else 1.0


def pool(evaluations: Sequence[Evaluation]) -> Estimate:
    """Return what the measurements of one candidate on one objective say together.

    Those of the same items are repetitions, and averaged item by item. Different samples count as their items do; where
    they overlap, the variance is that of so many distinct items. A measurement of all items beats any sample.

    Args:
        evaluations: of one candidate, on one objective and split; those that failed are passed over.
    """
    measured: dict[bytes, list[Evaluation]] = {}
    for evaluation in evaluations:
        if evaluation.outcomes is not None:
            sample = evaluation.sample
            measured.setdefault(b"" if sample is None else sample.items.tobytes(), []).append(evaluation)
    if not measured:
        return Estimate(math.nan, math.nan, 0)
    if b"" in measured:
        return _of_one_sample(measured[b""])
    parts = [_of_one_sample(same) for same in measured.values()]
    drawn = sum(part.items for part in parts)
    distinct = len(np.unique(np.concatenate([same[0].sample.items for same in measured.values() if same[0].sample])))
    scores = sum(part.score * part.items for part in parts) / drawn
    variances = sum(part.variance * part.items**2 for part in parts) / drawn**2
    return Estimate(scores, variances * drawn / distinct, distinct)


def _of_one_sample(same: Sequence[Evaluation]) -> Estimate:
    """Return what measurements of the very same items say."""
    first = same[0]
    outcomes = [evaluation.outcomes for evaluation in same if evaluation.outcomes is not None]
    if len(outcomes) == 1:
        return Estimate(first.score, variance(outcomes[0], first.sample), first.items)
    mean: Array = np.mean(np.stack(outcomes), axis=0, dtype=np.float64)
    score = float(np.mean(mean) if first.sample is None else first.sample.weights @ mean)
    return Estimate(score, variance(mean, first.sample), first.items)


def _expected(scores: Array, variances: Array, items: Array, metric: Metric) -> Array:
    """Return the variance of one item at each score, up to a factor, by the noise model of the metric's range."""
    if metric.lower is None:
        return np.ones(len(scores))
    if metric.upper is None:
        return np.maximum(scores - metric.lower, 0.0)
    span = metric.upper - metric.lower
    share = np.clip((scores - metric.lower) / span, 0.0, 1.0)
    # A score scatters into the middle of its range or away from it: on average its own variance is missing. On the very
    # edge of the range there is none to see, so half an item more on either side says what to expect.
    inner = (share * items + 0.5) / (items + 1.0)
    seen = span**2 * share * (1.0 - share) + variances
    return np.where((share == 0.0) | (share == 1.0), span**2 * inner * (1.0 - inner), seen)
