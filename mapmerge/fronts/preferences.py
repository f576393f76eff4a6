"""One merged model for one wish: by weights, by scores to be met, or where a front bends most."""

from dataclasses import dataclass

import numpy as np

from mapmerge.errors import PreferenceError
from mapmerge.fronts.ascent import Goal, climb
from mapmerge.fronts.chebyshev import Chebyshev
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array

_POOL = 2048
_STARTS = 32
_STARTS_ALONE = 8
_STEPS = 250
_PENALTY = 100.0  # per normalised unit of shortfall: far above any slope of a Chebyshev goal
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """The merged model that a preference picks.

    Args:
        coefficients: shape [k].
        gains: predicted, shape [m].
    """

    coefficients: Array
    gains: Array


class UnreachableError(PreferenceError):
    """No merged model is predicted to meet all the scores asked for.

    Args:
        floors: the gains asked for, shape [m].
        nearest: predicted gains, shape [m], of the model whose largest shortfall is smallest.
        coefficients: of that model, shape [k].
    """

    def __init__(self, floors: Array, nearest: Array, coefficients: Array) -> None:
        self.floors, self.nearest, self.coefficients = floors, nearest, coefficients
        short = [
            f"objective {j}: asked {floors[j]:.6g}, nearest {nearest[j]:.6g}" for j in np.flatnonzero(nearest < floors)
        ]
        super().__init__(
            f"no merged model in the searched region is predicted to meet this ({'; '.join(short)});"
            f" the nearest reaches {[round(float(gain), 6) for gain in nearest]}: ask for no more than that"
        )

    def __reduce__(self) -> tuple[type["UnreachableError"], tuple[Array, Array, Array]]:
        """Keep the three arrays when the error travels between processes."""
        return type(self), (self.floors, self.nearest, self.coefficients)


def pick_weights(
    landscape: Landscape, weights: Array, normalisation: Normalisation, *, rng: np.random.Generator
) -> Pick:
    """Pick the model that falls short of the best by least, where an objective matters in proportion to its weight.

    Maximises min_j w_j (z_j - u_j) over the objectives with positive weight, and a thousandth of the sum to settle
    ties: z are normalised gains, u is 1 (the best unmerged model) or the best that any merged model reaches alone, if
    that is more. Twice the weight halves the shortfall. Every point of the front answers to some weights, concave
    parts included.

    Args:
        landscape: predicted gains over the region.
        weights: w >= 0, shape [m], any scale; at least one positive. An objective of weight zero may take any score.
        normalisation: units in which shortfalls are compared.
        rng: source of the starting points.

    Raises:
        PreferenceError: a weight is negative or not finite, all are zero, or their number is not m.

    Source: Steuer and Choo, Mathematical Programming 26, 1983.
    """
    wanted = _checked_weights(weights, normalisation)
    unit = landscape.normalised(normalisation)
    pool, gains = _pool(unit, rng)
    best = np.maximum(_best_alone(unit, pool, gains).max(axis=0), 1.0)
    return _pick(landscape, _climb_best(unit, pool, gains, Chebyshev(wanted / wanted.max(), best)))


def pick_mean(landscape: Landscape, weights: Array, normalisation: Normalisation, *, rng: np.random.Generator) -> Pick:
    """Pick the model with the largest weighted mean of normalised gains.

    What is lost in one objective may be made up for in another: points in concave parts of a front are never picked,
    and an objective may be given up for the sake of the rest. `pick_weights` has neither property.

    Args:
        landscape: predicted gains over the region.
        weights: w >= 0, shape [m], any scale; at least one positive.
        normalisation: units in which gains are added.
        rng: source of the starting points.

    Raises:
        PreferenceError: a weight is negative or not finite, all are zero, or their number is not m.

    Source: the choice by preference of arXiv 2406.07529, there over an archive of points.
    """
    wanted = _checked_weights(weights, normalisation)
    unit = landscape.normalised(normalisation)
    return _pick(landscape, _climb_best(unit, *_pool(unit, rng), _Sum(wanted / wanted.sum())))


def pick_at_least(
    landscape: Landscape, floors: Array, normalisation: Normalisation, *, rng: np.random.Generator
) -> Pick:
    """Pick the model that meets the scores asked for and is best balanced in the rest.

    Among the models with gain_j >= floor_j, falls short of the best by least (see `pick_weights`, equal weights) in
    the objectives that have no floor; where all have one, in all of them.

    Args:
        landscape: predicted gains over the region.
        floors: least gains, in the unit of each objective, shape [m]; minus infinity where nothing is asked.
        normalisation: units in which shortfalls are compared.
        rng: source of the starting points.

    Raises:
        PreferenceError: a floor is NaN or plus infinity, none is finite, or their number is not m.
        UnreachableError: no model of the region is predicted to meet the floors; carries the nearest gains.

    Source: reservation levels of Wierzbicki, "The use of reference objectives in multiobjective optimization", 1980.
    """
    asked = np.asarray(floors, dtype=np.float64)
    _check_length(asked, normalisation, "floor")
    if np.isnan(asked).any() or np.isposinf(asked).any():
        raise PreferenceError(
            f"expected least gains that are numbers, or minus infinity for none, got {asked.tolist()}"
        )
    if not np.isfinite(asked).any():
        raise PreferenceError("expected a least gain in at least one objective, got none")
    unit = landscape.normalised(normalisation)
    pool, gains = _pool(unit, rng)
    bound = np.isfinite(asked)
    floor = normalisation.apply(asked)
    nearest, margin = _climb_best(unit, pool, gains, _Margin(bound, floor))
    if (margin - floor)[bound].min() < -_ROUNDING:
        raise UnreachableError(asked, landscape.predict(nearest[None])[0], nearest)
    free = ~bound if not bound.all() else bound
    alone = _best_alone(unit, pool, gains)
    best = np.maximum(np.vstack([alone, margin]).max(axis=0), 1.0)
    goal = _Constrained(Chebyshev(free.astype(np.float64), best), floor)
    return _pick(landscape, _climb_best(unit, np.vstack([pool, nearest]), np.vstack([gains, margin]), goal))


