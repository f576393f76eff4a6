"""Surrogates of single items' margins."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.margins import fit_margins
from mapmerge.surrogates.population import learn_population
from mapmerge.surrogates.stored import surrogate_from_json

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)


class World:
    """Items whose margins are quadratics of the coefficients, different ones for different items."""

    def __init__(self, k=2, items=400, seed=0, noise=0.1):
        rng = np.random.default_rng(seed)
        self.k, self.items, self.noise, self.rng = k, items, noise, rng
        self.constant, self.slope = 0.4 + 0.8 * rng.standard_normal(items), 0.8 + 0.5 * rng.standard_normal((items, k))
        self.bend = 0.8 + 0.2 * rng.random((items, k))

    def margins(self, c):
        return self.constant + c @ self.slope.T - (c**2) @ self.bend.T

    def truth(self, c):
        return ndtr(self.margins(c) / self.noise).mean(axis=1)

    def measured(self, n, seen):
        """n candidates, each on `seen` items drawn at random."""
        c = self.rng.random((n, self.k)) * 1.5
        values = (self.margins(c) + self.noise * self.rng.standard_normal((n, self.items))).astype(np.float32)
        hidden = np.argsort(self.rng.random(values.shape), axis=1) >= seen
        values[hidden] = np.nan
        scores = np.nanmean(np.where(hidden, np.nan, values > 0.0), axis=1)
        return c, scores, np.maximum(scores * (1 - scores), 1e-3) / seen, np.full(n, float(seen)), ACCURACY, values


def error(fit, world):
    fresh = np.random.default_rng(99).random((200, world.k)) * 1.5
    return float(np.sqrt(np.mean((fit.predict(fresh) - world.truth(fresh)) ** 2)))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 3))
def test_scores_are_predicted_from_margins_of_some_items(seed, k):
    world = World(k=k, seed=seed)
    assert error(fit_margins(*world.measured(60, 40)), world) < 0.04


def test_the_same_is_fitted_bit_for_bit_and_comes_back_from_json():
    told = World().measured(30, 50)
    one, other = fit_margins(*told), fit_margins(*told)
    again = surrogate_from_json(json.loads(json.dumps(one.to_json())))
    points = np.random.default_rng(1).random((50, 2))
    assert one.kind == again.kind == "margins"
    for twin in (other, again):
        assert one.predict(points).tobytes() == twin.predict(points).tobytes()
        assert one.gradient(points).tobytes() == twin.gradient(points).tobytes()
        np.testing.assert_array_equal(one.eta(points), twin.eta(points))
        np.testing.assert_array_equal(one.interval(points), twin.interval(points))
        assert (one.r2_cv, one.loo_rmse, one.condition) == (twin.r2_cv, twin.loo_rmse, twin.condition)


def test_slopes_are_those_of_finite_differences():
    fit = fit_margins(*World().measured(30, 50))
    points, step = np.random.default_rng(1).random((20, 2)), 1e-6
    for variable in range(2):
        shift = np.eye(2)[variable] * step
        expected = (fit.predict(points + shift) - fit.predict(points - shift)) / (2 * step)
        np.testing.assert_allclose(fit.gradient(points)[:, variable], expected, rtol=1e-4, atol=1e-6)


def test_left_out_predictions_are_as_good_as_fresh_ones():
    world = World(seed=3)
    c, *rest = world.measured(60, 60)
    fit = fit_margins(c, *rest)
    assert np.sqrt(np.mean((fit.left_out - world.truth(c)) ** 2)) < 2.0 * error(fit, world) + 0.005
    assert fit.r2_cv > 0.5


def test_leaving_a_candidate_out_is_what_fitting_without_it_gives():
    world = World(k=1, items=200, seed=4)
    c, *_, values = world.measured(25, 100)
    whole = learn_population(c, values, 2)
    without = learn_population(np.delete(c, 7, axis=0), np.delete(values, 7, axis=0), 2)
    assert whole.left_out[7] == pytest.approx(without.share(c[[7]])[0], abs=0.01)


def test_a_lonely_corner_is_not_predicted_wildly_without_itself():
    world = World(k=6, items=300, seed=5)
    near = np.full((60, 6), 0.4) + 0.15 * world.rng.standard_normal((60, 6))
    c = np.vstack([np.eye(6), near])  # single experts are far from where a search spends its candidates
    values = world.margins(c).astype(np.float32)
    values[np.argsort(world.rng.random(values.shape), axis=1) >= 60] = np.nan
    scores = np.nanmean(np.where(np.isnan(values), np.nan, values > 0.0), axis=1)
    fit = fit_margins(c, scores, scores * (1 - scores) / 60, np.full(66, 60.0), ACCURACY, values)
    assert np.abs(fit.left_out[:6] - world.truth(c)[:6]).max() < 0.2
    assert fit.loo_rmse < 0.1


def test_cubics_are_taken_where_they_predict_better():
    rng = np.random.default_rng(0)
    c = rng.random((60, 1)) * 2.0 - 1.0
    shape = 3.0 * c**3 - 1.5 * c
    values = (shape + rng.standard_normal(300) + 0.05 * rng.standard_normal((60, 300))).astype(np.float32)
    scores = (values > 0.0).mean(axis=1)
    fit = fit_margins(c, scores, scores * (1 - scores) / 300, np.full(60, 300.0), ACCURACY, values)
    assert fit.degree == 4  # one more than the items'
    assert np.abs(fit.predict(c) - ndtr(shape[:, 0])).max() < 0.08


def test_items_that_nobody_saw_are_like_the_others():
    world = World(items=300)
    c, scores, variances, items, metric, values = world.measured(50, 100)
    values[:, :60] = np.nan
    assert error(fit_margins(c, scores, variances, items, metric, values), world) < 0.03


def test_items_that_nobody_saw_change_nothing():
    *told, values = World(items=300).measured(50, 100)
    wider = np.hstack([values, np.full((50, 700), np.nan, dtype=np.float32)])
    points = np.random.default_rng(1).random((20, 2))
    assert fit_margins(*told, values).predict(points).tobytes() == fit_margins(*told, wider).predict(points).tobytes()


def test_candidates_without_margins_are_passed_over():
    world = World()
    c, scores, variances, items, metric, values = world.measured(50, 100)
    values[::3] = np.nan
    assert error(fit_margins(c, scores, variances, items, metric, values), world) < 0.03


def test_large_sets_are_looked_at_in_part():
    world = World(k=1, items=9_000)
    assert error(fit_margins(*world.measured(12, 500)), world) < 0.03


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_items_that_are_always_right_or_always_wrong(sign):
    c = np.random.default_rng(0).random((20, 2))
    values = np.full((20, 50), sign, dtype=np.float32)
    told = np.full(20, max(sign, 0.0)), np.full(20, 1e-4), np.full(20, 50.0)
    fit = fit_margins(c, *told, ACCURACY, values)
    np.testing.assert_allclose(fit.predict(c), max(sign, 0.0), atol=1e-3)
    assert fit.r2_cv is None
    for values in (fit.gradient(c), *fit.interval(c), *fit.eta(c)):
        assert np.isfinite(values).all()


def test_margins_of_zero_do_no_harm():
    c = np.random.default_rng(0).random((20, 2))
    fit = fit_margins(c, np.zeros(20), np.full(20, 1e-4), np.full(20, 9.0), ACCURACY, np.zeros((20, 9), np.float32))
    assert np.isfinite(fit.predict(c)).all()


@pytest.mark.parametrize(
    ("shape", "fill", "words"),
    [((19, 9), 1.0, r"\[20, i\]"), ((20,), 1.0, r"\[20, i\]"), ((20, 9), np.nan, "one item")],
)
def test_margins_that_do_not_fit_are_refused(shape, fill, words):
    c = np.random.default_rng(0).random((20, 2))
    told = np.full(20, 0.5), np.full(20, 1e-3), np.full(20, 9.0)
    with pytest.raises(BadInputError, match=words):
        fit_margins(c, *told, ACCURACY, np.full(shape, fill, dtype=np.float32))


def test_on_average_margins_tell_far_more():
    errors = []
    for seed in range(6):
        world = World(seed=seed)
        told = world.measured(40, 40)
        errors.append((error(fit_margins(*told), world), error(fit_quadratic(*told[:5]), world)))
    with_margins, without = np.mean(errors, axis=0)
    assert with_margins < 0.8 * without
