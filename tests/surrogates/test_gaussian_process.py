import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates import evidence  # noqa: F401  # loading it warns
from mapmerge.surrogates.features import quadratic_features
from mapmerge.surrogates.fitting import fit_quadratic, solve_quadratic
from mapmerge.surrogates.gaussian_process import GaussianProcessSurrogate, fit_gaussian_process
from mapmerge.surrogates.kriging import krige
from mapmerge.surrogates.linearised import linearise
from mapmerge.surrogates.matern import Hyperparameters, covariance
from mapmerge.surrogates.ridge import Problem, fit_ridge

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
LOSS = Metric("cross_entropy", lower=0.0, upper=None, maximize=False)
REWARD = Metric("reward", lower=None, upper=None, maximize=True)
METRICS = [ACCURACY, LOSS, REWARD]
seeds = st.integers(0, 2**32 - 1)


def _wave(k, rng, height=0.6):
    """An accuracy that no quadratic follows: sigmoid of a bowl and a wave."""
    peak, way, phase = rng.uniform(0.2, 0.8, k), rng.normal(size=k), rng.uniform(0.0, 6.28)
    way *= 7.0 / np.linalg.norm(way)

    def accuracy(points):
        eta = 1.0 - 3.0 * np.sum((points - peak) ** 2, axis=1) + height * np.sin(points @ way + phase)
        return 1.0 / (1.0 + np.exp(-eta))

    return accuracy


def _measure(points, accuracy, items, rng):
    scores = rng.binomial(items, accuracy(points)) / items
    return points, scores, scores * (1.0 - scores) / items, np.full(len(points), items), ACCURACY


def _fitted(metric, k, seed, n=30):
    rng = np.random.default_rng(seed)
    points = rng.random((n, k))
    return fit_gaussian_process(points, _wave(k, rng)(points), np.full(n, 1e-4), np.full(n, 50), metric)


surrogates = st.builds(_fitted, st.sampled_from(METRICS), st.integers(1, 4), st.integers(0, 9))


def _rmse(predicted, truth):
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


@pytest.mark.parametrize(("k", "items"), [(1, 100), (2, 100), (3, 1000)])
def test_it_follows_what_a_quadratic_cannot(k, items):
    rng = np.random.default_rng(k)
    accuracy, fresh = _wave(k, rng), rng.random((500, k))
    measured = _measure(rng.random((100, k)), accuracy, items, rng)
    truth = accuracy(fresh)
    process, quadratic = fit_gaussian_process(*measured), fit_quadratic(*measured)
    assert process.hyperparameters.signal > 0.0
    assert _rmse(process.predict(fresh), truth) < 0.8 * _rmse(quadratic.predict(fresh), truth)
    assert process.r2_cv > quadratic.r2_cv
    assert process.loo_rmse < quadratic.loo_rmse


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_without_noise_a_wave_is_met_however_far_from_a_quadratic(metric):
    points = np.linspace(0.0, 1.0, 40)[:, None]
    wave = 0.5 + 0.45 * np.sin(12.0 * points[:, 0])
    surrogate = fit_gaussian_process(points, wave, np.zeros(40), np.full(40, 10**6), metric)
    assert np.abs(surrogate.predict(points) - wave).max() < 0.01
    between = points[:-1] + 0.0125
    assert np.abs(surrogate.predict(between) - (0.5 + 0.45 * np.sin(12.0 * between[:, 0]))).max() < 0.02


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_where_only_noise_is_left_over_it_is_the_quadratic(metric):
    rng = np.random.default_rng(0)
    points, fresh = rng.random((60, 2)), rng.random((50, 2))
    scores = 0.8 - 0.5 * np.sum((points - 0.4) ** 2, axis=1)
    measured = points, scores, np.full(60, 1e-3), np.full(60, 200), metric
    process, quadratic = fit_gaussian_process(*measured), fit_quadratic(*measured)
    assert process.hyperparameters.signal == 0.0
    np.testing.assert_allclose(process.predict(fresh), quadratic.predict(fresh), atol=1e-7)
    np.testing.assert_allclose(process.gradient(fresh), quadratic.gradient(fresh), atol=1e-6)
    np.testing.assert_allclose(process.eta(fresh)[1], quadratic.eta(fresh)[1], rtol=0.02)
    np.testing.assert_array_equal(process.left_out, quadratic.left_out)


