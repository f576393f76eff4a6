import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mapmerge.errors import BadInputError
from mapmerge.fronts.dominance import as_gains, nondominated, probability_nondominated

tables = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-3, 3).map(float))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_the_mask_is_the_definition(gains: np.ndarray) -> None:
    mask = nondominated(gains)
    for i, row in enumerate(gains):
        dominated = any((other >= row).all() and (other > row).any() for other in gains)
        repeated = any((gains[j] == row).all() for j in range(i))
        assert mask[i] == (not dominated and not repeated)


def test_no_points_are_no_front() -> None:
    assert nondominated(np.zeros((0, 3))).tolist() == []


@settings(max_examples=20, deadline=None)
@given(tables)
def test_one_draw_gives_certainty(gains: np.ndarray) -> None:
    chance = probability_nondominated(gains[None])
    assert set(chance.tolist()) <= {0.0, 1.0}
    assert (chance[nondominated(gains)] == 1.0).all()


def test_twins_do_not_dominate_each_other() -> None:
    assert probability_nondominated(np.ones((5, 2, 3))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((2, 0)), "m >= 1"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "row 1"),
        (np.array([[np.inf, 1.0]]), "not finite"),
    ],
)
def test_a_bad_table_is_named(gains: np.ndarray, words: str) -> None:
    for function in (as_gains, nondominated):
        with pytest.raises(BadInputError, match=words):
            function(gains)
    with pytest.raises(BadInputError, match=words):
        probability_nondominated(gains[None])
