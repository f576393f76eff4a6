import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates.features import parameter_count, quadratic_features
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.links import Link

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
LOSS = Metric("cross_entropy", lower=0.0, upper=None, maximize=False)
REWARD = Metric("reward", lower=None, upper=None, maximize=True)
METRICS = [ACCURACY, LOSS, REWARD]


def _box(n, k, rng):
    return rng.random((n, k))


def _dirichlet_mass(n, k, rng):
    anchors = np.vstack([np.zeros(k), np.eye(k), np.full(k, 1.0 / k)])
    rest = n - len(anchors)
    directions = rng.dirichlet(np.ones(k), rest)
    return np.vstack([anchors, directions * rng.uniform(0.3, 1.6, (rest, 1))])


def _truth(metric, k, rng):
    """A quadratic of any signature behind the link."""
    parameters = rng.normal(0.0, 1.0, parameter_count(k))
    return lambda points: Link.of(metric).mean(quadratic_features(points) @ parameters)


def _accuracy(k, rng, ripple=0.15):
    """What real merges look like: sigmoid of a concave quadratic with its top near one expert, and a ripple."""
    top, peak = rng.uniform(1.0, 3.0), rng.uniform(0.0, 0.3, k)
    peak[rng.integers(k)] = rng.uniform(0.6, 1.0)
    factor = rng.normal(size=(k, k)) / np.sqrt(k)
    bend = factor @ factor.T + 0.2 * np.eye(k)
    bend *= (top - rng.uniform(-0.5, top - 0.5)) / (peak @ bend @ peak)
    wave, phase = 5.0 * rng.normal(size=k), rng.uniform(0.0, 6.28)

    def accuracy(points):
        away = points - peak
        eta = top - np.einsum("ni,ij,nj->n", away, bend, away) + ripple * np.sin(points @ wave + phase)
        return 1.0 / (1.0 + np.exp(-eta))

    return accuracy


def _fit_exactly(points, scores, metric):
    return fit_quadratic(points, scores, np.zeros(len(points)), np.full(len(points), 1000), metric)


def _measure(points, accuracy, items, rng):
    scores = rng.binomial(items, accuracy(points)) / items
    return fit_quadratic(points, scores, scores * (1.0 - scores) / items, np.full(len(points), items), ACCURACY)


def _r2(predicted, truth):
    return 1.0 - np.mean((predicted - truth) ** 2) / np.var(truth)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("draw", [_box, _dirichlet_mass])
@pytest.mark.parametrize("k", range(1, 9))
def test_a_quadratic_without_noise_is_recovered(k, draw, metric):
    for seed in range(2):
        rng = np.random.default_rng([k, seed])
        truth, points = _truth(metric, k, rng), draw(parameter_count(k) + k + 3, k, rng)
        surrogate = _fit_exactly(points, truth(points), metric)
        fresh = draw(300, k, rng)
        np.testing.assert_allclose(surrogate.predict(fresh), truth(fresh), atol=2e-4)
        assert surrogate.r2_cv > 0.9999


@pytest.mark.parametrize("k", range(2, 9))
def test_measured_with_a_little_noise_at_the_papers_budget(k):
    """Where Levenberg-Marquardt from all ones, as released with the paper, ends below R2 = 0 for k > 2."""
    scores = []
    for seed in range(5):
        rng = np.random.default_rng([k, seed])
        peak = rng.uniform(0.2, 0.8, k)
        n = (k + 1) * (k + 2)
        points, fresh = rng.random((n, k)), rng.random((500, k))
        clean, truth = (1.0 / (1.0 + np.exp(4.0 * np.sum((c - peak) ** 2, axis=1) - 2.0)) for c in (points, fresh))
        noisy = np.clip(clean + rng.normal(0.0, 0.005, n), 0.0, 1.0)
        surrogate = fit_quadratic(points, noisy, np.full(n, 0.005**2), np.full(n, 1000), ACCURACY)
        scores.append(_r2(surrogate.predict(fresh), truth))
    assert np.median(scores) > 0.99


