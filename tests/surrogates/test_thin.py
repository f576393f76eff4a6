"""The quadratic of few points is the quadratic, held in another way."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates.features import parameter_count, quadratic_features
from mapmerge.surrogates.fitting import SLOPE_SHARE, solve_quadratic
from mapmerge.surrogates.stored import surrogate_from_json
from mapmerge.surrogates.thin import fit_thin_quadratic, products, products_with_itself

METRICS = [
    Metric("accuracy", lower=0.0, upper=1.0, maximize=True),
    Metric("cross_entropy", lower=0.0, upper=None, maximize=False),
    Metric("reward", lower=None, upper=None, maximize=True),
]


def measured(k, n, metric, seed):
    rng = np.random.default_rng(seed)
    points, items = rng.random((n, k)), np.full(n, 400)
    scores = 0.5 + 0.3 * np.sin(points @ rng.normal(size=k)) + 0.02 * rng.normal(size=n)
    scores = np.clip(scores, 0.01, 0.99)
    return points, scores, scores * (1.0 - scores) / items, items, metric


@settings(max_examples=40, deadline=None)
@given(k=st.integers(4, 7), share=st.floats(0.5, 1.0), metric=st.sampled_from(METRICS), seed=st.integers(0, 99))
def test_it_is_the_quadratic_with_the_same_ridge(k, share, metric, seed):
    told = measured(k, max(10, int(share * parameter_count(k))), metric, seed)
    solved, thin = solve_quadratic(*told), fit_thin_quadratic(*told)
    thick = solved.surrogate
    # Where two strengths predict left-out points alike, or the points are met to the last bits, rounding decides.
    assume(thick.ridge > 1e-5 and np.isclose(solved.ridge[-1], thin.ridge))
    elsewhere = np.random.default_rng(seed + 1).random((40, k)) * 2.0
    np.testing.assert_allclose(thin.predict(elsewhere), thick.predict(elsewhere), atol=1e-4)
    np.testing.assert_allclose(thin.gradient(elsewhere), thick.gradient(elsewhere), atol=1e-3)
    np.testing.assert_allclose(thin.eta(elsewhere)[1], thick.eta(elsewhere)[1], rtol=1e-2)
    np.testing.assert_allclose(thin.left_out, thick.left_out, atol=1e-4)
    assert thin.freedom == pytest.approx(thick.freedom, rel=1e-2)


@given(seed=st.integers(0, 99))
def test_products_are_those_of_the_features(seed):
    one, other = np.random.default_rng(seed).normal(size=(2, 5, 4))
    held = np.concatenate([[np.inf], np.full(4, SLOPE_SHARE), np.ones(10)])
    np.testing.assert_allclose(products(one, other), quadratic_features(one) / held @ quadratic_features(other).T)
    np.testing.assert_allclose(products_with_itself(one), np.diag(products(one, one)))


def test_it_comes_back_from_json_with_the_same_bits():
    told = measured(6, 12, METRICS[0], 0)
    thin = fit_thin_quadratic(*told)
    again = surrogate_from_json(json.loads(json.dumps(thin.to_json())))
    for one, other in zip(again.eta(told[0]), thin.eta(told[0]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_experts_take_no_more_than_their_points():
    told = measured(128, 40, METRICS[0], 0)
    thin = fit_thin_quadratic(*told)
    assert len(json.dumps(thin.to_json())) < 30 * 40 * 128
    assert np.abs(thin.predict(told[0]) - told[1]).max() < 0.3


def test_points_that_are_all_the_same_say_a_constant():
    row = np.full((3, 4), 0.5)
    thin = fit_thin_quadratic(row, np.array([0.4, 0.5, 0.6]), np.full(3, 1e-4), np.full(3, 100), METRICS[0])
    np.testing.assert_allclose(thin.predict(np.array([[0.5] * 4, [1.0] * 4])), 0.5, atol=1e-3)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(BadInputError, match="expected 3 scores"):
        fit_thin_quadratic(np.zeros((3, 4)), np.zeros(2), np.zeros(3), np.ones(3), METRICS[0])
