"""Polynomials of any degree: their monomials and their slopes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.surrogates.features import quadratic_features
from mapmerge.surrogates.polynomial import Basis, monomial_count


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 5), degree=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_slopes_are_those_of_finite_differences(k, degree, seed):
    rng = np.random.default_rng(seed)
    points, where = rng.random((30, k)), rng.random((7, k))
    basis = Basis.of(points, degree)
    assert len(basis.size) == monomial_count(k, degree) == len(basis.degrees)
    parameters = rng.standard_normal(len(basis.size))
    slopes, step = basis(where) @ basis.slopes(parameters), 1e-5
    for variable in range(k):
        ahead, behind = where.copy(), where.copy()
        ahead[:, variable] += step
        behind[:, variable] -= step
        expected = (basis(ahead) - basis(behind)) @ parameters / (2 * step)
        np.testing.assert_allclose(slopes[:, variable], expected, rtol=1e-4, atol=1e-4 * np.abs(slopes).max())


def test_monomials_of_degree_two_span_the_quadratics():
    points = np.random.default_rng(0).random((40, 3))
    basis = Basis.of(points, 2)
    both = np.hstack([basis(points), quadratic_features(points)])
    assert np.linalg.matrix_rank(both) == len(basis.size) == 10
    assert basis.degrees.tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 2, 2]


def test_monomials_have_a_mean_square_of_one_where_they_were_sized():
    points = np.random.default_rng(0).random((40, 2))
    np.testing.assert_allclose(np.mean(Basis.of(points, 3)(points) ** 2, axis=0), 1.0)


def test_a_coefficient_that_never_moves_does_no_harm():
    points = np.column_stack([np.linspace(0.0, 1.0, 9), np.full(9, 0.3)])
    assert np.isfinite(Basis.of(points, 3)(points)).all()


def test_another_number_of_coefficients_is_refused():
    with pytest.raises(BadInputError, match=r"shape \[n, 2\]"):
        Basis.of(np.random.default_rng(0).random((9, 2)), 2)(np.zeros((1, 3)))


def test_monomials_of_the_same_exponents_are_of_one_kind():
    kinds = Basis.of(np.random.default_rng(0).random((9, 2)), 3).kinds
    assert kinds.tolist() == [0, 1, 1, 2, 3, 2, 4, 5, 5, 4]  # 1, x, y, xx, xy, yy, xxx, xxy, xyy, yyy
