"""Which surrogate an objective gets."""

import numpy as np
import pytest
from scipy.special import ndtr

from mapmerge.methods.fits import FITS, Told
from mapmerge.records import Metric

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)


def told(*, known=1.0, scores_from=None):
    """60 candidates of two coefficients, each on 30 of 200 items; `known` is the share of them with margins."""
    rng = np.random.default_rng(0)
    c = rng.random((60, 2))
    whole = rng.standard_normal(200) + 1.0 + c @ np.array([[1.0], [-0.5]]) - (c**2).sum(axis=1, keepdims=True)
    hidden = np.argsort(rng.random(whole.shape), axis=1) >= 30
    margins = np.where(hidden, np.nan, whole + 0.05 * rng.standard_normal(whole.shape)).astype(np.float32)
    scores = np.nanmean(np.where(hidden, np.nan, margins > 0.0), axis=1) if scores_from is None else scores_from(c)
    margins[round(known * 60) :] = np.nan
    return Told(c, scores, scores * (1 - scores) / 30, np.full(60, 30.0), ACCURACY, margins if known else None)


@pytest.mark.parametrize(("name", "kind"), [("quadratic", "quadratic"), ("gaussian-process", "gaussian-process")])
def test_a_kind_can_be_asked_for(name, kind):
    assert FITS[name](told()).kind == kind


@pytest.mark.parametrize("name", ["auto", "margins"])
def test_margins_are_used_where_most_candidates_have_them(name):
    assert FITS[name](told()).kind == "margins"
    assert FITS[name](told(known=0.6)).kind == "margins"


@pytest.mark.parametrize("known", [0.0, 0.4])
def test_scores_do_where_margins_are_missing(known):
    assert FITS["margins"](told(known=known)).kind == "quadratic"
    assert FITS["auto"](told(known=known)).kind in ("quadratic", "gaussian-process")


def test_margins_that_predict_the_scores_badly_are_not_used():
    def other(c):
        return ndtr(1.0 - 3.0 * (c[:, 1] - 0.5) ** 2 + c[:, 0])

    assert FITS["auto"](told(scores_from=other)).kind != "margins"