def test_its_errors_are_as_large_as_it_says():
    held = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        accuracy, fresh = _wave(2, rng), rng.random((200, 2))
        surrogate = fit_gaussian_process(*_measure(rng.random((60, 2)), accuracy, 200, rng))
        truth, (eta, sd) = accuracy(fresh), surrogate.eta(fresh)
        held.append(np.mean(np.abs(np.log(truth / (1.0 - truth)) - eta) <= 1.645 * sd))
    assert 0.8 <= np.mean(held) <= 0.98


def test_away_from_the_measurements_it_knows_less():
    surrogate = _fitted(ACCURACY, 2, 0)
    there, far = surrogate.eta(np.full((1, 2), 0.5))[1], surrogate.eta(np.full((1, 2), 2.5))[1]
    assert far > 2.0 * there


# Leaving out


@pytest.mark.parametrize("signal", [0.0, 0.3])
def test_leaving_out_in_closed_form_is_refitting_without_the_point(signal):
    rng = np.random.default_rng(0)
    points, targets, variances = rng.normal(size=(25, 2)), rng.normal(size=25), rng.uniform(0.01, 1.0, 25)
    ridge, hyper = np.array([0.0, 0.1, 0.1, 1.0, 1.0, 1.0]), Hyperparameters(signal, 0.7)
    means, spreads = krige(points, variances, ridge, hyper).leave_one_out(targets)
    for i in range(25):
        others = np.arange(25) != i
        rest = krige(points[others], variances[others], ridge, hyper)
        parameters, weights = rest.fit(targets[others])
        whole = np.zeros(25)
        whole[others] = weights
        features, between = _at(points[i : i + 1], points, hyper)
        assert means[i] == pytest.approx((features @ parameters + between @ whole)[0], abs=1e-9)
        assert spreads[i] == pytest.approx(rest.variance(points[i : i + 1])[0], abs=1e-9)


def _at(at, points, hyper):
    return quadratic_features(at), covariance(at, points, hyper)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_what_is_left_out_is_what_fits_without_the_point_predict(metric):
    """Both the quadratic and the process are refitted; ridge, misfit and hyperparameters stay what they are."""
    rng = np.random.default_rng(3)
    points = rng.random((45, 2))
    truth = _wave(2, rng, height=1.0)(points)
    scores = np.clip(truth + rng.normal(0.0, 0.03, 45), 0.0, 1.0)
    measured = points, scores, np.full(45, 0.03**2), np.full(45, 250), metric
    surrogate, solved = fit_gaussian_process(*measured), solve_quadratic(*measured)
    hyper, problem = surrogate.hyperparameters, solved.problem
    assert hyper.signal > 0.0
    refits = np.empty(45)
    for i in range(45):
        others = np.arange(45) != i
        rest = Problem(problem.link, problem.features[others], problem.unit[others], problem.items[others])
        fit = fit_ridge(rest, solved.ridge, solved.surrogate.parameters)
        without = dataclasses.replace(solved.surrogate, parameters=fit.parameters)
        linear = linearise(dataclasses.replace(solved, surrogate=without, problem=rest), solved.surrogate.misfit)
        z = surrogate.points[others]
        parameters, weights = krige(z, linear.variances, linear.ridge, hyper).fit(linear.targets)
        features, between = _at(surrogate.points[i : i + 1], z, hyper)
        refits[i] = surrogate.link.mean(features @ parameters + between @ weights)[0]
    moved = np.abs(refits - surrogate.predict(points))
    if metric is REWARD:
        np.testing.assert_allclose(surrogate.left_out, refits, atol=1e-9)
    else:
        assert np.mean(np.abs(surrogate.left_out - refits)) <= 0.1 * np.mean(moved)


# What is stored, and derivatives


@settings(max_examples=12, deadline=None)
@given(surrogates)
def test_json_brings_the_same_bits_back(surrogate):
    again = GaussianProcessSurrogate.from_json(json.loads(json.dumps(surrogate.to_json(), allow_nan=False)))
    for field in dataclasses.fields(surrogate):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(surrogate, field.name))
    points = np.random.default_rng(0).random((9, len(surrogate.centre)))
    np.testing.assert_array_equal(again.predict(points), surrogate.predict(points))
    np.testing.assert_array_equal(again.gradient(points), surrogate.gradient(points))
    np.testing.assert_array_equal(again.eta(points), surrogate.eta(points))
    np.testing.assert_array_equal(again.interval(points), surrogate.interval(points))


