from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.fronts.choose import choose
from mapmerge.fronts.directions import directions
from mapmerge.fronts.indicators import Normalisation, hypervolume


def unit(m: int) -> Normalisation:
    return Normalisation(np.zeros(m), np.ones(m))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_each_pick_is_the_greedy_one(seed: int, m: int) -> None:
    gains = np.random.default_rng(seed).random((12, m)) - 0.1
    picked = choose(gains, 5, unit(m)).tolist()
    for step in range(len(picked)):
        volumes = [hypervolume(gains[[*picked[:step], i]], np.zeros(m)) for i in range(len(gains))]
        assert volumes[picked[step]] == pytest.approx(max(volumes), rel=1e-9)


def test_it_keeps_what_greed_guarantees() -> None:
    gains = directions(10, 3)
    best = max(hypervolume(gains[list(trio)], np.zeros(3)) for trio in combinations(range(10), 3))
    assert hypervolume(gains[choose(gains, 3, unit(3))], np.zeros(3)) >= (1 - 1 / np.e) * best


def test_it_ends_where_nothing_is_gained() -> None:
    gains = np.array([[0.5, 0.5], [0.5, 0.5], [0.4, 0.4], [0.9, -0.1], [0.2, 0.8]])
    assert choose(gains, 5, unit(2)).tolist() == [0, 4]
    assert choose(-gains, 5, unit(2)).tolist() == []
    assert choose(np.zeros((0, 2)), 5, unit(2)).tolist() == []


def test_units_do_not_matter() -> None:
    gains = directions(200, 4)
    scale, shift = np.array([1.0, 10.0, 0.1, 5.0]), np.array([3.0, -2.0, 0.0, 1.0])
    other = Normalisation(shift, shift + scale)
    assert choose(gains, 20, unit(4)).tolist() == choose(shift + scale * gains, 20, other).tolist()


def test_points_taken_already_add_nothing_again() -> None:
    gains = directions(50, 3)
    first = choose(gains, 10, unit(3))
    more = choose(gains, 10, unit(3), taken=gains[first])
    assert not set(first.tolist()) & set(more.tolist())
    assert [*first, *more] == choose(gains, 20, unit(3)).tolist()


@pytest.mark.parametrize("m", [2, 5, 8])
def test_thousands_of_points_give_the_same_choice_twice(m: int) -> None:
    gains = directions(2000, m)
    picked = choose(gains, 25, unit(m))
    assert len(set(picked.tolist())) == 25
    assert picked.tolist() == choose(gains, 25, unit(m)).tolist()
    assert hypervolume(gains[picked], np.zeros(m)) > hypervolume(gains[:25], np.zeros(m))


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadInputError, match="at least 1"):
        choose(np.ones((2, 2)), 0, unit(2))
    with pytest.raises(BadInputError, match="expected 2 objectives"):
        choose(np.ones((2, 2)), 1, unit(2), taken=np.ones((1, 3)))
