import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.initial import anchors, design
from mapmerge.designs.rank import check_rank
from mapmerge.errors import ConfigError

OPTIONS = {
    "dirichlet-mass": [{}, {"mass": (0.5, 1.2)}],
    "sobol": [{}, {"lower": -0.5, "upper": 1.5}, {"mass": (0.0, 1.6)}],
    "uniform-box": [{}, {"lower": -0.5}],
}
cases = [(kind, options) for kind, several in OPTIONS.items() for options in several]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(cases), st.integers(1, 8), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_designs_lie_in_their_region_follow_the_seed_and_have_full_rank(case, k, extra, seed):
    kind, options = case
    p = (k + 1) * (k + 2) // 2
    n = p + extra
    made = design(kind, n, k, rng=np.random.default_rng(seed), **options)
    assert made.coefficients.shape == (n, k)
    assert made.region.contains(made.coefficients).all()
    np.testing.assert_array_equal(made.coefficients[: len(anchors(k))], anchors(k))
    again = design(kind, n, k, rng=np.random.default_rng(seed), **options)
    np.testing.assert_array_equal(again.coefficients, made.coefficients)
    assert check_rank(made.coefficients).rank == p


def test_dirichlet_mass_samples_between_the_masses_and_lets_the_search_come_down_to_the_base():
    made = design("dirichlet-mass", 100, 4, rng=np.random.default_rng(0))
    sums = made.coefficients[6:].sum(axis=1)
    assert sums.min() >= 0.3 - 1e-12
    assert sums.max() <= 2.2 + 1e-12
    assert made.region.mass == (0.0, 2.2)
    np.testing.assert_array_equal(made.region.upper, np.full(4, 2.2))


def test_anchors_stay_even_outside_the_region_that_was_asked_for():
    made = design("sobol", 30, 2, upper=0.5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(made.coefficients[:4], anchors(2))
    assert made.region.contains(made.coefficients[4:]).all()


def test_one_expert_is_its_own_uniform_merge():
    np.testing.assert_array_equal(anchors(1), [[0.0], [1.0]])


@pytest.mark.parametrize(("k", "n", "levels"), [(2, 12, 5), (3, 20, 4), (4, 30, 3), (5, 42, 3), (7, 72, 3), (8, 90, 2)])
def test_paper_grid_is_experts_then_a_thinned_grid(k, n, levels):
    made = design("paper-grid", n, k, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(made.coefficients[:k], np.eye(k))
    grid = made.coefficients[k:]
    assert grid.shape == (n - k, k)
    assert len(np.unique(grid, axis=0)) == n - k
    np.testing.assert_allclose(np.unique(grid), np.linspace(0.0, 1.0, levels))
    assert not np.any(np.isclose(grid.sum(axis=1), 1.0))
    assert np.all(np.ptp(grid, axis=1) > 0.0)


def test_the_papers_grid_cannot_tell_squares_from_slopes_for_eight_experts():
    report = check_rank(design("paper-grid", 90, 8, rng=np.random.default_rng(0)).coefficients)
    assert (report.rank, report.parameters) == (37, 45)


@pytest.mark.parametrize(
    ("kind", "n", "k", "options", "message"),
    [
        ("latin", 20, 2, {}, "unknown kind 'latin'; expected one of dirichlet-mass"),
        ("sobol", 5, 2, {}, "take at least 6"),
        ("sobol", 5, 0, {}, "at least 1 expert"),
        ("uniform-box", 9, 2, {"mass": (0.3, 1.6)}, "no use for mass"),
        ("paper-grid", 9, 2, {"mass": (0.3, 1.6)}, "no use for mass"),
        ("dirichlet-mass", 9, 2, {"lower": -1.0}, "no use for lower"),
        ("paper-grid", 9, 2, {"upper": 2.0}, "no use for lower"),
        ("dirichlet-mass", 9, 2, {"mass": (-0.3, 1.0)}, "at least 0"),
        ("dirichlet-mass", 9, 2, {"mass": (1.0, 0.5)}, "smallest, largest"),
        ("sobol", 9, 2, {"lower": 2.0}, "above its upper bound"),
        ("paper-grid", 9, 1, {}, "has only 0 points"),
        ("paper-grid", 400, 22, {}, "too large"),
    ],
)
def test_what_cannot_be_designed_is_refused(kind, n, k, options, message):
    with pytest.raises(ConfigError, match=message):
        design(kind, n, k, rng=np.random.default_rng(0), **options)
