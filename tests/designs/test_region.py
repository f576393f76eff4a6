import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.region import Region
from mapmerge.errors import BadInputError, ConfigError

regions = st.builds(
    lambda k, seed, limited: _region(k, np.random.default_rng(seed), limited),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
seeds = st.integers(0, 2**32 - 1)


def _region(k, rng, limited):
    lower = rng.uniform(-1.0, 0.5, k).round(1)
    upper = lower + rng.uniform(0.0, 2.0, k).round(1)
    if not limited:
        return Region(lower, upper)
    ends = np.sort(rng.uniform(lower.sum(), upper.sum(), 2))
    return Region(lower, upper, (ends[0], ends[1]))


@settings(max_examples=60, deadline=None)
@given(regions, seeds, st.sampled_from([0.1, 3.0, 1e6]))
def test_a_projection_is_inside_and_projecting_again_changes_no_bit(region, seed, size):
    points = np.random.default_rng(seed).normal(0.0, size, (20, region.k))
    projected = region.project(points)
    assert region.contains(projected, 1e-9 * (1.0 + size)).all()
    np.testing.assert_array_equal(region.project(projected), projected)


@settings(max_examples=60, deadline=None)
@given(regions, seeds)
def test_no_point_of_the_region_is_closer_than_the_projection(region, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(0.0, 2.0, (10, region.k))
    projected = region.project(points)
    inside = np.vstack([region.sample(64, rng), projected])
    # for a convex set: (point - projection) . (other - projection) <= 0 for every other point of the set
    towards = np.einsum("nk,njk->nj", points - projected, inside[None] - projected[:, None])
    assert towards.max() <= 1e-9 * (1.0 + np.abs(points).max() ** 2)


@settings(max_examples=30, deadline=None)
@given(regions, seeds)
def test_points_that_are_inside_stay_bit_for_bit(region, seed):
    sample = region.sample(32, np.random.default_rng(seed))
    inside = sample[region.contains(sample, 0.0)]
    np.testing.assert_array_equal(region.project(inside), inside)


@settings(max_examples=40, deadline=None)
@given(regions, seeds, st.integers(0, 70))
def test_samples_lie_inside_and_follow_the_seed(region, seed, n):
    sample = region.sample(n, np.random.default_rng(seed))
    assert sample.shape == (n, region.k)
    assert region.contains(sample).all()
    np.testing.assert_array_equal(sample, region.sample(n, np.random.default_rng(seed)))


def test_samples_spread_evenly_over_sum_and_direction():
    region = Region(np.zeros(4), np.full(4, 1.6), (0.3, 1.6))
    sample = region.sample(1024, np.random.default_rng(0))
    counts, _ = np.histogram(sample.sum(axis=1), bins=8, range=(0.3, 1.6))
    assert counts.min() >= 120
    assert counts.max() <= 136
    directions = sample / sample.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(directions.mean(axis=0), 0.25, atol=0.01)
    np.testing.assert_allclose(directions.var(axis=0), 3.0 / 80.0, atol=0.003)  # Dirichlet(1, 1, 1, 1)


def test_the_sum_is_met_exactly_even_for_points_far_away():
    region = Region(np.zeros(8), np.full(8, 1.6), (0.0, 1.6))
    far = np.random.default_rng(1).normal(0.0, 100.0, (500, 8)) + 100.0
    np.testing.assert_allclose(region.project(far).sum(axis=1), 1.6, rtol=0, atol=1e-12)


def test_one_legal_point_is_a_region_too():
    region = Region(np.array([0.5]), np.array([0.5]), (0.5, 0.5))
    np.testing.assert_array_equal(region.project(np.array([[9.0]])), [[0.5]])
    np.testing.assert_array_equal(region.sample(3, np.random.default_rng(0)), np.full((3, 1), 0.5))


@settings(max_examples=20, deadline=None)
@given(regions)
def test_json_brings_the_same_region_back(region):
    again = Region.from_json(json.loads(json.dumps(region.to_json())))
    np.testing.assert_array_equal(again.lower, region.lower)
    np.testing.assert_array_equal(again.upper, region.upper)
    assert again.mass == region.mass


def test_inputs_are_neither_changed_nor_kept():
    lower, points = np.zeros(2), np.array([[5.0, 5.0]])
    region = Region(lower, np.ones(2), (0.0, 1.0))
    region.project(points)
    lower[0] = 7.0
    np.testing.assert_array_equal(points, [[5.0, 5.0]])
    assert region.lower[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        region.lower[0] = 1.0


@pytest.mark.parametrize(
    ("lower", "upper", "mass", "message"),
    [
        ([0.0, 1.0], [1.0, 0.5], None, "lower bound 1 of coefficient 2 is above its upper bound 0.5"),
        ([0.0], [1.0, 1.0], None, "one shape"),
        ([], [], None, "one shape"),
        ([0.0], [np.inf], None, "finite"),
        ([0.0], [1.0], (0.6, 0.3), r"\[0.6, 0.3\]"),
        ([0.0], [1.0], (np.nan, 1.0), "smallest, largest"),
        ([0.0, 0.0], [1.0, 1.0], (2.5, 3.0), r"their sums lie in \[0, 2\]"),
        ([1.0, 1.0], [2.0, 2.0], (0.0, 1.0), r"their sums lie in \[2, 4\]"),
    ],
)
def test_an_impossible_region_is_refused(lower, upper, mass, message):
    with pytest.raises(ConfigError, match=message):
        Region(np.array(lower), np.array(upper), mass)


def test_candidates_of_another_shape_are_refused():
    region = Region(np.zeros(2), np.ones(2))
    for call in (region.project, region.contains):
        with pytest.raises(BadInputError, match=r"\[n, 2\], got \[4, 3\]"):
            call(np.zeros((4, 3)))
