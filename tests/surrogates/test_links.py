import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapmerge.records import Metric
from mapmerge.surrogates.links import Link

METRICS = [
    Metric("accuracy", lower=0.0, upper=1.0, maximize=True),
    Metric("correlation", lower=-1.0, upper=1.0, maximize=True),
    Metric("cross_entropy", lower=0.0, upper=None, maximize=False),
    Metric("bits_above_one", lower=1.0, upper=None, maximize=False),
    Metric("reward", lower=None, upper=None, maximize=True),
    Metric("capped_reward", lower=None, upper=5.0, maximize=True),
]
metrics = st.sampled_from(METRICS)
etas = st.floats(-30.0, 30.0)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.filterwarnings("error")
def test_nothing_overflows_and_the_range_is_kept(metric):
    link = Link.of(metric)
    eta = np.array([-1e300, -1e9, -746.0, -400.0, -40.0, 0.0, 40.0, 400.0, 746.0, 1e9, 1e300])
    mean = link.mean(eta)
    assert np.all(np.isfinite(mean))
    assert np.all(np.diff(mean) >= 0.0)
    if metric.link != "identity":
        assert mean.min() >= metric.lower
        assert metric.upper is None or mean.max() <= metric.upper
    for values in (link.derivative(eta), link.weight(eta)):
        assert np.all(np.isfinite(values))
        assert np.all(values >= 0.0)
    unit = np.full_like(eta, 0.3)
    if metric.link != "identity":  # a squared residual of 1e300 is rightly infinite
        assert np.all(np.isfinite(link.deviance(eta, unit)))
        assert np.all(np.isfinite(link.pull(eta, unit)))


@settings(max_examples=80, deadline=None)
@given(metrics, etas)
def test_derivatives_agree_with_differences(metric, eta):
    link, at, h = Link.of(metric), np.array([eta]), 1e-5
    rise = (link.mean(at + h) - link.mean(at - h)) / (2.0 * h)
    np.testing.assert_allclose(link.derivative(at), rise, rtol=1e-5, atol=1e-9)
    unit = np.array([0.4])
    slope = (link.deviance(at + h, unit) - link.deviance(at - h, unit)) / (2.0 * h)
    np.testing.assert_allclose(link.pull(at, unit), -slope / 2.0, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        link.weight(at) * link.variance(link.unit_mean(at)), link.unit_derivative(at) ** 2, rtol=1e-6, atol=1e-12
    )


@settings(max_examples=80, deadline=None)
@example(Metric("cross_entropy", lower=0.0, upper=None, maximize=False), 2.0, 5e-324)
@given(metrics, etas, st.floats(0.0, 1.0))
def test_the_deviance_is_convex_and_zero_at_a_perfect_fit(metric, eta, unit):
    link, score = Link.of(metric), np.array([unit])
    around = np.array([eta - 0.5, eta, eta + 0.5])
    left, middle, right = link.deviance(around, np.full(3, unit))
    assert left + right - 2.0 * middle >= -1e-9 * (1.0 + middle)
    assert min(left, middle, right) >= 0.0
    perfect = link.unit_mean(np.array([eta]))
    assert link.deviance(np.array([eta]), perfect)[0] <= 1e-12 * (1.0 + abs(eta))
    assert link.deviance(np.array([eta]), score)[0] >= 0.0


@settings(max_examples=60, deadline=None)
@given(metrics, st.floats(-6.0, 6.0))
def test_linearise_undoes_the_mean_when_many_items_stand_behind_a_score(metric, eta):
    link = Link.of(metric)
    back = link.linearise(link.mean(np.array([eta])), np.array([1e9]))
    np.testing.assert_allclose(back, [eta], atol=1e-5)


@pytest.mark.parametrize("items", [1.0, 20.0, 1e6])
def test_scores_on_the_edge_of_the_range_start_at_a_finite_eta(items):
    accuracy, loss = Link.of(METRICS[0]), Link.of(METRICS[2])
    edges = accuracy.linearise(np.array([0.0, 1.0]), np.full(2, items))
    np.testing.assert_allclose(edges, [-np.log(2.0 * items + 1.0), np.log(2.0 * items + 1.0)])
    assert np.isfinite(loss.linearise(np.array([0.0, 1e300]), np.full(2, items))).all()
