"""NSGA-II by question and answer; NSGA-III is tested with the search that uses it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.region import Region
from mapmerge.fronts.nsga import next_generation

REGION = Region(np.zeros(2), np.ones(2), (0.0, 1.2))


def evolve(gains_of, generations: int, seed: int = 0, start: int = 12) -> list[tuple[np.ndarray, np.ndarray]]:
    told = []
    rows = REGION.sample(start, np.random.default_rng(seed))
    for _ in range(generations):
        told.append((rows, gains_of(rows)))
        corners = np.vstack([REGION.lower, REGION.upper])
        options = {"corners": corners, "project": REGION.project}
        rows = next_generation(told, **options, rng=np.random.default_rng(seed))
        assert rows.tobytes() == next_generation(told, **options, rng=np.random.default_rng(seed)).tobytes()
    return told


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), lost=st.floats(0.0, 1.0))
def test_generations_stay_in_the_region_and_never_repeat_a_candidate(seed, lost):
    def gains(rows):
        measured = rows.copy()  # the best lie on the region's edge, where children are put back
        measured[np.random.default_rng(seed).random(len(rows)) < lost, 0] = np.nan
        return measured

    rows = np.vstack([rows for rows, _ in evolve(gains, 5, seed)])
    assert len(rows) == 60
    assert REGION.contains(rows).all()
    assert len(np.unique(rows.round(9), axis=0)) == 60


def test_what_could_not_be_measured_has_no_children():
    def gains(rows):
        lost = rows[:, 0] > 0.5
        return np.where(lost[:, None], np.nan, np.column_stack([rows[:, 1], 1.0 - rows[:, 0]]))

    last, _ = evolve(gains, 8)[-1]
    assert (last[:, 0] < 0.5).mean() > 0.8


def test_every_objective_is_maximised():
    told = evolve(lambda rows: np.column_stack([rows[:, 0], rows[:, 0]]), 8)
    assert told[-1][0][:, 0].mean() > told[0][0][:, 0].mean() + 0.2
