import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.surrogates.features import parameter_count, quadratic_features, quadratic_form


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_features_times_parameters_is_the_quadratic_form(k, n, seed):
    rng = np.random.default_rng(seed)
    points, parameters = rng.normal(size=(n, k)), rng.normal(size=parameter_count(k))
    constant, slope, curvature = quadratic_form(parameters, k)
    form = constant + points @ slope + 0.5 * np.einsum("ni,ij,nj->n", points, curvature, points)
    features = quadratic_features(points)
    assert features.shape == (n, parameter_count(k))
    np.testing.assert_allclose(features @ parameters, form, atol=1e-10)
    np.testing.assert_array_equal(curvature, curvature.T)


def test_a_flat_list_of_coefficients_is_refused():
    with pytest.raises(BadInputError, match=r"\[n, k\], got \[3\]"):
        quadratic_features(np.zeros(3))
