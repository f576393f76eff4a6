"""Regression with learnt sizes of its parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.surrogates.polynomial import Basis
from mapmerge.surrogates.shrunk import guess, regress


def observe(n, k, seed, noise=0.05, stray=0.0):
    """Observations of a polynomial whose quadratic part is small."""
    rng = np.random.default_rng(seed)
    c = rng.random((n, k))
    basis = Basis.of(c, 2)
    truth = rng.standard_normal(len(basis.size)) * np.array([1.0, 1.0, 0.05])[basis.degrees]
    observed = basis(c) @ truth + noise * rng.standard_normal(n) + stray * rng.standard_normal(n)
    return basis, c, truth, observed


def fitted(basis, c, observed, noise, steps=30):
    features = basis(c)
    first = guess(np.linalg.lstsq(features, observed, rcond=None)[0], basis.kinds, noise**2)
    return regress(features, basis.kinds, observed, np.full(len(c), noise**2), first, steps)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_small_parameters_are_found_small(seed):
    basis, c, _, observed = observe(40, 5, seed)
    found = fitted(basis, c, observed, 0.05)
    assert found.by_kind[2:].max() < 0.2**2  # they were drawn with a standard deviation of 0.05, of few


def test_what_all_parameters_of_a_kind_share_is_not_shrunk():
    rng = np.random.default_rng(0)
    c = rng.random((25, 5))
    basis = Basis.of(c, 2)
    truth = np.array([0.0, 1.0, -0.5, 0.2])[basis.kinds]
    observed = basis(c) @ truth + 0.05 * rng.standard_normal(25)
    found = fitted(basis, c, observed, 0.05)
    np.testing.assert_allclose(found.parameters, truth, atol=0.08)


def test_on_average_shrinking_is_closer_to_the_truth():
    shrunk, plain = [], []
    for seed in range(20):
        basis, c, truth, observed = observe(40, 5, seed, noise=0.3)
        shrunk.append(np.sum((fitted(basis, c, observed, 0.3).parameters - truth) ** 2))
        plain.append(np.sum((np.linalg.lstsq(basis(c), observed, rcond=None)[0] - truth) ** 2))
    assert np.mean(shrunk) < 0.5 * np.mean(plain)


def test_what_noise_does_not_explain_is_said_to_be_strays():
    basis, c, _, observed = observe(200, 2, 0, noise=0.02, stray=0.3)
    found = fitted(basis, c, observed, 0.02, steps=100)
    assert np.sqrt(found.stray) == pytest.approx(0.3, rel=0.2)
    assert np.std(found.strays) == pytest.approx(0.3, rel=0.2)


def test_leaving_one_out_is_what_regressing_without_it_gives():
    basis, c, _, observed = observe(30, 3, 1)
    features, noise = basis(c), np.full(30, 0.05**2)
    variances = np.array([1.0, 1.0, 0.01, 0.01]), 0.01
    whole = regress(features, basis.kinds, observed, noise, variances, 0)
    for one in (0, 11):
        kept = np.arange(30) != one
        without = regress(features[kept], basis.kinds, observed[kept], noise[kept], variances, 0)
        assert whole.left_out[one] == pytest.approx(features[one] @ without.parameters, rel=1e-6)


def test_fewer_observations_than_parameters_are_enough():
    basis, c, _, observed = observe(12, 5, 2)
    found = fitted(basis, c, observed, 0.05)
    assert np.isfinite(found.parameters).all()
    assert np.isfinite(found.left_out).all()
