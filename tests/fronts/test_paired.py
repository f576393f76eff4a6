"""Paired tests on shared items: known answers, what must always hold, and how often they err."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mapmerge.errors import BadInputError
from mapmerge.fronts.paired import PairedTests, holm, paired_tests


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def disagreeing(only_first: int, only_second: int, items: int) -> np.ndarray:
    """Two models that disagree on so many items, and are both right on all others."""
    table = np.ones((2, items), dtype=np.float32)
    table[1, :only_first] = 0.0
    table[0, only_first : only_first + only_second] = 0.0
    return table


def tables(seed: int, n: int, m: int, items: int, *, shares: bool) -> list[np.ndarray]:
    """Outcomes of models on items that are hard or easy for all of them alike."""
    generator = rng(seed)
    made = []
    for _ in range(m):
        raw = generator.normal(size=(n, items)) + generator.normal(size=items) + generator.normal(0, 0.3, (n, 1))
        made.append((raw > 0).astype(np.float32) if shares else raw)
    return made


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),  # no item to tell by
        (1, 0, 0.5),
        (3, 3, 1.0),
        (10, 2, 2 * (1 + 12 + 66 / 2) / 2**12),  # counted by hand: P(B <= 1) + P(B = 2) / 2, on both sides
        (5, 0, 1 / 2**5),
    ],
)
def test_mcnemar_counts_only_items_on_which_models_disagree(only_first: int, only_second: int, p: float) -> None:
    for items in (20, 2000):
        tests = paired_tests([disagreeing(only_first, only_second, items)])
        assert tests.p_values[0, 1, 0] == pytest.approx(p)
        assert tests.differences[0, 1, 0] == pytest.approx((only_first - only_second) / items)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_mid_p_is_the_exact_test_less_half_of_what_was_seen(sign: float) -> None:
    table = tables(1, 5, 1, 300, shares=True)[0]
    tests = paired_tests([sign * table])
    for i, j in zip(*np.triu_indices(5, 1), strict=True):
        wins, losses = int((table[i] > table[j]).sum()), int((table[i] < table[j]).sum())
        exact = stats.binomtest(min(wins, losses), wins + losses).pvalue
        seen = stats.binom.pmf(min(wins, losses), wins + losses, 0.5)
        assert tests.p_values[i, j, 0] == pytest.approx(exact - seen if wins != losses else 1.0)
        assert tests.differences[i, j, 0] == pytest.approx(sign * (wins - losses) / 300)


def test_other_outcomes_get_a_paired_t_test() -> None:
    first, second = tables(2, 4, 2, 50, shares=False)
    tests = paired_tests([first, second])
    for objective, table in enumerate((first, second)):
        for i, j in zip(*np.triu_indices(4, 1), strict=True):
            known = stats.ttest_rel(table[i], table[j])
            assert tests.p_values[i, j, objective] == pytest.approx(known.pvalue)
            assert tests.differences[i, j, objective] == pytest.approx((table[i] - table[j]).mean())
            assert tests.standard_errors[i, j, objective] == pytest.approx(stats.sem(table[i] - table[j]))


def test_standard_errors_of_shares_are_those_of_the_differences() -> None:
    table = tables(3, 3, 1, 200, shares=True)[0]
    tests = paired_tests([table])
    assert tests.standard_errors[0, 2, 0] == pytest.approx(stats.sem(table[0] - table[2]))


def test_holm_is_the_textbook_procedure_in_any_order() -> None:
    p = np.array([[0.01, 0.04, 0.03, 0.005], [0.5, 0.4, 0.9, 0.001]])
    assert np.allclose(holm(p), [[0.03, 0.06, 0.06, 0.02], [1.0, 1.0, 1.0, 0.004]])
    shuffled = rng(0).permutation(4)
    assert np.allclose(holm(p[:, shuffled]), holm(p)[:, shuffled])


def test_one_objective_that_differs_is_enough_but_pays_for_the_others() -> None:
    apart, same = disagreeing(6, 0, 100), disagreeing(2, 2, 100)  # p = 1/64
    assert not paired_tests([apart, same, same]).indistinguishable(0.9)[0, 1]  # 3/64 < 0.1
    assert paired_tests([apart] + [same] * 6).indistinguishable(0.9)[0, 1]  # 7/64 > 0.1


def test_pairing_tells_apart_what_unpaired_intervals_do_not() -> None:
    hardness = rng(4).random(1000)
    table = np.stack([hardness < 0.70, hardness < 0.685]).astype(np.float32)
    half = 1.645 * np.sqrt(0.7 * 0.3 / 1000)
    assert table[0].mean() - table[1].mean() < half
    assert not paired_tests([table]).indistinguishable(0.9)[0, 1]


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3), st.integers(1, 40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_must_hold_of_any_outcomes(seed: int, n: int, m: int, items: int, shares: bool) -> None:
    given_tables = tables(seed, n, m, items, shares=shares)
    tests = paired_tests([np.vstack([table, table[:1]]) for table in given_tables])  # the first model twice
    assert np.array_equal(tests.differences, -np.swapaxes(tests.differences, 0, 1))
    for symmetric in (tests.p_values, tests.standard_errors):
        assert np.array_equal(symmetric, np.swapaxes(symmetric, 0, 1))
    assert (tests.p_values >= 0).all()
    assert (tests.p_values <= 1).all()
    assert np.isfinite(tests.standard_errors).all()
    alike = tests.indistinguishable(0.9)
    assert alike.diagonal().all()
    assert alike[0, n]
    assert not tests.differences[0, n].any()
    assert (tests.p_values[0, n] == 1).all()


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(20, 60), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_model_moved_far_away_is_told_apart_from_all_others(seed: int, n: int, items: int, shares: bool) -> None:
    first, second = tables(seed, n, 2, items, shares=shares)
    moved = second.copy()
    second[0], moved[0] = (0.0, 1.0) if shares else (second[0], second[0] + 100.0)
    if shares:
        moved[1:] = 0.0
    alike = paired_tests([first, moved]).indistinguishable(0.9)
    assert not alike[0, 1:].any()


@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_the_unit_of_a_metric_does_not_matter(seed: int, shift: float, unit: float) -> None:
    table = tables(seed, 4, 1, 30, shares=False)[0]
    here, there = paired_tests([table]), paired_tests([-unit * table + shift])
    assert np.allclose(here.p_values, there.p_values, rtol=1e-6)
    assert np.allclose(there.differences, -unit * here.differences, atol=1e-9 * unit)


@pytest.mark.parametrize("shares", [True, False])
def test_models_that_do_not_differ_are_told_apart_in_one_of_ten_pairs(shares: bool) -> None:
    told = []
    for seed in range(150):
        generator = rng(seed, 5)
        made = []
        for _ in range(3):
            raw = generator.normal(size=(6, 250)) + generator.normal(0.5, 1.0, 250)
            made.append((raw > 0).astype(np.float32) if shares else np.log1p(np.exp(raw)))
        alike = paired_tests(made).indistinguishable(0.9)
        told.append(np.mean(~alike[np.triu_indices(6, 1)]))
    assert 0.07 < np.mean(told) < 0.12


def test_a_step_on_every_item_is_as_far_apart_as_can_be() -> None:
    table = rng(6).normal(size=(1, 30))
    tests = paired_tests([np.vstack([table, table + 0.25, table])])
    assert tests.p_values[0, :, 0].tolist() == [1.0, 0.0, 1.0]
    assert tests.standard_errors[0, 1, 0] == pytest.approx(0.0, abs=1e-9)


def test_one_item_tells_nothing() -> None:
    tests = paired_tests([np.array([[0.2], [0.9]])])
    assert tests.indistinguishable(0.9).all()
    assert tests.p_values.tolist() == [[[1.0], [1.0]], [[1.0], [1.0]]]


def test_constant_outcomes_are_compared_too() -> None:
    tests = paired_tests([np.repeat([[0.3], [0.3], [0.4]], 10, axis=1)])
    assert tests.indistinguishable(0.9).tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(BadInputError, match="same points"):
        paired_tests([np.ones((2, 3)), np.ones((3, 3))])
    with pytest.raises(BadInputError, match="not finite"):
        paired_tests([np.array([[np.inf, 1.0]])])
    empty = PairedTests(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    with pytest.raises(BadInputError, match="between 0 and 1"):
        empty.indistinguishable(90.0)
