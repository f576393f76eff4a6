import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.quadratic import QuadraticSurrogate

METRICS = [
    Metric("accuracy", lower=0.0, upper=1.0, maximize=True),
    Metric("cross_entropy", lower=0.0, upper=None, maximize=False),
    Metric("reward", lower=None, upper=None, maximize=True),
]
surrogates = st.builds(
    lambda metric, k, seed: _fitted(metric, k, np.random.default_rng(seed)),
    st.sampled_from(METRICS),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)


def _fitted(metric, k, rng):
    n = (k + 1) * (k + 2)
    scores = rng.random(n)
    return fit_quadratic(rng.random((n, k)), scores, scores * (1.0 - scores) / 50, np.full(n, 50), metric)


@settings(max_examples=20, deadline=None)
@given(surrogates)
def test_json_brings_the_same_bits_back(surrogate):
    again = QuadraticSurrogate.from_json(json.loads(json.dumps(surrogate.to_json(), allow_nan=False)))
    for field in dataclasses.fields(surrogate):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(surrogate, field.name))
    points = np.random.default_rng(0).random((9, len(surrogate.centre)))
    np.testing.assert_array_equal(again.predict(points), surrogate.predict(points))
    np.testing.assert_array_equal(again.interval(points), surrogate.interval(points))


def test_an_infinite_condition_survives_json():
    surrogate = dataclasses.replace(_fitted(METRICS[0], 2, np.random.default_rng(0)), condition=math.inf)
    plain = surrogate.to_json()
    assert plain["condition"] is None
    assert QuadraticSurrogate.from_json(plain).condition == math.inf


@settings(max_examples=30, deadline=None)
@given(surrogates, st.integers(0, 2**32 - 1))
def test_the_gradient_agrees_with_differences(surrogate, seed):
    k, h = len(surrogate.centre), 1e-5
    points = np.random.default_rng(seed).random((4, k))
    steps = h * np.eye(k)
    rises = [surrogate.predict(points + step) - surrogate.predict(points - step) for step in steps]
    slope = np.stack(rises, axis=1) / (2.0 * h)
    np.testing.assert_allclose(surrogate.gradient(points), slope, rtol=1e-4, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(surrogates)
def test_intervals_hold_the_prediction_and_grow_with_the_level_and_away_from_the_data(surrogate):
    points = np.random.default_rng(0).random((6, len(surrogate.centre)))
    predicted = surrogate.predict(points)
    (low, high), (lower, higher) = surrogate.interval(points, 0.5), surrogate.interval(points, 0.9)
    assert np.all((lower <= low) & (low <= predicted) & (predicted <= high) & (high <= higher))


@settings(max_examples=15, deadline=None)
@given(surrogates)
def test_eta_is_what_the_link_is_applied_to_and_its_spread_is_without_the_noise_of_a_measurement(surrogate):
    points = np.random.default_rng(0).random((6, len(surrogate.centre)))
    eta, sd = surrogate.eta(points)
    np.testing.assert_array_equal(surrogate.link.mean(eta), surrogate.predict(points))
    assert np.all(sd >= np.sqrt(surrogate.misfit))
    silent = dataclasses.replace(surrogate, noise=0.0, freedom=1e9)
    reach = surrogate.link.mean(eta + 1.6448536 * sd)
    np.testing.assert_allclose(silent.interval(points, 0.9)[1], surrogate.link.clip(reach), rtol=1e-5, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(surrogates, st.floats(1.0, 1e6))
def test_an_interval_of_more_items_is_narrower_and_that_of_all_there_are_is_the_fit_s_own(surrogate, items):
    points = np.random.default_rng(0).random((6, len(surrogate.centre)))
    (low, high), (lower, higher) = (surrogate.interval(points, items=count) for count in (items, items / 4.0))
    assert np.all((lower <= low) & (high <= higher))
    silent = dataclasses.replace(surrogate, noise=0.0)
    np.testing.assert_allclose(surrogate.interval(points, items=np.inf), silent.interval(points), rtol=1e-12)
    same = surrogate.interval(points, items=1.0 / surrogate.noise)
    np.testing.assert_allclose(same, surrogate.interval(points), rtol=1e-9, atol=1e-12)


def test_r2_and_error_are_those_of_left_out_points():
    surrogate = dataclasses.replace(
        _fitted(METRICS[0], 1, np.random.default_rng(0)),
        measured=np.array([0.0, 0.5, 1.0]),
        left_out=np.array([0.1, 0.5, 0.8]),
    )
    assert surrogate.r2_cv == pytest.approx(1.0 - 0.05 / 0.5)
    assert surrogate.loo_rmse == pytest.approx(math.sqrt(0.05 / 3.0))


def test_what_a_surrogate_cannot_use_is_refused():
    surrogate = _fitted(METRICS[0], 2, np.random.default_rng(0))
    for call in (surrogate.predict, surrogate.gradient, surrogate.interval):
        with pytest.raises(BadInputError, match=r"\[n, 2\], got \[1, 3\]"):
            call(np.zeros((1, 3)))
    with pytest.raises(BadInputError, match="level between 0 and 1, got 90"):
        surrogate.interval(np.zeros((1, 2)), 90)
    with pytest.raises(BadInputError, match="schema 'mapmerge/quadratic/2', got None"):
        QuadraticSurrogate.from_json({})
    plain = {name: value for name, value in surrogate.to_json().items() if name not in ("ridge", "link")}
    with pytest.raises(BadInputError, match="lacks link, ridge"):
        QuadraticSurrogate.from_json(plain)
