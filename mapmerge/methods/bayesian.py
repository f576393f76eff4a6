"""Bayesian optimisation: one candidate after the other, each where BoTorch expects most of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mapmerge.designs.initial import Design
from mapmerge.errors import ConfigError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.history import History
from mapmerge.methods.choice import predicted_best
from mapmerge.methods.fits import gaussian_process
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import auto_counts, cost, difficulties, samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.methods.units import search_units
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces
from mapmerge.sampling.estimate import effective_items
from mapmerge.surrogates.links import Link

if TYPE_CHECKING:
    from torch import Tensor

    from mapmerge.designs.acquisition import Measured
    from mapmerge.designs.promise import Gains

_BLIND = 0.2
"""Share of the candidates that is spread over the region first."""

_EACH = 4
"""Candidates that there must be for each that is chosen while others are out: it is chosen without their outcomes."""


@dataclass(frozen=True, eq=False)
class Bayesian:
    """Spreads its first candidates over the region, then asks for those that promise most hypervolume.

    The first ones are max(2(k+1), a fifth of all), asked as one question and `overlap - 1` more behind it, so that from
    the beginning as many questions are out as are allowed. `design.points` says how many candidates the first one has.

    Hypervolume is that of scores in the units of the search (see `methods.units`): the reference point is the worst
    unmerged model in each objective. With two to four objectives it is BoTorch's qLogNEHVI. With more, for which that
    takes half a minute a candidate and up, and with a single one, it is estimated along random rays: see
    `designs.promise`.

    Args:
        brief: the study.

    Raises:
        ConfigError: the budget ends before anything is chosen.
    """

    brief: Brief

    def __post_init__(self) -> None:
        if self._total <= self._spread:
            raise ConfigError(
                f"method `bayesian` spreads its first {self._spread} candidates over the region and then chooses one "
                f"after the other, but the budget has room for {self._total} in all: raise budget.evaluations, or "
                "lower sampling.items, design.points, bayesian.batch or bayesian.overlap"
            )

    @property
    def overlap(self) -> int:
        """How many questions may be out at a time: `bayesian.overlap`, but at most a quarter of all."""
        options = self.brief.config.bayesian
        return max(1, min(options.overlap, self._total // (_EACH * options.batch)))

    @property
    def _counts(self) -> tuple[int, ...] | None:
        return auto_counts(self.brief)

    @property
    def _total(self) -> int:
        """Candidates that the budget has room for."""
        return self.brief.budget // cost(self.brief, self._counts)

    @property
    def _behind(self) -> int:
        """Candidates that are spread over the region behind the first question."""
        return (self.overlap - 1) * self.brief.config.bayesian.batch

    @property
    def _opening(self) -> int:
        """Candidates of the first question: base, experts and uniform merge at least."""
        wanted = max(2 * (self.brief.k + 1), int(np.ceil(_BLIND * self._total)))
        return self.brief.config.design.points or max(self.brief.k + 2, wanted - self._behind)

    @property
    def _spread(self) -> int:
        return self._opening + self._behind

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the spread candidates, then for `bayesian.batch` at a time until the budget is spent."""
        number = len(history) + len(pending)
        before = [done.question for done in history.rounds] + list(pending)
        there = sum(len(question.coefficients) for question in before)
        size = min(self.brief.config.bayesian.batch if number else self._opening, self._total - there)
        if size <= 0:
            return None
        name = f"round-{number}" if number else "design"
        if there < self._spread:
            return self._question(name, self._first.coefficients[there : there + size], blind=True)
        if history.observations.whole.sum() < 2:  # too little could be measured to learn from
            return self._question(name, self._first.region.sample(size, self.brief.rng("blind", number)), blind=True)
        from mapmerge.designs.acquisition import propose  # loads BoTorch

        surfaces = fit_surfaces(self.brief, history, self._first.region)
        chosen = propose(
            self._measured(history),
            _gains(self.brief, search_units(self.brief, history, surfaces)),
            self._first.region,
            asked=history.observations.coefficients,
            pending=np.vstack([np.zeros((0, self.brief.k)), *(question.coefficients for question in pending)]),
            count=size,
            rng=self.brief.rng("bayesian", number),
        )
        return self._question(name, chosen, hard=difficulties(self.brief, history, surfaces))

    @property
    def _first(self) -> Design:
        return self.brief.first(self._spread)

    def _question(
        self, name: str, coefficients: Array, *, blind: bool = False, hard: tuple[Array | None, ...] | None = None
    ) -> Question:
        wanted = samples_for(self.brief, name, len(coefficients), self._counts, hard)
        return Question(name, "search", coefficients, wanted, blind=blind)

    def _measured(self, history: History) -> list["Measured"]:
        """Return what is known of each objective on the scale of its link, with the noise that the link makes of it.

        A score on the edge of its range has no finite place there; it is moved by half an item: see `Link.linearise`.
        """
        from mapmerge.designs.acquisition import Measured

        seen, known = history.observations, []
        for column, objective in enumerate(self.brief.objectives):
            there = seen.items[:, column] > 0
            scores, variances, items = (table[there, column] for table in (seen.scores, seen.variances, seen.items))
            weighs = effective_items(scores, variances, items, objective.metric)
            link = Link.of(objective.metric)
            values = link.linearise(link.clip(scores), weighs)
            noise = 1.0 / (weighs * link.weight(values)) if variances.any() else np.zeros(len(values))
            known.append(Measured(seen.coefficients[there], values, noise))
        return known

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one Gaussian process an objective, around a quadratic."""
        return fit_surfaces(self.brief, history, self._first.region, gaussian_process)

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Search the surfaces and choose from the front that they predict."""
        return predicted_best(self.brief, surfaces, search_units(self.brief, history, surfaces))


def _gains(brief: Brief, units: Normalisation) -> "Gains":
    """Return the way from the links' scale to the units of the search."""
    import torch

    links = [Link.of(objective.metric) for objective in brief.objectives]
    signs, reference, spread = (torch.as_tensor(row) for row in (brief.signs, units.reference, units.spread))

    def gains(values: "Tensor") -> "Tensor":
        means = torch.stack([_mean(link, values[..., column]) for column, link in enumerate(links)], dim=-1)
        return (means * signs - reference) / spread

    return gains


def _mean(link: Link, values: "Tensor") -> "Tensor":
    """Return what `Link.mean` does, for tensors."""
    import torch

    if link.kind == "identity":
        return values
    unit = torch.sigmoid(values) if link.kind == "logistic" else torch.nn.functional.softplus(values)
    return link.lower + link.span * unit