@settings(max_examples=20, deadline=None)
@given(surrogates, seeds)
def test_the_gradient_agrees_with_differences(surrogate, seed):
    k, h = len(surrogate.centre), 1e-5
    points = np.random.default_rng(seed).random((4, k))
    points[0] = surrogate.points[0] * surrogate.scale + surrogate.centre  # where the process was measured
    rises = [surrogate.predict(points + step) - surrogate.predict(points - step) for step in h * np.eye(k)]
    slope = np.stack(rises, axis=1) / (2.0 * h)
    np.testing.assert_allclose(surrogate.gradient(points), slope, rtol=1e-4, atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(surrogates)
def test_intervals_hold_the_prediction_and_grow_with_the_level(surrogate):
    points = np.random.default_rng(0).random((6, len(surrogate.centre)))
    predicted = surrogate.predict(points)
    (low, high), (lower, higher) = surrogate.interval(points, 0.5), surrogate.interval(points, 0.9)
    assert np.all((lower <= low) & (low <= predicted) & (predicted <= high) & (high <= higher))


# Data that is hard


@pytest.mark.filterwarnings("error")
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(2, 30), seeds, st.sampled_from(METRICS), st.booleans())
def test_whatever_the_scores_everything_stays_finite(k, n, seed, metric, told):
    """Also fewer points than parameters, scores of exactly 0 and 1, and the same candidate on few and many items."""
    rng = np.random.default_rng(seed)
    points = rng.random((n, k))[rng.integers(n, size=n)]
    scores = rng.choice([0.0, 1.0, 0.3, rng.random()], n)
    items = 10.0 ** rng.uniform(0.0, 5.0, n)
    variances = (scores * (1.0 - scores) + 0.01) / items if told else np.zeros(n)
    surrogate = fit_gaussian_process(points, scores, variances, items, metric)
    fresh = np.vstack([points, rng.random((5, k)), np.full((1, k), 40.0)])
    predicted, (low, high), (eta, sd) = surrogate.predict(fresh), surrogate.interval(fresh), surrogate.eta(fresh)
    for values in (predicted, low, high, eta, sd, surrogate.gradient(fresh), surrogate.left_out):
        assert np.all(np.isfinite(values))
    assert np.all((low <= predicted) & (predicted <= high))
    if metric is ACCURACY:
        assert np.all((low >= 0.0) & (high <= 1.0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("score", [0.0, 1.0, 0.37])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_an_objective_that_never_changes_is_predicted_as_a_constant(metric, score):
    points = np.random.default_rng(0).random((20, 2))
    surrogate = fit_gaussian_process(points, np.full(20, score), np.zeros(20), np.full(20, 400), metric)
    np.testing.assert_allclose(surrogate.predict(points * 2.0), score, atol=2e-3)
    assert np.abs(surrogate.gradient(points)).max() < 1e-3
    assert surrogate.r2_cv is None


@pytest.mark.filterwarnings("error")
def test_losses_that_explode_are_fitted():
    rng = np.random.default_rng(0)
    points = rng.random((60, 3))
    losses = 0.02 + 1e6 * np.sum((points - 0.3) ** 2, axis=1) ** 2
    surrogate = fit_gaussian_process(points, losses, losses, np.full(60, 500), LOSS)
    for values in (surrogate.predict(points * 1e6), surrogate.gradient(points), *surrogate.interval(points)):
        assert np.all(np.isfinite(values))
    assert surrogate.predict(points).min() >= 0.0


def test_of_two_measurements_of_one_candidate_the_more_precise_one_counts():
    rng = np.random.default_rng(0)
    points = rng.random((40, 2))
    truth = _wave(2, rng)(points)
    wrong = np.clip(truth + 0.3 * rng.choice([-1.0, 1.0], 40), 0.0, 1.0)
    scores, items = np.concatenate([truth, wrong]), np.repeat([100_000.0, 2.0], 40)
    both = np.vstack([points, points])
    surrogate = fit_gaussian_process(both, scores, scores * (1.0 - scores) / items, items, ACCURACY)
    assert np.abs(surrogate.predict(points) - truth).max() < 0.02


@pytest.mark.parametrize("unit", [1e-6, 1e9])
def test_the_unit_of_an_unbounded_metric_does_not_matter(unit):
    rng = np.random.default_rng(0)
    points = rng.random((40, 2))
    scores = _wave(2, rng)(points) + rng.normal(0.0, 0.02, 40)
    variances, items = np.full(40, 0.02**2), np.full(40, 100)
    one = fit_gaussian_process(points, scores, variances, items, REWARD)
    other = fit_gaussian_process(points, scores * unit, variances * unit**2, items, REWARD)
    np.testing.assert_allclose(other.predict(points) / unit, one.predict(points), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.eta(points)[1] / unit, one.eta(points)[1], rtol=1e-4)


def test_a_metric_with_another_range_is_the_same_fit():
    rng = np.random.default_rng(0)
    points, scores, variances, items, _ = _measure(rng.random((40, 2)), _wave(2, rng), 400, rng)
    plain = fit_gaussian_process(points, scores, variances, items, ACCURACY)
    percent = Metric("percent", lower=-100.0, upper=100.0, maximize=True)
    scaled = fit_gaussian_process(points, 200.0 * scores - 100.0, 200.0**2 * variances, items, percent)
    np.testing.assert_allclose(scaled.predict(points), 200.0 * plain.predict(points) - 100.0, atol=1e-4)


# The search for the hyperparameters


def test_no_other_hyperparameters_are_more_likely():
    rng = np.random.default_rng(0)
    measured = _measure(rng.random((80, 2)), _wave(2, rng), 300, rng)
    surrogate, solved = fit_gaussian_process(*measured), solve_quadratic(*measured)
    linear = linearise(solved, solved.surrogate.misfit)
    unit = np.average((linear.targets - linear.fitted) ** 2, weights=1.0 / linear.variances)

    def likely(signal, length):
        hyper = Hyperparameters(signal, length)
        prior = -0.5 * ((np.log(length) - 1.0) / 0.7) ** 2 - np.log(length) - 0.1 * signal / unit
        return krige(surrogate.points, linear.variances, linear.ridge, hyper).log_evidence(linear.targets) + prior

    found = surrogate.hyperparameters
    best = max(likely(found.signal * a, found.length * b) for a in (0.5, 0.9, 1.1, 2.0) for b in (0.7, 0.95, 1.05, 1.4))
    assert likely(found.signal, found.length) > best - 1e-3


def test_a_start_leads_to_the_same_place():
    rng = np.random.default_rng(0)
    measured = _measure(rng.random((60, 3)), _wave(3, rng), 300, rng)
    cold = fit_gaussian_process(*measured)
    for start in (cold.hyperparameters, Hyperparameters(0.0, 8.0)):
        warm = fit_gaussian_process(*measured, start=start)
        np.testing.assert_allclose(warm.predict(measured[0]), cold.predict(measured[0]), atol=2e-3)


def test_more_points_than_the_search_looks_at_all_count():
    rng = np.random.default_rng(0)
    accuracy, points, fresh = _wave(2, rng, height=0.3), rng.random((330, 2)), rng.random((300, 2))
    many, few = (fit_gaussian_process(*_measure(points[:n], accuracy, 50, rng)) for n in (330, 80))
    assert many.weights.shape == (330,)
    assert _rmse(many.predict(fresh), accuracy(fresh)) < _rmse(few.predict(fresh), accuracy(fresh))


def test_fitting_twice_gives_the_same_bits_and_changes_no_input():
    rng = np.random.default_rng(0)
    measured = _measure(rng.random((40, 2)), _wave(2, rng), 100, rng)
    copies = [np.copy(values) for values in measured[:4]]
    first, second = fit_gaussian_process(*measured), fit_gaussian_process(*measured)
    assert first.hyperparameters == second.hyperparameters
    np.testing.assert_array_equal(first.weights, second.weights)
    for values, copy in zip(measured[:4], copies, strict=True):
        np.testing.assert_array_equal(values, copy)


def test_what_cannot_be_used_is_refused():
    surrogate = _fitted(ACCURACY, 2, 0)
    for call in (surrogate.predict, surrogate.gradient, surrogate.interval, surrogate.eta):
        with pytest.raises(BadInputError, match=r"\[n, 2\], got \[1, 3\]"):
            call(np.zeros((1, 3)))
    with pytest.raises(BadInputError, match="level between 0 and 1, got 90"):
        surrogate.interval(np.zeros((1, 2)), 90)
    with pytest.raises(BadInputError, match="schema 'mapmerge/gaussian-process/1', got None"):
        GaussianProcessSurrogate.from_json({})
    plain = {name: value for name, value in surrogate.to_json().items() if name not in ("weights", "link")}
    with pytest.raises(BadInputError, match="lacks link, weights"):
        GaussianProcessSurrogate.from_json(plain)
    with pytest.raises(BadInputError, match=r"accuracy in \[0.0, 1.0\], got 1.5"):
        fit_gaussian_process(np.eye(3), np.full(3, 1.5), np.zeros(3), np.full(3, 9), ACCURACY)
