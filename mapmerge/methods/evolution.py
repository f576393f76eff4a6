"""NSGA-II on real evaluations: the evolutionary search that needs no surrogate."""

from dataclasses import dataclass

import numpy as np

from mapmerge.fronts.nsga import next_generation
from mapmerge.history import History
from mapmerge.methods.measured_search import MeasuredSearch
from mapmerge.records import Array, Question

_GENERATIONS = 5
_POPULATION = (20, 100)
"""A fifth of the budget is the population, within these limits."""


@dataclass(frozen=True, eq=False)
class EvolutionarySearch(MeasuredSearch):
    """Measures the anchors and points spread evenly over the region, then one generation of NSGA-II after the other.

    The population is a fifth of the budget, at least 20 and at most 100 candidates, or `design.points`; a smaller
    budget is one population. Children that leave the region are put back to its nearest point, none is measured twice,
    and one that could not be measured loses to all that could.
    """

    @property
    def _opening(self) -> int:
        few, many = _POPULATION
        population = self.brief.config.design.points or min(many, max(few, self._total // _GENERATIONS))
        return min(self._total, population)

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the first population, then for one generation after the other until the budget is spent."""
        if not history.rounds:
            return self._first_question()
        left = self._left(history)
        if not left:
            return None
        region = self._region
        children = next_generation(
            self._generations(history),
            corners=np.vstack([region.lower, region.upper]),
            project=region.project,
            rng=self.brief.rng("nsga2"),
        )
        return self._question(f"round-{len(history)}", children[:left]) if len(children) else None

    def _generations(self, history: History) -> list[tuple[Array, Array]]:
        """Return candidates and gains of each round; gains are NaN where one could not be measured."""
        seen = history.observations
        gains = {
            row.tobytes(): gain for row, gain in zip(seen.coefficients, seen.scores * self.brief.signs, strict=True)
        }
        rounds = [done.question.coefficients for done in history.rounds]
        return [(rows, np.array([gains[row.tobytes()] for row in rows])) for rows in rounds]
