"""Plain MAP: one design, one quadratic an objective, one search (arXiv 2406.07529, Algorithm 1)."""

from dataclasses import dataclass

from mapmerge.designs.rank import require_identifiable
from mapmerge.history import History
from mapmerge.methods.choice import predicted_best
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import affordable, cost, fixed_counts, samples_for
from mapmerge.methods.surfaces import fit_surfaces, gate
from mapmerge.methods.units import search_units
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces


@dataclass(frozen=True, eq=False)
class PlainMap:
    """Measures its design; where a surrogate then fails the gate and the budget is not spent, more points.

    Args:
        brief: the study.

    Raises:
        ConfigError: the design does not identify a quadratic.
    """

    brief: Brief
    overlap = 1

    def __post_init__(self) -> None:
        require_identifiable(self.brief.first(self._points, identify=True).coefficients)

    @property
    def _points(self) -> int:
        """Candidates of the first round: as many as the study says, or as the budget has room for."""
        counts = fixed_counts(self.brief)
        return self.brief.config.design.points or self.brief.budget // cost(self.brief, counts)

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the design, then for more points of its region as long as a surrogate fails its gate."""
        counts = fixed_counts(self.brief)
        design = self.brief.first(self._points, identify=True)
        if not history.rounds:
            return self._question("design", design.coefficients)
        left = affordable(self.brief, history, counts)
        if left <= 0 or all(verdict.passed for verdict in gate(self.brief, history, self.fit(history))):
            return None
        number = len(history)
        more = design.region.sample(min(left, -(-self._points // 2)), self.brief.rng("gate", number))
        return self._question(f"gate-{number}", more)

    def _question(self, name: str, coefficients: Array) -> Question:
        wanted = samples_for(self.brief, name, len(coefficients), fixed_counts(self.brief))
        return Question(name, "search", coefficients, wanted, blind=True)

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one quadratic an objective."""
        return fit_surfaces(self.brief, history, self.brief.first(self._points, identify=True).region)

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Search the quadratics and choose from the front that they predict."""
        return predicted_best(self.brief, surfaces, search_units(self.brief, history, surfaces))
