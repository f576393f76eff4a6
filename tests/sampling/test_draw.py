"""What is drawn: distinct items, narrow strata, even weights, and a score without bias."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.sampling.draw import draw


@st.composite
def drawings(draw):
    """How many items of how many, how hard they are (with ties) and a seed."""
    size = draw(st.integers(1, 120))
    levels = draw(st.sampled_from([0, 1, 3, 10**6]))
    seed = draw(st.integers(0, 2**32 - 1))
    difficulty = None if levels == 0 else np.random.default_rng(seed).integers(0, levels, size).astype(float)
    return draw(st.integers(1, 130)), difficulty, seed, size


@settings(max_examples=150, deadline=None)
@given(drawings())
def test_items_are_distinct_in_range_and_weigh_one_together(drawing):
    count, difficulty, seed, size = drawing
    sample = draw(count, difficulty, np.random.default_rng(seed), size=size)
    assert len(sample.items) == len(sample.strata) == min(count, size)
    assert sample.items.dtype == sample.strata.dtype == np.int64
    assert (np.diff(sample.items) > 0).all()
    assert sample.items.min() >= 0
    assert sample.items.max() < size
    assert sample.shares.sum() == pytest.approx(1.0)
    assert sample.weights.sum() == pytest.approx(1.0)
    assert set(sample.strata) == set(range(len(sample.shares)))


@settings(max_examples=150, deadline=None)
@given(drawings())
def test_strata_are_narrow_and_items_weigh_nearly_alike(drawing):
    count, difficulty, seed, size = drawing
    sample = draw(count, difficulty, np.random.default_rng(seed), size=size)
    drawn = np.bincount(sample.strata)
    if difficulty is None or count >= size:
        assert len(sample.shares) == 1
        return
    assert len(drawn) == -(-count // 4)
    assert drawn.max() - drawn.min() <= 1
    assert drawn.min() >= min(count, 2)
    assert drawn.max() <= 4
    sizes = sample.shares * size
    assert (sizes >= drawn - 1e-9).all()
    assert np.abs(sizes - drawn * size / count).max() < 1.0  # as even as whole items allow
    # Strata follow each other in difficulty; equal difficulties may lie on both sides of a border.
    hard = [difficulty[sample.items[sample.strata == stratum]] for stratum in range(len(drawn))]
    assert all(low.max() <= high.min() for low, high in pairwise(hard))


@settings(max_examples=30, deadline=None)
@given(drawings())
def test_the_same_seed_draws_the_same(drawing):
    count, difficulty, seed, size = drawing
    one, other = (draw(count, difficulty, np.random.default_rng(seed), size=size) for _ in range(2))
    for name in ("items", "strata", "shares"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("count", [1, 5, 11, 40])
def test_the_weighted_mean_has_no_bias(stratify, count):
    rng = np.random.default_rng(count)
    outcomes = rng.random(53) ** 3
    difficulty = outcomes + 0.3 * rng.random(53) if stratify else None
    scores = []
    for _ in range(1200):
        sample = draw(count, difficulty, rng, size=53)
        scores.append(sample.weights @ outcomes[sample.items])
    error = np.std(scores) / np.sqrt(len(scores))
    assert abs(np.mean(scores) - outcomes.mean()) < 4.0 * error


def test_every_item_is_drawn_about_as_often_as_any_other():
    rng = np.random.default_rng(0)
    drawn = np.zeros(30)
    for _ in range(1500):
        drawn[draw(10, np.zeros(30), rng, size=30).items] += 1
    assert np.abs(drawn / 1500 - 1 / 3).max() < 0.05


def test_known_difficulties_make_scores_more_certain():
    rng = np.random.default_rng(0)
    easiness = np.sort(rng.random(400))
    outcomes = (rng.random(400) < easiness).astype(float)
    known, unknown = (
        np.var([sample.weights @ outcomes[sample.items] for sample in samples])
        for samples in ([draw(40, difficulty, rng, size=400) for _ in range(800)] for difficulty in (easiness, None))
    )
    assert known < 0.8 * unknown


def test_what_cannot_be_drawn():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 1 item, got 0"):
        draw(0, None, rng, size=5)
    for wrong in (np.zeros(4), np.full(5, np.nan)):
        with pytest.raises(ValueError, match="5 finite difficulties"):
            draw(2, wrong, rng, size=5)
