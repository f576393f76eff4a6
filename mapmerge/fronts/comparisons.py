"""Is the front any better than doing something simpler? Measured on the same items, with the noise in view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import BadInputError
from mapmerge.fronts.bootstrap import bootstrap_interval, bootstrap_scores, score_intervals
from mapmerge.fronts.dominance import probability_nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.records import Array, Interval

Outcomes = Sequence[NDArray[np.floating]]
"""One array for each objective, [n, i_j]: sign * outcome of every point on every item, so that more is better."""

_FAST = 1e-3  # seconds for the hypervolume of one redraw


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredSet:
    """Models measured on held-out items.

    Args:
        scores: mean gains, shape [n, m].
        low: lower ends of their intervals, shape [n, m].
        high: upper ends, shape [n, m].
        hypervolume: of the set, normalised: 1 is as good as the best unmerged model everywhere at once.
    """

    scores: Array
    low: Array
    high: Array
    hypervolume: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """The front against one baseline.

    Args:
        baseline: its name.
        hypervolume: of the baseline, normalised.
        difference: hypervolume of the front less that of the baseline, from the same redrawn items.
    """

    baseline: str
    hypervolume: Interval
    difference: Interval

    @property
    def words(self) -> str:
        """`better` or `worse` where the interval of the difference lies on one side of zero.

        >>> Comparison("uniform", Interval(0.5, 0.4, 0.6), Interval(0.1, -0.02, 0.2)).words
        'no difference beyond the noise'
        """
        if self.difference.low > 0.0:
            return "better"
        return "worse" if self.difference.high < 0.0 else "no difference beyond the noise"


@dataclass(frozen=True, slots=True, eq=False)
class FrontReport:
    """What the held-out items say about a front.

    Args:
        front: the front's models.
        baselines: every baseline's models, by name.
        comparisons: the front against each baseline, in the order given.
        probability_nondominated: for each model of the front, how often none of the others dominates it, shape [n].
    """

    front: MeasuredSet
    baselines: Mapping[str, MeasuredSet]
    comparisons: tuple[Comparison, ...]
    probability_nondominated: Array


def compare(
    front: Outcomes,
    baselines: Mapping[str, Outcomes],
    normalisation: Normalisation,
    *,
    rng: np.random.Generator,
    draws: int = 500,
    level: float = 0.9,
) -> FrontReport:
    """Compare a front with baselines by hypervolume, redrawing the items they were all measured on.

    One paired bootstrap serves everything. The reference and the ideal stay as given: they are the units, not
    estimates.

    Args:
        front: outcomes of the front's models, [n, i_j] for each objective.
        baselines: for each name the outcomes of its models, [n_b, i_j], on the same items in the same order.
        normalisation: units, from the unmerged models on the same items.
        rng: source of the redraws.
        draws: how many.
        level: coverage of every interval.

    Raises:
        BadInputError: numbers of objectives or items differ, an outcome is not finite, or an option is out of range.

    Source: Efron 1979 for the bootstrap; Zitzler and Thiele 1999 for the hypervolume.

    >>> unit = Normalisation(np.zeros(2), np.ones(2))
    >>> right, wrong = np.ones((1, 50)), np.zeros((1, 50))
    >>> report = compare([right, right], {"base": [wrong, right]}, unit, rng=np.random.default_rng(0), draws=20)
    >>> report.comparisons[0].difference, report.comparisons[0].words
    (Interval(value=1.0, low=1.0, high=1.0), 'better')
    """
    groups: list[tuple[str | None, Outcomes]] = [(None, front), *baselines.items()]
    stacked = _stack(groups, len(normalisation.reference))
    scores = np.stack([table.mean(axis=1, dtype=np.float64) for table in stacked], axis=1)
    drawn = bootstrap_scores(stacked, draws=draws, rng=rng)
    ends = [score_intervals(table, drawn[:, :, j], level=level) for j, table in enumerate(stacked)]
    low, high = (np.stack(side, axis=1) for side in zip(*ends, strict=True))
    measured: dict[str | None, MeasuredSet] = {}
    volumes: dict[str | None, Array] = {}
    start = 0
    for name, outcomes in groups:
        own = slice(start, start + len(outcomes[0]))
        start = own.stop
        value, volumes[name] = redrawn_hypervolumes(
            normalisation.apply(scores[own]), normalisation.apply(drawn[:, own])
        )
        interval = bootstrap_interval(value, volumes[name], level=level)
        floored = Interval(value, max(interval.low, 0.0), interval.high)
        measured[name] = MeasuredSet(scores[own], low[own], high[own], floored)
    whole = measured.pop(None)
    comparisons = []
    for name in baselines:
        difference = whole.hypervolume.value - measured[name].hypervolume.value
        interval = bootstrap_interval(difference, volumes[None] - volumes[name], level=level)
        comparisons.append(Comparison(name, measured[name].hypervolume, interval))
    chance = probability_nondominated(drawn[:, : len(whole.scores)])
    by_name = {name: measured[name] for name in baselines}
    return FrontReport(whole, by_name, tuple(comparisons), chance)


def _stack(groups: Sequence[tuple[str | None, Outcomes]], objectives: int) -> list[NDArray[np.floating]]:
    # One table for each objective with the points of all groups below each other: what is stacked is redrawn
    # together.
    for name, outcomes in groups:
        label = "the front" if name is None else f"baseline {name!r}"
        if len(outcomes) != objectives:
            raise BadInputError(f"expected outcomes of {objectives} objectives for {label}, got {len(outcomes)}")
        if len({len(table) for table in outcomes}) != 1 or len(outcomes[0]) == 0:
            counts = [len(table) for table in outcomes]
            raise BadInputError(f"expected the same points, one or more, in every objective of {label}, got {counts}")
    stacked = []
    for objective in range(objectives):
        tables = [np.asarray(outcomes[objective]) for _, outcomes in groups]
        shapes = [list(table.shape) for table in tables]
        if any(table.ndim != 2 or table.shape[1:] != tables[0].shape[1:] for table in tables):
            raise BadInputError(
                f"expected all points measured on the same items of objective {objective}, got {shapes}"
            )
        stacked.append(np.vstack(tables))
    return stacked


def redrawn_hypervolumes(scores: Array, drawn: Array) -> tuple[float, Array]:
    """Return the hypervolume of a set of models, and what it would have been in each redraw of the items.

    Args:
        scores: normalised gains, shape [n, m].
        drawn: the same from redrawn items, shape [b, n, m].

    >>> value, volumes = redrawn_hypervolumes(np.array([[1.0, 0.5]]), np.array([[[0.5, 0.5]], [[1.0, 1.0]]]))
    >>> value, volumes.tolist()
    (0.5, [0.25, 1.0])
    """
    origin = np.zeros(scores.shape[1])
    value = hypervolume(scores, origin)
    # Redraws are measured along fewer rays where exactness is slow; what that is off by is nearly the same in each of
    # them.
    fast = hypervolume(scores, origin, seconds=_FAST)
    volumes = np.array([hypervolume(redraw, origin, seconds=_FAST) for redraw in drawn])
    return value, volumes * (value / fast if fast > 0.0 else 1.0)
