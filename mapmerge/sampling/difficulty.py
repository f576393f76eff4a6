"""How hard each item is, learnt from the evaluations that saw it."""

from collections.abc import Sequence

import numpy as np

from mapmerge.records import Array, Evaluation

LEAST = 8
"""Evaluations that there must be; fewer say too little about single items."""


def difficulty(evaluations: Sequence[Evaluation], predicted: Array, size: int, *, least: int = LEAST) -> Array | None:
    """Return what each item's outcomes were above what its candidates' scores explain, on average.

        sum over the evaluations that saw the item of (outcome - predicted score) / (times seen + 1)

    So an item that was seen once or never counts as about average, and one that good and bad candidates get right
    alike stands out. It only orders items: its sign is that of the metric.

    Args:
        evaluations: of one objective; those that failed are passed over.
        predicted: shape [n evaluations], the score of each one's candidate as a surrogate predicts it: smoother than
            the score of its sample, which the item itself is part of.
        size: how many items the set has.
        least: how many evaluations there must be.

    Returns:
        Shape [size]; None where fewer than `least` evaluations were measured.

    >>> right = [Evaluation(str(n), np.zeros(1), "z", "search", np.float32([1, 0])) for n in range(9)]
    >>> difficulty(right, np.full(9, 0.5), 2)
    array([ 0.45, -0.45])
    """
    measured = [
        (evaluation.outcomes, evaluation.sample, score)
        for evaluation, score in zip(evaluations, predicted.tolist(), strict=True)
        if evaluation.outcomes is not None
    ]
    if len(measured) < least:
        return None
    above, seen = np.zeros(size), np.zeros(size)
    for outcomes, sample, score in measured:
        items = slice(None) if sample is None else sample.items  # indices are distinct, so that += counts each
        above[items] += outcomes - score
        seen[items] += 1.0
    return above / (seen + 1.0)
