"""Which models the items can tell apart: paired tests on items that all of them were measured on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr

from mapmerge.errors import BadInputError
from mapmerge.fronts.bootstrap import outcome_tables, right_or_wrong
from mapmerge.records import Array

_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
"""Below this share of two sums of squares a sum of squared differences is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class PairedTests:
    """Every model against every other one, objective by objective, on the same items.

    Args:
        differences: score of the row's model less that of the column's, shape [n, n, m].
        standard_errors: of the differences, shape [n, n, m]; 0 where two models agree on every item.
        p_values: two-sided, of no difference, each objective on its own, shape [n, n, m].
    """

    differences: Array
    standard_errors: Array
    p_values: Array

    def indistinguishable(self, level: float) -> NDArray[np.bool_]:
        """Mark the pairs of models that differ in no objective by more than the noise: shape [n, n], true at i = j.

        A pair is told apart when any objective differs at 1 - level, corrected by Holm for the m objectives: of pairs
        that do not differ at all, at most a share of 1 - level is told apart. That holds for each pair alone; nothing
        is corrected for the number of pairs, for the question is asked of one pair at a time.

        Raises:
            BadInputError: the level is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise BadInputError(f"expected a level between 0 and 1, such as 0.9, got {level}")
        return np.asarray((holm(self.p_values) > 1.0 - level).all(axis=2))


def paired_tests(outcomes: Sequence[NDArray[np.floating]]) -> PairedTests:
    """Test all pairs of models, in each objective, for a difference of their means over the same items.

    - Where every outcome is right or wrong: McNemar's test, mid-p. Only items count on which the two models disagree;
      without a difference each of the N falls to either side like a coin, and p = P(B <= w) + P(B <= w - 1) for
      B ~ Binomial(N, 1/2) and w the smaller side.
    - Otherwise: Student's t of the differences on each item, with i - 1 degrees of freedom.

    Two models with equal means, and any two on a single item that is no 0/1 item, have p = 1. The work is one matrix
    product an objective and one p-value a pair.

    Args:
        outcomes: one array for each objective, [n, i_j]: the outcome of every model on every item.

    Raises:
        BadInputError: the tables do not fit together, or an outcome is not finite.

    Source: McNemar, Psychometrika 12, 1947; Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91,
    2013, for mid-p.

    >>> first, second = np.ones((1, 20)), np.repeat([[0.0, 1.0]], [6, 14], axis=1)  # six items only the first has right
    >>> tests = paired_tests([np.vstack([first, second, second])])
    >>> tests.differences[:, 1, 0].round(3).tolist(), tests.p_values[:, 1, 0].tolist()
    ([0.3, 0.0, 0.0], [0.015625, 1.0, 1.0])
    >>> tests.indistinguishable(0.9)[1].tolist()
    [False, True, True]
    """
    tables = outcome_tables(outcomes)
    n = len(tables[0])
    rows, columns = np.triu_indices(n, 1)
    differences, errors = np.zeros((n, n, len(tables))), np.zeros((n, n, len(tables)))
    p_values = np.ones((n, n, len(tables)))
    for objective, table in enumerate(tables):
        test = _mcnemar if right_or_wrong(table) else _student
        difference, error, p = test(table.astype(np.float64), rows, columns)
        differences[rows, columns, objective], differences[columns, rows, objective] = difference, 0.0 - difference
        errors[rows, columns, objective] = errors[columns, rows, objective] = error
        p_values[rows, columns, objective] = p_values[columns, rows, objective] = p
    return PairedTests(differences, errors, p_values)


def holm(p_values: Array) -> Array:
    """Adjust p-values for how many there are: each may then be compared with one level for all.

    In ascending order p_1 <= ... <= p_m, the adjusted ones are max over j <= i of (m - j + 1) p_j, at most 1. It holds
    whatever the tests have to do with each other, so also for objectives that share items.

    Args:
        p_values: shape [..., m]; the last axis is one family.

    Returns:
        Adjusted p-values, shape as given.

    Source: Holm, Scandinavian Journal of Statistics 6(2), 1979.

    >>> holm(np.array([0.03, 0.01, 0.5]))
    array([0.06, 0.03, 0.5 ])
    """
    order = np.argsort(p_values, axis=-1, kind="stable")
    falling = np.arange(p_values.shape[-1], 0, -1)
    stepped = np.maximum.accumulate(np.take_along_axis(p_values, order, axis=-1) * falling, axis=-1)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=-1)
    return adjusted


_Pairs = NDArray[np.intp]


def _mcnemar(table: Array, rows: _Pairs, columns: _Pairs) -> tuple[Array, Array, Array]:
    # Sums of zeros and ones are exact, whatever the order in which they are added.
    items = table.shape[1]
    product = table @ table.T
    right = np.abs(table).sum(axis=1)
    both = product[rows, columns]
    alone, other = right[rows] - both, right[columns] - both
    sign = -1.0 if (table < 0).any() else 1.0
    difference = sign * (alone - other) / items
    disagree, fewer = alone + other, np.minimum(alone, other)
    at_most = bdtr(fewer, disagree.astype(np.int64), 0.5)
    # bdtr knows no number below 0, where there is no probability.
    below = np.where(fewer > 0, bdtr(np.maximum(fewer - 1, 0), disagree.astype(np.int64), 0.5), 0.0)
    return difference, _error(disagree - items * difference**2, items), np.minimum(at_most + below, 1.0)


def _student(table: Array, rows: _Pairs, columns: _Pairs) -> tuple[Array, Array, Array]:
    items = table.shape[1]
    # What the models have in common on an item cancels in every difference; without it less is lost to rounding.
    own = table - table.mean(axis=0)
    means = own.mean(axis=1)
    centred = own - means[:, None]
    product = centred @ centred.T
    squares = np.diag(product)
    both = squares[rows] + squares[columns]
    apart = both - 2.0 * product[rows, columns]
    rounding = _ROUNDING * both
    difference = means[rows] - means[columns]
    error = _error(np.where(apart > rounding, apart, 0.0), items)
    if items < 2:
        return difference, error, np.ones(len(rows))
    # Where two models differ by the same step on every item, t is as large as rounding lets it be.
    least = np.maximum(_error(np.maximum(apart, rounding), items), np.finfo(np.float64).tiny)
    return difference, error, 2.0 * stdtr(items - 1, -np.abs(difference) / least)


def _error(squares: Array, items: int) -> Array:
    # Squares of discordant shares lose their last bits and may end below 0.
    return np.asarray(np.sqrt(np.maximum(squares, 0.0) / max(items - 1, 1) / items), dtype=np.float64)
