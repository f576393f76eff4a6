"""Scores freed of how hard their items were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.records import Evaluation
from mapmerge.sampling.adjust import adjust
from mapmerge.sampling.draw import draw

SIZE = 200


def world(seed, count=60, drawn=40):
    """Return evaluations of models of different quality on items of different hardness, and the true scores."""
    rng = np.random.default_rng(seed)
    hardness = rng.uniform(0.0, 1.0, SIZE)
    quality = rng.uniform(0.4, 0.8, count)
    outcomes = (hardness < quality[:, None] + 0.05 * rng.standard_normal((count, SIZE))).astype(np.float32)
    samples = [draw(drawn, None, rng, size=SIZE) for _ in range(count)]
    evaluations = [
        Evaluation(str(n), np.array([quality[n]]), "z", "search", outcomes[n][sample.items], sample=sample)
        for n, sample in enumerate(samples)
    ]
    return evaluations, outcomes.mean(axis=1, dtype=np.float64), quality


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_scores_come_nearer_to_those_of_all_items(seed):
    evaluations, truth, quality = world(seed)
    raw = np.array([each.score for each in evaluations])
    better = np.array([each.score for each in adjust(evaluations, quality, SIZE)])
    assert np.mean((better - truth) ** 2) < 0.8 * np.mean((raw - truth) ** 2)


def test_scores_keep_their_mean():
    errors = []
    for seed in range(40):
        evaluations, truth, quality = world(seed)
        errors.append(np.mean([each.score for each in adjust(evaluations, quality, SIZE)]) - truth.mean())
    assert abs(np.mean(errors)) < 3 * np.std(errors, ddof=1) / np.sqrt(len(errors))


def test_a_wrong_prediction_costs_precision_but_brings_no_bias():
    errors = []
    for seed in range(40):
        evaluations, truth, quality = world(seed)
        errors.append(np.mean([each.score for each in adjust(evaluations, quality + 0.3, SIZE)]) - truth.mean())
    assert abs(np.mean(errors)) < 3 * np.std(errors, ddof=1) / np.sqrt(len(errors))


def test_measurements_of_all_items_and_few_evaluations_stay_as_they_are():
    evaluations, _, quality = world(0, count=7)
    assert adjust(evaluations, quality, SIZE) == evaluations
    whole = [Evaluation(str(n), np.zeros(1), "z", "search", np.float32([1, 0, 1, n % 2])) for n in range(9)]
    assert adjust(whole, np.full(9, 0.6), 4) == whole


def test_it_needs_one_prediction_an_evaluation():
    evaluations, _, quality = world(0)
    with pytest.raises(ValueError, match="shorter"):
        adjust(evaluations, quality[:-1], SIZE)
