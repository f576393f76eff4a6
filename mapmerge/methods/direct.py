"""Direct search: measure, step off the best of what was measured, measure again; no surrogate."""

from dataclasses import dataclass

import numpy as np

from mapmerge.fronts.dominance import nondominated
from mapmerge.history import History
from mapmerge.methods.measured_search import MeasuredSearch
from mapmerge.records import Array, Question

_GENERATION = 20
"""Candidates of a generation; 2k where that is more."""

_STEPS = (0.05, 0.02)
"""Standard deviation of the steps in the first and in the last generation, in widths of the region."""

_DRAWS = 8
"""Children drawn for each that is wanted: the region's edge puts many on the same place."""

_SAME = 1e-9
"""Candidates all of whose coefficients differ by less are one."""


@dataclass(frozen=True, eq=False)
class DirectSearch(MeasuredSearch):
    """Spends half of the budget evenly over the region, the rest in generations near the measured front.

    A generation is max(2k, 20) children of those candidates that none dominates: half of them step off a parent, half
    off a point between two parents, and the steps shrink from 5 % of the region's width to 2 %. All stay inside the
    region, and no candidate is measured twice. `design.points` replaces the half.
    """

    @property
    def _opening(self) -> int:
        half = self.brief.config.design.points or -(-self._total // 2)
        return min(self._total, max(half, self.brief.k + 1))  # the units need base and experts

    @property
    def _size(self) -> int:
        return max(2 * self.brief.k, _GENERATION)

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the even half, then for one generation after the other until the budget is spent."""
        if not history.rounds:
            return self._first_question()
        left = self._left(history)
        if not left:
            return None
        children = self._children(history, min(self._size, left))
        return self._question(f"round-{len(history)}", children) if len(children) else None

    def _children(self, history: History, count: int) -> Array:
        """Return `count` new candidates; fewer only where the region has no others."""
        number, seen = len(history), history.observations
        rng = self.brief.rng("direct", number)
        drawn = self._region.sample(_DRAWS * count, rng)  # where nothing else is new, or nothing could be measured
        if seen.whole.any():
            parents = seen.coefficients[seen.whole]
            parents = parents[nondominated(seen.scores[seen.whole] * self.brief.signs)]
            rounds = max(1, -(-(self._total - self._opening) // self._size))
            step = float(np.geomspace(*_STEPS, rounds)[min(number, rounds) - 1])
            drawn = np.vstack([self._mutate(parents, step, len(drawn), rng), drawn])
        return _new(drawn, seen.coefficients, count)

    def _mutate(self, parents: Array, step: float, count: int, rng: np.random.Generator) -> Array:
        region = self._region
        mother, father = parents[rng.integers(len(parents), size=(2, count))]
        between = np.where(np.arange(count) % 2 == 0, 0.0, rng.random(count))[:, None]
        noise = step * (region.upper - region.lower) * rng.standard_normal(mother.shape)
        return region.project(mother + between * (father - mother) + noise)


def _new(candidates: Array, before: Array, count: int) -> Array:
    """Return the first `count` candidates that are neither among those before nor there already."""
    kept = before
    for row in candidates + 0.0:  # no -0.0, which would be another candidate than 0.0
        if len(kept) == len(before) + count:
            break
        if (np.abs(kept - row).max(axis=1) > _SAME).all():
            kept = np.vstack([kept, row])
    return kept[len(before) :]
