"""Variances that are right on average and never 0, and samples that are weighed by them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.records import Evaluation, Metric, Sample
from mapmerge.sampling.draw import draw
from mapmerge.sampling.estimate import effective_items, pool, variance

ACCURACY = Metric("accuracy", 0.0, 1.0, True)
LOSS = Metric("loss", 0.0, None, False)
MARGIN = Metric("margin", None, None, True)


def evaluation(outcomes, sample=None, key="", error=None):
    return Evaluation(key, np.zeros(2), "z", "search", outcomes, sample=sample, error=error)


@st.composite
def samples(draw_value):
    size = draw_value(st.integers(1, 200))
    count = draw_value(st.integers(1, size))
    rng = np.random.default_rng(draw_value(st.integers(0, 2**32 - 1)))
    return draw(count, rng.random(size) if draw_value(st.booleans()) else None, rng, size=size)


@settings(max_examples=100, deadline=None)
@given(samples(), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_the_variance_of_bits_is_never_zero_and_never_more_than_bits_can_vary(sample, p, seed):
    outcomes = np.float32(np.random.default_rng(seed).random(len(sample.items)) < p)
    found = variance(outcomes, sample)
    assert 0.0 < found <= 0.25 * max(2.0, 1.0 / len(outcomes)) + 1e-12
    assert found >= (0.5 * sample.weights.min()) ** 2 * (1 - 1e-9)


# A world of many items, so that drawing without replacement is like drawing from all the items there could be.
SIZE, DRAWS, TRIES = 2000, 60, 3000


@pytest.mark.parametrize(("count", "allowed"), [(20, 0.14), (41, 0.1)])
@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.95])
@pytest.mark.parametrize("informed", [False, True])
def test_variances_are_right_on_average(count, allowed, p, informed):
    rng = np.random.default_rng([count, int(1000 * p)])
    # With informative difficulties chances spread around p; even then hardly any item is certain.
    chances = np.sort(p + (0.6 * min(p, 1 - p) if informed else 0.0) * rng.uniform(-1, 1, SIZE))
    drawn = [draw(count, chances, rng, size=SIZE) for _ in range(DRAWS)]
    told = [
        variance(np.float32(rng.random(count) < chances[sample.items]), sample)
        for sample in drawn
        for _ in range(TRIES // DRAWS)
    ]
    # Chances within a stratum hardly differ: what is left is the noise of every single item.
    assert np.mean(told) == pytest.approx(np.mean(chances * (1 - chances)) / count, rel=allowed)


def test_continuous_outcomes_of_strata():
    rng = np.random.default_rng(0)
    level = np.sort(rng.random(2000))
    scores, told = [], []
    for _ in range(800):
        sample = draw(22, level, rng, size=2000)
        outcomes = np.float32(level[sample.items] + 0.2 * rng.standard_normal(22))
        scores.append(sample.weights @ outcomes)
        told.append(variance(outcomes, sample))
    assert np.mean(told) == pytest.approx(np.var(scores), rel=0.15)
    assert np.mean(told) < 0.5 * (0.2**2 + np.var(level)) / 22  # far below simple-random items


def test_all_items_are_a_simple_sample():
    outcomes = np.float32([0.5, 2.0, 3.0])
    whole = draw(3, None, np.random.default_rng(0), size=3)
    assert variance(outcomes, None) == variance(outcomes, whole) == pytest.approx(np.var(outcomes, ddof=1) / 3)


def test_strata_of_one_item_borrow_from_the_others():
    sample = Sample(np.arange(3), np.array([0, 0, 1]), np.array([0.5, 0.5]))
    assert variance(np.float32([1, 3, 9]), sample) == pytest.approx(0.25 * 2 / 2 + 0.25 * 2 / 1)
    assert variance(np.float32([7]), None) == 0.0
    assert variance(np.float32([1]), None) == 0.25
    assert variance(np.float32([7, 7]), None) == 0.0


@pytest.mark.parametrize("informed", [False, True])
def test_samples_are_worth_what_their_strata_save(informed):
    rng = np.random.default_rng(0)
    easiness = np.sort(rng.random(2000))
    told, scores = [], []
    for _ in range(60):
        chances = np.clip(easiness + rng.uniform(-0.2, 0.2), 0, 1)
        outcomes = np.float32(rng.random(2000) < chances)
        sample = draw(40, easiness if informed else None, rng, size=2000)
        seen = outcomes[sample.items]
        scores.append(sample.weights @ seen)
        told.append(variance(seen, sample))
    items = np.full(60, 40.0)
    worth = effective_items(np.array(scores), np.array(told), items, ACCURACY)
    assert np.ptp(worth) == 0.0
    assert worth[0] / 40 == pytest.approx(1.5 if informed else 1.0, rel=0.15)


def test_a_full_measurement_beside_samples_is_worth_its_own_items():
    full = variance(np.float32([1, 0] * 1000), None)
    sampled = np.full(20, 0.5 * 0.25 / 40)
    scores, items = np.full(21, 0.5), np.array([2000.0] + [40.0] * 20)
    worth = effective_items(scores, np.array([full, *sampled]), items, ACCURACY)
    assert worth[0] == pytest.approx(2000, rel=0.1)
    assert worth[1] == pytest.approx(80, rel=0.1)


def test_full_measurements_of_bits_are_worth_their_items():
    rng = np.random.default_rng(0)
    outcomes = np.float32(rng.random((30, 100)) < rng.uniform(0.1, 0.9, (30, 1)))
    told = np.array([variance(row, None) for row in outcomes])
    np.testing.assert_allclose(effective_items(outcomes.mean(axis=1), told, np.full(30, 100.0), ACCURACY), 100.0)


@pytest.mark.parametrize("metric", [LOSS, MARGIN])
def test_other_noise_models_weigh_scores_up_to_one_factor(metric):
    scores, items = np.array([0.5, 1.0, 2.0]), np.array([50.0, 50.0, 50.0])
    worth = effective_items(scores, np.array([0.1, 0.2, 0.1]), items, metric)
    assert np.ptp(worth) == 0.0
    assert effective_items(scores, np.zeros(3), items, metric).tolist() == items.tolist()
    assert effective_items(np.zeros(2), np.zeros(2), np.ones(2), LOSS).tolist() == [1.0, 1.0]
    assert effective_items(np.zeros(0), np.zeros(0), np.zeros(0), metric).tolist() == []


def test_disjoint_samples_weigh_as_their_items_do():
    first, second = (
        Sample(np.arange(start, start + n), np.zeros(n, dtype=np.int64), np.ones(1)) for start, n in ((0, 4), (4, 8))
    )
    bits = np.float32([1, 0, 1, 1]), np.float32([1, 0] * 4)
    found = pool([evaluation(bits[0], first), evaluation(bits[1], second)])
    assert found.score == pytest.approx(7 / 12)
    assert found.items == 12
    assert found.variance == pytest.approx((variance(bits[0], first) * 16 + variance(bits[1], second) * 64) / 144)


def test_overlapping_samples_know_no_more_than_their_distinct_items():
    first, second = (
        Sample(np.array(items), np.zeros(4, dtype=np.int64), np.ones(1)) for items in ([0, 1, 2, 3], [0, 1, 2, 4])
    )
    bits = np.float32([1, 0, 1, 1])
    found = pool([evaluation(bits, first), evaluation(bits, second)])
    assert (found.score, found.items) == (0.75, 5)
    assert found.variance == pytest.approx(variance(bits, first) / 2 * 8 / 5)


@pytest.mark.parametrize("sampled", [False, True])
def test_repetitions_are_averaged_and_no_new_items(sampled):
    sample = draw(4, None, np.random.default_rng(0), size=9) if sampled else None
    first, second = np.float32([1, 0, 1, 1]), np.float32([1, 1, 1, 0])
    found = pool([evaluation(first, sample), evaluation(second, sample)])
    assert found == pytest.approx((0.75, np.var([1, 0.5, 1, 0.5], ddof=1) / 4, 4))


def test_a_full_measurement_wins_and_failures_do_not_count():
    sample = draw(2, None, np.random.default_rng(0), size=4)
    full, failed = evaluation(np.float32([1, 0, 1, 1])), evaluation(None, error="no")
    found = pool([evaluation(np.float32([0, 0]), sample), full, failed])
    assert found == (0.75, 0.0625, 4)
    nothing = pool([failed])
    assert math.isnan(nothing.score)
    assert math.isnan(nothing.variance)
    assert nothing.items == 0
