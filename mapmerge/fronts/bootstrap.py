"""How far scores would move had other items been drawn: a paired bootstrap over items."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mapmerge.errors import BadInputError
from mapmerge.records import Array, Interval


def outcome_tables(outcomes: Sequence[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    """Return one table [n, i_j] for each objective, or say what is wrong with them.

    Raises:
        BadInputError: an objective has no items, the numbers of points differ, or an outcome is not finite.

    >>> [table.shape for table in outcome_tables([[[1.0, 0.0]], [[0.3, 0.1, 0.4]]])]
    [(1, 2), (1, 3)]
    """
    tables = [np.asarray(table) for table in outcomes]
    if not tables or any(table.ndim != 2 or table.shape[1] == 0 for table in tables):
        shapes = [list(table.shape) for table in tables]
        raise BadInputError(f"expected one [points, items] table of outcomes for each objective, got shapes {shapes}")
    if len({len(table) for table in tables}) > 1:
        raise BadInputError(
            f"expected the same points in every objective, got {[len(table) for table in tables]} points;"
            " leave out points that failed in one objective"
        )
    for objective, table in enumerate(tables):
        if not np.isfinite(table).all():
            raise BadInputError(f"objective {objective} has outcomes that are not finite")
    return tables


def right_or_wrong(outcomes: NDArray[np.floating]) -> bool:
    """Tell whether outcomes are shares of right answers: all 0 or 1, or 0 or -1 for a share to be minimised.

    >>> right_or_wrong(np.array([[1.0, 0.0]])), right_or_wrong(np.array([[-1.0, 1.0]]))
    (True, False)
    """
    return bool(np.isin(outcomes, (0.0, -1.0 if (outcomes < 0).any() else 1.0)).all())


def bootstrap_scores(outcomes: Sequence[NDArray[np.floating]], *, draws: int, rng: np.random.Generator) -> Array:
    """Redraw the items of every objective, with replacement, and return the scores that would have come out.

    All points see the same redrawn items (paired), so that differences between points keep their precision.
    Objectives have item sets of their own and are redrawn independently.

    Args:
        outcomes: one array for each objective, [n, i_j]: the outcome of every point on every item.
        draws: how many redraws, b >= 1.
        rng: source of the redraws.

    Returns:
        Mean outcomes, shape [b, n, m].

    Raises:
        BadInputError: an objective has no items, the numbers of points differ, or an outcome is not finite.

    Source: Efron, Annals of Statistics 7(1), 1979.

    >>> hits = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]])  # the second point errs where the first is right
    >>> drawn = bootstrap_scores([hits], draws=3, rng=np.random.default_rng(0))
    >>> bool(np.allclose(drawn.sum(axis=1), 1.0))
    True
    """
    tables = outcome_tables(outcomes)
    if draws < 1:
        raise BadInputError(f"expected at least 1 bootstrap draw, got {draws}")
    drawn = np.empty((draws, len(tables[0]), len(tables)))
    for objective, table in enumerate(tables):
        items = table.shape[1]
        exact = table.T.astype(np.float64)
        block = max(1, 2_000_000 // items)  # bounds the table of counts to 16 MB
        for start in range(0, draws, block):
            size = min(block, draws - start)
            counts = np.empty((size, items))
            for row in counts:
                row[:] = np.bincount(rng.integers(items, size=items), minlength=items)
            drawn[start : start + size, :, objective] = counts @ exact / items
    return drawn


def bootstrap_interval(value: float, draws: Array, *, level: float) -> Interval:
    """Return an estimate that noise pushes upwards, such as a hypervolume, with its interval.

    A front profits from noise, for each of its points counts where it was lucky; redraws profit once more. The
    pivotal interval [2 v - q_high, 2 v - q_low] takes that off again: for fronts of 20 points and 300 items it covers
    the truth in about 90 % of cases where plain quantiles of the redraws cover it in 60 %. It is widened to contain
    the estimate.

    Args:
        value: the estimate v from all items.
        draws: the estimate in every redraw, shape [b].
        level: coverage, above 0 and below 1.

    Raises:
        BadInputError: the level is not between 0 and 1.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 5.2.

    >>> bootstrap_interval(1.0, np.array([0.9, 1.0, 1.1, 1.2, 1.3]), level=0.5)
    Interval(value=1.0, low=0.8, high=1.0)
    """
    low, high = quantiles(draws, level=level)
    return Interval(value, min(2.0 * value - float(high), value), max(2.0 * value - float(low), value))


def quantiles(draws: Array, *, level: float) -> tuple[Array, Array]:
    """Return the central quantiles over redraws: the interval of plain means, which noise does not push.

    Args:
        draws: shape [b, ...].
        level: coverage, above 0 and below 1.

    Returns:
        Low and high, shape [...] each, inside the range of the outcomes.

    Raises:
        BadInputError: the level is not between 0 and 1.

    Source: Efron, Annals of Statistics 7(1), 1979.

    >>> [round(float(edge), 9) for edge in quantiles(np.arange(101.0), level=0.9)]
    [5.0, 95.0]
    """
    if not 0.0 < level < 1.0:
        raise BadInputError(f"expected an interval level between 0 and 1, such as 0.9, got {level}")
    low, high = np.quantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0], axis=0)
    return low, high


def score_intervals(outcomes: NDArray[np.floating], drawn: Array, *, level: float) -> tuple[Array, Array]:
    """Return an interval for the score of each point on one objective.

    Where every outcome is right or wrong it is Wilson's, which keeps its width at perfect scores: no error on 200 items
    does not prove that there never is one. Otherwise it is the central quantiles of the redraws.

    Args:
        outcomes: shape [n, i]; 0 and 1, or 0 and -1 for a share that is to be minimised, count as right or wrong.
        drawn: redrawn scores of the same points, shape [b, n].
        level: coverage, above 0 and below 1.

    Returns:
        Low and high, shape [n] each.

    Source: Wilson, Journal of the American Statistical Association 22, 1927.

    >>> low, high = score_intervals(np.ones((1, 200)), np.ones((9, 1)), level=0.9)
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.987, 1.0)
    """
    low, high = quantiles(drawn, level=level)
    if not right_or_wrong(outcomes):
        return low, high
    sign = -1.0 if (outcomes < 0).any() else 1.0
    items = outcomes.shape[1]
    share = sign * outcomes.mean(axis=1, dtype=np.float64)
    z = float(ndtri(0.5 + level / 2.0))
    middle = (share + z**2 / (2 * items)) / (1 + z**2 / items)
    half = z * np.sqrt(share * (1 - share) / items + z**2 / (4 * items**2)) / (1 + z**2 / items)
    # At shares of 0 and 1 the end is the share itself, but for rounding.
    ends = sign * np.clip(np.stack([np.minimum(middle - half, share), np.maximum(middle + half, share)]), 0.0, 1.0)
    return ends.min(axis=0), ends.max(axis=0)
