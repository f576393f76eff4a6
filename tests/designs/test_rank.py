import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.rank import check_rank, require_identifiable
from mapmerge.errors import ConfigError


def _monomials(points):
    i, j = np.triu_indices(points.shape[1])
    return np.column_stack([np.ones(len(points)), points, points[:, i] * points[:, j]])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.sampled_from([2, 3, 50]), st.integers(0, 2**32 - 1))
def test_the_rank_is_that_of_the_monomials(k, n, levels, seed):
    points = np.random.default_rng(seed).integers(0, levels, (n, k)) / (levels - 1.0)
    assert check_rank(points).rank == np.linalg.matrix_rank(_monomials(points))


def test_a_coefficient_that_never_moves_and_a_fixed_sum_are_seen():
    points = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    assert check_rank(points).rank == 6
    points[:, 2] = 0.7
    assert check_rank(points[:, [0, 2]]).rank == 3


def test_the_condition_is_that_of_the_design_and_knows_no_units():
    points = np.random.default_rng(0).random((40, 3))
    report = check_rank(points)
    assert 1.0 < report.condition < 100.0
    assert check_rank(1e3 + 1e-2 * points).condition == pytest.approx(report.condition, rel=1e-3)


def test_too_few_or_too_regular_candidates_are_refused_with_a_cure():
    with pytest.raises(ConfigError, match=r"4 candidates determine 4 of 6 .* at least 6 candidates"):
        require_identifiable(np.random.default_rng(0).random((4, 2)))
    corners = np.array(np.meshgrid([0.0, 1.0], [0.0, 1.0])).reshape(2, -1).T
    with pytest.raises(ConfigError, match=r"8 candidates determine 4 of 6 .* another kind"):
        require_identifiable(np.vstack([corners, corners]))
    require_identifiable(np.random.default_rng(0).random((6, 2)))
    assert math.isinf(check_rank(corners).condition)