@pytest.mark.parametrize(("k", "least"), [(4, 0.75), (8, 0.8)])
def test_the_ridge_holds_the_fit_together_when_points_are_as_few_as_parameters(k, least):
    scores = []
    for seed in range(9):
        rng = np.random.default_rng([k, seed])
        accuracy = _accuracy(k, rng)
        surrogate = _measure(_dirichlet_mass(parameter_count(k), k, rng), accuracy, 1000, rng)
        fresh = _dirichlet_mass(400, k, rng)
        scores.append(_r2(surrogate.predict(fresh), accuracy(fresh)))
    assert np.median(scores) > least


@pytest.mark.parametrize("k", [2, 4])
def test_intervals_hold_what_they_promise(k):
    expected, measured = [], []
    for seed in range(12):
        rng = np.random.default_rng([k, seed])
        accuracy = _accuracy(k, rng)
        surrogate = _measure(_dirichlet_mass(3 * parameter_count(k), k, rng), accuracy, 500, rng)
        fresh = _dirichlet_mass(300, k, rng)
        low, high = surrogate.interval(fresh, 0.9)
        truth = accuracy(fresh)
        again = rng.binomial(500, truth) / 500
        expected.append(np.mean((low <= truth) & (truth <= high)))
        measured.append(np.mean((low <= again) & (again <= high)))
    assert np.mean(expected) >= 0.9
    assert 0.85 <= np.mean(measured) <= 0.97


def test_candidates_measured_on_more_items_weigh_more():
    rng = np.random.default_rng(0)
    points = rng.random((60, 2))
    truth = _accuracy(2, rng, ripple=0.0)(points)
    wrong = np.arange(60) % 2 == 0
    scores = np.where(wrong, 0.5, truth)
    items = np.where(wrong, 1, 100_000)
    surrogate = fit_quadratic(points, scores, scores * (1.0 - scores) / items, items, ACCURACY)
    assert np.abs(surrogate.predict(points) - truth)[~wrong].max() < 0.01


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("score", [0.0, 1.0, 0.37])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_an_objective_that_never_changes_is_predicted_as_a_constant(metric, score):
    points = np.random.default_rng(0).random((20, 2))
    surrogate = fit_quadratic(points, np.full(20, score), np.zeros(20), np.full(20, 400), metric)
    np.testing.assert_allclose(surrogate.predict(points * 2.0), score, atol=2e-3)
    assert np.abs(surrogate.gradient(points)).max() < 1e-3
    assert surrogate.r2_cv is None
    low, high = surrogate.interval(points)
    assert np.all((low <= score + 2e-3) & (high >= score - 2e-3) & (high - low < 0.1))


@pytest.mark.filterwarnings("error")
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**32 - 1), st.sampled_from([1, 20, 1000]))
def test_scores_of_exactly_zero_and_one_are_fitted(k, seed, items):
    rng = np.random.default_rng(seed)
    points = rng.random((parameter_count(k) + 5, k))
    scores = (points.sum(axis=1) + rng.normal(0.0, 0.1, len(points)) > k / 2.0).astype(float)
    surrogate = fit_quadratic(points, scores, np.zeros(len(points)), np.full(len(points), items), ACCURACY)
    predicted = surrogate.predict(points)
    assert np.all((predicted >= 0.0) & (predicted <= 1.0))
    low, high = surrogate.interval(points)
    assert np.all((low >= 0.0) & (low <= predicted) & (predicted <= high) & (high <= 1.0))
    assert np.all(np.isfinite(surrogate.gradient(points)))


@pytest.mark.filterwarnings("error")
def test_losses_that_explode_are_fitted():
    rng = np.random.default_rng(0)
    points = rng.random((60, 3))
    losses = 0.02 + 1e6 * np.sum((points - 0.3) ** 2, axis=1) ** 2
    surrogate = fit_quadratic(points, losses, losses, np.full(60, 500), LOSS)
    for values in (surrogate.predict(points * 1e6), surrogate.gradient(points), *surrogate.interval(points)):
        assert np.all(np.isfinite(values))
    assert surrogate.predict(points).min() >= 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1e3, 1e9]))
