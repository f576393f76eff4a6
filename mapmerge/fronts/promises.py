"""What was predicted of delivered points, and what held-out items left of it: the winner's curse.

A search takes the best of a fit: good points, and points of which the fit is too optimistic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mapmerge.errors import BadInputError
from mapmerge.fronts.bootstrap import outcome_tables, right_or_wrong
from mapmerge.fronts.paired import holm
from mapmerge.records import Array, Interval

_ROUNDING = 1e-12
"""Share of a score below which a difference is rounding."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Predicted less measured: above zero where too much was promised.

    Args:
        missed: the difference with its interval.
        beyond_noise: whether it differs from zero by more than the noise, all objectives looked at together.
        standard_error: of the difference, over the choice of items; infinite where one item says nothing of it, None
            where the interval alone is known.
    """

    missed: Interval
    beyond_noise: bool
    standard_error: float | None = None

    @property
    def words(self) -> str:
        """The same in words.

        >>> Promise(Interval(0.02, 0.012, 0.028), True).words
        'promised too much'
        """
        if not self.beyond_noise:
            return "no difference beyond the noise"
        return "promised too much" if self.missed.value > 0.0 else "promised too little"

    def to_json(self) -> dict[str, float | str | None]:
        """Return the numbers by name, infinite ones as null, and the words.

        >>> Promise(Interval(0.1, -math.inf, math.inf), False).to_json()
        {'value': 0.1, 'low': None, 'high': None, 'words': 'no difference beyond the noise'}
        """
        numbers = self.missed.to_json()
        if self.standard_error is not None:
            numbers["standard_error"] = self.standard_error
        known = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
        return {**known, "words": self.words}


def promises(
    predicted: Array, outcomes: Sequence[NDArray[np.floating]], *, search_items: Sequence[int], level: float
) -> tuple[Promise, ...]:
    """Compare what was predicted of points with what was measured, averaged over the points.

    Points share their items, so the average is as noisy as its value on each item: y_i, the mean outcome of all points
    on item i. Its standard error is s(y) sqrt(1/i + 1/i'): the first part is what a paired bootstrap over the i
    held-out items converges to, the second is the same for the i' search items, which every prediction goes back to.
    It does not shrink with the number of points. Where outcomes are right or wrong, s(y) sees one more right and one
    more wrong item: no error on all items does not prove that there never is one.

    Args:
        predicted: gains, shape [n, m].
        outcomes: one array for each objective, [n, i_j]: sign * outcome of every point on every held-out item.
        search_items: how many search items each objective has, length m.
        level: coverage of each interval; `beyond_noise` is corrected by Holm for the m objectives.

    Returns:
        One for each objective, in the unit of its metric; the sign is that of gains, the same for every metric.

    Raises:
        BadInputError: the tables do not fit together, an outcome is not finite, or the level is out of range.

    Source: Efron, Annals of Statistics 7(1), 1979; Capen, Clapp and Campbell, Journal of Petroleum Technology 23(6),
    1971, for the winner's curse.

    >>> hits = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]])
    >>> round(promises(np.array([[0.6], [0.8]]), [hits], search_items=[4], level=0.9)[0].missed.value, 6)
    0.2
    """
    if not 0.0 < level < 1.0:
        raise BadInputError(f"expected a level between 0 and 1, such as 0.9, got {level}")
    tables = outcome_tables(outcomes)
    expected = (len(tables[0]), len(tables))
    if np.shape(predicted) != expected:
        raise BadInputError(f"expected predictions of shape {list(expected)}, got {list(np.shape(predicted))}")
    if len(search_items) != len(tables) or min(search_items) < 1:
        raise BadInputError(f"expected the search items, 1 or more, of {len(tables)} objectives, got {search_items}")
    averages = [table.mean(axis=0, dtype=np.float64) for table in tables]
    measured = np.array([average.mean() for average in averages])
    spreads = [_spread(average, shares=right_or_wrong(table)) for average, table in zip(averages, tables, strict=True)]
    held_out = np.array([len(average) for average in averages])
    errors = np.array(spreads) * np.sqrt(1.0 / held_out + 1.0 / np.asarray(search_items))
    freedom = np.maximum(held_out - 1, 1)
    missed = predicted.mean(axis=0) - measured
    least = np.maximum(errors, _ROUNDING * np.abs(measured) + np.finfo(np.float64).tiny)
    beyond = holm(2.0 * stdtr(freedom, -np.abs(missed) / least)) <= 1.0 - level
    reach = stdtrit(freedom, 0.5 + level / 2.0) * errors
    rows = zip(missed.tolist(), (missed - reach).tolist(), (missed + reach).tolist(), beyond, errors, strict=True)
    return tuple(Promise(Interval(*ends), bool(out), float(error)) for *ends, out, error in rows)


def promised_hypervolume(predicted: float, measured: Interval) -> Promise | None:
    """Return the share of a predicted hypervolume that was not there when it was measured.

    (predicted - measured) / predicted, with the interval of the measured one.

    Args:
        predicted: hypervolume of the delivered points as predicted, normalised.
        measured: the same as measured.

    Returns:
        None where no hypervolume was predicted.

    >>> promised_hypervolume(0.5, Interval(0.4, 0.3, 0.45)).words
    'promised too much'
    """
    if predicted <= 0.0:
        return None
    value, low, high = ((predicted - end) / predicted for end in (measured.value, measured.high, measured.low))
    return Promise(Interval(value, low, high), not low <= 0.0 <= high)


def _spread(average: Array, *, shares: bool) -> float:
    if len(average) < 2:
        return math.inf
    sign = -1.0 if (average < 0).any() else 1.0
    return float((np.append(average, (0.0, sign)) if shares else average).std(ddof=1))
