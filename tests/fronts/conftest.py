"""Landscapes with known fronts, shared by the tests of this room."""

from collections.abc import Callable

import numpy as np
import pytest

from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape


def make_bowls(k: int) -> tuple[Landscape, Normalisation]:
    """Objective j is best at one-hot j, in the box [0, 1]^k: gains 1 - |c - e_j|^2, and the front is the simplex."""
    targets = np.eye(k)

    def predict(c: np.ndarray) -> np.ndarray:
        return 1.0 - ((c[:, None, :] - targets) ** 2).sum(axis=2)

    landscape = Landscape(
        predict=predict,
        gradient=lambda c: -2.0 * (c[:, None, :] - targets),
        project=lambda c: np.clip(c, 0.0, 1.0),
        sample=lambda n, rng: rng.random((n, k)),
    )
    return landscape, Normalisation.of(predict(np.vstack([np.zeros(k), targets])))


def make_hollow() -> tuple[Landscape, Normalisation]:
    """One coefficient in [0, 1] with gains (c^2, (1-c)^2): a concave front; weighted sums reach only its ends."""
    landscape = Landscape(
        predict=lambda c: np.hstack([c**2, (1.0 - c) ** 2]),
        gradient=lambda c: np.stack([2.0 * c, -2.0 * (1.0 - c)], axis=1),
        project=lambda c: np.clip(c, 0.0, 1.0),
        sample=lambda n, rng: rng.random((n, 1)),
    )
    return landscape, Normalisation(np.zeros(2), np.ones(2))


@pytest.fixture
def bowls() -> Callable[[int], tuple[Landscape, Normalisation]]:
    return make_bowls


@pytest.fixture
def hollow() -> tuple[Landscape, Normalisation]:
    return make_hollow()
