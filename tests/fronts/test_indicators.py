import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mapmerge.errors import BadInputError
from mapmerge.fronts.choose import choose
from mapmerge.fronts.directions import directions
from mapmerge.fronts.indicators import (
    Normalisation,
    generational_distance,
    hypervolume,
    hypervolumes,
    inverted_generational_distance,
    win_rate,
)
from mapmerge.fronts.union import union_volumes

unit = st.floats(0.0, 1.0, width=16)
pairs = arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=unit)


@settings(max_examples=40, deadline=None)
@given(pairs, arrays(np.float64, (1, 3), elements=unit))
def test_hypervolume_never_shrinks_and_never_gains_more_than_the_new_box(gains: np.ndarray, new: np.ndarray) -> None:
    before = hypervolume(gains, np.zeros(3))
    after = hypervolume(np.vstack([gains, new]), np.zeros(3))
    assert before - 1e-12 <= after <= before + new.prod() + 1e-12


def test_hypervolume_by_hand() -> None:
    assert hypervolume(np.array([[0.5, 0.25, 2.0]]), np.zeros(3)) == pytest.approx(0.25)
    assert hypervolume(np.array([[3.0]]), np.array([1.0])) == pytest.approx(2.0)


def test_what_is_not_above_the_reference_counts_for_nothing() -> None:
    gains = np.array([[2.0, 2.0], [9.0, 1.0], [9.0, 0.0]])
    assert hypervolume(gains, np.ones(2)) == 1.0
    assert hypervolume(gains[1:], np.ones(2)) == 0.0
    assert hypervolume(np.zeros((0, 2)), np.ones(2)) == 0.0


@pytest.mark.parametrize("m", [5, 6, 8])
def test_the_approximation_agrees_with_the_exact_volume(m: int) -> None:
    gains = directions(40, m) + 0.1
    exact = hypervolume(gains, np.zeros(m))
    assert hypervolume(gains, np.zeros(m), seconds=1e-9) == pytest.approx(exact, rel=0.05)


def test_large_fronts_of_many_objectives_are_measured_at_all() -> None:
    gains = directions(3000, 8)
    value = hypervolume(gains, np.zeros(8), seconds=0.01)
    assert value == hypervolume(gains, np.zeros(8), seconds=0.01)
    assert value > hypervolume(gains[:50], np.zeros(8))


def test_a_reference_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInputError, match="reference of 2"):
        hypervolume(np.ones((1, 2)), np.zeros(3))


def test_distances_to_itself_are_zero_and_are_each_others_mirror() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((7, 3)), rng.random((5, 3))
    assert generational_distance(a, a) == 0.0
    by_hand = np.mean([min(np.linalg.norm(s - z) for z in b) for s in a])
    assert generational_distance(a, b) == pytest.approx(by_hand)
    assert inverted_generational_distance(b, a) == pytest.approx(by_hand)


@settings(max_examples=40, deadline=None)
@given(pairs, pairs)
def test_win_rate_is_the_triple_sum(a: np.ndarray, b: np.ndarray) -> None:
    by_hand = sum(x[n] > y[n] for x in a for y in b for n in range(3)) / (len(a) * len(b) * 3)
    assert win_rate(a, b) == pytest.approx(by_hand)
    assert win_rate(a, b) + win_rate(b, a) <= 1.0 + 1e-12
    ties = sum(x[n] == y[n] for x in a for y in b for n in range(3)) / (len(a) * len(b) * 3)
    assert win_rate(a, b, tie=0.5) == pytest.approx(by_hand + ties / 2)
    assert win_rate(a, b, tie=0.5) + win_rate(b, a, tie=0.5) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-5, 5, width=16)))
def test_unmerged_models_lie_between_reference_and_ideal(gains: np.ndarray) -> None:
    normalisation = Normalisation.of(gains)
    scaled = normalisation.apply(gains)
    assert scaled.min() >= 0.0
    assert scaled.max() <= 1.0 + 1e-9
    assert np.allclose(normalisation.undo(scaled), gains)


@pytest.mark.parametrize(("other", "noise"), [(0.3, 0.0), (0.3 + 1e-12, 0.0), (0.34, 0.05)])
def test_no_spread_means_one_unit_of_the_objective_and_every_model_is_above_the_reference(other, noise) -> None:
    gains = np.array([[0.3, 1.0], [other, 3.0]])
    normalisation = Normalisation.of(gains, noise=noise)
    assert normalisation.spread.tolist() == pytest.approx([1.0, 2.0])
    assert normalisation.apply(gains)[:, 0].tolist() == pytest.approx([1.0, 1.0 + other - 0.3])
    assert hypervolume(normalisation.apply(gains), np.zeros(2)) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("ideal", [[0.0, 1.0], [-1.0, 1.0], [np.nan, 1.0]])
def test_an_ideal_that_is_not_above_the_reference_is_refused(ideal: list[float]) -> None:
    with pytest.raises(BadInputError, match=r"ideal|finite"):
        Normalisation(np.zeros(2), np.array(ideal))


def test_directions_fill_the_orthant() -> None:
    rays = directions(4000, 3)
    octant = [np.mean(rays[:, 0] > rays[:, 1]), np.mean(rays[:, 1] > rays[:, 2]), np.mean(rays.min(axis=1) > 0.3)]
    expected = np.abs(np.random.default_rng(0).normal(size=(200_000, 3)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert octant == pytest.approx([0.5, 0.5, np.mean(expected.min(axis=1) > 0.3)], abs=0.02)
    assert directions(3, 1).tolist() == [[1.0]] * 3


@settings(max_examples=20, deadline=None)
@given(m=st.integers(2, 8), n=st.integers(1, 12), seed=st.integers(0, 99))
def test_the_estimated_volume_of_a_union_is_the_exact_one_but_for_its_noise(m, n, seed):
    boxes = 0.3 + 0.7 * np.random.default_rng(seed).random((n, m))
    exact = [hypervolume(boxes[: done + 1], np.zeros(m), seconds=1e9) for done in range(n)]
    assert union_volumes(boxes, 2**14) == pytest.approx(exact, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(m=st.sampled_from([2, 8, 11, 32]), n=st.integers(0, 12), seed=st.integers(0, 99))
def test_each_part_of_a_front_that_grew_has_its_hypervolume(m, n, seed):
    gains = 0.9 + 0.1 * np.random.default_rng(seed).random((n, m))
    gains[::3, 0] = -0.1  # not above the reference
    grown = hypervolumes(gains, np.zeros(m))
    assert grown == pytest.approx([hypervolume(gains[: done + 1], np.zeros(m)) for done in range(n)], rel=0.05)


@pytest.mark.parametrize("m", [32, 128])
def test_a_front_of_many_objectives_has_a_hypervolume(m):
    points = np.full((3, m), 0.9)
    points[1:, 0] = 0.95
    points[1:, 1] = 0.8
    # Two of three are the same; together they cover the first and what the others have more of.
    exact = 0.9**m + 0.05 * 0.8 * 0.9 ** (m - 2)
    assert hypervolume(points, np.zeros(m)) == pytest.approx(exact, rel=0.01)
    chosen = choose(points, 3, Normalisation(np.zeros(m), np.ones(m)))
    assert chosen.tolist() == [0, 1]
