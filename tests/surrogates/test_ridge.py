import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.surrogates.features import parameter_count, quadratic_features
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.ridge import Problem, fit_ridge, leave_one_out

kinds = st.sampled_from(["logistic", "softplus", "identity"])
seeds = st.integers(0, 2**32 - 1)


def _problem(kind, seed, n=60, k=3):
    rng = np.random.default_rng(seed)
    link, features = Link(kind), quadratic_features(rng.normal(size=(n, k)))
    eta = features @ rng.normal(0.0, 0.5, parameter_count(k))
    noise = rng.normal(0.0, 0.05, n)
    unit = link.unit_mean(eta) + (noise if kind == "identity" else 0.0)
    if kind != "identity":
        unit = np.clip(unit * np.exp(noise), 0.0, 1.0 if kind == "logistic" else np.inf)
    return Problem(link, features, unit, rng.integers(20, 2000, n).astype(float))


def _ridge(problem, strength):
    ridge = np.full(problem.features.shape[1], strength * problem.items.sum())
    ridge[0] = 0.0
    return ridge


@settings(max_examples=30, deadline=None)
@given(kinds, seeds, st.sampled_from([1e-6, 1e-3, 1.0]))
def test_the_answer_does_not_depend_on_the_start(kind, seed, strength):
    problem = _problem(kind, seed)
    ridge = _ridge(problem, strength)
    calm = fit_ridge(problem, ridge, np.zeros(len(ridge)))
    wild = fit_ridge(problem, ridge, np.random.default_rng(seed).normal(0.0, 3.0, len(ridge)))
    np.testing.assert_allclose(problem.features @ wild.parameters, problem.features @ calm.parameters, atol=1e-4)
    pull = problem.features.T @ problem.pull(calm.parameters) - ridge * calm.parameters
    assert np.abs(pull).max() <= 1e-5 * problem.items.sum()


@settings(max_examples=20, deadline=None)
@given(kinds, seeds)
def test_approximate_leave_one_out_agrees_with_refits(kind, seed):
    problem = _problem(kind, seed)
    ridge = _ridge(problem, 1e-4)
    fit = fit_ridge(problem, ridge, np.zeros(len(ridge)))
    refits = np.empty(len(problem.unit))
    for i in range(len(refits)):
        others = np.arange(len(refits)) != i
        rest = Problem(problem.link, problem.features[others], problem.unit[others], problem.items[others])
        refits[i] = problem.features[i] @ fit_ridge(rest, ridge, fit.parameters).parameters
    approximate = problem.link.unit_mean(leave_one_out(problem, fit))
    exact = problem.link.unit_mean(refits)
    if kind == "identity":
        np.testing.assert_allclose(approximate, exact, atol=1e-7)
    else:
        moved = np.abs(exact - problem.link.unit_mean(problem.features @ fit.parameters))
        assert np.mean(np.abs(approximate - exact)) <= 0.2 * np.mean(moved) + 1e-9


def test_an_overwhelming_ridge_leaves_the_constant_alone():
    problem = _problem("logistic", 0)
    fit = fit_ridge(problem, _ridge(problem, 1e8), np.zeros(10))
    mean = np.average(problem.unit, weights=problem.items)
    assert problem.link.unit_mean(fit.parameters[:1])[0] == pytest.approx(mean, abs=1e-6)
