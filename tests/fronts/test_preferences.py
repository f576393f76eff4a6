import pickle
from collections.abc import Callable

import numpy as np
import pytest

from mapmerge.errors import PreferenceError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape
from mapmerge.fronts.preferences import UnreachableError, pick_at_least, pick_knee, pick_weights

Bowls = Callable[[int], tuple[Landscape, Normalisation]]
Hollow = tuple[Landscape, Normalisation]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0], [1.0, 9.0]])
def test_weights_reach_concave_parts_that_a_weighted_sum_cannot(hollow: Hollow, weights: list[float]) -> None:
    landscape, normalisation = hollow
    everything = landscape.predict(np.linspace(0.0, 1.0, 1001)[:, None])
    assert int((everything @ np.array(weights)).argmax()) in (0, 1000)  # what a weighted sum would pick: an end
    pick = pick_weights(landscape, np.array(weights), normalisation, rng=rng())
    shortfall = np.array(weights) * (1.0 - pick.gains)
    assert 0.05 < pick.coefficients[0] < 0.95
    assert shortfall[0] == pytest.approx(shortfall[1], rel=0.02)


def test_equal_weights_of_equal_objectives_give_the_middle(bowls: Bowls) -> None:
    landscape, normalisation = bowls(4)
    pick = pick_weights(landscape, np.full(4, 0.25), normalisation, rng=rng())
    assert np.allclose(pick.coefficients, 0.25, atol=2e-3)
    assert np.array_equal(landscape.predict(pick.coefficients[None])[0], pick.gains)


def test_a_weight_of_zero_gives_the_objective_up(bowls: Bowls) -> None:
    landscape, normalisation = bowls(3)
    pick = pick_weights(landscape, np.array([1.0, 0.0, 0.0]), normalisation, rng=rng())
    assert np.allclose(pick.coefficients, [1.0, 0.0, 0.0], atol=5e-3)


def test_more_weight_never_means_less(bowls: Bowls) -> None:
    landscape, normalisation = bowls(2)
    gains = [
        pick_weights(landscape, np.array([w, 1.0]), normalisation, rng=rng()).gains[0]
        for w in (0.0, 0.5, 1.0, 2.0, 8.0)
    ]
    assert np.diff(gains).min() > 0.0


def test_more_weight_means_more_also_beyond_the_ideal(bowls: Bowls) -> None:
    landscape, normalisation = bowls(2)
    easy = Normalisation(normalisation.reference, normalisation.reference + 0.1)  # every model is far above this ideal
    light, heavy = (pick_weights(landscape, np.array([w, 1.0]), easy, rng=rng()).gains[0] for w in (0.2, 5.0))
    assert heavy > light + 0.1


def test_the_scale_of_weights_does_not_matter(bowls: Bowls) -> None:
    landscape, normalisation = bowls(3)
    picks = [pick_weights(landscape, s * np.array([1.0, 2.0, 3.0]), normalisation, rng=rng()) for s in (1.0, 1024.0)]
    assert np.array_equal(picks[0].coefficients, picks[1].coefficients)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0.0, 0.0], "at least one weight above zero"),
        ([-1.0, 2.0], "zero or more"),
        ([-1.0, -1.0], "zero or more"),
        ([np.nan, 1.0], "zero or more"),
        ([np.inf, 1.0], "zero or more"),
        ([1.0], "expected 2 weights"),
    ],
)
def test_bad_weights_are_named(hollow: Hollow, weights: list[float], words: str) -> None:
    with pytest.raises(PreferenceError, match=words):
        pick_weights(*hollow[:1], np.array(weights), hollow[1], rng=rng())


def test_floors_are_met_and_the_rest_is_as_good_as_can_be(bowls: Bowls) -> None:
    landscape, normalisation = bowls(2)
    pick = pick_at_least(landscape, np.array([0.5, -np.inf]), normalisation, rng=rng())
    assert pick.gains[0] >= 0.5 - 1e-8
    # On the front c = (1 - t, t) the gains are 1 - 2 t^2 and 1 - 2 (1 - t)^2: the floor allows t = 1/2.
    assert pick.gains[1] == pytest.approx(0.5, abs=5e-3)


