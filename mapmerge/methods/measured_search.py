"""What searches without surrogates have in common: they look at measured scores and deliver what they measured."""

from dataclasses import dataclass

from mapmerge.designs.region import Region
from mapmerge.history import History
from mapmerge.methods.choice import best_of
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import affordable, cost, fixed_counts, samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.methods.units import measured, search_units
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces


@dataclass(frozen=True, eq=False)
class MeasuredSearch:
    """The part of a method that a search without surrogates does not have to decide.

    Every candidate is measured on all objectives; where `sampling.items` is a number, each on that many items drawn
    simply at random. A candidate that could not be measured is not tried again.

    Args:
        brief: the study.

    Raises:
        ConfigError: the study's design cannot be made.
    """

    brief: Brief
    overlap = 1

    def __post_init__(self) -> None:
        self.brief.first(self._opening)

    @property
    def _total(self) -> int:
        """Candidates that the budget has room for."""
        return self.brief.budget // cost(self.brief, fixed_counts(self.brief))

    @property
    def _opening(self) -> int:
        """Candidates of the first round, chosen without looking at any score."""
        return self._total

    def _left(self, history: History) -> int:
        """Candidates that the budget still has room for."""
        return affordable(self.brief, history, fixed_counts(self.brief))

    @property
    def _region(self) -> Region:
        return self.brief.first(1).region

    def _first_question(self) -> Question:
        return self._question("design", self.brief.first(self._opening).coefficients, blind=True)

    def _question(self, name: str, coefficients: Array, *, blind: bool = False) -> Question:
        wanted = samples_for(self.brief, name, len(coefficients), fixed_counts(self.brief))
        return Question(name, "search", coefficients, wanted, blind=blind)

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one quadratic an objective: the search has no use for them, reports and preferences do."""
        return fit_surfaces(self.brief, history, self._region)

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Return the best of what was measured on every objective."""
        coefficients, gains = measured(self.brief, history)
        units = search_units(self.brief, history, surfaces)
        return coefficients[best_of(gains, self.brief.config.budget.front, units)]
