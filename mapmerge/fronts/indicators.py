"""How good a front is, as one number: hypervolume, distances between fronts, win rate."""

from dataclasses import dataclass

import moocore
import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.fronts.dominance import as_gains, nondominated
from mapmerge.fronts.union import union_volumes
from mapmerge.records import Array

_ROUNDING = 1e-9
"""Share of the gains below which a difference is rounding."""

MANY = 10
"""Objectives beyond which directions are too few to fill the space between them."""

_DRAWS = 2**14
"""For all volumes of a front that grew: an error below 1 % of the last."""

_MOST_EXACT = 31
"""Objectives that moocore's exact algorithm can take."""


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """Units in which objectives can be added: 0 at the reference, 1 at the ideal; larger than 1 is possible.

    Args:
        reference: gains of the reference point, shape [m].
        ideal: gains of the ideal point, shape [m], above the reference everywhere.

    Raises:
        BadInputError: the shapes differ, a number is not finite, or the ideal is not above the reference.
    """

    reference: Array
    ideal: Array

    def __post_init__(self) -> None:
        both = as_gains(np.vstack([self.reference, self.ideal]))
        if not (both[1] > both[0]).all():
            raise BadInputError(
                f"expected an ideal point above the reference point in every objective,"
                f" got ideal {both[1].tolist()} and reference {both[0].tolist()}"
            )

    @classmethod
    def of(cls, unmerged: Array, *, noise: Array | float = 0.0) -> "Normalisation":
        """Span the units by the unmerged models: the base and each expert on its own.

        The reference is the worst of them in each objective, the ideal the best. Where they all lie within the noise
        there is no spread to measure by, and if the objective is perfect, or the same for every model, nothing is
        above the worst: no front would dominate anything, however good in the other objectives. Then the ideal is the
        worst of them, and the reference lies one unit of the objective itself below.

        Args:
            unmerged: gains of the base and the experts, shape [k + 1, m].
            noise: differences that mean nothing, in each objective, shape [m] or one for all.

        >>> unit = Normalisation.of(np.array([[0.1, 0.1, 0.5], [0.9, 0.2, 0.5], [0.3, 0.7, 0.5]]))
        >>> unit.reference.tolist(), unit.ideal.tolist()
        ([0.1, 0.1, -0.5], [0.9, 0.7, 0.5])
        """
        table = as_gains(unmerged)
        worst, best = table.min(axis=0), table.max(axis=0)
        flat = best - worst <= np.maximum(noise, _ROUNDING * np.abs(table).max(axis=0))
        return cls(np.where(flat, worst - 1.0, worst), np.where(flat, worst, best))

    @property
    def spread(self) -> Array:
        """The length of one normalised unit in each objective, shape [m]."""
        return np.asarray(self.ideal - self.reference, dtype=np.float64)

    def apply(self, gains: Array) -> Array:
        """Return (gains - reference) / (ideal - reference), shape as given: [..., m].

        >>> Normalisation(np.array([0.2]), np.array([0.6])).apply(np.array([[0.4]]))
        array([[0.5]])
        """
        return np.asarray((gains - self.reference) / self.spread, dtype=np.float64)

    def undo(self, normalised: Array) -> Array:
        """Return the gains that `apply` made these normalised ones from."""
        return np.asarray(self.reference + normalised * self.spread, dtype=np.float64)


def hypervolume(gains: Array, reference: Array, *, seconds: float = 1.0) -> float:
    """Measure the space that a front dominates above a reference point.

    Exact for up to four objectives, and beyond as long as the exact algorithm is predicted to take less than
    `seconds` (at m = 8 and one second: 120 points). Larger fronts are measured along evenly spread directions, always
    the same ones, or beyond ten objectives by `union.union_volumes`; the relative error is then about 0.1 % at one
    second and 1 % at a thousandth. The clock is never looked at: equal input gives equal output on every machine.

    Args:
        gains: shape [n, m], to be maximised.
        reference: shape [m]; points that are not above it everywhere count for nothing.
        seconds: what one measurement may cost, as an order of magnitude.

    Returns:
        Volume, in the product of the objectives' units; 0 for no points.

    Raises:
        BadInputError: gains are not a finite table, or the reference does not fit it.

    Source: Zitzler and Thiele, IEEE TEVC 3(4), 1999; Deng and Zhang, IEEE TEVC 23(5), 2019, for the approximation.

    >>> hypervolume(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([0.0, 0.0]))
    3.0
    """
    table = as_gains(gains)
    if np.shape(reference) != (table.shape[1],):
        raise BadInputError(f"expected a reference of {table.shape[1]} gains, got shape {list(np.shape(reference))}")
    table = table[(table > reference).all(axis=1)]
    if len(table) == 0:
        return 0.0
    table = table[nondominated(table)]
    if _seconds_exact(*table.shape) <= seconds and table.shape[1] <= _MOST_EXACT:
        return float(moocore.hypervolume(table, ref=reference, maximise=True))
    if table.shape[1] > MANY:
        return float(union_volumes(table - reference, int(np.clip(2**16 * seconds, 2**12, 2**16)))[-1])
    rays = int(np.clip(2**18 * seconds, 2**12, 2**18))
    return float(moocore.hv_approx(table, ref=reference, maximise=True, nsamples=rays))