def pick_knee(landscape: Landscape, normalisation: Normalisation, *, rng: np.random.Generator) -> Pick:
    """Pick the model where the front bends most: beyond it, a little more of one objective costs much of another.

    The models that are best in one objective each span the front's own range, worst to best; in these units a plane
    goes through the m ends of the range, sum_j z_j = 1, and the model furthest above it is picked. A front with no
    point above its plane (a concave one) has no knee; the pick is then the best balanced model, as with equal
    weights.

    Args:
        landscape: predicted gains over the region.
        normalisation: units of the search.
        rng: source of the starting points.

    Source: Das, "On characterizing the knee of the Pareto curve", Structural Optimization 18, 1999.
    """
    unit = landscape.normalised(normalisation)
    pool, gains = _pool(unit, rng)
    alone = _best_alone(unit, pool, gains)
    worst, best = alone.min(axis=0), alone.max(axis=0)
    width = np.where(best - worst > _ROUNDING, best - worst, np.inf)  # an objective without conflict has no say
    if np.isinf(width).all():
        return _pick(landscape, _climb_best(unit, pool, gains, Chebyshev(np.ones(len(best)), best)))
    above = _climb_best(unit, pool, gains, _Sum(1.0 / width))
    if ((above[1] - worst) / width).sum() > 1.0 + 1e-3:
        return _pick(landscape, above)
    return _pick(landscape, _climb_best(unit, pool, gains, Chebyshev(1.0 / width, best)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    # Goal: a weighted sum of gains.
    weights: Array

    def value(self, gains: Array) -> Array:
        return np.asarray(gains @ self.weights)

    def slope(self, gains: Array, temperature: float) -> Array:
        return np.broadcast_to(self.weights, gains.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Margin:
    # Goal: the smallest excess over the floors.
    bound: Array
    floor: Array

    def value(self, gains: Array) -> Array:
        return np.asarray((gains - self.floor)[:, self.bound].min(axis=1))

    def slope(self, gains: Array, temperature: float) -> Array:
        anchor = np.where(self.bound, self.floor, 0.0)
        return Chebyshev(self.bound.astype(np.float64), anchor).slope(gains, temperature)


@dataclass(frozen=True, slots=True, eq=False)
class _Constrained:
    # Goal: another goal where all floors are met, and less than any such value where one is missed.
    inside: Chebyshev
    floor: Array

    def value(self, gains: Array) -> Array:
        short = np.maximum(self.floor - gains, 0.0).max(axis=1)
        return np.where(short > _ROUNDING, -1e6 * (1.0 + short), self.inside.value(gains))

    def slope(self, gains: Array, temperature: float) -> Array:
        # Pushes back a little before the floor, less and less so, or every step along the floor would end below it.
        missed = self.floor + 0.1 * temperature > gains
        return self.inside.slope(gains, temperature) + _PENALTY * missed


def _pool(unit: Landscape, rng: np.random.Generator) -> tuple[Array, Array]:
    points = unit.pool(_POOL, rng)
    return points, unit.predict(points)


def _climb_best(unit: Landscape, pool: Array, gains: Array, goal: Goal) -> tuple[Array, Array]:
    # From the best few points of the pool to the single best point seen: coefficients [k], normalised gains [m].
    first = np.argsort(-goal.value(gains), kind="stable")[:_STARTS]
    points, reached = climb(unit, pool[first], goal, steps=_STEPS)
    top = int(goal.value(reached).argmax())
    return points[top], reached[top]


def _best_alone(unit: Landscape, pool: Array, gains: Array) -> Array:
    # Row j: normalised gains of the model that is best in objective j, shape [m, m]. All are climbed to at once.
    m = gains.shape[1]
    starts = np.argsort(-gains, axis=0, kind="stable")[:_STARTS_ALONE].T.ravel()
    each = min(_STARTS_ALONE, len(gains))
    goal = Chebyshev(np.repeat(np.eye(m), each, axis=0), np.zeros(m))
    _, reached = climb(unit, pool[starts], goal, steps=_STEPS)
    top = goal.value(reached).reshape(m, each).argmax(axis=1)
    return np.asarray(reached.reshape(m, each, m)[np.arange(m), top])


def _pick(landscape: Landscape, found: tuple[Array, Array]) -> Pick:
    return Pick(found[0], landscape.predict(found[0][None])[0])


def _checked_weights(weights: Array, normalisation: Normalisation) -> Array:
    wanted = np.asarray(weights, dtype=np.float64)
    _check_length(wanted, normalisation, "weight")
    if not np.isfinite(wanted).all() or (wanted < 0).any():
        raise PreferenceError(f"expected weights of zero or more, got {wanted.tolist()}")
    if not (wanted > 0).any():
        raise PreferenceError(f"expected at least one weight above zero, got {wanted.tolist()}")
    return wanted


def _check_length(given: Array, normalisation: Normalisation, what: str) -> None:
    m = len(normalisation.reference)
    if given.shape != (m,):
        raise PreferenceError(f"expected {m} {what}s, one for each objective, got shape {list(given.shape)}")
