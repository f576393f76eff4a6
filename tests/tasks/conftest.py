"""What the tests of the tasks share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mapmerge.config import read_study
from tasks.pool import Work
from tasks.resident import Blueprint


@pytest.fixture
def blueprint(tmp_path: Path) -> Callable[[Path], Blueprint]:
    """Make what an actor sets itself up from, from a study file."""

    def make(study: Path) -> Blueprint:
        config = read_study(study).model_dump(mode="json")
        return Blueprint(config, str(study.parent))

    return make


@pytest.fixture(scope="session")
def works() -> Callable[..., list[Work]]:
    """Make n candidates of two experts, spread over [0, 1]^2, to be measured on objectives."""

    def make(count: int, *objectives: str, split: str = "search", seed: int = 0) -> list[Work]:
        rows = np.random.default_rng(seed).uniform(size=(count, 2))
        return [Work(row, split, dict.fromkeys(objectives)) for row in rows]

    return make
