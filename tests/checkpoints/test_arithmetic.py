import numpy as np
import pytest
import torch

from mapmerge.checkpoints.arithmetic import merge, to_coefficients
from mapmerge.errors import ConfigError


def test_writes_into_out_and_changes_nothing_else() -> None:
    base, vectors, out = torch.randn(50), torch.randn(3, 50), torch.empty(50)
    before = base.clone(), vectors.clone()
    coefficients = to_coefficients(np.array([0.5, -1.0, 2.0]), 3)
    assert merge(base, vectors, coefficients, out=out) is out
    torch.testing.assert_close(out, base + 0.5 * vectors[0] - vectors[1] + 2 * vectors[2])
    assert torch.equal(base, before[0])
    assert torch.equal(vectors, before[1])


@pytest.mark.parametrize("values", [[0.5], [[0.5, 0.5]], 0.5, []])
def test_wrong_number_of_coefficients(values: object) -> None:
    with pytest.raises(ConfigError, match="expected 2 coefficients"):
        to_coefficients(np.array(values, dtype=float), 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_coefficients_that_float32_cannot_hold(value: float) -> None:
    with pytest.raises(ConfigError, match="finite float32"):
        to_coefficients(np.array([0.5, value]), 2)