def test_the_unit_of_an_unbounded_metric_does_not_matter(seed, unit):
    rng = np.random.default_rng(seed)
    points = rng.random((25, 3))
    scores = _truth(REWARD, 3, rng)(points) + rng.normal(0.0, 0.1, 25)
    variances, items = np.full(25, 0.01), np.full(25, 100)
    one = fit_quadratic(points, scores, variances, items, REWARD)
    other = fit_quadratic(points, scores * unit, variances * unit**2, items, REWARD)
    assert other.ridge == one.ridge
    np.testing.assert_allclose(other.predict(points) / unit, one.predict(points), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.interval(points)[1] / unit, one.interval(points)[1], rtol=1e-6, atol=1e-6)


def test_a_metric_with_another_range_is_the_same_fit():
    rng = np.random.default_rng(0)
    points = rng.random((40, 2))
    scores, items = _accuracy(2, rng)(points), np.full(40, 200)
    variances = scores * (1.0 - scores) / items
    plain = fit_quadratic(points, scores, variances, items, ACCURACY)
    percent = Metric("percent", lower=-100.0, upper=100.0, maximize=True)
    scaled = fit_quadratic(points, 200.0 * scores - 100.0, 200.0**2 * variances, items, percent)
    np.testing.assert_allclose(scaled.predict(points), 200.0 * plain.predict(points) - 100.0, atol=1e-8)
    assert scaled.r2_cv == pytest.approx(plain.r2_cv)


def test_fitting_twice_gives_the_same_bits():
    rng = np.random.default_rng(0)
    points = _dirichlet_mass(90, 8, rng)
    accuracy = _accuracy(8, rng)
    first, second = (_measure(points, accuracy, 300, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first.parameters, second.parameters)
    np.testing.assert_array_equal(first.covariance, second.covariance)


def test_fewer_points_than_parameters_and_a_coefficient_that_never_moves_are_told_by_the_condition():
    rng = np.random.default_rng(0)
    points = rng.random((12, 4))
    assert _fit_exactly(points, _accuracy(4, rng)(points), ACCURACY).condition == np.inf
    points = rng.random((40, 2)) * [1.0, 0.0] + [0.0, 0.5]
    still = _fit_exactly(points, _accuracy(2, rng)(points), ACCURACY)
    assert still.condition > 1e8
    assert np.all(np.isfinite(still.predict(points)))


def test_inputs_are_not_changed():
    rng = np.random.default_rng(0)
    given_arrays = [rng.random((20, 2)), rng.random(20), np.full(20, 0.01), np.full(20, 50)]
    copies = [values.copy() for values in given_arrays]
    surrogate = fit_quadratic(*given_arrays, ACCURACY)
    for values, copy in zip(given_arrays, copies, strict=True):
        np.testing.assert_array_equal(values, copy)
    given_arrays[1][:] = 9.0
    np.testing.assert_array_equal(surrogate.measured, copies[1])


GOOD = {
    "coefficients": np.random.default_rng(0).random((8, 2)),
    "scores": np.full(8, 0.5),
    "variances": np.full(8, 0.01),
    "items": np.full(8, 20),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": np.zeros(8)}, r"\[n, k\] with n >= 2"),
        ({"coefficients": np.zeros((1, 2))}, "n >= 2"),
        ({"coefficients": np.zeros((8, 0))}, "k >= 1"),
        ({"coefficients": np.full((8, 2), np.nan)}, "finite coefficients"),
        ({"scores": np.full(7, 0.5)}, r"8 scores, got shape \[7\]"),
        ({"scores": np.full(8, np.nan)}, "leave failed evaluations out"),
        ({"scores": np.full(8, 1.1)}, r"accuracy in \[0.0, 1.0\], got 1.1"),
        ({"scores": np.full(8, -0.1)}, "check the metric's range"),
        ({"variances": np.full(8, -1.0)}, "variances of at least 0"),
        ({"variances": np.full(8, np.inf)}, "finite variances"),
        ({"items": np.zeros(8)}, "at least 1 item"),
        ({"items": np.full((8, 1), 5)}, "8 items"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, message):
    with pytest.raises(BadInputError, match=message):
        fit_quadratic(**{**GOOD, **change}, metric=ACCURACY)