def test_floors_reach_concave_parts(hollow: Hollow) -> None:
    landscape, normalisation = hollow
    pick = pick_at_least(landscape, np.array([0.36, -np.inf]), normalisation, rng=rng())
    assert pick.coefficients[0] == pytest.approx(0.6, abs=2e-3)
    assert pick.gains[0] >= 0.36 - 1e-8


def test_floors_on_everything_leave_a_balanced_model(bowls: Bowls) -> None:
    landscape, normalisation = bowls(3)
    pick = pick_at_least(landscape, np.array([0.0, -0.2, 0.1]), normalisation, rng=rng())
    assert (pick.gains >= np.array([0.0, -0.2, 0.1])).all()
    assert np.allclose(pick.coefficients, 1 / 3, atol=5e-3)


def test_floors_out_of_reach_name_the_nearest_scores(bowls: Bowls) -> None:
    landscape, normalisation = bowls(2)
    with pytest.raises(UnreachableError, match=r"objective 0: asked 0\.9") as caught:
        pick_at_least(landscape, np.array([0.9, 0.9]), normalisation, rng=rng())
    assert isinstance(caught.value, PreferenceError)
    assert np.allclose(caught.value.nearest, [0.5, 0.5], atol=5e-3)
    assert np.allclose(caught.value.coefficients, [0.5, 0.5], atol=5e-3)
    travelled = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    assert np.array_equal(travelled.nearest, caught.value.nearest)
    assert str(travelled) == str(caught.value)
    again = pick_at_least(landscape, caught.value.nearest - 0.002, normalisation, rng=rng())
    assert (again.gains >= caught.value.nearest - 0.002).all()


@pytest.mark.parametrize(
    ("floors", "words"),
    [
        ([-np.inf, -np.inf], "at least one objective"),
        ([np.nan, 0.0], "numbers"),
        ([np.inf, 0.0], "numbers"),
        ([0.0, 0.0, 0.0], "expected 2 floors"),
    ],
)
def test_bad_floors_are_named(hollow: Hollow, floors: list[float], words: str) -> None:
    with pytest.raises(PreferenceError, match=words):
        pick_at_least(hollow[0], np.array(floors), hollow[1], rng=rng())


def test_the_knee_is_where_the_front_bends() -> None:
    def gains(c: np.ndarray) -> np.ndarray:  # two slopes, 1/4 and 4, that meet at (0.8, 0.8); c runs along the front
        return np.hstack([np.minimum(1.6 * c, 0.6 + 0.4 * c), np.minimum(1.6 * (1.0 - c), 1.0 - 0.4 * c)])

    def slopes(c: np.ndarray) -> np.ndarray:
        left = c < 0.5
        return np.stack([np.where(left, 1.6, 0.4), np.where(left, -0.4, -1.6)], axis=1)

    def sample(n: int, generator: np.random.Generator) -> np.ndarray:
        return generator.random((n, 1))

    landscape = Landscape(gains, slopes, lambda c: np.clip(c, 0.0, 1.0), sample)
    pick = pick_knee(landscape, Normalisation(np.zeros(2), np.ones(2)), rng=rng())
    assert np.allclose(pick.gains, 0.8, atol=1e-3)


def test_a_concave_front_has_no_knee_but_a_middle(hollow: Hollow) -> None:
    assert pick_knee(*hollow, rng=rng()).coefficients[0] == pytest.approx(0.5, abs=2e-3)


def test_without_any_conflict_the_knee_is_the_best_model() -> None:
    landscape = Landscape(
        lambda c: np.hstack([c, 2.0 * c]),
        lambda c: np.broadcast_to(np.array([[1.0], [2.0]]), (len(c), 2, 1)),
        lambda c: np.clip(c, 0.0, 1.0),
        lambda n, generator: generator.random((n, 1)),
    )
    assert pick_knee(landscape, Normalisation(np.zeros(2), np.ones(2)), rng=rng()).coefficients.tolist() == [1.0]


def test_equal_generators_give_equal_picks(bowls: Bowls) -> None:
    landscape, normalisation = bowls(4)
    for call in (
        lambda: pick_weights(landscape, np.array([1.0, 2.0, 0.0, 1.0]), normalisation, rng=rng()),
        lambda: pick_at_least(landscape, np.array([0.2, -np.inf, -np.inf, -np.inf]), normalisation, rng=rng()),
        lambda: pick_knee(landscape, normalisation, rng=rng()),
    ):
        assert np.array_equal(call().coefficients, call().coefficients)
