"""How hard items are shows in outcomes that the candidate's score does not explain."""

import numpy as np
import pytest

from mapmerge.records import Evaluation
from mapmerge.sampling.difficulty import LEAST, difficulty
from mapmerge.sampling.draw import draw


def evaluation(number, outcomes, sample=None, error=None):
    return Evaluation(str(number), np.zeros(2), "z", "search", outcomes, sample=sample, error=error)


def test_sampled_items_get_back_the_order_of_their_difficulty():
    rng = np.random.default_rng(0)
    easiness = rng.permutation(np.linspace(-0.3, 0.3, 60))
    told, predicted = [], []
    for number in range(300):
        quality = rng.uniform(0.3, 0.7)
        sample = draw(20, None, rng, size=60)
        told.append(evaluation(number, np.float32(rng.random(20) < quality + easiness[sample.items]), sample))
        predicted.append(quality)
    found = difficulty(told, np.array(predicted), 60)
    assert np.corrcoef(found, easiness)[0, 1] > 0.9


def test_the_sum_is_over_those_that_saw_the_item():
    sample = draw(1, None, np.random.default_rng(0), size=3)
    (seen,) = sample.items
    told = [evaluation(0, np.float32([1, 0, 1])), evaluation(1, np.float32([1]), sample)]
    found = difficulty(told, np.array([0.5, 0.25]), 3, least=2)
    expected = np.array([0.5, -0.5, 0.5]) / 2
    expected[seen] = (2 * expected[seen] + 0.75) / 3
    assert found == pytest.approx(expected)


def test_too_few_evaluations_say_nothing_and_failed_ones_do_not_count():
    told = [evaluation(number, np.float32([1, 0])) for number in range(LEAST)]
    assert difficulty(told, np.full(LEAST, 0.5), 2) is not None
    assert difficulty(told[1:], np.full(LEAST - 1, 0.5), 2) is None
    told[0] = evaluation(0, None, error="no")
    assert difficulty(told, np.full(LEAST, 0.5), 2) is None
    with pytest.raises(ValueError, match="shorter"):
        difficulty(told, np.full(3, 0.5), 2)
