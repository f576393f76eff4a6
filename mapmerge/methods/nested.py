"""What follows the nodes of a nested search: surfaces over all experts at once, and a last search around the merges."""

from dataclasses import dataclass, replace

import numpy as np

from mapmerge.config.sections import Budget
from mapmerge.designs.region import Region
from mapmerge.errors import FailedRunError
from mapmerge.history import History
from mapmerge.methods.adaptive import Adaptive
from mapmerge.methods.fits import FITS
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces

SETTLED = "settled"
"""Name of the question about the merges that the preferences chose of the root."""

_REFINING = "round-"
"""How the names of the refinement's rounds begin."""

_REACH = 0.3
"""How far from the settled merges a refinement begins to look, in every coefficient."""


@dataclass(frozen=True, eq=False)
class Nested:
    """Asks nothing itself until the nodes are done, then refines what they found, if the study has a budget for it.

    The nodes are studies of their own (see `config.nodes`). Whoever drives them has the whole study adopt their
    questions and at last one about the merges that were chosen, called `settled`.

    Args:
        brief: the whole study.
    """

    brief: Brief
    overlap = 1

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the next round of the refinement, None where there is to be none."""
        if not self.brief.config.nested.refine:
            return None
        return self._refinement(history).ask(_refining(history), pending)

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one surrogate an objective to what the nodes and the refinement measured, over all experts."""
        refining = _refining(history)
        if refining.rounds:
            return self._refinement(history).fit(refining)
        rows = history.observations.coefficients
        mass = rows.sum(axis=1)
        region = Region(rows.min(axis=0), rows.max(axis=0), (float(mass.min()), float(mass.max())))
        return fit_surfaces(self.brief, history, region, FITS[self.brief.config.adaptive.surrogate])

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Return the front of the refinement, none without one: the settled merges are delivered in any case."""
        refining = _refining(history)
        if not refining.rounds:
            return np.zeros((0, self.brief.k))
        return self._refinement(history).deliver(refining, surfaces)

    def _refinement(self, history: History) -> "Refinement":
        settled = [done.question.coefficients for done in history.rounds if done.question.name == SETTLED]
        if not settled:
            raise FailedRunError("nothing can be refined before the nodes are done")
        lower, upper = settled[0].min(axis=0) - _REACH, settled[0].max(axis=0) + _REACH
        budget = Budget(evaluations=self.brief.config.nested.refine, front=self.brief.config.budget.front)
        config = self.brief.config.model_copy(update={"method": "adaptive", "budget": budget})
        # Experts are added, not taken away, unless a merge that was chosen does so already.
        region = Region(np.maximum(lower, np.minimum(settled[0].min(axis=0), 0.0)), upper)
        return Refinement(replace(self.brief, config=config), region)


@dataclass(frozen=True, eq=False)
class Refinement(Adaptive):
    """The adaptive search around merges that are good already; what was measured before teaches its surrogates too.

    Args:
        brief: with the budget of the refinement.
        region: where it begins.
    """

    region: Region

    def _begin(self, size: int, counts: tuple[int, ...] | None) -> Question:
        name = f"{_REFINING}0"
        rows = self.region.sample(size, self.brief.rng("refine"))
        wanted = samples_for(self.brief, name, size, counts)
        return Question(name, "search", rows, wanted, region=self.region.to_json(), blind=False)


def _refining(history: History) -> History:
    """Return the rounds of the refinement, with all others as what was known before it."""
    mine = tuple(done for done in history.rounds if done.question.name.startswith(_REFINING))
    others = tuple(done for done in history.rounds if not done.question.name.startswith(_REFINING))
    return History(history.objectives, mine, history.before + others)
