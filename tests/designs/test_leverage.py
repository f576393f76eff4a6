"""Leverage: how far candidates lie from what was measured, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.leverage import Leverage


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 4))
def test_leverage_is_that_of_the_hat_matrix_and_blind_to_units(seed, k):
    rng = np.random.default_rng(seed)
    p = (k + 1) * (k + 2) // 2
    measured = rng.random((3 * p, k))
    leverage = Leverage.of(measured)
    own = leverage(measured)
    assert leverage.largest == own.max()
    assert own.sum() == pytest.approx(p, rel=1e-2)
    assert (own <= 1.0 + 1e-9).all()
    scaled = 7.0 * measured + 3.0
    np.testing.assert_allclose(Leverage.of(scaled)(scaled), own, rtol=1e-6)
    assert leverage(measured.mean(axis=0)[None] + 10.0)[0] > own.max()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 4), spread=st.floats(0.5, 50.0))
def test_the_way_back_ends_where_a_quadratic_is_as_sure_as_one_measurement(seed, k, spread):
    rng = np.random.default_rng(seed)
    measured = rng.random((2 * (k + 1) * (k + 2) // 2, k))
    leverage = Leverage.of(measured)
    asked = measured.mean(axis=0) + spread * rng.standard_normal((50, k))
    back = leverage.retreat(asked)
    own, far = leverage(asked), leverage(asked) > 1.0
    np.testing.assert_array_equal(back[~far], asked[~far])
    np.testing.assert_allclose(leverage(back[far]), 1.0, rtol=1e-5)
    assert (leverage(back) <= own * (1.0 + 1e-9)).all()
    way = (back - leverage.anchor) / (asked - leverage.anchor)
    np.testing.assert_allclose(way, way[:, :1] * np.ones(k), rtol=1e-6)  # on the straight line to the anchor
    assert ((way > 0.0) & (way <= 1.0)).all()


def test_measured_candidates_stay_where_they_are():
    measured = np.random.default_rng(0).random((30, 3))
    np.testing.assert_array_equal(Leverage.of(measured).retreat(measured), measured)
