import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.sphere import angles, bins_per_angle, from_angles
from mapmerge.errors import ConfigError


@settings(max_examples=30, deadline=None)
@given(k=st.integers(1, 6), seed=st.integers(0, 2**32), zeros=st.booleans())
def test_angles_and_length_are_the_candidate(k, seed, zeros):
    rng = np.random.default_rng(seed)
    candidates = rng.uniform(0.0, 2.0, (20, k))
    if zeros:
        candidates *= rng.integers(0, 2, candidates.shape)
    directions = angles(candidates)
    assert directions.shape == (20, k - 1)
    assert ((directions >= 0) & (directions <= np.pi / 2)).all()
    back = from_angles(directions, np.linalg.norm(candidates, axis=1))
    assert back == pytest.approx(candidates, abs=1e-12)


def test_bins_end_with_six_experts():
    with pytest.raises(ConfigError, match=r"at most 6 experts.*there are 7: take `method: adaptive`"):
        bins_per_angle(7)
