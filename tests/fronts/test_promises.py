"""What was predicted and what was measured: known answers, and how often noise is taken for a broken promise."""

import json
import math

import numpy as np
import pytest

from mapmerge.errors import BadInputError
from mapmerge.fronts.bootstrap import bootstrap_scores
from mapmerge.fronts.promises import Promise, promised_hypervolume, promises
from mapmerge.records import Interval

MANY = 10**12
"""So many search items that they bring no noise of their own."""


def outcomes(generator: np.random.Generator, n: int, items: int, *, m: int = 1, shares: bool = True) -> list:
    made = []
    for _ in range(m):
        raw = 0.5 * generator.normal(size=(n, items)) + generator.normal(size=items) + np.linspace(-1, 1, n)[:, None]
        made.append((raw > 0).astype(np.float32) if shares else raw)
    return made


def scores(tables: list) -> np.ndarray:
    return np.column_stack([table.mean(axis=1, dtype=np.float64) for table in tables])


@pytest.mark.parametrize("shares", [True, False])
def test_the_standard_error_is_that_of_a_paired_bootstrap_over_items(shares: bool) -> None:
    tables = outcomes(np.random.default_rng(0), 20, 300, shares=shares)
    drawn = bootstrap_scores(tables, draws=4000, rng=np.random.default_rng(1))
    (promise,) = promises(scores(tables) + 0.1, tables, search_items=[MANY], level=0.9)
    assert promise.missed.value == pytest.approx(0.1)
    assert promise.standard_error == pytest.approx(drawn.mean(axis=1).std(), rel=0.05)
    unaware = np.sqrt(tables[0].var(axis=1).mean() / 300 / 20)  # as if every point had items of its own
    assert promise.standard_error > 3 * unaware


def test_search_items_are_as_noisy_as_held_out_ones() -> None:
    tables = outcomes(np.random.default_rng(0), 5, 200)
    alone, both = (
        promises(scores(tables), tables, search_items=[items], level=0.9)[0].standard_error for items in (MANY, 200)
    )
    assert both == pytest.approx(alone * math.sqrt(2))


def test_the_sign_is_that_of_gains() -> None:
    wrong = np.repeat([[0.0, -1.0]], [180, 20], axis=1)  # an error rate of 0.1, to be minimised
    (promise,) = promises(np.array([[-0.02]]), [wrong], search_items=[400], level=0.9)
    assert promise.missed.value == pytest.approx(0.08)
    assert promise.words == "promised too much"


def test_a_perfect_score_does_not_prove_that_the_promise_was_too_low() -> None:
    (promise,) = promises(np.array([[0.998]]), [np.ones((1, 200))], search_items=[200], level=0.9)
    assert promise.words == "no difference beyond the noise"
    (promise,) = promises(np.array([[-0.002]]), [np.zeros((1, 200))], search_items=[200], level=0.9)
    assert promise.words == "no difference beyond the noise"


def test_equal_item_sets_of_true_models_are_taken_for_a_broken_promise_in_one_of_ten_studies() -> None:
    broken, covered = 0, []
    for seed in range(300):
        generator = np.random.default_rng([seed, 7])
        search, held_out = outcomes(generator, 12, 150, m=3), outcomes(generator, 12, 100, m=3)
        kept = promises(scores(search), held_out, search_items=[150] * 3, level=0.9)
        broken += any(promise.beyond_noise for promise in kept)
        covered += [promise.missed.low <= 0 <= promise.missed.high for promise in kept]
    assert 0.05 < broken / 300 < 0.14
    assert 0.87 < np.mean(covered) < 0.94


def test_picking_the_best_of_noisy_predictions_is_found_out() -> None:
    generator = np.random.default_rng(3)
    tables = outcomes(generator, 400, 1000)
    predicted = scores(tables) + generator.normal(0, 0.08, (400, 1))
    best = np.argsort(-predicted[:, 0])[:20]
    (cursed,) = promises(predicted[best], [tables[0][best]], search_items=[1000], level=0.9)
    (whole,) = promises(predicted, tables, search_items=[1000], level=0.9)
    assert cursed.words == "promised too much"
    assert whole.words == "no difference beyond the noise"


def test_a_promise_kept_to_the_last_bit_is_kept_though_nothing_varies() -> None:
    (promise,) = promises(np.array([[0.3]]), [np.full((1, 10), 0.1 + 0.2)], search_items=[10], level=0.9)
    assert promise.words == "no difference beyond the noise"


def test_one_item_leaves_the_noise_unknown() -> None:
    (promise,) = promises(np.array([[0.3]]), [np.array([[0.7]])], search_items=[5], level=0.9)
    said = promise.to_json()
    assert said["value"] == pytest.approx(-0.4)
    assert (said["standard_error"], said["low"], said["high"]) == (None, None, None)
    assert said["words"] == "no difference beyond the noise"
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize(
    ("predicted", "measured", "value", "words"),
    [
        (0.5, Interval(0.4, 0.3, 0.45), 0.2, "promised too much"),
        (0.5, Interval(0.6, 0.55, 0.7), -0.2, "promised too little"),
        (0.5, Interval(0.4, 0.3, 0.55), 0.2, "no difference beyond the noise"),
        (0.5, Interval(0.0, 0.0, 0.0), 1.0, "promised too much"),
    ],
)
def test_the_hypervolume_is_missed_by_a_share_of_what_was_promised(
    predicted: float, measured: Interval, value: float, words: str
) -> None:
    promise = promised_hypervolume(predicted, measured)
    assert promise is not None
    assert promise.missed.value == pytest.approx(value)
    assert promise.missed.low <= promise.missed.value <= promise.missed.high
    assert promise.words == words
    assert set(promise.to_json()) == {"value", "low", "high", "words"}


def test_no_promise_no_share() -> None:
    assert promised_hypervolume(0.0, Interval(0.1, 0.0, 0.2)) is None


def test_what_does_not_fit_is_named() -> None:
    good = np.ones((2, 5))
    with pytest.raises(BadInputError, match=r"predictions of shape \[2, 1\]"):
        promises(np.ones((2, 2)), [good], search_items=[5], level=0.9)
    with pytest.raises(BadInputError, match="search items, 1 or more, of 1 objectives"):
        promises(np.ones((2, 1)), [good], search_items=[5, 5], level=0.9)
    with pytest.raises(BadInputError, match="between 0 and 1"):
        promises(np.ones((2, 1)), [good], search_items=[5], level=90)


def test_words_follow_the_sign_only_beyond_the_noise() -> None:
    assert Promise(Interval(-0.1, -0.2, -0.01), True).words == "promised too little"
    assert Promise(Interval(-0.1, -0.2, -0.01), False).words == "no difference beyond the noise"
