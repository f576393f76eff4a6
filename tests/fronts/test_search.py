import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from mapmerge.fronts.ascent import climb
from mapmerge.fronts.chebyshev import Chebyshev
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.landscape import Landscape
from mapmerge.fronts.search import SearchKind, search_front

Bowls = Callable[[int], tuple[Landscape, Normalisation]]
KINDS: tuple[SearchKind, ...] = ("union", "nsga3", "chebyshev")


@pytest.mark.parametrize("k", [2, 4])
def test_the_union_is_at_least_as_good_as_either_part(bowls: Bowls, k: int) -> None:
    landscape, normalisation = bowls(k)
    fronts = {kind: search_front(landscape, normalisation, rng=np.random.default_rng(3), kind=kind) for kind in KINDS}
    volumes = {kind: hypervolume(front.gains, normalisation.reference) for kind, front in fronts.items()}
    assert volumes["union"] >= max(volumes["nsga3"], volumes["chebyshev"]) - 1e-12
    for front in fronts.values():
        assert nondominated(front.gains).all()
        assert np.array_equal(landscape.predict(front.coefficients), front.gains)
        assert np.array_equal(landscape.project(front.coefficients), front.coefficients)


def test_it_finds_a_front_that_is_known(bowls: Bowls) -> None:
    landscape, normalisation = bowls(3)  # the front is where the coefficients sum to one
    front = search_front(landscape, normalisation, rng=np.random.default_rng(0), kind="chebyshev")
    volume = hypervolume(front.gains, normalisation.reference)
    simplex = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    assert volume >= 0.98 * hypervolume(landscape.predict(simplex), normalisation.reference)


def test_it_finds_concave_fronts_and_the_ends(hollow: tuple[Landscape, Normalisation]) -> None:
    landscape, normalisation = hollow
    front = search_front(landscape, normalisation, rng=np.random.default_rng(0))
    reached = np.sort(front.coefficients[:, 0])
    assert reached[0] == 0.0
    assert reached[-1] == 1.0
    assert np.diff(reached).max() < 0.02


def test_a_front_below_the_reference_is_found_too(bowls: Bowls) -> None:
    landscape, normalisation = bowls(2)
    higher = Normalisation(normalisation.ideal, normalisation.ideal + 1.0)
    front = search_front(landscape, higher, rng=np.random.default_rng(0))
    assert hypervolume(front.gains, higher.reference) == 0.0
    assert np.abs(front.coefficients.sum(axis=1) - 1.0).max() < 0.05
    assert np.ptp(front.coefficients[:, 0]) > 0.95


@pytest.mark.parametrize("kind", ["nsga3", "chebyshev"])
def test_equal_generators_give_equal_bits(bowls: Bowls, kind: SearchKind) -> None:
    landscape, normalisation = bowls(3)
    first, second, other = (
        search_front(landscape, normalisation, rng=np.random.default_rng(seed), kind=kind) for seed in (7, 7, 8)
    )
    assert first.coefficients.tobytes() == second.coefficients.tobytes()
    assert first.coefficients.tobytes() != other.coefficients.tobytes()


def test_fresh_processes_give_equal_bits() -> None:
    code = (
        "import hashlib, numpy as np\n"
        "from mapmerge.fronts.landscape import Landscape\n"
        "from mapmerge.fronts.indicators import Normalisation\n"
        "from mapmerge.fronts.search import search_front\n"
        "e = np.eye(3)\n"
        "land = Landscape(lambda c: 1 - ((c[:, None] - e) ** 2).sum(2), lambda c: -2 * (c[:, None] - e),\n"
        "                 lambda c: np.clip(c, 0, 1), lambda n, rng: rng.random((n, 3)))\n"
        "front = search_front(land, Normalisation(np.zeros(3), np.ones(3)), rng=np.random.default_rng(5))\n"
        "print(hashlib.sha256(front.coefficients.tobytes() + front.gains.tobytes()).hexdigest())\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    digests = [process.communicate()[0] for process in both]
    assert len(digests[0].strip()) == 64
    assert digests[0] == digests[1]


def test_global_state_is_left_alone(bowls: Bowls, capsys: pytest.CaptureFixture[str]) -> None:
    landscape, normalisation = bowls(2)
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002  # the state that must not move
    filters = list(warnings.filters)
    search_front(landscape, normalisation, rng=np.random.default_rng(0), kind="nsga3")
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002
    assert list(warnings.filters) == filters
    assert capsys.readouterr().out == ""


def test_a_region_of_one_point_is_a_front_of_one_point() -> None:
    landscape = Landscape(
        predict=lambda c: np.hstack([c, -c]),
        gradient=lambda c: np.broadcast_to(np.array([[1.0], [-1.0]]), (len(c), 2, 1)),
        project=lambda c: np.full_like(c, 0.5),
        sample=lambda n, rng: np.full((n, 1), 0.5),
    )
    front = search_front(landscape, Normalisation(np.zeros(2), np.ones(2)), rng=np.random.default_rng(0))
    assert front.coefficients.tolist() == [[0.5]]


def test_corners_are_the_box(bowls: Bowls) -> None:
    assert bowls(2)[0].corners().tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_climbing_never_loses_and_never_changes_its_starts(bowls: Bowls) -> None:
    landscape, normalisation = bowls(3)
    unit = landscape.normalised(normalisation)
    starts = np.random.default_rng(0).random((20, 3))
    kept = starts.copy()
    goal = Chebyshev(np.ones(3), np.ones(3))
    points, gains = climb(unit, starts, goal, steps=100)
    assert np.array_equal(starts, kept)
    assert (goal.value(gains) >= goal.value(unit.predict(starts))).all()
    assert np.allclose(points, 1 / 3, atol=2e-3)


def test_the_slope_is_the_derivative_of_the_goal() -> None:
    goal = Chebyshev(np.array([1.0, 2.0, 0.0]), np.array([1.0, 1.5, 0.3]))
    gains, step = np.array([[0.2, 0.4, 0.9]]), 1e-6
    numeric = [(goal.value(gains + step * row) - goal.value(gains - step * row)) / (2 * step) for row in np.eye(3)]
    assert np.allclose(goal.slope(gains, 1e-3)[0], np.ravel(numeric), atol=1e-6)
