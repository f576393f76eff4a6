import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.nested.grid import preference_grid


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 60), more=st.integers(0, 60), m=st.integers(1, 20))
def test_preferences_lie_on_the_simplex_and_more_of_them_begin_with_fewer(count, more, m):
    grid = preference_grid(count, m)
    assert grid.shape == (count, m)
    assert (grid >= 0).all()
    np.testing.assert_allclose(grid.sum(axis=1), 1.0)
    np.testing.assert_allclose(grid[0], 1.0 / m)
    assert preference_grid(count + more, m)[:count].tobytes() == grid.tobytes()


@pytest.mark.parametrize("m", [2, 3, 5])
def test_preferences_are_spread_evenly(m):
    grid = preference_grid(400, m)
    np.testing.assert_allclose(grid.mean(axis=0), 1.0 / m, atol=0.02)
    # Uniform on the simplex: the share of points above a level in one coordinate is (1 - level)^(m - 1).
    for level in (0.1, 0.4, 0.7):
        np.testing.assert_allclose((grid > level).mean(axis=0), (1 - level) ** (m - 1), atol=0.05)


def test_no_preference_or_no_objective_is_refused():
    for count, m in ((0, 2), (2, 0)):
        with pytest.raises(BadInputError, match="at least 1 preference over 1 objective"):
            preference_grid(count, m)
