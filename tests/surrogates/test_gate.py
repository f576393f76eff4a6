import math

import numpy as np

from mapmerge.records import Metric
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gate import check

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)


def _fit(points, scores):
    n = len(points)
    return fit_quadratic(points, scores, scores * (1.0 - scores) / 500, np.full(n, 500), ACCURACY)


def test_a_good_surrogate_passes():
    points = np.random.default_rng(0).random((30, 2))
    verdict = check(_fit(points, 0.9 - 0.5 * np.sum((points - 0.5) ** 2, axis=1)))
    assert verdict.passed
    assert verdict.reasons == ()


def test_noise_is_stopped_with_its_number():
    rng = np.random.default_rng(0)
    verdict = check(_fit(rng.random((30, 2)), rng.random(30)))
    assert not verdict.passed
    assert "leave-one-out R2" in verdict.reasons[0]
    assert "at least 0.8" in verdict.reasons[0]


def test_too_few_candidates_are_stopped():
    points = np.random.default_rng(0).random((12, 4))
    surrogate = _fit(points, np.full(12, 0.5))
    verdict = check(surrogate)
    assert not verdict.passed
    assert "condition number inf" in verdict.reasons[0]
    assert check(surrogate, max_condition=math.inf).passed


def test_an_objective_that_never_changes_passes():
    points = np.random.default_rng(0).random((30, 2))
    assert check(_fit(points, np.full(30, 0.25))).passed


def test_the_luck_of_fresh_samples_is_no_fault_of_a_surrogate():
    rng = np.random.default_rng(0)
    coefficients = rng.random((80, 1))
    truth = 0.6 + 0.2 * coefficients[:, 0]
    items = np.full(80, 60.0)
    scores = rng.binomial(60, truth) / 60
    fitted = fit_quadratic(coefficients, scores, scores * (1 - scores) / 60, items, ACCURACY)
    assert not check(fitted).passed
    assert check(fitted, fresh_items=True).passed
    wave = rng.binomial(60, 0.5 + 0.4 * np.sin(40 * coefficients[:, 0])) / 60
    rough = fit_quadratic(coefficients, wave, wave * (1 - wave) / 60, items, ACCURACY)
    assert not check(rough, fresh_items=True).passed