def hypervolumes(gains: Array, reference: Array) -> Array:
    """Measure what the first row dominates, what the first two do, and so on: how a front grew.

    Each as `hypervolume` does in a thousandth of a second, but beyond ten objectives all of them at once.

    Args:
        gains: shape [n, m], to be maximised, oldest first.
        reference: shape [m]; points that are not above it everywhere count for nothing.

    Returns:
        Shape [n].

    >>> hypervolumes(np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 2.0]]), np.array([0.0, 0.0]))
    array([2., 2., 3.])
    """
    if len(gains) and gains.shape[1] > MANY:
        return union_volumes(np.maximum(gains - reference, 0.0), _DRAWS)
    grown, front = np.zeros(len(gains)), gains[:0]
    for place in range(len(gains)):
        front = np.vstack([front, gains[place]])
        front = front[nondominated(front)]
        grown[place] = hypervolume(front, reference, seconds=1e-3)
    return grown


def _seconds_exact(n: int, m: int) -> float:
    # Fitted to measurements of moocore 0.3 on spherical fronts, m = 5 to 8, n = 20 to 300: cost grows as n^(m - 3.5),
    # and reaches a millisecond at about 300, 75, 42 and 24 points.
    if m <= 4:
        return 0.0
    per_millisecond = {5: 300.0, 6: 75.0, 7: 42.0, 8: 24.0}.get(m, 16.0)
    return float(1e-3 * (n / per_millisecond) ** (m - 3.5))


def generational_distance(front: Array, target: Array) -> float:
    """Return the mean distance from the points of a front to their nearest points of a target front.

    GD(S, Z) = mean over s in S of min over z in Z of |s - z|: how far the front is from being right. Use normalised
    gains.

    Args:
        front: S, shape [n, m].
        target: Z, shape [t, m].

    Raises:
        BadInputError: either is not a finite table.

    Source: Van Veldhuizen and Lamont, 1998 (p = 1).

    >>> generational_distance(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [9.0, 9.0]]))
    5.0
    """
    return float(moocore.igd(as_gains(target), ref=as_gains(front)))


def inverted_generational_distance(front: Array, target: Array) -> float:
    """Return the mean distance from the points of a target front to their nearest points of a front.

    IGD(S, Z) = GD(Z, S): how much of the target the front leaves uncovered. Use normalised gains.

    Args:
        front: S, shape [n, m].
        target: Z, shape [t, m].

    Raises:
        BadInputError: either is not a finite table.

    Source: Coello Coello and Reyes Sierra, MICAI 2004 (p = 1).

    >>> inverted_generational_distance(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]]))
    2.5
    """
    return generational_distance(target, front)


def win_rate(front: Array, other: Array, *, tie: float = 0.0) -> float:
    """Return how often a point of one front beats a point of another, objective by objective.

    1 / (K K' m) times the number of (i, j, n) with F_n(i) > F'_n(j). Ties count for neither side, so that
    win_rate(a, b) + win_rate(b, a) <= 1. It rewards the middle of a front and ignores its extent: read it beside the
    hypervolume.

    Args:
        front: measured gains, shape [K, m].
        other: measured gains of the other front, shape [K', m].
        tie: what a tie counts; with 0.5 the two sides share it, and their rates sum to 1.

    Returns:
        Between 0 and 1; 0.5 is a draw where nothing ties, or where ties are shared.

    Raises:
        BadInputError: either is not a finite table.

    Source: poster of arXiv 2406.07529 (MAP), table of win rates.

    >>> win_rate(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [2.0, -1.0]]))
    0.5
    >>> win_rate(np.array([[1.0]]), np.array([[1.0]]), tie=0.5)
    0.5
    """
    mine, theirs = as_gains(front)[:, None, :], as_gains(other)[None, :, :]
    return float((mine > theirs).mean() + tie * (mine == theirs).mean())
