import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.records import Metric
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gaussian_process import fit_gaussian_process
from mapmerge.surrogates.selection import left_out_deviances, select

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)


def _both(height, seed=0, n=60, items=300):
    rng = np.random.default_rng(seed)
    points = rng.random((n, 2))
    eta = 1.0 - 3.0 * np.sum((points - 0.4) ** 2, axis=1) + height * np.sin(7.0 * points @ [1.0, -0.6])
    scores = rng.binomial(items, 1.0 / (1.0 + np.exp(-eta))) / items
    measured = points, scores, scores * (1.0 - scores) / items, np.full(n, items), ACCURACY
    return fit_quadratic(*measured), fit_gaussian_process(*measured)


def _saying(surrogate, left_out):
    return dataclasses.replace(surrogate, left_out=left_out)


def test_what_predicts_better_is_taken_whatever_its_place():
    quadratic, process = _both(height=1.0)
    assert select([quadratic, process]) is process
    assert select([quadratic, quadratic, process]) is process
    assert select([process, quadratic]) is process


def test_where_both_predict_alike_the_simpler_one_is_taken():
    kept = [quadratic is select([quadratic, process]) for quadratic, process in (_both(0.0, seed) for seed in range(8))]
    assert np.mean(kept) >= 0.75
    quadratic = _both(0.0)[0]
    assert select([quadratic, dataclasses.replace(quadratic)]) is quadratic


def test_a_single_lucky_point_does_not_decide():
    quadratic = _both(0.0)[0]
    base = np.clip(quadratic.measured + 0.1, 0.0, 1.0)
    lucky = base.copy()
    lucky[0], lucky[1] = quadratic.measured[0], base[1] + 0.01
    simple, flexible = _saying(quadratic, base), _saying(quadratic, lucky)
    assert left_out_deviances(flexible).sum() < left_out_deviances(simple).sum()
    assert select([simple, flexible]) is simple


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_deviances_weigh_by_items_and_stay_finite(seed):
    rng = np.random.default_rng(seed)
    quadratic = QUADRATIC
    n = len(quadratic.measured)
    sure = _saying(quadratic, rng.choice([0.0, 1.0, 0.5], n))
    deviances = left_out_deviances(sure)
    assert np.all(np.isfinite(deviances) & (deviances >= 0.0))
    more = dataclasses.replace(sure, left_out=np.full(n, 0.5), items=sure.items * 3.0)
    plain = dataclasses.replace(sure, left_out=np.full(n, 0.5))
    np.testing.assert_allclose(left_out_deviances(more), 3.0 * left_out_deviances(plain))


QUADRATIC = _both(0.0)[0]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadInputError, match="at least one surrogate"):
        select([])
    for other in (_both(0.0, seed=1)[0], dataclasses.replace(QUADRATIC, items=QUADRATIC.items * 2.0)):
        with pytest.raises(BadInputError, match="the same scores and items"):
            select([QUADRATIC, other])
