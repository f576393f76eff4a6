"""Take off a score what its items were harder or easier than the others, as all evaluations together tell."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mapmerge.records import Array, Evaluation
from mapmerge.sampling.difficulty import LEAST


def adjust(evaluations: Sequence[Evaluation], predicted: Array, size: int) -> list[Evaluation]:
    """Return the evaluations with outcomes as they would be if all items were equally hard.

    The effect of an item is what its outcomes were above the predicted scores of their candidates, on average over all
    other evaluations that saw it, drawn towards 0 as if it had once been seen without any effect:

        outcome' = outcome - effect of its item + mean effect of all items of the set

    Since an evaluation's own outcomes are no part of the effects it is corrected by, they are as good as known
    beforehand and the score keeps its mean (the difference estimator of survey sampling); what varies less is what is
    left over. On real merges this halves the variance of a score, and more where items were drawn without strata.

    Args:
        evaluations: of one objective, measured; those of all items are returned as they are.
        predicted: shape [n evaluations], the score of each one's candidate as a surrogate predicts it.
        size: how many items the set has.

    Returns:
        One an evaluation, in their order; all unchanged where there are fewer than 8.

    Source: W. G. Cochran, Sampling Techniques, 3rd ed., section 7.2.
    """
    if len(evaluations) < LEAST:
        return list(evaluations)
    above, seen, own = np.zeros(size), np.zeros(size), []
    for evaluation, score in zip(evaluations, predicted.tolist(), strict=True):
        assert evaluation.outcomes is not None
        items = np.arange(size) if evaluation.sample is None else evaluation.sample.items
        own.append((items, evaluation.outcomes.astype(np.float64) - score))
        above[items] += own[-1][1]  # indices are distinct, so that += counts each
        seen[items] += 1.0
    every = above / (seen + 1.0)
    adjusted = []
    for evaluation, (items, residuals) in zip(evaluations, own, strict=True):
        if evaluation.sample is None or evaluation.outcomes is None:
            adjusted.append(evaluation)
            continue
        effects = (above[items] - residuals) / seen[items]  # without its own: seen - 1 + 1
        mean = (np.sum(every) - np.sum(every[items]) + np.sum(effects)) / size
        outcomes = (evaluation.outcomes - effects + mean).astype(np.float32)
        adjusted.append(replace(evaluation, outcomes=outcomes))
    return adjusted
